/// The tables of a fleet's history in PostgreSQL: plain SQL that the engines which speak its protocol take too. The tenant comes first in every
/// key, so that any of them can distribute by it.
///
/// One row for each version with both ends of its validity, `open` while it lasts; one row for each point and resolution, counters and gauges
/// apart because their sums are of different types. Times of versions are nanoseconds, starts of points seconds, since 1970.
enum PostgresSchema {
    static let version: Int64 = 1
    /// The end of what lasts.
    static let open = Int64.max

    static let tables = """
        CREATE TABLE IF NOT EXISTS nilo_schema (version bigint PRIMARY KEY);
        CREATE TABLE IF NOT EXISTS nilo_progress (tenant text PRIMARY KEY, epoch bigint NOT NULL, time bigint NOT NULL,
            kept_from bigint NOT NULL);
        CREATE TABLE IF NOT EXISTS nilo_gap (tenant text, start bigint, stop bigint NOT NULL, PRIMARY KEY (tenant, start));
        CREATE TABLE IF NOT EXISTS nilo_version (tenant text, key text, valid_from bigint, valid_to bigint NOT NULL, state bytea NOT NULL,
            PRIMARY KEY (tenant, key, valid_from));
        CREATE INDEX IF NOT EXISTS nilo_version_validity ON nilo_version (tenant, valid_to, valid_from);
        CREATE INDEX IF NOT EXISTS nilo_version_begin ON nilo_version (tenant, valid_from);
        CREATE TABLE IF NOT EXISTS nilo_series (tenant text, id bigint, key text NOT NULL, kind bigint NOT NULL, PRIMARY KEY (tenant, id),
            UNIQUE (tenant, key));
        CREATE TABLE IF NOT EXISTS nilo_rolled (tenant text, resolution bigint, until bigint NOT NULL, PRIMARY KEY (tenant, resolution));
        CREATE TABLE IF NOT EXISTS nilo_counter (tenant text, series bigint, resolution bigint, start bigint, count bigint NOT NULL,
            total bigint NOT NULL, low bigint NOT NULL, high bigint NOT NULL, PRIMARY KEY (tenant, series, resolution, start));
        CREATE TABLE IF NOT EXISTS nilo_gauge (tenant text, series bigint, resolution bigint, start bigint, count bigint NOT NULL,
            total double precision NOT NULL, low double precision NOT NULL, high double precision NOT NULL,
            PRIMARY KEY (tenant, series, resolution, start));
        """

    /// Makes what is missing; refuses what a later release made.
    static func prepare(_ connection: PostgresConnection) throws(StorageError) {
        // IF NOT EXISTS does not keep two hosts from making a table at the same moment: whoever comes second fails once and then finds it.
        for _ in 0..<4 {
            do throws(StorageError) {
                return try connection.transaction("BEGIN") { () throws(StorageError) in try makeMissing(connection) }
            } catch { guard error.reason == .busy else { throw error } }
        }
        try connection.transaction("BEGIN") { () throws(StorageError) in try makeMissing(connection) }
    }

    private static func makeMissing(_ connection: PostgresConnection) throws(StorageError) {
        let there = try connection.run(
            """
            SELECT CAST(count(*) AS bigint) FROM information_schema.tables
            WHERE table_schema = current_schema() AND table_name = 'nilo_schema'
            """)
        if there.integer(0, 0) > 0, try check(connection) == version { return }
        try connection.execute(tables)
        try connection.run("INSERT INTO nilo_schema VALUES ($1) ON CONFLICT (version) DO NOTHING", [.integer(version)])
    }

    /// - Returns: the version found; 0 without one.
    @discardableResult
    static func check(_ connection: PostgresConnection) throws(StorageError) -> Int64 {
        let rows = try connection.run("SELECT COALESCE(max(version), 0) FROM nilo_schema")
        let found = rows.integer(0, 0)
        guard found <= version else {
            throw StorageError(
                "open", .newerSchema(found: Int(found), known: Int(version)),
                "a later release made its tables: schema \(found), this one knows \(version)")
        }
        return found
    }

    /// `($1, $2), ($3, $4)`: the rows of an INSERT.
    static func placeholders(rows: Int, columns: Int) -> String {
        (0..<rows).map { row in "(" + (1...columns).map { "$\(row * columns + $0)" }.joined(separator: ", ") + ")" }.joined(separator: ", ")
    }
}
