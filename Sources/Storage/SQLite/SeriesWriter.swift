/// Appends samples to an SQLite file and rolls up what is over (see `SeriesLayout`). What it has in memory is as the file was after the last
/// append: when one fails, the whole writer is thrown away and made again from the file.
final class SeriesWriter {
    let connection: SQLiteConnection
    let compressor: Compressor
    private var known: [Fingerprint: (number: UInt32, kind: SeriesKind)] = [:]
    private var nextSeries: UInt32 = 1
    private var shards: [Shard] = []

    /// Seconds throughout.
    private struct Shard {
        /// Start of what lies in the tail; nil when it is empty.
        var tail: Int64?
        /// Start of the first piece that is not in a block yet, by resolution; that of `second` and `hour` stays nil.
        var piece: [Int64?] = [nil, nil, nil]
        /// How far each resolution is in blocks, and with it the next one complete.
        var until: [Int64] = [0, 0, 0]
    }

    init(_ connection: SQLiteConnection, _ compressor: Compressor) throws(StorageError) {
        self.connection = connection
        self.compressor = compressor
        let rows = try connection.statement("SELECT id, key, kind FROM series")
        defer { rows.reset() }
        while try rows.step() {
            let number = UInt32(truncatingIfNeeded: rows.integer(0))
            known[Fingerprint(rows.text(1))] = (number, SeriesKind(rawValue: Int(rows.integer(2))) ?? .counter)
            nextSeries = max(nextSeries, number + 1)
        }
        for shard in 0..<Int64((nextSeries - 1) / SeriesLayout.shardSize + 1) { shards.append(try load(shard)) }
    }

    private func load(_ number: Int64) throws(StorageError) -> Shard {
        var shard = Shard()
        let range = (SeriesLayout.tail(number, 0), SeriesLayout.tail(number + 1, 0) - 1)
        let first = try connection.integer("SELECT time FROM tail WHERE place BETWEEN ? AND ? ORDER BY place LIMIT 1", range.0, range.1)
        shard.tail = first.map { $0 / 1_000_000_000 }
        for level in 0..<3 {
            let place = SeriesLayout.block(level, number, 0)
            shard.until[level] = try connection.integer("SELECT until FROM rolled WHERE place = ?", place) ?? 0
            if level > 0 { shard.piece[level] = try firstPiece(level, number, from: shard.until[level]) }
        }
        return shard
    }

    private func firstPiece(_ level: Int, _ shard: Int64, from start: Int64) throws(StorageError) -> Int64? {
        let (low, high) = (SeriesLayout.block(level, shard, start), SeriesLayout.block(level, shard + 1, 0) - 1)
        return try connection.integer("SELECT MIN(place) FROM block WHERE place BETWEEN ? AND ?", low, high).map(SeriesLayout.start)
    }

    // MARK: Appending

    func append(_ samples: [SeriesSample], epoch: Int64, time: Int64) throws(StorageError) {
        var numbered: [SeriesTail.Sample] = []
        numbered.reserveCapacity(samples.count)
        var isSorted = true
        for sample in samples {
            let series = try number(of: sample)
            if let last = numbered.last, last.series > series { isSorted = false }
            numbered.append(SeriesTail.Sample(series: series, kind: sample.value.kind, bits: sample.value.bits))
        }
        if !isSorted { numbered.sort { $0.series < $1.series } }
        let insert = try connection.statement("INSERT INTO tail VALUES (?, ?, ?)")
        var start = 0
        while start < numbered.count {
            let shard = numbered[start].series / SeriesLayout.shardSize
            var end = start
            while end < numbered.count, numbered[end].series / SeriesLayout.shardSize == shard { end += 1 }
            insert.bind(1, SeriesLayout.tail(Int64(shard), epoch))
            insert.bind(2, time)
            try insert.run(3, compressor.seal(SeriesTail.encode(numbered[start..<end])))
            if shards[Int(shard)].tail == nil { shards[Int(shard)].tail = time / 1_000_000_000 }
            start = end
        }
    }

    private func number(of sample: SeriesSample) throws(StorageError) -> UInt32 {
        let print = Fingerprint(sample.key)
        let kind = sample.value.kind
        if let series = known[print] {
            guard series.kind == kind else {
                throw StorageError("append to \(connection.path)", .invalid, "the series \(sample.key) is a \(series.kind), not a \(kind)")
            }
            return series.number
        }
        let shard = Int64(nextSeries / SeriesLayout.shardSize)
        guard shard <= SeriesLayout.largestShard else { throw StorageError("append to \(connection.path)", .invalid, "too many series") }
        let insert = try connection.statement("INSERT INTO series VALUES (?, ?, ?)")
        defer { insert.reset() }
        insert.bind(1, Int64(nextSeries))
        insert.bind(2, sample.key)
        insert.bind(3, Int64(kind.rawValue))
        _ = try insert.step()
        while shards.count <= Int(shard) { shards.append(try load(Int64(shards.count))) }
        known[print] = (nextSeries, kind)
        defer { nextSeries += 1 }
        return nextSeries
    }

    // MARK: Rolling up

    /// Makes blocks of the windows that are over at `now`, in seconds.
    func rollUp(now: Int64) throws(StorageError) {
        for index in shards.indices {
            let number = Int64(index)
            var complete = SeriesLayout.boundary(0, number, notAfter: now)
            if let tail = shards[index].tail, tail < complete { try packTail(index, until: complete) }
            for level in 1...2 {
                complete = SeriesLayout.boundary(level, number, notAfter: complete)
                if let piece = shards[index].piece[level], piece < complete { try packPieces(level, index, until: complete) }
            }
        }
    }

    private func packTail(_ index: Int, until end: Int64) throws(StorageError) {
        let number = Int64(index)
        let range = (SeriesLayout.tail(number, 0), SeriesLayout.tail(number + 1, 0) - 1)
        let rows = try connection.statement("SELECT place, time, body FROM tail WHERE place BETWEEN ? AND ? ORDER BY place")
        rows.bind(1, range.0)
        rows.bind(2, range.1)
        var gathered = GatheredTail()
        var last = range.0
        shards[index].tail = nil
        while try rows.step() {
            let second = rows.integer(1) / 1_000_000_000
            guard second < end else {
                shards[index].tail = second
                break
            }
            guard let plain = compressor.unpack(rows.blob(2)), gathered.add(plain, second: second) else {
                throw connection.corrupt("a row of samples")
            }
            last = rows.integer(0)
        }
        rows.reset()
        try connection.run("DELETE FROM tail WHERE place BETWEEN ? AND ?", range.0, last)
        try insert(gathered.block, 0, index, until: end)
    }

    private func packPieces(_ level: Int, _ index: Int, until end: Int64) throws(StorageError) {
        let number = Int64(index)
        let (low, high) = (SeriesLayout.block(level, number, shards[index].until[level]), SeriesLayout.block(level, number, end) - 1)
        let rows = try connection.statement("SELECT body FROM block WHERE place BETWEEN ? AND ? ORDER BY place")
        rows.bind(1, low)
        rows.bind(2, high)
        var pieces: [SeriesBlock] = []
        while try rows.step() {
            guard let plain = compressor.unpack(rows.blob(0)), let piece = SeriesBlock(plain) else {
                throw connection.corrupt("a block of points")
            }
            pieces.append(piece)
        }
        rows.reset()
        try connection.run("DELETE FROM block WHERE place BETWEEN ? AND ?", low, high)
        let whole = SeriesBlock(joining: pieces)
        // A piece can reach over the window's end.
        let rest = whole.part { $0 >= end }
        if let start = rest.starts.first { try insert(rest, at: SeriesLayout.block(level, number, start)) }
        try insert(whole.part { $0 < end }, level, index, until: end)
        shards[index].piece[level] = try firstPiece(level, number, from: end)
    }

    /// Keeps the block of a window and, rolled up, a piece of the next resolution.
    private func insert(_ block: SeriesBlock, _ level: Int, _ index: Int, until end: Int64) throws(StorageError) {
        let number = Int64(index)
        shards[index].until[level] = end
        try connection.run("INSERT OR REPLACE INTO rolled VALUES (?, ?)", SeriesLayout.block(level, number, 0), end)
        guard let start = block.starts.first else { return }
        try insert(block, at: SeriesLayout.block(level, number, start))
        let piece = block.rolledUp(SeriesResolution.allCases[level + 1].seconds)
        try insert(piece, at: SeriesLayout.block(level + 1, number, piece.starts[0]))
        if level + 1 < 3, shards[index].piece[level + 1] == nil { shards[index].piece[level + 1] = piece.starts[0] }
    }

    private func insert(_ block: SeriesBlock, at place: Int64) throws(StorageError) {
        let statement = try connection.statement("INSERT INTO block VALUES (?, ?, ?)")
        let level = Int(place >> 60)
        statement.bind(1, place)
        statement.bind(2, (block.starts.last ?? 0) + SeriesResolution.allCases[level].seconds)
        try statement.run(3, compressor.pack(block.encoded))
    }
}

/// Samples of a shard on their way from rows of epochs to rows of series.
private struct GatheredTail {
    private var starts: [Int64] = []
    private var samples: [(slot: UInt8, kind: SeriesKind, start: Int, bits: UInt64)] = []

    mutating func add(_ row: [UInt8], second: Int64) -> Bool {
        if starts.last != second { starts.append(second) }
        let start = starts.count - 1
        return row.withUnsafeBytes { SeriesTail.decode($0) { slot, kind, bits in samples.append((slot, kind, start, bits)) } }
    }

    var block: SeriesBlock {
        var rows: [SeriesBlock.Row?] = Array(repeating: nil, count: Int(SeriesLayout.shardSize))
        for sample in samples where rows[Int(sample.slot)] == nil {
            rows[Int(sample.slot)] = SeriesBlock.Row(
                slot: sample.slot, kind: sample.kind, cells: [SeriesCell](repeating: SeriesCell(), count: starts.count))
        }
        for sample in samples { rows[Int(sample.slot)]!.cells[sample.start].add(SeriesCell(one: sample.bits), sample.kind) }
        return SeriesBlock(starts: starts, rows: rows.compactMap { $0 })
    }
}

extension SeriesBlock {
    /// Of pieces in the order of time. Those of one shard do not overlap.
    init(joining pieces: [SeriesBlock]) {
        let starts = pieces.flatMap(\.starts)
        var rows: [UInt8: Row] = [:]
        var offset = 0
        for piece in pieces {
            for row in piece.rows {
                var joined =
                    rows.removeValue(forKey: row.slot)
                    ?? Row(slot: row.slot, kind: row.kind, cells: [SeriesCell](repeating: SeriesCell(), count: starts.count))
                for (index, cell) in row.cells.enumerated() { joined.cells[offset + index] = cell }
                rows[row.slot] = joined
            }
            offset += piece.starts.count
        }
        self.init(starts: starts, rows: rows.values.sorted { $0.slot < $1.slot })
    }
}
