import CSQLite
import Glibc

/// A connection to an SQLite file and what the store needs of it, in Swift's words: sqlite.org/c3ref. For one thread at a time.
final class SQLiteConnection {
    let path: String
    fileprivate let handle: OpaquePointer
    private var statements: [String: SQLiteStatement] = [:]

    enum Access { case create, write, read }

    init(path: String, _ access: Access) throws(StorageError) {
        let flags: Int32 =
            switch access {
            case .create: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
            case .write: SQLITE_OPEN_READWRITE
            case .read: SQLITE_OPEN_READONLY
            }
        var opened: OpaquePointer?
        // NOMUTEX: one thread at a time uses it. EXRESCODE: which I/O error, not only that there was one.
        let result = sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
        guard result == SQLITE_OK, let opened else {
            let error = Self.error("open \(path)", result, opened)
            sqlite3_close_v2(opened)
            throw error
        }
        self.path = path
        handle = opened
        // A reader waits for the moment in which a writer recovers or restarts the log, no longer.
        sqlite3_busy_timeout(handle, 250)
    }

    deinit {
        // Statements first: with one left, the handle stays open.
        statements = [:]
        sqlite3_close_v2(handle)
    }

    /// Runs SQL without parameters, several statements if need be.
    func execute(_ sql: String) throws(StorageError) {
        let result = sqlite3_exec(handle, sql, nil, nil, nil)
        guard result == SQLITE_OK else { throw error(result) }
    }

    /// The statement for `sql`, compiled once; it is not to be used again before it was stepped through or reset.
    func statement(_ sql: String) throws(StorageError) -> SQLiteStatement {
        if let statement = statements[sql] { return statement }
        let statement = try SQLiteStatement(sql, self)
        statements[sql] = statement
        return statement
    }

    /// The first column of the first row; nil without a row.
    func integer(_ sql: String, _ parameters: Int64...) throws(StorageError) -> Int64? {
        let statement = try statement(sql)
        defer { statement.reset() }
        for (index, value) in parameters.enumerated() { statement.bind(index + 1, value) }
        guard try statement.step(), !statement.isNull(0) else { return nil }
        return statement.integer(0)
    }

    /// Runs a statement whose parameters are integers for its effect.
    func run(_ sql: String, _ parameters: Int64...) throws(StorageError) {
        let statement = try statement(sql)
        defer { statement.reset() }
        for (index, value) in parameters.enumerated() { statement.bind(index + 1, value) }
        _ = try statement.step()
    }

    var changedRows: Int64 { sqlite3_changes64(handle) }

    /// All or nothing: `body` throws, and nothing of it is kept.
    /// - Parameter begin: `BEGIN IMMEDIATE` to write (a lock that is not to be had is met here and not half-way), `BEGIN` to read one moment.
    func transaction<T>(_ begin: String, _ body: () throws(StorageError) -> T) throws(StorageError) -> T {
        try execute(begin)
        do throws(StorageError) {
            let value = try body()
            try execute("COMMIT")
            return value
        } catch {
            // After a full disk and the like SQLite has rolled back by itself, and a second time would only be an error to hide the first.
            for statement in statements.values { statement.reset() }
            if sqlite3_get_autocommit(handle) == 0 { _ = sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
            throw error
        }
    }

    func error(_ result: Int32) -> StorageError { Self.error(path, result, handle) }

    /// The store's own finding, in a block that SQLite took for good.
    func corrupt(_ what: String) -> StorageError {
        StorageError(path, .corrupt, code: SQLITE_CORRUPT, "\(what) is damaged")
    }

    private static func error(_ operation: String, _ result: Int32, _ handle: OpaquePointer?) -> StorageError {
        let system = handle.map { sqlite3_system_errno($0) } ?? 0
        let reason: StorageError.Reason =
            switch result & 0xff {
            case SQLITE_BUSY, SQLITE_LOCKED: .busy
            case SQLITE_FULL: .full
            // A disk that fills while the log's shared memory grows, or a quota, comes as an I/O error with the errno beside it.
            case SQLITE_IOERR: system == ENOSPC || system == EDQUOT ? .full : .inputOutput
            case SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH: .notPermitted
            case SQLITE_CANTOPEN:
                switch system {
                case EACCES, EPERM, EROFS: .notPermitted
                case ENOSPC, EDQUOT: .full
                default: .missing
                }
            case SQLITE_CORRUPT: .corrupt
            case SQLITE_NOTADB: .foreign
            default: .failed
            }
        var detail = handle.map { String(cString: sqlite3_errmsg($0)) } ?? String(cString: sqlite3_errstr(result))
        // Older trouble's errno stands there otherwise.
        if system != 0, [SQLITE_IOERR, SQLITE_CANTOPEN].contains(result & 0xff) { detail += ": \(String(cString: strerror(system)))" }
        return StorageError(operation, reason, code: result, detail)
    }
}

/// A compiled statement. Columns are valid until the next step.
final class SQLiteStatement {
    private let handle: OpaquePointer
    private unowned let connection: SQLiteConnection

    fileprivate init(_ sql: String, _ connection: SQLiteConnection) throws(StorageError) {
        var prepared: OpaquePointer?
        let result = sqlite3_prepare_v3(connection.handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard result == SQLITE_OK, let prepared else { throw connection.error(result) }
        handle = prepared
        self.connection = connection
    }

    deinit { sqlite3_finalize(handle) }

    func bind(_ index: Int, _ value: Int64) { check(sqlite3_bind_int64(handle, Int32(index), value)) }

    func bind(_ index: Int, _ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { check(sqlite3_bind_text_copy(handle, Int32(index), $0.baseAddress, Int32($0.count))) }
        }
    }

    /// Binds a blob, steps once, resets: the bytes need not be copied.
    func run(_ index: Int, _ blob: [UInt8]) throws(StorageError) {
        let result = blob.withUnsafeBytes { bytes in
            check(sqlite3_bind_blob_in_place(handle, Int32(index), bytes.baseAddress, Int32(bytes.count)))
            return sqlite3_step(handle)
        }
        // The words for it are gone after the reset; and nothing can be bound before it.
        let error = result == SQLITE_DONE ? nil : connection.error(result)
        reset()
        sqlite3_bind_null(handle, Int32(index))
        if let error { throw error }
    }

    /// Whether there is a row.
    func step() throws(StorageError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let result: throw connection.error(result)
        }
    }

    /// The outcome of the last step was thrown by it; reset repeats it.
    func reset() { _ = sqlite3_reset(handle) }

    func isNull(_ column: Int) -> Bool { sqlite3_column_type(handle, Int32(column)) == SQLITE_NULL }
    func integer(_ column: Int) -> Int64 { sqlite3_column_int64(handle, Int32(column)) }

    func text(_ column: Int) -> String {
        guard let start = sqlite3_column_text(handle, Int32(column)) else { return "" }
        let count = Int(sqlite3_column_bytes(handle, Int32(column)))
        return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    /// In place, until the next step.
    func blob(_ column: Int) -> UnsafeRawBufferPointer {
        let start = sqlite3_column_blob(handle, Int32(column))
        return UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : Int(sqlite3_column_bytes(handle, Int32(column))))
    }

    /// Binding fails only for an index that the statement does not have, or one that is being stepped through: bugs.
    private func check(_ result: Int32) {
        precondition(result == SQLITE_OK, "bind: \(String(cString: sqlite3_errstr(result)))")
    }
}
