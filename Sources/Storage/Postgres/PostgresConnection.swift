import CPostgres

/// A connection to a PostgreSQL server and what the store needs of it: libpq's synchronous calls. For one thread at a time.
final class PostgresConnection {
    private let handle: OpaquePointer
    private var prepared: [String: String] = [:]

    enum Parameter {
        case integer(Int64)
        case double(Double)
        case text(String)
        case bytes([UInt8])
        case null
    }

    /// - Parameter target: as libpq takes it: `host=/run/postgresql dbname=nilo`, or a URI.
    init(_ target: String) throws(StorageError) {
        guard let handle = PQconnectdb(target) else { throw StorageError("connect", .failed, "no memory") }
        self.handle = handle
        guard PQstatus(handle) == CONNECTION_OK else {
            throw StorageError("connect", .unreachable, Self.words(PQerrorMessage(handle)))
        }
        // "relation exists already, skipping" is no news.
        PQsetNoticeProcessor(handle, { @Sendable _, _ in }, nil)
    }

    deinit { PQfinish(handle) }

    func execute(_ sql: String) throws(StorageError) { _ = try checked(PQexec(handle, sql)) }

    /// Runs a statement with parameters `$1`…; its result is in the binary format.
    /// - Parameter isKept: it comes again: the server plans it once.
    @discardableResult
    func run(_ sql: String, _ parameters: [Parameter] = [], isKept: Bool = true) throws(StorageError) -> PostgresRows {
        var name: String?
        if isKept {
            if let known = prepared[sql] {
                name = known
            } else {
                let new = "s\(prepared.count)"
                _ = try checked(PQprepare(handle, new, sql, 0, nil))
                prepared[sql] = new
                name = new
            }
        }
        let values = parameters.map(\.wire)
        // All values in one buffer that stays where it is during the call.
        var bytes: [UInt8] = []
        for value in values {
            bytes += value ?? []
            bytes.append(0)
        }
        var lengths: [Int32] = []
        var formats: [Int32] = []
        for (parameter, value) in zip(parameters, values) {
            lengths.append(Int32(value?.count ?? 0))
            if case .bytes = parameter { formats.append(1) } else { formats.append(0) }
        }
        let result = bytes.withUnsafeBytes { buffer -> OpaquePointer? in
            var offset = 0
            let starts = values.map { value -> UnsafePointer<CChar>? in
                defer { offset += (value?.count ?? 0) + 1 }
                return value == nil ? nil : (buffer.baseAddress! + offset).assumingMemoryBound(to: CChar.self)
            }
            let count = Int32(parameters.count)
            if let name { return PQexecPrepared(handle, name, count, starts, lengths, formats, 1) }
            return PQexecParams(handle, sql, count, nil, starts, lengths, formats, 1)
        }
        return try checked(result)
    }

    func transaction<T>(_ begin: String, _ body: () throws(StorageError) -> T) throws(StorageError) -> T {
        try execute(begin)
        do throws(StorageError) {
            let value = try body()
            try execute("COMMIT")
            return value
        } catch {
            // A broken connection has rolled back by itself.
            if PQtransactionStatus(handle) != PQTRANS_IDLE { PQclear(PQexec(handle, "ROLLBACK")) }
            throw error
        }
    }

    private func checked(_ result: OpaquePointer?) throws(StorageError) -> PostgresRows {
        guard let result else { throw StorageError("", .unreachable, Self.words(PQerrorMessage(handle))) }
        let rows = PostgresRows(result)
        let status = PQresultStatus(result)
        if status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK { return rows }
        let state = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map { String(cString: $0) } ?? ""
        let reason: StorageError.Reason = PQstatus(handle) == CONNECTION_OK ? Self.reason(of: state) : .unreachable
        throw StorageError("", reason, Self.words(PQresultErrorMessage(result)))
    }

    /// By SQLSTATE (PostgreSQL documentation, appendix A).
    private static func reason(of state: String) -> StorageError.Reason {
        switch state {
        case "53100": .full
        // Two that write the same row or make the same table at once are met as such or as a violation of its key.
        case "53300", "40001", "40P01", "55P03", "23505", "42P07": .busy
        case "42P01": .missing
        case "42501", "25006": .notPermitted
        case "58030": .inputOutput
        case "XX001", "XX002": .corrupt
        default: state.hasPrefix("08") || state.hasPrefix("57P") ? .unreachable : .failed
        }
    }

    /// The first line: those after it point into the SQL.
    private static func words(_ message: UnsafePointer<CChar>?) -> String {
        let text = message.map { String(cString: $0) } ?? "no reason given"
        return String(text.split(separator: "\n").first ?? "no reason given")
    }
}

extension PostgresConnection.Parameter {
    /// nil for NULL. Bytes go in the binary format, the rest as text.
    fileprivate var wire: [UInt8]? {
        switch self {
        case .integer(let value): Array(String(value).utf8)
        case .double(let value): Array("\(value)".utf8)
        case .text(let text): Array(text.utf8)
        case .bytes(let bytes): bytes
        case .null: nil
        }
    }
}

/// What a statement answered, in the binary format: `bigint` and `double precision` as eight bytes, most significant first.
final class PostgresRows {
    private let handle: OpaquePointer
    let count: Int

    fileprivate init(_ handle: OpaquePointer) {
        self.handle = handle
        count = Int(PQntuples(handle))
    }

    deinit { PQclear(handle) }

    func isNull(_ row: Int, _ column: Int) -> Bool { PQgetisnull(handle, Int32(row), Int32(column)) != 0 }

    func bytes(_ row: Int, _ column: Int) -> [UInt8] {
        let count = Int(PQgetlength(handle, Int32(row), Int32(column)))
        return Array(UnsafeRawBufferPointer(start: PQgetvalue(handle, Int32(row), Int32(column)), count: count))
    }

    func text(_ row: Int, _ column: Int) -> String { String(decoding: bytes(row, column), as: UTF8.self) }
    func integer(_ row: Int, _ column: Int) -> Int64 { Int64(bitPattern: word(row, column)) }
    func word(_ row: Int, _ column: Int) -> UInt64 { bytes(row, column).reduce(0) { $0 << 8 | UInt64($1) } }
}
