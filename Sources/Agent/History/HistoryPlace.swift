import Configuration
import Glibc
import Logging
import Storage

/// Where the history is kept, and the two ways to it.
struct HistoryPlace: Sendable {
    let path: String
    private let limits: StorageLimits

    /// nil where none is to be kept.
    init?(_ configuration: AgentConfiguration.History) {
        guard let file = configuration.file else { return nil }
        path = file
        let keep = configuration.keep
        limits = StorageLimits(
            size: Int64(configuration.size),
            ages: [.second: keep.second, .tenSeconds: keep.tenSeconds, .minute: keep.minute, .hour: keep.hour],
            topologyAge: keep.topology)
    }

    /// How long points of a resolution are kept.
    func keeps(_ resolution: SeriesResolution) -> Duration { limits.ages[resolution] ?? .zero }

    /// Of the file and its write-ahead log.
    var bytes: UInt64 {
        ["", "-wal"].reduce(0) { sum, end in
            var status = stat()
            return stat(path + end, &status) == 0 ? sum + UInt64(status.st_size) : sum
        }
    }

    func thread(_ log: Log) throws -> HistoryThread {
        let (path, limits) = (path, limits)
        return try HistoryThread(log) { () throws(StorageError) in
            // Of the default place; any other folder is the administrator's to make. A missing one the store names.
            _ = mkdir("/var/lib/nilo", 0o700)
            return try SQLiteStore(path: path, limits: limits)
        }
    }

    var reader: HistoryReader {
        let path = path
        return HistoryReader { () throws(StorageError) in try SQLiteReader(path: path) }
    }
}
