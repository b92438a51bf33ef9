import Configuration
import Datapath
import Flows
import Logging
import NetworkTypes
import Sketches
import Suspicions

/// Looks for scans, floods and heavy hitters at each turn of the agent, in what flows gained and in what the programs sketched of packets that
/// had no flow.
///
/// Owned by the agent's thread.
final class SuspicionKeeper {
    private var watch: SuspicionWatch
    /// nil where the programs do not sketch.
    private let sketches: SketchReader?
    private let datapath: Datapath
    private let log: Log
    /// Packets that were sketched.
    private(set) var sketched: UInt64 = 0

    init(_ configuration: AgentConfiguration.Suspicions, _ datapath: Datapath, _ log: Log) throws {
        self.datapath = datapath
        self.log = log
        sketches = try SketchReader(maps: datapath.maps)
        var limits = SuspicionLimits()
        limits.scanTargets = configuration.scanTargets
        limits.floodOpenings = configuration.floodOpenings
        limits.heavyShare = Double(configuration.heavyPercent) / 100
        var random = SystemRandomNumberGenerator()
        watch = SuspicionWatch(limits, hash: sketches?.hash ?? KeyedHash(seed: random.next()))
    }

    /// What a flow gained since the last turn.
    func observe(_ record: FlowRecord, _ gained: Totals, now: Timestamp) { watch.observe(record, gained: gained, now: now) }

    /// Returns what has begun, what goes on and has not been told for ten seconds, and what has ended.
    func turn(now: Timestamp) -> [Suspicion] {
        let overflow = sketches?.take()
        sketched &+= overflow?.packets ?? 0
        let changes = watch.turn(now: now, overflow: overflow)
        for suspicion in changes where suspicion.phase != .updated { tell(suspicion) }
        return changes
    }

    /// Those that go on.
    var current: [Suspicion] { watch.current }
    var begun: [Suspicion.Kind: UInt64] { watch.begun }

    private func tell(_ suspicion: Suspicion) {
        let interface = suspicion.point.flatMap { point in datapath.allInterfaces.first { $0.id == point.interface }?.name }
        log.warning(
            suspicion.phase == .began ? "suspicious traffic" : "suspicious traffic has ended",
            [
                "kind": LogValue(suspicion.kind.rawValue), "id": LogValue(suspicion.id),
                "source": LogValue(suspicion.subject.source?.description ?? "-"),
                "destination": LogValue(suspicion.subject.destination?.description ?? "-"),
                "interface": LogValue(interface ?? "-"),
                "direction": LogValue(suspicion.point.map { "\($0.direction)" } ?? "-"),
                "evidence": LogValue(suspicion.words),
            ])
    }
}
