import NetworkTypes

/// The history in an SQLite file, over a connection of its own that only reads: while the agent writes, and without disturbing it.
public class SQLiteReader: HistoryReading {
    public let path: String
    let connection: SQLiteConnection
    let compressor = Compressor()
    private let entityReading: EntityReading
    private let seriesReading: SeriesReading

    /// - Throws: `missing` before the agent has made the file.
    public convenience init(path: String) throws(StorageError) { self.init(try SQLiteSchema.openReading(path)) }

    init(_ connection: SQLiteConnection) {
        self.connection = connection
        path = connection.path
        entityReading = EntityReading(connection: connection, compressor: compressor)
        seriesReading = SeriesReading(connection: connection, compressor: compressor)
    }

    public func lastEpoch() throws(StorageError) -> EpochMark? {
        try reading { () throws(StorageError) in
            let (number, time) = try progress()
            return number == 0 ? nil : EpochMark(number: UInt64(number), time: Timestamp(nanoseconds: time))
        }
    }

    public func firstMoment() throws(StorageError) -> Timestamp? {
        try reading { () throws(StorageError) in
            if let cut = try connection.integer("SELECT kept_from FROM progress WHERE kept_from > \(Int64.min)") {
                return Timestamp(nanoseconds: cut)
            }
            return try connection.integer("SELECT start FROM change ORDER BY first LIMIT 1").map { Timestamp(nanoseconds: $0) }
        }
    }

    public func entities(at time: Timestamp) throws(StorageError) -> [StoredEntity] {
        try reading { () throws(StorageError) in try entityReading.entities(at: time.nanoseconds) }
    }

    public func changes(from start: Timestamp, to end: Timestamp) throws(StorageError) -> [EntityDifference] {
        try reading { () throws(StorageError) in try entityReading.changes(from: start.nanoseconds, to: end.nanoseconds) }
    }

    public func log(from start: Timestamp, to end: Timestamp, limit: Int) throws(StorageError) -> [EntityLogEntry] {
        try reading { () throws(StorageError) in
            try EntityLogReading(entities: entityReading).log(from: start.nanoseconds, to: end.nanoseconds, limit: limit)
        }
    }

    public func history(of key: String, from start: Timestamp, to end: Timestamp) throws(StorageError) -> [EntityVersion] {
        try reading { () throws(StorageError) in try entityReading.history(of: key, from: start.nanoseconds, to: end.nanoseconds) }
    }

    public func gaps(from start: Timestamp, to end: Timestamp) throws(StorageError) -> [HistoryGap] {
        try reading { () throws(StorageError) in
            let rows = try connection.statement("SELECT start, stop FROM gap WHERE start < ? AND stop > ? ORDER BY start")
            defer { rows.reset() }
            rows.bind(1, end.nanoseconds)
            rows.bind(2, start.nanoseconds)
            var gaps: [HistoryGap] = []
            while try rows.step() {
                gaps.append(HistoryGap(start: Timestamp(nanoseconds: rows.integer(0)), end: Timestamp(nanoseconds: rows.integer(1))))
            }
            return gaps
        }
    }

    public func series() throws(StorageError) -> [SeriesName] {
        try reading { () throws(StorageError) in try seriesReading.series() }
    }

    public func points(
        of key: String, from start: Timestamp, to end: Timestamp, resolution: SeriesResolution
    ) throws(StorageError) -> [SeriesPoint] {
        try reading { () throws(StorageError) in
            try seriesReading.points(of: key, from: start.wholeSeconds, to: end.secondsRoundedUp, resolution: resolution)
        }
    }

    /// The last epoch's number, 0 before the first, and time.
    func progress() throws(StorageError) -> (epoch: Int64, time: Int64) {
        let statement = try connection.statement("SELECT epoch, time FROM progress")
        defer { statement.reset() }
        guard try statement.step() else { throw connection.corrupt("the table progress") }
        return (statement.integer(0), statement.integer(1))
    }

    /// One moment for all that an answer needs.
    private func reading<T>(_ body: () throws(StorageError) -> T) throws(StorageError) -> T {
        try named("read") { () throws(StorageError) in try connection.transaction("BEGIN", body) }
    }

    func named<T>(_ operation: String, _ body: () throws(StorageError) -> T) throws(StorageError) -> T {
        do throws(StorageError) {
            return try body()
        } catch {
            var error = error
            error.operation = "\(operation) \(path)"
            throw error
        }
    }
}

extension Timestamp {
    /// Seconds since 1970, rounded down; 0 for what is before.
    var wholeSeconds: Int64 { max(0, nanoseconds) / 1_000_000_000 }
    var secondsRoundedUp: Int64 { nanoseconds <= 0 ? 0 : (nanoseconds - 1) / 1_000_000_000 + 1 }
}
