import Flows
import NetworkTypes
import Sketches

/// Looks for scans, floods, sudden heavy hitters and jumps in the number of addresses, second by second.
///
/// It is told what each flow gained, which is exact, and an estimate of the packets that had no flow. Its memory is bounded, whatever comes.
/// Pure: the clock is the caller's, and the same calls give the same answers.
public struct SuspicionWatch {
    private let limits: SuspicionLimits
    private var scans: ScanWatch
    private var floods: FloodWatch
    private var heavy: HeavyWatch
    private var cardinality: CardinalityWatch
    private var recent: RecentTuples
    private var episodes = Episodes()
    /// Datagrams and echo requests of the second that runs, until it is known what came back.
    private var asked: [(attempt: Attempt, record: FlowRecord)] = []
    private static let mostAsked = 16_384
    private var previous: Timestamp?
    /// Suspicions that have begun, by kind.
    public private(set) var begun: [Suspicion.Kind: UInt64] = [:]

    /// - Parameter hash: the one by which the datapath sketches; any where it does not.
    public init(_ limits: SuspicionLimits, hash: KeyedHash) {
        self.limits = limits
        scans = ScanWatch(limits, hash)
        floods = FloodWatch(limits, hash)
        heavy = HeavyWatch(limits, hash)
        cardinality = CardinalityWatch(hash)
        recent = RecentTuples(hash)
    }

    /// Those that go on, oldest first.
    public var current: [Suspicion] { episodes.current }

    /// A flow has gained something since the last ``turn(now:overflow:)``.
    /// - Parameter now: what has begun long before is not new, even when it is told for the first time, to an agent that has just started.
    public mutating func observe(_ record: FlowRecord, gained: Totals, now: Timestamp) {
        if record.traits.notes.contains(.copy) { return }
        heavy.observe(record, gained)
        let isNew = record.totals == gained && now - record.traits.first < .seconds(3)
        let tuple = record.key.inner ?? record.key.outer
        if isNew && tuple.protocol != .tcp { recent.add(tuple) }
        guard let attempt = Attempt(record) else { return }
        if attempt.outcome == .vain && !record.traits.tcpFlags.contains(.ack) {
            floods.opened(attempt, record, packets: gained.wirePackets)
        }
        guard isNew else { return }
        cardinality.observe(attempt)
        switch attempt.outcome {
        case .vain: scans.observe(attempt, isVain: true, record)
        case .answered:
            scans.observe(attempt, isVain: false, record)
            floods.completed(attempt)
        case .open: if asked.count < Self.mostAsked { asked.append((attempt, record)) }
        }
    }

    /// A second has passed. Returns what has begun, what goes on and has not been told for ten seconds, and what has ended.
    /// - Parameter overflow: of the packets that had no flow; nil when there were none.
    public mutating func turn(now: Timestamp, overflow: TrafficSketch?) -> [Suspicion] {
        let seconds = previous.map { max(0.1, (now - $0) / .seconds(1)) } ?? 1
        previous = now
        for (attempt, record) in asked { scans.observe(attempt, isVain: !recent.hasAnswer(to: attempt.tuple), record) }
        asked.removeAll(keepingCapacity: true)
        recent.turn()
        var findings = scans.turn(now: now, overflow: overflow)
        findings += floods.turn(overflow: overflow)
        let isExplained =
            !findings.isEmpty || episodes.isGoing(.portScan) || episodes.isGoing(.addressScan) || episodes.isGoing(.synFlood)
        findings += cardinality.turn(seconds: seconds, overflow: overflow, isExplained: isExplained)
        findings += heavy.turn(now: now, seconds: seconds)
        let changes = episodes.turn(findings, now: now)
        for change in changes {
            switch change.phase {
            case .began: begun[change.kind, default: 0] += 1
            case .updated: break
            case .ended: scans.forget(change.subject)
            }
        }
        return changes
    }
}
