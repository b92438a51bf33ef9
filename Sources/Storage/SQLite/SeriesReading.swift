import NetworkTypes

/// Reads the series of an SQLite file (see `SeriesLayout`).
struct SeriesReading {
    let connection: SQLiteConnection
    let compressor: Compressor

    func series() throws(StorageError) -> [SeriesName] {
        let rows = try connection.statement("SELECT key, kind FROM series")
        defer { rows.reset() }
        var names: [SeriesName] = []
        while try rows.step() { names.append(SeriesName(key: rows.text(0), kind: SeriesKind(rawValue: Int(rows.integer(1))) ?? .counter)) }
        return names
    }

    /// - Parameters: in seconds; `end` is not included.
    func points(of key: String, from start: Int64, to end: Int64, resolution: SeriesResolution) throws(StorageError) -> [SeriesPoint] {
        let lookup = try connection.statement("SELECT id, kind FROM series WHERE key = ?")
        defer { lookup.reset() }
        lookup.bind(1, key)
        guard try lookup.step(), start < end else { return [] }
        let number = UInt32(truncatingIfNeeded: lookup.integer(0))
        let kind = SeriesKind(rawValue: Int(lookup.integer(1))) ?? .counter
        let place = Place(shard: Int64(number / SeriesLayout.shardSize), slot: UInt8(number % SeriesLayout.shardSize), kind: kind)
        let first = start - start % resolution.seconds
        let run = try run(place, resolution.rawValue, first, end)
        return zip(run.starts, run.cells).map { $1.point(start: $0, kind) }
    }

    private struct Place {
        var shard: Int64
        var slot: UInt8
        var kind: SeriesKind
    }

    /// What is kept at a resolution, and from where that ends what the finer one has, rolled up.
    private func run(_ place: Place, _ level: Int, _ start: Int64, _ end: Int64) throws(StorageError) -> SeriesRun {
        var run = SeriesRun()
        try appendBlocks(to: &run, place, level, start, end)
        guard level > 0 else {
            try appendTail(to: &run, place, start, end)
            return run
        }
        let until = try connection.integer("SELECT until FROM rolled WHERE place = ?", SeriesLayout.block(level - 1, place.shard, 0)) ?? 0
        guard end > until else { return run }
        // The last point is whole only with all that lies in it.
        let width = SeriesResolution.allCases[level].seconds
        let wholeEnd = end % width == 0 ? end : min(end, .max - width) / width * width + width
        let finer = try self.run(place, level - 1, max(start, until), wholeEnd).rolledUp(width, place.kind)
        for (start, cell) in zip(finer.starts, finer.cells) { run.append(start, cell, place.kind) }
        return run
    }

    private func appendBlocks(to run: inout SeriesRun, _ place: Place, _ level: Int, _ start: Int64, _ end: Int64) throws(StorageError) {
        let low = SeriesLayout.block(level, place.shard, 0)
        let high = min(SeriesLayout.block(level, place.shard, min(end, (1 << 40) - 1)), SeriesLayout.block(level, place.shard + 1, 0) - 1)
        // The block in which `start` lies begins before it.
        let from = try connection.integer(
            "SELECT MAX(place) FROM block WHERE place BETWEEN ? AND ?", low,
            SeriesLayout.block(level, place.shard, min(start, (1 << 40) - 1)))
        let rows = try connection.statement("SELECT body FROM block WHERE place BETWEEN ? AND ? AND stop > ? ORDER BY place")
        defer { rows.reset() }
        rows.bind(1, from ?? low)
        rows.bind(2, high)
        rows.bind(3, start)
        while try rows.step() {
            guard let plain = compressor.unpack(rows.blob(0)), let block = SeriesBlock(plain, only: place.slot) else {
                throw connection.corrupt("a block of points")
            }
            guard let row = block.rows.first else { continue }
            for (begin, cell) in zip(block.starts, row.cells) where begin >= start && begin < end { run.append(begin, cell, place.kind) }
        }
    }

    private func appendTail(to run: inout SeriesRun, _ place: Place, _ start: Int64, _ end: Int64) throws(StorageError) {
        let rows = try connection.statement("SELECT time, body FROM tail WHERE place BETWEEN ? AND ? ORDER BY place")
        defer { rows.reset() }
        rows.bind(1, SeriesLayout.tail(place.shard, 0))
        rows.bind(2, SeriesLayout.tail(place.shard + 1, 0) - 1)
        while try rows.step() {
            let second = rows.integer(0) / 1_000_000_000
            guard second >= start, second < end else { continue }
            let isSound = compressor.unpack(rows.blob(1))?.withUnsafeBytes { row in
                SeriesTail.decode(row) { slot, kind, bits in
                    if slot == place.slot { run.append(second, SeriesCell(one: bits), kind) }
                }
            }
            guard isSound == true else { throw connection.corrupt("a row of samples") }
        }
    }
}
