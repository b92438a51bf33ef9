import NetworkTypes
import Reports
import Storage
import Synchronization
import Topology

/// Asks the store, over connections that only read: on the threads of the listeners, never on that of the agent.
final class HistoryReader: Sendable {
    // One thread at a time has it.
    private struct Connection: @unchecked Sendable {
        var reading: (any HistoryReading)?
    }

    private let connection = Mutex(Connection())
    private let open: @Sendable () throws(StorageError) -> any HistoryReading

    init(open: @escaping @Sendable () throws(StorageError) -> any HistoryReading) { self.open = open }

    /// One question at a time. A connection that failed is made anew for the next.
    func ask<T: Sendable>(_ question: (any HistoryReading) throws(StorageError) -> T) throws(StorageError) -> T {
        try connection.withLock { (connection) throws(StorageError) -> T in
            do throws(StorageError) {
                if connection.reading == nil { connection.reading = try open() }
                return try question(connection.reading!)
            } catch {
                connection.reading = nil
                throw error
            }
        }
    }

    /// The topology of a moment; empty before the first that is kept.
    func snapshot(at time: Timestamp) throws(StorageError) -> Snapshot {
        let entities = try ask { (reading) throws(StorageError) in try reading.entities(at: time) }
        return Snapshot.restored(from: entities.lazy.map { ($0.key, $0.state) }, at: time).snapshot
    }

    /// What is known of how well a moment is known.
    struct Coverage: Sendable {
        /// Nobody looked then.
        var gap: GapReport?
        /// When the kept history begins, where that is later than the moment.
        var begins: Timestamp?

        var isSeen: Bool { gap == nil && begins == nil }
    }

    /// Epochs come at least so often: a moment further from the last one is in a gap that has not ended.
    private static let patience = Duration.seconds(5)

    func coverage(of time: Timestamp) throws(StorageError) -> Coverage {
        try ask { (reading) throws(StorageError) in
            if let first = try reading.firstMoment(), time < first { return Coverage(begins: first) }
            let after = Timestamp(nanoseconds: time.nanoseconds + 1)
            if let gap = try reading.gaps(from: time, to: after).first { return Coverage(gap: GapReport(from: gap.start, to: gap.end)) }
            if let last = try reading.lastEpoch(), time - last.time > Self.patience {
                return Coverage(gap: GapReport(from: last.time, to: nil))
            }
            return Coverage()
        }
    }
}
