import Topology

/// The points of the series of one shard over a stretch of time: one row of the table `block`.
///
/// The starts stand once for all series. Each series is a stream with its length before it, so that a reader passes over those it was not
/// asked for. Where every point is of one sample (the finest resolution) only that sample stands; else minimum and maximum as distances
/// from the mean, which are short.
struct SeriesBlock {
    /// Ascending, seconds.
    var starts: [Int64]
    /// By the series' place in the shard: its kind, and a cell for every start.
    var rows: [Row]

    struct Row {
        var slot: UInt8
        var kind: SeriesKind
        var cells: [SeriesCell]
    }

    private enum Flag {
        static let everyStart: UInt8 = 1
        static let single: UInt8 = 2
        static let sameCount: UInt8 = 4
    }

    /// Those of a stretch. Rows without a point are left out.
    func part(_ isIncluded: (Int64) -> Bool) -> SeriesBlock {
        let indices = starts.indices.filter { isIncluded(starts[$0]) }
        guard indices.count < starts.count else { return self }
        let rows = rows.map { Row(slot: $0.slot, kind: $0.kind, cells: indices.map { [cells = $0.cells] in cells[$0] }) }
        return SeriesBlock(starts: indices.map { starts[$0] }, rows: rows.filter { $0.cells.contains { $0.count > 0 } })
    }

    func rolledUp(_ width: Int64) -> SeriesBlock {
        var wide: [Int64] = []
        var places: [Int] = []
        for start in starts {
            let begin = start - start % width
            if wide.last != begin { wide.append(begin) }
            places.append(wide.count - 1)
        }
        let rows = rows.map { row in
            var cells = [SeriesCell](repeating: SeriesCell(), count: wide.count)
            for (place, cell) in zip(places, row.cells) { cells[place].add(cell, row.kind) }
            return Row(slot: row.slot, kind: row.kind, cells: cells)
        }
        return SeriesBlock(starts: wide, rows: rows)
    }

    // MARK: Bytes

    var encoded: [UInt8] {
        var writer = ByteWriter(reserving: starts.count * (rows.count * 3 + 1))
        writer.count(starts.count)
        var before: Int64 = 0
        for start in starts {
            writer.number(UInt64(start - before))
            before = start
        }
        writer.count(rows.count)
        for row in rows {
            let stream = Self.encode(row.cells, row.kind)
            writer.number(UInt64(row.slot) << 1 | UInt64(row.kind.rawValue))
            writer.count(stream.count)
            writer.append(stream)
        }
        return writer.bytes
    }

    private static func encode(_ cells: [SeriesCell], _ kind: SeriesKind) -> [UInt8] {
        let present = cells.filter { $0.count > 0 }
        let isSingle = present.allSatisfy { $0.count == 1 }
        let hasSameCount = present.allSatisfy { $0.count == present[0].count }
        var flags: UInt8 = 0
        if present.count == cells.count { flags |= Flag.everyStart }
        if isSingle { flags |= Flag.single }
        if hasSameCount { flags |= Flag.sameCount }
        var writer = ByteWriter(reserving: present.count * 3 + 8)
        writer.put(flags)
        if present.count < cells.count {
            for index in stride(from: 0, to: cells.count, by: 8) {
                var bits: UInt8 = 0
                for bit in 0..<min(8, cells.count - index) where cells[index + bit].count > 0 { bits |= 1 << bit }
                writer.put(bits)
            }
        }
        guard !present.isEmpty else { return writer.bytes }
        if hasSameCount { writer.number(present[0].count) } else { for cell in present { writer.number(cell.count) } }
        SeriesColumn.write(present.map(\.sum), kind, &writer)
        if !isSingle {
            SeriesColumn.write(present.map { fromMean($0, $0.minimum, kind) }, kind, &writer)
            SeriesColumn.write(present.map { fromMean($0, $0.maximum, kind) }, kind, &writer)
        }
        return writer.bytes
    }

    /// How far a counter's extreme is from the mean, zigzag (a sum at its limit has a mean that is too small); a gauge's as it is.
    private static func fromMean(_ cell: SeriesCell, _ value: UInt64, _ kind: SeriesKind) -> UInt64 {
        kind == .gauge ? value : ByteWriter.zigzag(Int64(bitPattern: value &- cell.sum / cell.count))
    }

    private static func extreme(_ cell: SeriesCell, _ code: UInt64, _ kind: SeriesKind) -> UInt64 {
        guard kind == .counter, cell.count > 0 else { return code }
        return UInt64(bitPattern: Int64(bitPattern: code >> 1) ^ -Int64(bitPattern: code & 1)) &+ cell.sum / cell.count
    }

    /// - Parameter slot: only this series is decoded; nil for all.
    /// - Returns: nil when it is damaged.
    init?(_ plain: [UInt8], only slot: UInt8? = nil) {
        starts = []
        rows = []
        var isSound = true
        plain.withUnsafeBytes { plain in
            var reader = BlockReader(plain)
            let count = reader.count()
            starts.reserveCapacity(count)
            var start: Int64 = 0
            for _ in 0..<count {
                start &+= Int64(truncatingIfNeeded: reader.number())
                starts.append(start)
            }
            let rowCount = reader.count()
            guard rowCount <= 256 else { return isSound = false }
            for _ in 0..<rowCount {
                let name = reader.number()
                let stream = reader.slice(reader.count())
                let row = UInt8(truncatingIfNeeded: name >> 1)
                guard slot == nil || slot == row else { continue }
                let kind: SeriesKind = name & 1 == 0 ? .counter : .gauge
                guard let cells = Self.decode(stream, count, kind) else { return isSound = false }
                rows.append(Row(slot: row, kind: kind, cells: cells))
            }
            if reader.isBroken { isSound = false }
        }
        if !isSound { return nil }
    }

    init(starts: [Int64], rows: [Row]) {
        self.starts = starts
        self.rows = rows
    }

    private static func decode(_ stream: UnsafeRawBufferPointer, _ count: Int, _ kind: SeriesKind) -> [SeriesCell]? {
        var reader = BlockReader(stream)
        let flags = reader.byte()
        var places = Array(0..<count)
        if flags & Flag.everyStart == 0 {
            let bits = reader.slice((count + 7) / 8)
            guard !reader.isBroken else { return nil }
            places = places.filter { bits[$0 / 8] & 1 << ($0 % 8) != 0 }
        }
        var cells = [SeriesCell](repeating: SeriesCell(), count: count)
        guard !places.isEmpty else { return cells }
        let same = flags & Flag.sameCount != 0 ? reader.number() : 0
        for place in places { cells[place].count = flags & Flag.sameCount != 0 ? same : reader.number() }
        for (place, sum) in zip(places, SeriesColumn.read(places.count, &reader)) { cells[place].sum = sum }
        if flags & Flag.single != 0 {
            for place in places { (cells[place].minimum, cells[place].maximum) = (cells[place].sum, cells[place].sum) }
        } else {
            for (place, code) in zip(places, SeriesColumn.read(places.count, &reader)) {
                cells[place].minimum = extreme(cells[place], code, kind)
            }
            for (place, code) in zip(places, SeriesColumn.read(places.count, &reader)) {
                cells[place].maximum = extreme(cells[place], code, kind)
            }
        }
        return reader.isBroken ? nil : cells
    }
}
