import NetworkTypes

/// The history of one tenant in a PostgreSQL database.
public class PostgresReader: HistoryReading {
    public let tenant: String
    let connection: PostgresConnection

    /// - Parameter target: as libpq takes it: `host=/run/postgresql dbname=nilo`, or a URI.
    public convenience init(_ target: String, tenant: String) throws(StorageError) {
        let connection = try PostgresConnection(target)
        try PostgresSchema.check(connection)
        self.init(connection, tenant)
    }

    init(_ connection: PostgresConnection, _ tenant: String) {
        self.connection = connection
        self.tenant = tenant
    }

    public func lastEpoch() throws(StorageError) -> EpochMark? {
        try reading { () throws(StorageError) in
            let progress = try progress()
            return progress.map { EpochMark(number: UInt64($0.epoch), time: Timestamp(nanoseconds: $0.time)) }
        }
    }

    public func firstMoment() throws(StorageError) -> Timestamp? {
        try reading { () throws(StorageError) in
            guard let kept = try progress()?.keptFrom else { return nil }
            if kept > .min { return Timestamp(nanoseconds: kept) }
            let rows = try connection.run(
                "SELECT valid_from FROM nilo_version WHERE tenant = $1 ORDER BY valid_from LIMIT 1", [.text(tenant)])
            return rows.count == 0 ? nil : Timestamp(nanoseconds: rows.integer(0, 0))
        }
    }

    public func entities(at time: Timestamp) throws(StorageError) -> [StoredEntity] {
        try reading { () throws(StorageError) in
            guard try keptFrom() <= time.nanoseconds else { return [] }
            let rows = try connection.run(
                "SELECT key, state FROM nilo_version WHERE tenant = $1 AND valid_from <= $2 AND valid_to > $2",
                [.text(tenant), .integer(min(time.nanoseconds, .max - 1))])
            return (0..<rows.count).map { StoredEntity(key: rows.text($0, 0), state: rows.bytes($0, 1)) }
        }
    }

    public func changes(from start: Timestamp, to end: Timestamp) throws(StorageError) -> [EntityDifference] {
        try reading { () throws(StorageError) in
            // Before what is kept there is nothing.
            let kept = try keptFrom()
            let times = [start, end].map { $0.nanoseconds < kept ? -1 : min($0.nanoseconds, .max - 1) }
            let rows = try connection.run(
                """
                SELECT COALESCE(a.key, b.key), a.state, b.state
                FROM (SELECT key, state FROM nilo_version WHERE tenant = $1 AND valid_from <= $2 AND valid_to > $2) a
                FULL JOIN (SELECT key, state FROM nilo_version WHERE tenant = $1 AND valid_from <= $3 AND valid_to > $3) b ON a.key = b.key
                WHERE a.state IS DISTINCT FROM b.state
                """, [.text(tenant), .integer(times[0]), .integer(times[1])])
            return (0..<rows.count).map { row in
                func state(_ column: Int) -> [UInt8]? { rows.isNull(row, column) ? nil : rows.bytes(row, column) }
                return EntityDifference(key: rows.text(row, 0), before: state(1), after: state(2))
            }
        }
    }

    public func log(from start: Timestamp, to end: Timestamp, limit: Int) throws(StorageError) -> [EntityLogEntry] {
        try reading { () throws(StorageError) in
            let begin = max(start.nanoseconds, try keptFrom())
            guard limit > 0, begin < end.nanoseconds else { return [] }
            // What begins where the one before ended is one step; an entity that ended and began again as it was did not change.
            let rows = try connection.run(
                """
                SELECT COALESCE(a.valid_to, b.valid_from), COALESCE(a.key, b.key), a.state, b.state
                FROM (SELECT key, valid_to, state FROM nilo_version WHERE tenant = $1 AND valid_to > $2 AND valid_to <= $3) a
                FULL JOIN (SELECT key, valid_from, state FROM nilo_version WHERE tenant = $1 AND valid_from > $2 AND valid_from <= $3) b
                ON a.key = b.key AND a.valid_to = b.valid_from
                WHERE a.state IS DISTINCT FROM b.state
                ORDER BY COALESCE(a.valid_to, b.valid_from) DESC, COALESCE(a.key, b.key) COLLATE "C" DESC LIMIT $4
                """, [.text(tenant), .integer(begin), .integer(min(end.nanoseconds, .max - 1)), .integer(Int64(limit))])
            return (0..<rows.count).reversed().map { row in
                func state(_ column: Int) -> [UInt8]? { rows.isNull(row, column) ? nil : rows.bytes(row, column) }
                return EntityLogEntry(
                    time: Timestamp(nanoseconds: rows.integer(row, 0)), key: rows.text(row, 1), before: state(2), after: state(3))
            }
        }
    }

    public func history(of key: String, from start: Timestamp, to end: Timestamp) throws(StorageError) -> [EntityVersion] {
        try reading { () throws(StorageError) in
            let kept = try keptFrom()
            let rows = try connection.run(
                """
                SELECT valid_from, valid_to, state FROM nilo_version
                WHERE tenant = $1 AND key = $2 AND valid_from < $4 AND valid_to > $3 ORDER BY valid_from
                """, [.text(tenant), .text(key), .integer(start.nanoseconds), .integer(end.nanoseconds)])
            var versions: [EntityVersion] = []
            for row in 0..<rows.count {
                let from = Timestamp(nanoseconds: max(rows.integer(row, 0), kept))
                let stop = rows.integer(row, 1)
                let to = stop == PostgresSchema.open ? nil : Timestamp(nanoseconds: stop)
                let state = rows.bytes(row, 2)
                if let last = versions.last, last.validTo == from, last.state == state {
                    versions[versions.count - 1].validTo = to
                } else {
                    versions.append(EntityVersion(validFrom: from, validTo: to, state: state))
                }
            }
            return versions
        }
    }

    public func gaps(from start: Timestamp, to end: Timestamp) throws(StorageError) -> [HistoryGap] {
        try reading { () throws(StorageError) in
            let rows = try connection.run(
                "SELECT start, stop FROM nilo_gap WHERE tenant = $1 AND start < $3 AND stop > $2 ORDER BY start",
                [.text(tenant), .integer(start.nanoseconds), .integer(end.nanoseconds)])
            return (0..<rows.count).map {
                HistoryGap(start: Timestamp(nanoseconds: rows.integer($0, 0)), end: Timestamp(nanoseconds: rows.integer($0, 1)))
            }
        }
    }

    public func series() throws(StorageError) -> [SeriesName] {
        try reading { () throws(StorageError) in
            let rows = try connection.run("SELECT key, kind FROM nilo_series WHERE tenant = $1", [.text(tenant)])
            return (0..<rows.count).map {
                SeriesName(key: rows.text($0, 0), kind: SeriesKind(rawValue: Int(rows.integer($0, 1))) ?? .counter)
            }
        }
    }

    public func points(
        of key: String, from start: Timestamp, to end: Timestamp, resolution: SeriesResolution
    ) throws(StorageError) -> [SeriesPoint] {
        try reading { () throws(StorageError) in
            let names = try connection.run("SELECT id, kind FROM nilo_series WHERE tenant = $1 AND key = $2", [.text(tenant), .text(key)])
            let (first, last) = (start.wholeSeconds, end.secondsRoundedUp)
            guard names.count == 1, first < last else { return [] }
            let kind = SeriesKind(rawValue: Int(names.integer(0, 1))) ?? .counter
            let run = try run(names.integer(0, 0), kind, resolution, first - first % resolution.seconds, last)
            return zip(run.starts, run.cells).map { $1.point(start: $0, kind) }
        }
    }

    /// What is kept at a resolution, and from where that ends what the finer one has, rolled up.
    private func run(
        _ series: Int64, _ kind: SeriesKind, _ resolution: SeriesResolution, _ start: Int64, _ end: Int64
    ) throws(StorageError) -> SeriesRun {
        var run = SeriesRun()
        let rows = try connection.run(
            """
            SELECT start, count, total, low, high FROM \(kind.table)
            WHERE tenant = $1 AND series = $2 AND resolution = $3 AND start >= $4 AND start < $5 ORDER BY start
            """, [.text(tenant), .integer(series), .integer(Int64(resolution.rawValue)), .integer(start), .integer(end)])
        for row in 0..<rows.count {
            var cell = SeriesCell()
            cell.count = rows.word(row, 1)
            (cell.sum, cell.minimum, cell.maximum) = (rows.word(row, 2), rows.word(row, 3), rows.word(row, 4))
            run.append(rows.integer(row, 0), cell, kind)
        }
        guard let finer = SeriesResolution(rawValue: resolution.rawValue - 1) else { return run }
        let until = try rolledUntil(finer)
        guard end > until else { return run }
        let width = resolution.seconds
        let wholeEnd = min(end, .max - width) / width * width + width
        let rest = try self.run(series, kind, finer, max(start, until), wholeEnd).rolledUp(width, kind)
        for (start, cell) in zip(rest.starts, rest.cells) where start < end { run.append(start, cell, kind) }
        return run
    }

    /// How far a resolution is rolled up into the next one, in seconds.
    func rolledUntil(_ resolution: SeriesResolution) throws(StorageError) -> Int64 {
        let rows = try connection.run(
            "SELECT until FROM nilo_rolled WHERE tenant = $1 AND resolution = $2", [.text(tenant), .integer(Int64(resolution.rawValue))])
        return rows.count == 0 ? 0 : rows.integer(0, 0)
    }

    func progress() throws(StorageError) -> (epoch: Int64, time: Int64, keptFrom: Int64)? {
        let rows = try connection.run("SELECT epoch, time, kept_from FROM nilo_progress WHERE tenant = $1", [.text(tenant)])
        return rows.count == 0 ? nil : (rows.integer(0, 0), rows.integer(0, 1), rows.integer(0, 2))
    }

    private func keptFrom() throws(StorageError) -> Int64 { try progress()?.keptFrom ?? .min }

    /// One moment for all that an answer needs.
    private func reading<T>(_ body: () throws(StorageError) -> T) throws(StorageError) -> T {
        try named("read") { () throws(StorageError) in
            try connection.transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", body)
        }
    }

    func named<T>(_ operation: String, _ body: () throws(StorageError) -> T) throws(StorageError) -> T {
        do throws(StorageError) {
            return try body()
        } catch {
            var error = error
            error.operation = "\(operation) the history of \(tenant)"
            throw error
        }
    }
}

extension SeriesKind {
    var table: String { self == .counter ? "nilo_counter" : "nilo_gauge" }
}
