/// Removes what is older than the limits, and what the file's bound has no room for.
///
/// The bound holds by SQLite's own `max_page_count`, the log's share apart. At fifteen sixteenths of it, whatever takes most (the topology,
/// or a resolution of the series) gives up its oldest part, until an eighth is free.
struct SQLiteRetention {
    let connection: SQLiteConnection
    let limits: StorageLimits

    private static let page: Int64 = 4096
    private var logSize: Int64 { min(max(limits.size / 8, 512 << 10), 16 << 20) }
    private var pageLimit: Int64 { max(limits.size, StorageLimits.smallestSize) / Self.page - logSize / Self.page }

    func setBound() throws(StorageError) {
        // The log is copied into the file when it has half its share; only a long reader or a large epoch makes it longer.
        try connection.execute(
            """
            PRAGMA max_page_count=\(pageLimit); PRAGMA wal_autocheckpoint=\(logSize / Self.page / 2); PRAGMA journal_size_limit=\(logSize)
            """)
    }

    // MARK: Age

    /// - Returns: whether the names of series changed.
    func clear(now: Int64, _ writer: EntityWriter) throws(StorageError) -> Bool {
        var removed: Int64 = 0
        for resolution in SeriesResolution.allCases {
            let age = Int64(limits.age(resolution).seconds)
            removed += try clearPoints(resolution.rawValue, before: now / 1_000_000_000 - age)
        }
        let cutoff = now - Int64(limits.topologyAge.seconds) * 1_000_000_000
        let statement = try connection.statement("SELECT epoch, time FROM checkpoint WHERE time <= ? ORDER BY epoch DESC LIMIT 1")
        statement.bind(1, cutoff)
        let found: (Int64, Int64)? = try statement.step() ? (statement.integer(0), statement.integer(1)) : nil
        statement.reset()
        if let (epoch, time) = found { try clearTopology(before: epoch, time: time, writer) }
        return removed > 0 ? try clearNames() : false
    }

    /// A checkpoint now and then, so that a quiet network's history also has a place from which it can be kept.
    func keepCheckpoints(_ writer: EntityWriter, epoch: Int64, time: Int64) throws(StorageError) {
        let last = try connection.integer(
            "SELECT COALESCE((SELECT MAX(time) FROM checkpoint), (SELECT start FROM change ORDER BY first LIMIT 1))")
        guard let last, writer.hasChangesSinceCheckpoint, time - last >= Int64(limits.topologyAge.seconds) * 125_000_000 else { return }
        try writer.checkpoint(epoch: epoch, time: time)
    }

    private func clearPoints(_ level: Int, before cutoff: Int64) throws(StorageError) -> Int64 {
        guard cutoff > 0 else { return 0 }
        var removed: Int64 = 0
        for shard in 0...(try lastShard()) {
            var end = cutoff
            if 1...2 ~= level {
                // What is not rolled up yet is needed for that.
                end = min(end, try connection.integer("SELECT until FROM rolled WHERE place = ?", SeriesLayout.block(level, shard, 0)) ?? 0)
            }
            try connection.run(
                "DELETE FROM block WHERE place BETWEEN ? AND ? AND stop <= ?", SeriesLayout.block(level, shard, 0),
                SeriesLayout.block(level, shard, end), end)
            removed += connection.changedRows
        }
        return removed
    }

    private func lastShard() throws(StorageError) -> Int64 {
        (try connection.integer("SELECT MAX(id) FROM series") ?? 0) / Int64(SeriesLayout.shardSize)
    }

    /// Removes the names of shards of which nothing is left. The last one stays, for new names go on in it.
    private func clearNames() throws(StorageError) -> Bool {
        var removed = false
        let last = try lastShard()
        for shard in 0..<last {
            let tail = try connection.integer(
                "SELECT 1 FROM tail WHERE place BETWEEN ? AND ? LIMIT 1", SeriesLayout.tail(shard, 0), SeriesLayout.tail(shard + 1, 0) - 1)
            guard tail == nil, try isEmpty(shard) else { continue }
            let size = Int64(SeriesLayout.shardSize)
            try connection.run("DELETE FROM series WHERE id BETWEEN ? AND ?", shard * size, shard * size + size - 1)
            if connection.changedRows > 0 { removed = true }
        }
        return removed
    }

    private func isEmpty(_ shard: Int64) throws(StorageError) -> Bool {
        for level in 0...3 {
            let (low, high) = (SeriesLayout.block(level, shard, 0), SeriesLayout.block(level, shard + 1, 0) - 1)
            if try connection.integer("SELECT 1 FROM block WHERE place BETWEEN ? AND ? LIMIT 1", low, high) != nil { return false }
        }
        return true
    }

    // MARK: Topology

    private func clearTopology(before epoch: Int64, time: Int64, _ writer: EntityWriter) throws(StorageError) {
        let first = try connection.integer("SELECT MAX(first) FROM change WHERE first <= ?", epoch + 1) ?? 0
        let removed = try connection.integer("SELECT SUM(count) FROM change WHERE first < ?", first) ?? 0
        let older = try connection.integer("SELECT COUNT(*) FROM checkpoint WHERE epoch < ?", epoch) ?? 0
        guard removed > 0 || older > 0 else { return }
        try connection.run("DELETE FROM checkpoint WHERE epoch < ?", epoch)
        try connection.run("DELETE FROM change WHERE first < ?", first)
        try connection.run("DELETE FROM gap WHERE stop <= ?", time)
        try connection.run("UPDATE progress SET kept_from = ?, unswept = unswept + ?", time, removed)
        let kept = try connection.integer("SELECT SUM(count) FROM change") ?? 0
        // Sweeping reads all of it, so it waits until an eighth is gone.
        if (try connection.integer("SELECT unswept FROM progress") ?? 0) > kept / 8 {
            try TopologySweep(connection: connection, compressor: writer.compressor).run()
            try connection.run("UPDATE progress SET unswept = 0")
        }
        try writer.reloadRows()
    }

    // MARK: Size

    func isOverBound() throws(StorageError) -> Bool { try usedPages() > pageLimit / 16 * 15 }

    private func usedPages() throws(StorageError) -> Int64 {
        (try connection.integer("PRAGMA page_count") ?? 0) - (try connection.integer("PRAGMA freelist_count") ?? 0)
    }

    /// Frees an eighth of the bound, as far as there is something old to remove.
    func shrink(_ writer: EntityWriter) throws(StorageError) {
        for _ in 0..<64 where try usedPages() > pageLimit / 8 * 7 {
            // The topology is level 4.
            var weights: [(level: Int, bytes: Int64)] = []
            for level in 0...3 {
                let range = (SeriesLayout.block(level, 0, 0), SeriesLayout.block(level + 1, 0, 0) - 1)
                let bytes = try connection.integer("SELECT SUM(LENGTH(body)) FROM block WHERE place BETWEEN ? AND ?", range.0, range.1) ?? 0
                weights.append((level, bytes))
            }
            var topology: Int64 = 0
            for table in ["change", "state", "checkpoint"] {
                topology += try connection.integer("SELECT SUM(LENGTH(body)) FROM \(table)") ?? 0
            }
            weights.append((4, topology))
            var progressed = false
            for (level, _) in weights.sorted(by: { $0.bytes > $1.bytes }) where !progressed {
                progressed = level == 4 ? try shrinkTopology(writer) : try shrinkPoints(level)
            }
            if !progressed { return }
        }
    }

    private func shrinkPoints(_ level: Int) throws(StorageError) -> Bool {
        let (low, high) = (SeriesLayout.block(level, 0, 0), SeriesLayout.block(level + 1, 0, 0) - 1)
        guard let oldest = try connection.integer("SELECT MIN(stop) FROM block WHERE place BETWEEN ? AND ?", low, high),
            let newest = try connection.integer("SELECT MAX(stop) FROM block WHERE place BETWEEN ? AND ?", low, high)
        else { return false }
        return try clearPoints(level, before: oldest + (newest - oldest) / 8) > 0
    }

    private func shrinkTopology(_ writer: EntityWriter) throws(StorageError) -> Bool {
        let count = try connection.integer("SELECT COUNT(*) FROM checkpoint") ?? 0
        guard count > 1 else { return false }
        let statement = try connection.statement("SELECT epoch, time FROM checkpoint ORDER BY epoch LIMIT 1 OFFSET ?")
        statement.bind(1, max(1, count / 8))
        let isFound = try statement.step()
        let (epoch, time) = (statement.integer(0), statement.integer(1))
        statement.reset()
        guard isFound else { return false }
        try clearTopology(before: epoch, time: time, writer)
        return true
    }

    /// Gives free pages back to the file system when they are many, and the log's file with them.
    func giveBack() throws(StorageError) {
        let free = try connection.integer("PRAGMA freelist_count") ?? 0
        guard free > 256, free > (try connection.integer("PRAGMA page_count") ?? 0) / 4 else { return }
        try connection.execute("PRAGMA incremental_vacuum(\(free / 2))")
    }
}
