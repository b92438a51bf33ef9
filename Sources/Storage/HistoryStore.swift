import NetworkTypes
import Topology

/// What can be asked of the history. Every answer is of one moment: epochs that are appended meanwhile are in it whole or not at all.
///
/// Calls block the calling thread (disk, server), and an instance belongs to one thread at a time: it is not Sendable. A reader on another
/// thread opens a connection of its own.
public protocol HistoryReading {
    /// The last epoch that is kept; nil before the first.
    func lastEpoch() throws(StorageError) -> EpochMark?
    /// When what is kept begins; nil before the first epoch.
    func firstMoment() throws(StorageError) -> Timestamp?
    /// The entities that there were at `time`, in no particular order. Of several epochs at one time the last one counts.
    func entities(at time: Timestamp) throws(StorageError) -> [StoredEntity]
    /// The entities that differ between two times, with both states; in no particular order. What changed and changed back is not in it.
    func changes(from start: Timestamp, to end: Timestamp) throws(StorageError) -> [EntityDifference]
    /// What changed after `start` until `end`, itself included, step by step: it leads from the entities at `start` to those at `end`. The
    /// newest `limit` of it, oldest first, at one time by the bytes of the keys. What lasted no time is left out. With what the kept
    /// history begins is no change: the log begins after it.
    func log(from start: Timestamp, to end: Timestamp, limit: Int) throws(StorageError) -> [EntityLogEntry]
    /// The versions of an entity whose validity touches `start..<end`, oldest first. What lasted no time is left out.
    func history(of key: String, from start: Timestamp, to end: Timestamp) throws(StorageError) -> [EntityVersion]
    /// The times in which nobody looked, that touch `start..<end`, oldest first.
    func gaps(from start: Timestamp, to end: Timestamp) throws(StorageError) -> [HistoryGap]
    /// All series of which something is kept or was until the last clearing, in no particular order.
    func series() throws(StorageError) -> [SeriesName]
    /// The points of a series whose start is in `start..<end`, `start` rounded down to the resolution; oldest first. Empty for an unknown
    /// series. A point that has just begun holds what has been appended so far.
    func points(of key: String, from start: Timestamp, to end: Timestamp, resolution: SeriesResolution) throws(StorageError)
        -> [SeriesPoint]
}

extension HistoryReading {
    /// All versions of an entity.
    public func history(of key: String) throws(StorageError) -> [EntityVersion] {
        try history(of: key, from: Timestamp(nanoseconds: .min), to: Timestamp(nanoseconds: .max))
    }
}

/// Keeps history: SQLite on a host, PostgreSQL for a fleet. One writer for each file, or for each tenant of a database.
public protocol HistoryStore: HistoryReading, AnyObject {
    /// Keeps an epoch in one transaction: when it returns, `kill -9` loses nothing of it; when it throws, nothing of it is kept.
    ///
    /// An error that `mayPass` leaves the store usable: what was not kept is lost to it, so the next epoch has to be one that `resumes`.
    func append(_ epoch: StoredEpoch) throws(StorageError)
    /// Rolls up what is complete and removes what is older than the limits as of `now`. An append does it too, when it is due.
    func maintain(now: Timestamp) throws(StorageError)
}
