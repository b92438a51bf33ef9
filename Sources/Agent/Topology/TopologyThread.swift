import Flows
import Logging
import NetworkTypes
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
    private let latest: Mutex<Snapshot>

    init(_ log: Log) throws {
        let loop = try EventLoop()
        let keeper = try TopologyKeeper(loop, log)
        self.loop = loop
        self.keeper = keeper
        jobs = loop.jobs
        latest = Mutex(.empty)
        keeper.onCommit = { [unowned self] snapshot in latest.withLock { $0 = snapshot } }
        let isStarted = DetachedThread.start { [self] in
            do { try self.loop.run() } catch { log.error("the topology is kept no longer", ["reason": LogValue("\(error)")]) }
        }
        guard isStarted else { throw AgentFailure("keep the topology", "no thread could be started") }
    }

    /// The latest one.
    var snapshot: Snapshot { latest.withLock { $0 } }

    /// Has something done on the topology's thread.
    func tell(_ job: @escaping @Sendable (TopologyKeeper) -> Void) { _ = jobs.add { [self] in job(keeper) } }

    func stop() { _ = jobs.add { [self] in loop.stop() } }
}
