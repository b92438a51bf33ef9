import NetworkTypes
import Topology

/// The history of one host in an SQLite file: the topology (see `EntityReading`) and the series (see `SeriesLayout`). One process writes.
///
/// Measured against one row for each version and each sample: a tenth of the bytes, and answers in less time; `tools/bench storage` prints
/// the figures.
public final class SQLiteStore: SQLiteReader, HistoryStore {
    public let limits: StorageLimits
    private var entities: EntityWriter?
    private var samples: SeriesWriter?
    private let retention: SQLiteRetention
    /// When something was last removed; nil before the first append.
    private var clearedAt: Int64?
    /// The last epoch of which the writers know.
    private var known: Int64?
    /// The file met its own bound.
    private var isFull = false

    /// How often something is removed because of its age.
    private static let clearingInterval: Int64 = 60_000_000_000

    /// Opens the file, makes it if there is none, brings an older one up to date.
    /// - Throws: what cannot be opened is not touched: `foreign`, `newerSchema`, `corrupt`.
    public init(path: String, limits: StorageLimits = StorageLimits()) throws(StorageError) {
        let connection = try SQLiteSchema.open(path)
        self.limits = limits
        retention = SQLiteRetention(connection: connection, limits: limits)
        super.init(connection)
        try named("open") { () throws(StorageError) in try retention.setBound() }
    }

    public func append(_ epoch: StoredEpoch) throws(StorageError) {
        try named("append to") { () throws(StorageError) in
            try epoch.check()
            try writing { () throws(StorageError) in try write(epoch) }
        }
    }

    public func maintain(now: Timestamp) throws(StorageError) {
        try named("clear") { () throws(StorageError) in
            try writing { () throws(StorageError) in
                let last = try progress()
                guard last.epoch > 0 else { return }
                try seriesWriter().rollUp(now: last.time / 1_000_000_000)
                try clear(now: max(now.nanoseconds, last.time))
            }
            try retention.giveBack()
        }
    }

    private func write(_ epoch: StoredEpoch) throws(StorageError) {
        let last = try progress()
        guard Int64(epoch.number) > last.epoch else {
            throw StorageError("", .invalid, "epoch \(epoch.number) is not after epoch \(last.epoch)")
        }
        // Somebody else wrote meanwhile: what is in memory is not what is in the file.
        if known != last.epoch { (entities, samples) = (nil, nil) }
        known = Int64(epoch.number)
        let time = max(epoch.time.nanoseconds, last.time)
        let isOverBound = try retention.isOverBound()
        if isFull || isOverBound { try retention.shrink(entityWriter()) }
        try entityWriter().append(epoch, time: time)
        let samples = try seriesWriter()
        try samples.append(epoch.samples, epoch: Int64(epoch.number), time: time)
        try samples.rollUp(now: time / 1_000_000_000)
        if epoch.resumes, last.epoch > 0, time > last.time { try connection.run("INSERT INTO gap VALUES (?, ?)", last.time, time) }
        try connection.run("UPDATE progress SET epoch = ?, time = ?", Int64(epoch.number), time)
        if let before = clearedAt, time - before < Self.clearingInterval { return }
        if clearedAt != nil { try clear(now: time) }
        clearedAt = time
    }

    private func clear(now: Int64) throws(StorageError) {
        let writer = try entityWriter()
        let last = try progress()
        try retention.keepCheckpoints(writer, epoch: last.epoch, time: last.time)
        if try retention.clear(now: now, writer) { samples = nil }
        if try retention.isOverBound() { try retention.shrink(writer) }
    }

    private func entityWriter() throws(StorageError) -> EntityWriter {
        if let entities { return entities }
        let writer = try EntityWriter(connection, compressor)
        entities = writer
        return writer
    }

    private func seriesWriter() throws(StorageError) -> SeriesWriter {
        if let samples { return samples }
        let writer = try SeriesWriter(connection, compressor)
        samples = writer
        return writer
    }

    private func writing(_ body: () throws(StorageError) -> Void) throws(StorageError) {
        do throws(StorageError) {
            try connection.transaction("BEGIN IMMEDIATE", body)
            isFull = false
        } catch {
            // They are ahead of the file now.
            (entities, samples) = (nil, nil)
            isFull = error.reason == .full
            throw error
        }
    }
}

extension StoredEpoch {
    /// The rules that its comments name.
    func check() throws(StorageError) {
        func refuse(_ what: String) -> StorageError { StorageError("", .invalid, what) }
        guard number > 0, number < Self.numberLimit else { throw refuse("epoch \(number) is not a number from 1 to 2^40 - 1") }
        guard time.nanoseconds >= 0 else { throw refuse("epoch \(number) is before 1970") }
        func check(_ key: String) throws(StorageError) {
            guard 1...Self.keyLimit ~= key.utf8.count else { throw refuse("a key of \(key.utf8.count) bytes") }
            // PostgreSQL's texts end there.
            guard !key.utf8.contains(0) else { throw refuse("a key with a zero byte") }
        }
        for change in changes {
            try check(change.key)
            guard change.state?.count ?? 0 <= Self.stateLimit else { throw refuse("the state of \(change.key) is over 1 MiB") }
        }
        for sample in samples {
            try check(sample.key)
            switch sample.value {
            case .counter(let value):
                guard value <= SeriesCell.counterLimit else { throw refuse("\(sample.key) grew by \(value), over 2^63 - 1") }
            case .gauge(let value): guard value.isFinite else { throw refuse("\(sample.key) is \(value)") }
            }
        }
    }
}
