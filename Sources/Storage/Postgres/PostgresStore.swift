import NetworkTypes
import Topology

/// The history of one tenant in a PostgreSQL database, where a fleet's hosts come together. One process writes a tenant.
///
/// A connection that broke is not mended: the owner makes a new store and goes on with an epoch that `resumes`. Bounds of size are the
/// server's business.
public final class PostgresStore: PostgresReader, HistoryStore {
    public let limits: StorageLimits
    /// What the tenant's tables hold; nil when that has to be read again, after an append that failed.
    private var memory: Memory?
    private var clearedAt: Int64?

    private struct Live {
        var key: String
        var since: Int64
        var state: Fingerprint
    }

    private struct Memory {
        /// The last epoch of which it knows.
        var epoch: Int64 = 0
        /// What there is, by key.
        var live: [Fingerprint: Live] = [:]
        var series: [Fingerprint: (number: Int64, kind: SeriesKind)] = [:]
        var nextSeries: Int64 = 1
    }

    /// Rows of one INSERT: enough that the round trip does not count, few enough for the protocol's 65,535 parameters.
    private static let batch = 500
    private static let clearingInterval: Int64 = 60_000_000_000

    /// Connects and makes the tables if they are missing.
    public init(_ target: String, tenant: String, limits: StorageLimits = StorageLimits()) throws(StorageError) {
        let connection = try PostgresConnection(target)
        try PostgresSchema.prepare(connection)
        self.limits = limits
        super.init(connection, tenant)
    }

    public func append(_ epoch: StoredEpoch) throws(StorageError) {
        try named("append to") { () throws(StorageError) in
            try epoch.check()
            var memory = self.memory ?? Memory(epoch: -1)
            // Gone if anything fails below; and not copied when it is changed.
            self.memory = nil
            try connection.transaction("BEGIN") { () throws(StorageError) in try write(epoch, &memory) }
            self.memory = memory
        }
    }

    public func maintain(now: Timestamp) throws(StorageError) {
        try named("clear") { () throws(StorageError) in
            try connection.transaction("BEGIN") { () throws(StorageError) in
                guard let last = try progress() else { return }
                try rollUp(now: last.time / 1_000_000_000)
                try clear(now: max(now.nanoseconds, last.time), last: last.time)
            }
        }
    }

    private func write(_ epoch: StoredEpoch, _ memory: inout Memory) throws(StorageError) {
        let last = try progress()
        guard Int64(epoch.number) > last?.epoch ?? 0 else {
            throw StorageError("", .invalid, "epoch \(epoch.number) is not after epoch \(last?.epoch ?? 0)")
        }
        // Somebody else wrote this tenant meanwhile: what is in memory is not what is in the tables.
        if memory.epoch != last?.epoch ?? 0 { memory = try load() }
        memory.epoch = Int64(epoch.number)
        let time = max(epoch.time.nanoseconds, last?.time ?? 0)
        try write(epoch, time, &memory.live)
        try write(epoch.samples, time / 1_000_000_000, &memory)
        if epoch.resumes, let last, time > last.time {
            try connection.run("INSERT INTO nilo_gap VALUES ($1, $2, $3)", [.text(tenant), .integer(last.time), .integer(time)])
        }
        try connection.run(
            """
            INSERT INTO nilo_progress VALUES ($1, $2, $3, $4)
            ON CONFLICT (tenant) DO UPDATE SET epoch = excluded.epoch, time = excluded.time
            """, [.text(tenant), .integer(Int64(epoch.number)), .integer(time), .integer(.min)])
        if let before = clearedAt, time - before < Self.clearingInterval { return }
        if clearedAt != nil {
            try rollUp(now: time / 1_000_000_000)
            try clear(now: time, last: time)
        }
        clearedAt = time
    }

    private func load() throws(StorageError) -> Memory {
        var memory = Memory()
        let live = try connection.run(
            "SELECT key, state, valid_from FROM nilo_version WHERE tenant = $1 AND valid_to = $2",
            [.text(tenant), .integer(PostgresSchema.open)])
        for row in 0..<live.count {
            let key = live.text(row, 0)
            memory.live[Fingerprint(key)] = Live(key: key, since: live.integer(row, 2), state: Fingerprint(live.bytes(row, 1)))
        }
        let series = try connection.run("SELECT id, key, kind FROM nilo_series WHERE tenant = $1", [.text(tenant)])
        for row in 0..<series.count {
            let number = series.integer(row, 0)
            memory.series[Fingerprint(series.text(row, 1))] = (number, SeriesKind(rawValue: Int(series.integer(row, 2))) ?? .counter)
            memory.nextSeries = max(memory.nextSeries, number + 1)
        }
        return memory
    }

    // MARK: Topology

    private func write(_ epoch: StoredEpoch, _ time: Int64, _ live: inout [Fingerprint: Live]) throws(StorageError) {
        // The last change of a key counts.
        var wanted: [Fingerprint: (key: String, state: [UInt8]?)] = [:]
        for change in epoch.changes { wanted[Fingerprint(change.key)] = (change.key, change.state) }
        if epoch.resumes { for (print, entity) in live where wanted[print] == nil { wanted[print] = (entity.key, nil) } }
        var ended: [Live] = []
        var begun: [(key: String, state: [UInt8])] = []
        for (print, change) in wanted {
            let present = live[print]
            let next = change.state.map { Fingerprint($0) }
            guard present?.state != next else { continue }
            if let present { ended.append(present) }
            live[print] = next.map { Live(key: change.key, since: time, state: $0) }
            if let state = change.state { begun.append((change.key, state)) }
        }
        // What lasted no time never was.
        try forEachBatch(ended.filter { $0.since == time }) { (versions, isWhole) throws(StorageError) in
            let list = (3..<3 + versions.count).map { "$\($0)" }.joined(separator: ", ")
            try connection.run(
                "DELETE FROM nilo_version WHERE tenant = $1 AND valid_from = $2 AND key IN (\(list))",
                [.text(tenant), .integer(time)] + versions.map { .text($0.key) }, isKept: isWhole)
        }
        // By the whole primary key: each is found at once, however many versions it had.
        try forEachBatch(ended.filter { $0.since != time }) { (versions, isWhole) throws(StorageError) in
            let list = versions.indices.map { index in
                let first = (index - versions.startIndex) * 2 + 3
                return "(CAST($\(first) AS text), CAST($\(first + 1) AS bigint))"
            }
            try connection.run(
                """
                UPDATE nilo_version v SET valid_to = $2 FROM (VALUES \(list.joined(separator: ", "))) AS e (key, since)
                WHERE v.tenant = $1 AND v.key = e.key AND v.valid_from = e.since
                """, [.text(tenant), .integer(time)] + versions.flatMap { [.text($0.key), .integer($0.since)] }, isKept: isWhole)
        }
        try forEachBatch(begun) { (versions, isWhole) throws(StorageError) in
            try connection.run(
                "INSERT INTO nilo_version VALUES " + PostgresSchema.placeholders(rows: versions.count, columns: 5),
                versions.flatMap { [.text(tenant), .text($0.key), .integer(time), .integer(PostgresSchema.open), .bytes($0.state)] },
                isKept: isWhole)
        }
    }

    private func forEachBatch<T>(_ rows: [T], _ body: (ArraySlice<T>, Bool) throws(StorageError) -> Void) throws(StorageError) {
        for start in stride(from: 0, to: rows.count, by: Self.batch) {
            let batch = rows[start..<min(start + Self.batch, rows.count)]
            try body(batch, batch.count == Self.batch)
        }
    }

    // MARK: Series

    private func write(_ samples: [SeriesSample], _ second: Int64, _ memory: inout Memory) throws(StorageError) {
        var cells: [SeriesKind: [Int64: SeriesCell]] = [:]
        for sample in samples {
            let kind = sample.value.kind
            let series = try number(of: sample, &memory)
            cells[kind, default: [:]][series, default: SeriesCell()].add(SeriesCell(one: sample.value.bits), kind)
        }
        for (kind, cells) in cells {
            try forEachBatch(Array(cells)) { (batch, isWhole) throws(StorageError) in
                try connection.run(
                    "INSERT INTO \(kind.table) AS p VALUES \(PostgresSchema.placeholders(rows: batch.count, columns: 8)) \(kind.merging)",
                    batch.flatMap { series, cell in
                        [.text(tenant), .integer(series), .integer(0), .integer(second), .integer(Int64(cell.count))]
                            + [cell.sum, cell.minimum, cell.maximum].map { kind.parameter($0) }
                    }, isKept: isWhole)
            }
        }
    }

    private func number(of sample: SeriesSample, _ memory: inout Memory) throws(StorageError) -> Int64 {
        let print = Fingerprint(sample.key)
        let kind = sample.value.kind
        if let series = memory.series[print] {
            guard series.kind == kind else {
                throw StorageError("", .invalid, "the series \(sample.key) is a \(series.kind), not a \(kind)")
            }
            return series.number
        }
        let number = memory.nextSeries
        try connection.run(
            "INSERT INTO nilo_series VALUES ($1, $2, $3, $4)",
            [.text(tenant), .integer(number), .text(sample.key), .integer(Int64(kind.rawValue))])
        memory.series[print] = (number, kind)
        memory.nextSeries += 1
        return number
    }

    /// Makes the points of each resolution that are over at `now`, in seconds, from the finer one's.
    private func rollUp(now: Int64) throws(StorageError) {
        var complete = now
        for resolution in SeriesResolution.allCases.dropFirst() {
            guard let finer = SeriesResolution(rawValue: resolution.rawValue - 1) else { continue }
            let width = resolution.seconds
            complete -= complete % width
            let until = try rolledUntil(finer)
            guard until < complete else { continue }
            for kind in [SeriesKind.counter, .gauge] {
                try connection.run(
                    """
                    INSERT INTO \(kind.table)
                    SELECT tenant, series, $2, start - start % \(width), CAST(SUM(count) AS bigint), \(kind.sum), MIN(low), MAX(high)
                    FROM \(kind.table) WHERE tenant = $1 AND resolution = $3 AND start >= $4 AND start < $5
                    GROUP BY tenant, series, start - start % \(width)
                    """,
                    [
                        .text(tenant), .integer(Int64(resolution.rawValue)), .integer(Int64(finer.rawValue)), .integer(until),
                        .integer(complete),
                    ])
            }
            try connection.run(
                "INSERT INTO nilo_rolled VALUES ($1, $2, $3) ON CONFLICT (tenant, resolution) DO UPDATE SET until = excluded.until",
                [.text(tenant), .integer(Int64(finer.rawValue)), .integer(complete)])
        }
    }

    // MARK: Age

    private func clear(now: Int64, last: Int64) throws(StorageError) {
        for resolution in SeriesResolution.allCases {
            var end = now / 1_000_000_000 - Int64(limits.age(resolution).seconds)
            // What is not rolled up yet is needed for that.
            if resolution != .hour { end = min(end, try rolledUntil(resolution)) }
            for kind in [SeriesKind.counter, .gauge] {
                try connection.run(
                    "DELETE FROM \(kind.table) WHERE tenant = $1 AND resolution = $2 AND start < $3",
                    [.text(tenant), .integer(Int64(resolution.rawValue)), .integer(end - end % resolution.seconds)])
            }
        }
        let cutoff = min(now - Int64(limits.topologyAge.seconds) * 1_000_000_000, last)
        guard cutoff > 0 else { return }
        try connection.run("DELETE FROM nilo_version WHERE tenant = $1 AND valid_to <= $2", [.text(tenant), .integer(cutoff)])
        try connection.run("DELETE FROM nilo_gap WHERE tenant = $1 AND stop <= $2", [.text(tenant), .integer(cutoff)])
        try connection.run("UPDATE nilo_progress SET kept_from = $2 WHERE tenant = $1", [.text(tenant), .integer(cutoff)])
    }
}

extension SeriesKind {
    /// Adding to a point that is there.
    fileprivate var merging: String {
        let total =
            self == .counter ? "CAST(LEAST(\(Int64.max), CAST(p.total AS numeric) + excluded.total) AS bigint)" : "p.total + excluded.total"
        return """
            ON CONFLICT (tenant, series, resolution, start) DO UPDATE SET count = p.count + excluded.count, total = \(total),
            low = LEAST(p.low, excluded.low), high = GREATEST(p.high, excluded.high)
            """
    }

    /// The sum of `total`; a counter's stops at the largest integer.
    fileprivate var sum: String { self == .counter ? "CAST(LEAST(\(Int64.max), SUM(total)) AS bigint)" : "SUM(total)" }

    fileprivate func parameter(_ bits: UInt64) -> PostgresConnection.Parameter {
        self == .counter ? .integer(Int64(bitPattern: bits)) : .double(Double(bitPattern: bits))
    }
}
