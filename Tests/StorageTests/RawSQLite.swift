import CSQLite
import Testing

/// SQLite without the store between: what lies in a file, and what others do to it.
final class RawSQLite {
    private var handle: OpaquePointer?

    init(_ path: String) throws { try #require(sqlite3_open(path, &handle) == SQLITE_OK) }

    deinit { sqlite3_close(handle) }

    func run(_ sql: String) throws {
        try #require(sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK, "\(String(cString: sqlite3_errmsg(handle))): \(sql)")
    }

    /// The first column of the first row.
    func text(_ sql: String) throws -> String {
        var statement: OpaquePointer?
        try #require(sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK, "\(String(cString: sqlite3_errmsg(handle)))")
        defer { sqlite3_finalize(statement) }
        try #require(sqlite3_step(statement) == SQLITE_ROW, "\(String(cString: sqlite3_errmsg(handle)))")
        return sqlite3_column_text(statement, 0).map { String(cString: $0) } ?? ""
    }
}
