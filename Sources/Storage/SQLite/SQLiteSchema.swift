import CSQLite
import Glibc

/// The tables, and how a file comes to have them.
///
/// `application_id` says that the file is ours, `user_version` which schema it has. Both are read from the file's first hundred bytes before
/// SQLite touches it (sqlite.org/fileformat.html), so that what belongs to someone else stays as it is.
///
/// * WAL: readers see one moment while an epoch is appended. `synchronous=NORMAL`: the log is synchronised only when it is copied into the
///   file. `kill -9` loses nothing that was committed, for the kernel has it; a loss of power can lose the last epochs, never the
///   consistency. FULL would cost a disk's flush for every epoch.
/// * `secure_delete=OFF`: Debian's default overwrites what is deleted with zeros, which is all that rolls up and retires.
/// * `auto_vacuum=INCREMENTAL`: pages that retired are given back to the file system bit by bit.
enum SQLiteSchema {
    /// "NILO".
    static let application: Int32 = 0x4e49_4c4f
    static let version = 2

    static let tables = """
        CREATE TABLE progress (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL, time INTEGER NOT NULL,
            kept_from INTEGER NOT NULL, unswept INTEGER NOT NULL);
        CREATE TABLE entity (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);
        CREATE TABLE state (first INTEGER PRIMARY KEY, count INTEGER NOT NULL, body BLOB NOT NULL);
        CREATE TABLE change (first INTEGER PRIMARY KEY, start INTEGER NOT NULL, epochs INTEGER NOT NULL, count INTEGER NOT NULL,
            body BLOB NOT NULL);
        CREATE TABLE checkpoint (epoch INTEGER PRIMARY KEY, time INTEGER NOT NULL, count INTEGER NOT NULL, body BLOB NOT NULL);
        CREATE TABLE series (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL);
        CREATE TABLE tail (place INTEGER PRIMARY KEY, time INTEGER NOT NULL, body BLOB NOT NULL);
        CREATE TABLE block (place INTEGER PRIMARY KEY, stop INTEGER NOT NULL, body BLOB NOT NULL);
        CREATE TABLE rolled (place INTEGER PRIMARY KEY, until INTEGER NOT NULL);
        """
    /// What a version added to the one before it.
    static let steps: [Int: String] = [
        2: "CREATE TABLE gap (start INTEGER PRIMARY KEY, stop INTEGER NOT NULL);"
    ]

    /// Opens the file for writing, makes it if there is none, brings an older one up to date.
    static func open(_ path: String) throws(StorageError) -> SQLiteConnection {
        if try !isOurs(path) { try create(path) }
        let connection = try SQLiteConnection(path: path, .write)
        try configure(connection)
        try migrate(connection)
        return connection
    }

    /// Opens the file for reading; it has to be there, and of this version.
    static func openReading(_ path: String) throws(StorageError) -> SQLiteConnection {
        guard try isOurs(path) else { throw StorageError("open \(path)", .missing, code: ENOENT, "there is no history yet") }
        let connection = try SQLiteConnection(path: path, .read)
        let found = Int(try connection.integer("PRAGMA user_version") ?? 0)
        if found > version { throw newer(path, found) }
        if found < version {
            throw StorageError("open \(path)", .busy, "it has schema \(found), this release reads \(version), to which the agent brings it")
        }
        return connection
    }

    private static func configure(_ connection: SQLiteConnection) throws(StorageError) {
        try connection.execute(
            "PRAGMA synchronous=NORMAL; PRAGMA secure_delete=OFF; PRAGMA cache_size=-16384; PRAGMA foreign_keys=OFF; PRAGMA temp_store=MEMORY"
        )
    }

    private static func migrate(_ connection: SQLiteConnection) throws(StorageError) {
        // Read again in the transaction: another process may have done it meanwhile, and the log is ahead of the file's header.
        try connection.transaction("BEGIN IMMEDIATE") { () throws(StorageError) in
            let found = Int(try connection.integer("PRAGMA user_version") ?? 0)
            if found > version { throw newer(connection.path, found) }
            for step in max(1, found)..<version {
                if let sql = steps[step + 1] { try connection.execute(sql) }
            }
            if found < version { try connection.execute("PRAGMA user_version=\(version)") }
        }
    }

    private static func newer(_ path: String, _ found: Int) -> StorageError {
        StorageError(
            "open \(path)", .newerSchema(found: found, known: version),
            "a later release wrote it: it has schema \(found), this one knows \(version)")
    }

    /// Made under another name and then given its own: who is killed meanwhile leaves no half of a history at `path`.
    private static func create(_ path: String) throws(StorageError) {
        let unfinished = path + ".new"
        for suffix in ["", "-journal", "-wal", "-shm"] { unlink(unfinished + suffix) }
        do throws(StorageError) {
            let connection = try SQLiteConnection(path: unfinished, .create)
            // Both have to come before the first table.
            try connection.execute("PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL")
            try connection.transaction("BEGIN IMMEDIATE") { () throws(StorageError) in
                try connection.execute("PRAGMA application_id=\(application); PRAGMA user_version=\(version)")
                try connection.execute(tables)
                for step in 1..<version { try connection.execute(steps[step + 1] ?? "") }
                try connection.execute("INSERT INTO progress VALUES (1, 0, \(Int64.min), \(Int64.min), 0)")
            }
            try connection.execute("PRAGMA journal_mode=WAL")
        } catch {
            unlink(unfinished)
            var error = error
            error.operation = "make \(path)"
            throw error
        }
        // Flow records and names are nobody else's business.
        chmod(unfinished, 0o640)
        guard rename(unfinished, path) == 0 else {
            throw StorageError("make \(path)", .notPermitted, code: errno, String(cString: strerror(errno)))
        }
    }

    /// Whether there is a file, and it is a history; throws when it is something else.
    private static func isOurs(_ path: String) throws(StorageError) -> Bool {
        let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return false }
            throw StorageError(
                "open \(path)", errno == EACCES ? .notPermitted : .inputOutput, code: errno, String(cString: strerror(errno)))
        }
        defer { close(file) }
        var header = [UInt8](repeating: 0, count: 100)
        let length = read(file, &header, header.count)
        guard length >= 0 else {
            let reason: StorageError.Reason = errno == EISDIR ? .foreign : .inputOutput
            throw StorageError("open \(path)", reason, code: errno, String(cString: strerror(errno)))
        }
        // An empty file is what `touch` leaves; nothing is lost with it.
        if length == 0 { return false }
        guard length == 100, header.starts(with: Array("SQLite format 3\0".utf8)) else {
            throw StorageError("open \(path)", .foreign, code: SQLITE_NOTADB, "it is no SQLite file")
        }
        let found = header[68..<72].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard found == UInt32(bitPattern: application) else {
            throw StorageError("open \(path)", .foreign, code: SQLITE_NOTADB, "it is an SQLite file of another program")
        }
        return true
    }
}
