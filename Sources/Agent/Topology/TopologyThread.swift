import Configuration
import Logging
import NetworkTypes
import PathComputation
import Synchronization
import Topology

/// The thread that the topology is kept on, and the way to it from others.
///
/// Start it when the agent has put down the privileges that it does not need: a thread takes those of the one that starts it.
final class TopologyThread: Sendable {
    private let jobs: JobQueue
    // Both are touched by jobs of the loop alone, which run on its thread; made before that thread is there.
    private nonisolated(unsafe) let loop: EventLoop
    private nonisolated(unsafe) let keeper: TopologyKeeper
    private let state: Mutex<Latest>
    let history: HistoryThread?
    let foresight: ForesightThread?
    let feed = EventFeed()

    /// What is known now.
    struct Latest: Sendable {
        var snapshot = Snapshot.empty
        /// Of the last whole second.
        var loads = TrafficLoads.none
        /// Sysctls, by the names that “what if” has for namespaces; see ``TopologyKeeper/settings``.
        fileprivate(set) var settings: [String: NamespaceSettings] = [:]
        /// Of the ends of the last seconds, oldest first: rates between two of them are means.
        fileprivate(set) var past: [Snapshot] = []
    }

    /// Seconds that rates of “what if” are means of.
    private static let meanSeconds = 10

    init(_ configuration: AgentConfiguration, _ log: Log, history: HistoryThread?, foresight: ForesightThread?) throws {
        var limits = TopologyLimits()
        limits.nodes = configuration.topology.nodes
        limits.communications = configuration.topology.communications
        limits.idleEpochs = UInt64(configuration.topology.idle.components.seconds)
        let loop = try EventLoop()
        let keeper = try TopologyKeeper(loop, log, limits, after: history?.lastEpoch ?? 0)
        keeper.declare(Declarations(configuration.topology))
        self.loop = loop
        self.keeper = keeper
        self.history = history
        self.foresight = foresight
        jobs = loop.jobs
        state = Mutex(Latest())
        keeper.onCommit = { [unowned self, unowned keeper] snapshot, second in
            let loads = second?.loads
            let settings = keeper.settings
            let before = state.withLock { latest in
                defer {
                    latest.snapshot = snapshot
                    latest.settings = settings
                    if let loads {
                        latest.loads = loads
                        latest.past.append(snapshot)
                        if latest.past.count > Self.meanSeconds + 1 { latest.past.removeFirst() }
                    }
                }
                return latest
            }
            history?.add(snapshot, second)
            if let second { foresight?.add(snapshot, second) }
            feed.tell(snapshot, loads, before: before)
        }
        let isStarted = DetachedThread.start { [self] in
            do { try self.loop.run() } catch { log.error("the topology is kept no longer", ["reason": LogValue("\(error)")]) }
        }
        guard isStarted else { throw AgentFailure("keep the topology", "no thread could be started") }
    }

    var latest: Latest { state.withLock { $0 } }
    var snapshot: Snapshot { latest.snapshot }

    /// Has something done on the topology's thread.
    func tell(_ job: @escaping @Sendable (TopologyKeeper) -> Void) { _ = jobs.add { [self] in job(keeper) } }

    func stop() {
        _ = jobs.add { [self] in loop.stop() }
        history?.stop()
        foresight?.stop()
    }
}

extension Declarations {
    init(_ configuration: AgentConfiguration.Topology) {
        self.init(
            networks: configuration.networks.map { Network(name: $0.name, prefixes: $0.prefixes) },
            zones: configuration.zones.map { Zone(name: $0.name, prefixes: $0.prefixes) })
    }
}
