import Flows
import NetworkTypes
import Sketches

/// Sources that try many ports or addresses in vain.
///
/// That it is in vain is what tells a scan from a busy client (after Jung, Paxson, Berger, Balakrishnan, “Fast portscan detection using
/// sequential hypothesis testing”, 2004): of the distinct pairs of address and port that a source has tried in the last five to ten minutes, at
/// least four in five have not answered; or else, for a client that scans beside its work, of what it tried in this second. And their shape:
/// eight ports or more at each host, or eight hosts or more at each port. A client of a swarm of peers, of whom most are gone, has neither.
struct ScanWatch {
    private struct Scanner: Hashable {
        var source: IPAddress
        var vni: UInt32?
    }

    /// What a source has tried.
    private struct Tried {
        var vain = HyperLogLog(registers: 256)
        var answered = HyperLogLog(registers: 256)
        var targets = HyperLogLog(registers: 256)
        var ports = HyperLogLog(registers: 256)
        /// Attempts in vain.
        var count = 0

        mutating func merge(_ other: Tried) {
            vain.merge(other.vain)
            answered.merge(other.answered)
            targets.merge(other.targets)
            ports.merge(other.ports)
            count += other.count
        }
    }

    private struct State {
        var scanner: Scanner
        var now = Tried()
        var before: Tried?
        var point: ObservationPoint
        var first: Timestamp
        var isTouched = false
        /// Attempts of the second that runs.
        var vainNow = 0
        var answeredNow = 0
        var targets = FrequentItems<IPAddress>()
        var ports = FrequentItems<UInt16>()

        var count: Int { now.count + (before?.count ?? 0) }
    }

    static let mostSources = 8192
    /// Half of the time that attempts are remembered.
    static let generation = Duration.seconds(300)

    private let limit: Double
    private let hash: KeyedHash
    private var states: [State] = []
    private var numbers: [Scanner: Int] = [:]
    private var touched: [Int] = []
    private var hand = 0
    private var admission = Admission(most: 2048)
    private var aged: Timestamp?

    init(_ limits: SuspicionLimits, _ hash: KeyedHash) {
        limit = Double(limits.scanTargets)
        self.hash = hash
    }

    var sources: Int { states.count }

    /// - Parameter isVain: whether nobody answered.
    mutating func observe(_ attempt: Attempt, isVain: Bool, _ record: FlowRecord) {
        let scanner = Scanner(source: attempt.source, vni: attempt.vni)
        let target = hash(attempt.destination.fieldWords.0, attempt.destination.fieldWords.1)
        let pair = hash(target, UInt64(attempt.port))
        guard isVain else {
            if let number = numbers[scanner] {
                states[number].now.answered.add(pair)
                touch(number)
                states[number].answeredNow += 1
            }
            return
        }
        guard let number = numbers[scanner] ?? admit(scanner, pair &+ UInt64(attempt.tuple.sourcePort), record) else { return }
        states[number].now.vain.add(pair)
        states[number].now.targets.add(target)
        states[number].now.ports.add(hash(UInt64(attempt.port)))
        states[number].now.count += 1
        states[number].targets.add(attempt.destination)
        states[number].ports.add(attempt.port)
        touch(number)
        states[number].vainNow += 1
    }

    private mutating func touch(_ number: Int) {
        guard !states[number].isTouched else { return }
        states[number].isTouched = true
        (states[number].vainNow, states[number].answeredNow) = (0, 0)
        touched.append(number)
    }

    private mutating func admit(_ scanner: Scanner, _ meeting: UInt64, _ record: FlowRecord) -> Int? {
        guard admission.admits(meeting) else { return nil }
        let state = State(scanner: scanner, point: ObservationPoint(record.key), first: record.traits.first)
        guard states.count == Self.mostSources else {
            states.append(state)
            numbers[scanner] = states.count - 1
            return states.count - 1
        }
        // The one of sixteen that has tried the least, and not in this second.
        var least: Int?
        for _ in 0..<16 {
            hand = (hand + 1) % states.count
            guard !states[hand].isTouched else { continue }
            if least.map({ states[hand].count < states[$0].count }) ?? true { least = hand }
        }
        guard let least else { return nil }
        numbers[states[least].scanner] = nil
        states[least] = state
        numbers[scanner] = least
        return least
    }

    /// What the second has shown.
    mutating func turn(now: Timestamp, overflow: TrafficSketch?) -> [Finding] {
        admission.turn()
        var findings: [Finding] = []
        for number in touched {
            states[number].isTouched = false
            let state = states[number]
            guard state.vainNow > 0, Double(state.count) >= limit, let finding = judge(state) else { continue }
            findings.append(finding)
        }
        touched.removeAll(keepingCapacity: true)
        if let overflow { findings += estimated(overflow).filter { found in !findings.contains { $0.subject == found.subject } } }
        if let aged, now - aged < Self.generation { return findings }
        if aged != nil { age() }
        aged = now
        return findings
    }

    private func judge(_ state: State) -> Finding? {
        var tried = state.now
        if let before = state.before { tried.merge(before) }
        let (vain, answered) = (tried.vain.estimate, tried.answered.estimate)
        let (targets, ports) = (tried.targets.estimate, tried.ports.estimate)
        let isBurst = Double(state.vainNow) >= limit && state.vainNow >= 4 * state.answeredNow
        guard vain >= limit, isBurst || vain >= 4 * answered,
            let kind = Self.kind(limit, vain: vain, targets: targets, ports: ports)
        else { return nil }
        let error = tried.vain.relativeError
        return Finding(
            kind: kind, subject: .init(source: state.scanner.source, vni: state.scanner.vni), point: state.point, start: state.first,
            evidence: [
                .init("tried in vain", vain, relativeError: error), .init("answered", answered, relativeError: error),
                .init("ports", ports, relativeError: error), .init("addresses", targets, relativeError: error),
                .init("attempts", Double(tried.count)),
            ],
            contributors: kind == .portScan
                ? state.targets.leaders.map { .init(address: $0.item, count: $0.count) }
                : state.ports.leaders.map { .init(address: nil, port: $0.item, count: $0.count) })
    }

    private static func kind(_ limit: Double, vain: Double, targets: Double, ports: Double) -> Suspicion.Kind? {
        if ports >= limit / 2, vain >= 8 * targets { return .portScan }
        if targets >= limit, targets >= 8 * ports { return .addressScan }
        return nil
    }

    /// Scans among the packets without a flow. Whether anybody answered is not known of them, so it takes five times as many in one
    /// second; and more than other cells have, for a flood from everywhere fills them all.
    private func estimated(_ overflow: TrafficSketch) -> [Finding] {
        let hosts = overflow.bySource.hosts
        let cells = overflow.bySource.width
        let usual = (ports: hosts.map(\.ports).upperHalf(of: cells), peers: hosts.map(\.peers).upperHalf(of: cells))
        return hosts.compactMap { host in
            let (ports, peers) = (host.ports - usual.ports, host.peers - usual.peers)
            let kind: Suspicion.Kind
            if ports >= 5 * limit, ports >= 8 * usual.ports, ports >= 4 * host.peers {
                kind = .portScan
            } else if peers >= 5 * limit, peers >= 8 * usual.peers, peers >= 4 * host.ports {
                kind = .addressScan
            } else {
                return nil
            }
            return Finding(
                kind: kind, subject: .init(source: host.address), point: host.point,
                evidence: [
                    .init("ports a second", host.ports, relativeError: HostSketch.relativeError),
                    .init("addresses a second", host.peers, relativeError: HostSketch.relativeError),
                ])
        }
    }

    /// What is older than a generation is forgotten after the next.
    private mutating func age() {
        var kept: [State] = []
        for var state in states where state.now.count > 0 {
            state.before = state.now
            state.now = Tried()
            kept.append(state)
        }
        states = kept
        numbers = Dictionary(uniqueKeysWithValues: kept.enumerated().map { ($0.element.scanner, $0.offset) })
        hand = 0
    }

    /// The scan has ended: the next one begins anew.
    mutating func forget(_ subject: Suspicion.Subject) {
        guard let source = subject.source, let number = numbers[Scanner(source: source, vni: subject.vni)] else { return }
        states[number].now = Tried()
        states[number].before = nil
    }
}

extension HostSketch.Host {
    /// Where a packet of it was seen.
    var point: ObservationPoint {
        ObservationPoint(interface: InterfaceID(rawValue: interface), direction: isEgress ? .egress : .ingress)
    }
}

extension [Double] {
    /// The median of these and of as many zeros as there are places without a value.
    func upperHalf(of places: Int) -> Double {
        let above = places / 2
        return count <= above ? 0 : sorted(by: >)[above]
    }
}
