import Terminal

/// What was and what is to come, over time, in characters: a line for the past, a fan for the future that is thicker where more is expected.
struct FanChart {
    /// Evenly spaced, oldest first; nil where nothing was measured.
    var past: [Double?]
    /// By step: 5 %, 20 %, 50 %, 80 %, 95 %.
    var fan: [[Double]]

    static let rows = 10

    /// Lines of the chart, highest first, without an axis; and what the highest stands for.
    func lines(width: Int) -> (top: Double, lines: [[Character]]) {
        let future = max(1, min(width / 2, fan.count))
        let before = max(1, min(width - future, past.count))
        let recent = Array(past.suffix(before * max(1, past.count / max(1, width - future))))
        let most = max(recent.compactMap { $0 }.max() ?? 0, fan.map { $0[4] }.max() ?? 0)
        var cells = [[Character]](repeating: [Character](repeating: " ", count: before + future), count: Self.rows)
        func row(_ value: Double) -> Int {
            most > 0 ? Self.rows - 1 - min(Self.rows - 1, max(0, Int(value / most * Double(Self.rows)))) : Self.rows - 1
        }
        for column in 0..<before {
            let part = Self.part(column, of: before, recent).compactMap { $0 }
            guard let low = part.min(), let high = part.max() else { continue }
            for line in row(high)...row(low) { cells[line][column] = "•" }
        }
        for column in 0..<future {
            let part = Self.part(column, of: future, fan)
            func mean(_ level: Int) -> Double { part.reduce(0) { $0 + $1[level] } / Double(part.count) }
            for line in row(mean(4))...row(mean(0)) { cells[line][before + column] = "░" }
            for line in row(mean(3))...row(mean(1)) { cells[line][before + column] = "▒" }
            cells[row(mean(2))][before + column] = "█"
        }
        return (most, cells)
    }

    /// The values that fall on a column.
    private static func part<Value>(_ column: Int, of columns: Int, _ values: [Value]) -> ArraySlice<Value> {
        let from = column * values.count / columns
        return values[from..<max(from + 1, (column + 1) * values.count / columns)]
    }
}
