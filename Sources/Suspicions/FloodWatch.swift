import Flows
import NetworkTypes
import Sketches

/// Destinations that are sent more openings of TCP connections than are completed (RFC 4987): from one source or from many that do not exist.
///
/// A second's openings are suspicious when they are at least `floodOpenings` and at least half of all that began there, for two seconds or five
/// times as many in one. Openings to many ports from few sources are a scan and not a flood.
struct FloodWatch {
    private struct Target: Hashable {
        var destination: IPAddress
        var vni: UInt32?
    }

    private struct State {
        var half: UInt64 = 0
        var completed: UInt64 = 0
        var sources = HyperLogLog(registers: 64)
        var ports = HyperLogLog(registers: 64)
        var spread = HashedHistogram(buckets: 64)
        var topSources = FrequentItems<IPAddress>()
        var topPorts = FrequentItems<UInt16>()
        var point: ObservationPoint?
        var first: Timestamp?
        /// From the sketch.
        var estimated: HostSketch.Host?

        mutating func add(_ attempt: Attempt, _ record: FlowRecord, _ packets: UInt64, source: UInt64, port: UInt64) {
            half &+= packets
            sources.add(source)
            ports.add(port)
            spread.add(source, count: packets)
            topSources.add(attempt.source, count: packets)
            topPorts.add(attempt.port, count: packets)
            if point == nil { point = ObservationPoint(record.key) }
            first = min(first ?? record.traits.first, record.traits.first)
        }
    }

    private let limit: UInt64
    private let hash: KeyedHash
    private var targets: [Target: State] = [:]
    private var admission = Admission(most: 4096)
    /// Targets of the second before, that would be suspicious in a second one.
    private var suspected: Set<Target> = []

    init(_ limits: SuspicionLimits, _ hash: KeyedHash) {
        limit = UInt64(limits.floodOpenings)
        self.hash = hash
    }

    /// A flow that has sent openings and nothing else.
    mutating func opened(_ attempt: Attempt, _ record: FlowRecord, packets: UInt64) {
        let source = hash(attempt.source.fieldWords.0, attempt.source.fieldWords.1)
        let target = Target(destination: attempt.destination, vni: attempt.vni)
        if targets[target] == nil, !admission.admits(source &+ UInt64(attempt.tuple.sourcePort) &* 0x9e37_79b9_7f4a_7c15) { return }
        targets[target, default: State()].add(attempt, record, packets, source: source, port: hash(UInt64(attempt.port)))
    }

    /// A connection that was completed.
    mutating func completed(_ attempt: Attempt) {
        let target = Target(destination: attempt.destination, vni: attempt.vni)
        if targets[target] == nil, !admission.admits(UInt64(attempt.tuple.sourcePort) &* 0x9e37_79b9_7f4a_7c15) { return }
        targets[target, default: State()].completed &+= 1
    }

    mutating func turn(overflow: TrafficSketch?) -> [Finding] {
        if let overflow { estimate(overflow) }
        var findings: [Finding] = []
        var suspects: Set<Target> = []
        for (target, state) in targets {
            let half = state.half + (state.estimated?.openings ?? 0)
            guard half >= limit, isFlood(state, half) else { continue }
            suspects.insert(target)
            guard suspected.contains(target) || half >= 5 * limit else { continue }
            findings.append(finding(target, state, half))
        }
        suspected = suspects
        targets.removeAll(keepingCapacity: targets.count < 4096)
        admission.turn()
        return findings
    }

    private func isFlood(_ state: State, _ half: UInt64) -> Bool {
        // What is not completed is known of flows alone.
        guard state.half >= state.completed || state.half + state.completed < limit / 4 else { return false }
        let ports = max(state.ports.estimate, state.estimated?.ports ?? 0)
        let sources = max(state.sources.estimate, state.estimated?.peers ?? 0)
        return 8 * ports <= Double(half) || 8 * sources >= Double(half)
    }

    /// Openings among the packets without a flow, where there are more than other cells have: a scan of many addresses fills them all.
    private mutating func estimate(_ overflow: TrafficSketch) {
        let hosts = overflow.byDestination.hosts
        let usual = hosts.map { Double($0.openings) }.upperHalf(of: overflow.byDestination.width)
        for host in hosts where host.openings >= limit / 2 && Double(host.openings) >= 8 * usual {
            targets[Target(destination: host.address), default: State()].estimated = host
        }
    }

    private func finding(_ target: Target, _ state: State, _ half: UInt64) -> Finding {
        var evidence: [Suspicion.Evidence] = [
            .init("openings not completed", Double(half), low: Double(state.half), high: Double(half)),
            .init("completed", Double(state.completed)),
            .init("sources", state.sources.estimate, relativeError: state.sources.relativeError),
            .init("ports", state.ports.estimate, relativeError: state.ports.relativeError),
            .init("evenness of sources", state.spread.evenness),
        ]
        if let host = state.estimated {
            evidence.append(.init("sources without a flow", host.peers, relativeError: HostSketch.relativeError))
        }
        return Finding(
            kind: .synFlood, subject: .init(destination: target.destination, vni: target.vni), point: state.point ?? state.estimated?.point,
            start: state.first, evidence: evidence,
            contributors: state.topSources.leaders.map { .init(address: $0.item, count: $0.count) }
                + state.topPorts.leaders.prefix(3).map { .init(address: nil, port: $0.item, count: $0.count) })
    }
}
