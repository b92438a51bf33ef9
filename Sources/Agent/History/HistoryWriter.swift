import Glibc
import Logging
import NetworkTypes
import Storage
import Topology

/// Writes epochs to the store; on the history's thread.
final class HistoryWriter {
    private let log: Log
    private let open: @Sendable () throws(StorageError) -> any HistoryStore
    private var store: (any HistoryStore)?
    /// The latest that is kept; nil when the next one has to tell everything.
    private var kept: Snapshot?
    /// Between a snapshot's epoch and its number in the store: 0 unless the store could not be read at the start.
    private var offset: UInt64 = 0
    private(set) var lastEpoch: UInt64 = 0
    private(set) var health = HistoryThread.Health()
    /// Of the store, as it was first seen.
    private var file: FileIdentity?
    private var tryAt: ContinuousClock.Instant?
    /// The store will not do: not tried again.
    private var isOver = false
    var onHealth: (HistoryThread.Health) -> Void = { _ in }

    /// Between two tries while the store is paused.
    static let pause = Duration.seconds(5)

    init(_ log: Log, open: @escaping @Sendable () throws(StorageError) -> any HistoryStore) throws {
        self.log = log
        self.open = open
        do throws(StorageError) {
            let store = try open()
            lastEpoch = try store.lastEpoch()?.number ?? 0
            self.store = store
        } catch { failed(error) }
    }

    /// What is there to do is tried again at the next epoch.
    func endPause() { tryAt = nil }

    /// - Returns: whether it is kept.
    func append(_ epoch: PendingEpoch) -> Bool {
        if isOver { return false }
        if let tryAt, tryAt > .now { return false }
        do throws(StorageError) {
            if let store, !isInPlace(store) {
                // Whoever took the file away wants no more of what was in it; what comes is not to be lost with it.
                log.warning("the history's file was taken away or exchanged; it is opened anew", [:])
                (self.store, kept) = (nil, nil)
            }
            let store = try opened(before: epoch.snapshot.epoch)
            try store.append(
                StoredEpoch(
                    number: epoch.snapshot.epoch + offset, time: epoch.snapshot.time,
                    changes: epoch.snapshot.changes(since: kept ?? .empty), samples: epoch.second?.samples(epoch.snapshot) ?? [],
                    resumes: kept == nil))
            kept = epoch.snapshot
            succeeded()
            return true
        } catch {
            failed(error)
            return false
        }
    }

    /// The file that was opened is the one that its path names.
    private func isInPlace(_ store: any HistoryStore) -> Bool {
        guard let path = (store as? SQLiteStore)?.path else { return true }
        var now = stat()
        guard stat(path, &now) == 0 else { return false }
        let identity = FileIdentity(device: UInt64(now.st_dev), inode: UInt64(now.st_ino))
        defer { file = identity }
        return file == nil || file == identity
    }

    private struct FileIdentity: Equatable {
        var device: UInt64
        var inode: UInt64
    }

    private func opened(before epoch: UInt64) throws(StorageError) -> any HistoryStore {
        if let store { return store }
        let store = try open()
        file = nil
        let last = try store.lastEpoch()?.number ?? 0
        offset = last >= epoch ? last + 1 - epoch : 0
        self.store = store
        return store
    }

    private func succeeded() {
        health.epochs += 1
        tryAt = nil
        if let since = health.pausedAt {
            log.info("the history is kept again", ["paused": LogValue("\((Timestamp.now - since).components.seconds) s")])
            health.problem = nil
            health.hint = nil
            health.pausedAt = nil
        }
        onHealth(health)
    }

    /// Everything is measured on; only what is kept has a gap.
    private func failed(_ error: StorageError) {
        kept = nil
        if error.mayPass {
            tryAt = .now + Self.pause
        } else {
            // A rule of the store that was broken by one epoch does not make it unfit for the next; anything else does.
            isOver = error.reason != .invalid
            if isOver { store = nil }
        }
        if health.problem != error.description {
            log.warning(
                error.mayPass ? "the history is paused" : "the history is not kept",
                ["reason": LogValue("\(error)"), "hint": LogValue(error.hint ?? "")])
        }
        health.problem = error.description
        health.hint = error.hint
        health.pausedAt = health.pausedAt ?? .now
        onHealth(health)
    }
}
