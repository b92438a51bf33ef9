import Flows
import NetworkTypes
import Sketches

/// Two hosts that suddenly exchange far more than any two have lately.
///
/// At an interface and direction, the rate from one host to another is suspicious when it is at least `heavyShare` of the traffic there, and at
/// least 1 Mbit/s, and far above the most that any two hosts have had there lately (``Envelope``): 4 times when next to nothing comes back, and
/// 16 times when both ends take part, for such a transfer was asked for, and transfers differ by more than that. What has been suspicious for
/// ten minutes is ordinary from then on. An interface is learnt for half a minute before it is judged.
///
/// Flows alone are looked at: a heavy one does not stay without a slot, for it comes by whenever one is free, and is never the longest unused.
struct HeavyWatch {
    private struct Pair: Hashable {
        var source: IPAddress
        var destination: IPAddress
        var vni: UInt32?
    }

    /// A pair at a point, told apart by a keyed hash of both: there are as many to find as flows.
    private struct Place: Hashable {
        let pair: Pair
        let point: ObservationPoint
        private let digest: UInt64

        init(_ pair: Pair, _ point: ObservationPoint, _ hash: KeyedHash) {
            (self.pair, self.point) = (pair, point)
            let (a, b) = (pair.source.fieldWords, pair.destination.fieldWords)
            let at = UInt64(point.interface.rawValue) << 32 | UInt64(point.direction.rawValue) << 31 | UInt64(pair.vni ?? 1 << 24)
            digest = hash(hash(a.0, a.1) &+ at, hash(b.0, b.1))
        }

        static func == (a: Place, b: Place) -> Bool { a.digest == b.digest }
        func hash(into hasher: inout Hasher) { hasher.combine(digest) }
    }

    private struct Excess {
        /// What was the most before.
        var usual: Double
        /// The most of this excess, and which part of the traffic it was.
        var peak = (rate: 0.0, share: 0.0)
        var since: Timestamp
        var first: Timestamp
        var last: Timestamp
    }

    static let learning = 30.0
    private static let least = 125_000.0
    private static let leastOfFlow: UInt64 = 128
    private static let mostPairs = 16_384
    private static let ordinaryAfter = Duration.seconds(600)

    private let share: Double
    private let hash: KeyedHash
    private var gained: [Place: (bytes: UInt64, packets: UInt64, first: Timestamp)] = [:]
    private var totals: [ObservationPoint: UInt64] = [:]
    private var usual: [ObservationPoint: Envelope] = [:]
    private var excesses: [Pair: Excess] = [:]

    init(_ limits: SuspicionLimits, _ hash: KeyedHash) {
        share = limits.heavyShare
        self.hash = hash
    }

    mutating func observe(_ record: FlowRecord, _ totals: Totals) {
        let point = ObservationPoint(record.key)
        self.totals[point, default: 0] &+= totals.wireBytes
        // One small packet: a scan or flood of them is not what this looks for. The few acknowledgements of a transfer count.
        guard totals.wireBytes >= Self.leastOfFlow else { return }
        let tuple = record.key.inner ?? record.key.outer
        guard let source = tuple.source, let destination = tuple.destination else { return }
        let place = Place(Pair(source: source, destination: destination, vni: record.key.vni), point, hash)
        // A flood of pairs has none that is heavy.
        guard gained.count < Self.mostPairs || totals.wireBytes >= 16_384 || gained[place] != nil else { return }
        let before = gained[place] ?? (0, 0, record.traits.first)
        gained[place] = (
            before.bytes &+ totals.wireBytes, before.packets &+ totals.wirePackets, max(before.first, record.traits.first)
        )
    }

    /// - Parameter seconds: that have passed since the last call.
    mutating func turn(now: Timestamp, seconds: Double) -> [Finding] {
        var findings: [Pair: Finding] = [:]
        var most: [ObservationPoint: Double] = [:]
        for (place, sum) in gained {
            let rate = Double(sum.bytes) / seconds
            if let finding = judge(place, rate, sum.packets, sum.first, now, seconds) {
                let known = findings[place.pair]
                if known == nil || finding.evidence[0].value > known!.evidence[0].value { findings[place.pair] = finding }
            } else {
                most[place.point] = max(most[place.point] ?? 0, rate)
            }
        }
        for point in totals.keys { usual[point, default: Envelope()].learn(most[point] ?? 0, over: seconds) }
        // An interface that is gone, or silent for long, is learnt anew.
        if usual.count > 4096 { usual = usual.filter { totals[$0.key] != nil } }
        excesses = excesses.filter { now - $0.value.last < .seconds(10) }
        gained.removeAll(keepingCapacity: gained.count < 4096)
        totals.removeAll(keepingCapacity: true)
        return findings.values.sorted { $0.evidence[0].value > $1.evidence[0].value }
    }

    private mutating func judge(
        _ place: Place, _ rate: Double, _ packets: UInt64, _ first: Timestamp, _ now: Timestamp, _ seconds: Double
    ) -> Finding? {
        let total = Double(totals[place.point] ?? 0) / seconds
        guard rate >= Self.least, rate >= share * total, let envelope = usual[place.point], envelope.learnt >= Self.learning else {
            return nil
        }
        let isAnswered = isAnswered(place, packets)
        let usual = excesses[place.pair]?.usual ?? envelope.value
        guard rate >= (isAnswered ? 16 : 4) * usual else { return nil }
        var excess = excesses[place.pair] ?? Excess(usual: usual, since: now, first: first, last: now)
        guard now - excess.since < Self.ordinaryAfter else { return nil }
        excess.last = now
        if rate > excess.peak.rate { excess.peak = (rate, rate / total) }
        excesses[place.pair] = excess
        return Finding(
            kind: .heavyHitter, subject: .init(source: place.pair.source, destination: place.pair.destination, vni: place.pair.vni),
            point: place.point, start: now - first < .seconds(3) ? first : nil,
            evidence: [
                .init("at most", excess.peak.rate, form: .rate), .init("most of any two hosts lately", usual, form: .rate),
                .init("part of the traffic", excess.peak.share, form: .share),
            ],
            contributors: [.init(address: place.pair.source, count: UInt64(rate * seconds))])
    }

    /// At least one packet comes back for a thousand.
    private func isAnswered(_ place: Place, _ packets: UInt64) -> Bool {
        let pair = Pair(source: place.pair.destination, destination: place.pair.source, vni: place.pair.vni)
        let point = ObservationPoint(
            interface: place.point.interface, direction: place.point.direction == .ingress ? .egress : .ingress)
        return (gained[Place(pair, point, hash)]?.packets ?? 0) &* 1000 >= packets
    }
}
