import Logging
import NetworkTypes
import Storage
import Synchronization
import Topology

/// Keeps the past: what became of the topology and what flowed, written by a thread of its own, so that nobody waits for the disk.
///
/// What the disk does not take (it is full, it fails) pauses the history and nothing else: it is said, tried again, and the store keeps the
/// time between as a gap. A slow disk makes epochs fewer, never the agent slower: epochs that wait are made one.
final class HistoryThread: Sendable {
    /// How it goes, for `nilo status`.
    struct Health: Sendable, Equatable {
        /// Why nothing is written; nil while all is well.
        var problem: String?
        var hint: String?
        var epochs: UInt64 = 0
        /// Seconds whose rates were left out, for the disk was too slow or paused.
        var lostSeconds: UInt64 = 0
        /// Since when nothing is written.
        var pausedAt: Timestamp?
    }

    private struct Waiting {
        var epochs: [PendingEpoch] = []
        var lostSeconds: UInt64 = 0
        var isAsked = false
    }

    /// Seconds that may wait for the disk.
    private static let patience = 60

    private let jobs: JobQueue
    // Touched by jobs of the loop alone, which run on its thread; made before that thread is there.
    private nonisolated(unsafe) let loop: EventLoop
    private nonisolated(unsafe) let writer: HistoryWriter
    private let waiting = Mutex(Waiting())
    private let told = Mutex(Health())
    /// Of the last epoch that an earlier agent left; 0 for a new history.
    let lastEpoch: UInt64

    /// Opens the store at once, so that ``lastEpoch`` is known; a store that cannot be opened is tried again later, or never, as its error says.
    init(_ log: Log, open: @escaping @Sendable () throws(StorageError) -> any HistoryStore) throws {
        let loop = try EventLoop()
        let writer = try HistoryWriter(log, open: open)
        self.loop = loop
        self.writer = writer
        jobs = loop.jobs
        lastEpoch = writer.lastEpoch
        told.withLock { $0 = writer.health }
        writer.onHealth = { [unowned self] health in told.withLock { $0 = health } }
        let isStarted = DetachedThread.start { [self] in
            do { try self.loop.run() } catch { log.error("the history is kept no longer", ["reason": LogValue("\(error)")]) }
        }
        guard isStarted else { throw AgentFailure("keep the history", "no thread could be started") }
    }

    var health: Health {
        var health = told.withLock { $0 }
        health.lostSeconds = waiting.withLock { $0.lostSeconds }
        return health
    }

    /// To be kept.
    func add(_ snapshot: Snapshot, _ second: MeasuredSecond?) {
        let mustAsk = waiting.withLock { waiting in
            // What an epoch without rates changed is in the next one too.
            if waiting.epochs.last?.second == nil, !waiting.epochs.isEmpty { waiting.epochs.removeLast() }
            if waiting.epochs.count == Self.patience {
                waiting.epochs.removeFirst()
                waiting.lostSeconds += 1
            }
            waiting.epochs.append(PendingEpoch(snapshot: snapshot, second: second))
            defer { waiting.isAsked = true }
            return !waiting.isAsked
        }
        if mustAsk { _ = jobs.add { [self] in write() } }
    }

    private func write() {
        while true {
            let next = waiting.withLock { waiting -> PendingEpoch? in
                guard !waiting.epochs.isEmpty else {
                    waiting.isAsked = false
                    return nil
                }
                return waiting.epochs.removeFirst()
            }
            guard let next else { return }
            if !writer.append(next), next.second != nil { waiting.withLock { $0.lostSeconds += 1 } }
        }
    }

    /// Writes what waits, and ends.
    func stop() { _ = jobs.add { [self] in loop.stop() } }
}

/// An epoch that is to be kept.
struct PendingEpoch: Sendable {
    var snapshot: Snapshot
    /// Of the second that ended with it; nil for one between seconds.
    var second: MeasuredSecond?
}
