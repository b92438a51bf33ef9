import CSQLite
import NetworkTypes
import Storage
import Topology

/// The conventional design, for comparison: SQLite with one row for each version and for each sample, WAL, and the indices that the questions
/// want. Prepared statements, one transaction for an epoch.
final class PlainStore {
    private var database: OpaquePointer?
    private var statements: [String: OpaquePointer] = [:]
    private var numbers: [String: Int64] = [:]
    private var versions: [Int64: Int64] = [:]

    init(_ path: String) throws {
        try check(sqlite3_open(path, &database), "open")
        try run(
            """
            PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16384;
            CREATE TABLE name (id INTEGER PRIMARY KEY, key TEXT UNIQUE);
            CREATE TABLE version (id INTEGER PRIMARY KEY, entity INTEGER, valid_from INTEGER, valid_to INTEGER, state BLOB);
            CREATE INDEX version_entity ON version (entity, valid_from);
            CREATE INDEX version_from ON version (valid_from);
            CREATE INDEX version_to ON version (valid_to, valid_from);
            CREATE TABLE sample (series INTEGER, time INTEGER, value INTEGER, PRIMARY KEY (series, time)) WITHOUT ROWID;
            """)
    }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement) }
        sqlite3_close(database)
    }

    func append(_ epoch: StoredEpoch) throws {
        try run("BEGIN")
        let time = epoch.time.nanoseconds
        for change in epoch.changes {
            let entity = try number(change.key)
            if let version = versions.removeValue(forKey: entity) {
                try step("UPDATE version SET valid_to = ? WHERE id = ?") { bind($0, time, version) }
            }
            guard let state = change.state else { continue }
            try step("INSERT INTO version (entity, valid_from, valid_to, state) VALUES (?, ?, \(Int64.max), ?)") { statement in
                bind(statement, entity, time)
                _ = state.withUnsafeBytes { sqlite3_bind_blob(statement, 3, $0.baseAddress, Int32($0.count), PlainStore.transient) }
            }
            versions[entity] = sqlite3_last_insert_rowid(database)
        }
        for sample in epoch.samples {
            guard case .counter(let value) = sample.value else { continue }
            let series = try number(sample.key)
            try step("INSERT INTO sample VALUES (?, ?, ?)") { bind($0, series, time, Int64(value)) }
        }
        try run("COMMIT")
    }

    func entities(at time: Timestamp) throws -> [StoredEntity] {
        var found: [StoredEntity] = []
        let sql = "SELECT key, state FROM version JOIN name ON name.id = entity WHERE valid_from <= ? AND valid_to > ?"
        try step(sql, { bind($0, time.nanoseconds, time.nanoseconds) }) { statement in
            found.append(StoredEntity(key: text(statement, 0), state: blob(statement, 1) ?? []))
        }
        return found
    }

    func changes(from start: Timestamp, to end: Timestamp) throws -> [EntityDifference] {
        var found: [EntityDifference] = []
        let sql = """
            SELECT name.key,
                (SELECT state FROM version WHERE entity = name.id AND valid_from <= ?1 AND valid_to > ?1),
                (SELECT state FROM version WHERE entity = name.id AND valid_from <= ?2 AND valid_to > ?2)
            FROM name WHERE id IN (SELECT entity FROM version WHERE valid_from > ?1 AND valid_from <= ?2
                UNION SELECT entity FROM version WHERE valid_to > ?1 AND valid_to <= ?2)
            """
        try step(sql, { bind($0, start.nanoseconds, end.nanoseconds) }) { statement in
            let (before, after) = (blob(statement, 1), blob(statement, 2))
            if before != after { found.append(EntityDifference(key: text(statement, 0), before: before, after: after)) }
        }
        return found
    }

    func history(of key: String) throws -> Int {
        var count = 0
        let sql = "SELECT valid_from, valid_to, state FROM version WHERE entity = ? ORDER BY valid_from"
        let number = try number(key)
        try step(sql, { bind($0, number) }) { statement in count += blob(statement, 2) == nil ? 0 : 1 }
        return count
    }

    func sum(of key: String, from start: Timestamp, to end: Timestamp) throws -> (points: Int, sum: Int64) {
        var result = (points: 0, sum: Int64(0))
        let number = try number(key)
        try step(
            "SELECT time, value FROM sample WHERE series = ? AND time >= ? AND time < ?",
            {
                bind($0, number, start.nanoseconds, end.nanoseconds)
            }
        ) { statement in
            result.points += 1
            result.sum += sqlite3_column_int64(statement, 1)
        }
        return result
    }

    func finish() throws { try run("PRAGMA wal_checkpoint(TRUNCATE)") }

    private func number(_ key: String) throws -> Int64 {
        if let number = numbers[key] { return number }
        try step("INSERT INTO name (key) VALUES (?)") { _ = sqlite3_bind_text($0, 1, key, -1, PlainStore.transient) }
        let number = sqlite3_last_insert_rowid(database)
        numbers[key] = number
        return number
    }

    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    private func bind(_ statement: OpaquePointer, _ values: Int64...) {
        for (index, value) in values.enumerated() { sqlite3_bind_int64(statement, Int32(index + 1), value) }
    }

    private func text(_ statement: OpaquePointer, _ column: Int32) -> String { String(cString: sqlite3_column_text(statement, column)) }

    private func blob(_ statement: OpaquePointer, _ column: Int32) -> [UInt8]? {
        guard let start = sqlite3_column_blob(statement, column) else { return nil }
        return Array(UnsafeRawBufferPointer(start: start, count: Int(sqlite3_column_bytes(statement, column))))
    }

    private func step(_ sql: String, _ bind: (OpaquePointer) -> Void, _ row: (OpaquePointer) -> Void = { _ in }) throws {
        if statements[sql] == nil {
            var statement: OpaquePointer?
            try check(sqlite3_prepare_v2(database, sql, -1, &statement, nil), sql)
            statements[sql] = statement
        }
        let statement = statements[sql]!
        defer { sqlite3_reset(statement) }
        bind(statement)
        var result = sqlite3_step(statement)
        while result == SQLITE_ROW {
            row(statement)
            result = sqlite3_step(statement)
        }
        try check(result == SQLITE_DONE ? SQLITE_OK : result, sql)
    }

    private func run(_ sql: String) throws { try check(sqlite3_exec(database, sql, nil, nil, nil), sql) }

    private func check(_ result: Int32, _ what: String) throws {
        guard result == SQLITE_OK else { throw BenchError("\(what): \(String(cString: sqlite3_errmsg(database)))") }
    }
}
