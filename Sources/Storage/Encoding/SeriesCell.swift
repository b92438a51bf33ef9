import NetworkTypes

/// What a series measured within one width: `SeriesPoint` as it is worked with, its values as bits. A count of 0 means nothing was measured.
struct SeriesCell: Equatable {
    var count: UInt64 = 0
    var sum: UInt64 = 0
    var minimum: UInt64 = 0
    var maximum: UInt64 = 0

    /// The largest sum of a counter: what a database's integer holds.
    static let counterLimit = UInt64(Int64.max)

    init() {}

    init(one value: UInt64) {
        count = 1
        (sum, minimum, maximum) = (value, value, value)
    }

    @inline(__always) mutating func add(_ other: SeriesCell, _ kind: SeriesKind) {
        guard other.count > 0 else { return }
        guard count > 0 else {
            self = other
            return
        }
        count &+= other.count
        switch kind {
        case .counter:
            let (total, overflows) = sum.addingReportingOverflow(other.sum)
            sum = overflows ? Self.counterLimit : min(total, Self.counterLimit)
            minimum = min(minimum, other.minimum)
            maximum = max(maximum, other.maximum)
        case .gauge:
            sum = (Double(bitPattern: sum) + Double(bitPattern: other.sum)).bitPattern
            minimum = Double.minimum(Double(bitPattern: minimum), Double(bitPattern: other.minimum)).bitPattern
            maximum = Double.maximum(Double(bitPattern: maximum), Double(bitPattern: other.maximum)).bitPattern
        }
    }

    func point(start: Int64, _ kind: SeriesKind) -> SeriesPoint {
        SeriesPoint(
            start: Timestamp(nanoseconds: start &* 1_000_000_000), count: count, sum: SeriesValue(bits: sum, kind),
            minimum: SeriesValue(bits: minimum, kind), maximum: SeriesValue(bits: maximum, kind))
    }
}

extension SeriesValue {
    var bits: UInt64 {
        switch self {
        case .counter(let value): value
        case .gauge(let value): value.bitPattern
        }
    }

    init(bits: UInt64, _ kind: SeriesKind) {
        switch kind {
        case .counter: self = .counter(bits)
        case .gauge: self = .gauge(Double(bitPattern: bits))
        }
    }
}

/// Points in order, of one series, by their starts in seconds.
struct SeriesRun {
    var starts: [Int64] = []
    var cells: [SeriesCell] = []

    /// Adds to the last point when it is the same one.
    mutating func append(_ start: Int64, _ cell: SeriesCell, _ kind: SeriesKind) {
        guard cell.count > 0 else { return }
        if let last = starts.last, last == start {
            cells[cells.count - 1].add(cell, kind)
        } else {
            starts.append(start)
            cells.append(cell)
        }
    }

    func rolledUp(_ width: Int64, _ kind: SeriesKind) -> SeriesRun {
        var run = SeriesRun()
        for (start, cell) in zip(starts, cells) { run.append(start - start % width, cell, kind) }
        return run
    }
}
