/// What a series is like at an hour of the day or of the week.
public struct PatternHour: Hashable, Sendable {
    /// Of the hourly means of the days (weeks) seen: the 10 % quantile, the median and the 90 % quantile; nan if none is known.
    public var low: Double
    public var median: Double
    public var high: Double
    /// Hours that it is made of.
    public var hours: Int

    init(_ values: [Float]) {
        let sorted = values.ordered
        low = sorted.ranked(0.1)
        median = sorted.median
        high = sorted.ranked(0.9)
        hours = sorted.count
    }
}

/// The daily and the weekly pattern of hourly means, and how much of the series they explain.
struct SeasonalPattern {
    /// By hour of the UTC day; nil before a day is known.
    private(set) var daily: [PatternHour]?
    /// By hour of the week, Monday first; nil before two weeks are known.
    private(set) var weekly: [PatternHour]?
    /// Shares of the variance that the daily pattern explains, and that both explain; nil before three days are known.
    private(set) var dailyShare: Double?
    private(set) var share: Double?

    init(_ hours: Hours) {
        let means = hours.means
        let known = means.count { !$0.isNaN }
        guard known >= 24 else { return }
        let byHour = (0..<24).map { hour in
            Array(stride(from: StepCalendar.modulo(Int64(hour) - hours.first, 24), to: means.count, by: 24))
        }
        daily = byHour.map { PatternHour($0.map { means[$0] }) }
        if means.count >= 14 * 24 {
            var cells = [[Float]](repeating: [], count: 168)
            for (index, mean) in means.enumerated() { cells[StepCalendar.hourOfWeek(hours.first + Int64(index))].append(mean) }
            weekly = cells.map { PatternHour($0) }
        }
        if known >= 72 { explain(means, byHour) }
    }

    /// Each hour is compared with the median of the same hour of the other days, and then with what that left over in the same hour of
    /// the other weeks: nothing explains itself, so noise explains nothing.
    private mutating func explain(_ means: [Float], _ byHour: [[Int]]) {
        var left = [Double](repeating: .nan, count: means.count)
        let means = means.map(Double.init)
        for hours in byHour { Self.leaveOut(hours, of: means, into: &left) { _ in 1 } }
        let middle = means.median
        let total = means.map { abs($0 - middle) }.mean
        guard total > 0 else { return }
        func explained(_ left: [Double]) -> Double {
            let ratio = left.map { abs($0) }.mean / total
            return max(0, 1 - ratio * ratio)
        }
        let dailyShare = explained(left)
        self.dailyShare = dailyShare
        share = dailyShare
        guard means.count >= 14 * 24 else { return }
        var rest = left
        for hour in 0..<168 {
            // With few weeks to tell it from, only a part of what they left over is believed.
            Self.leaveOut(Array(stride(from: hour, to: means.count, by: 168)), of: left, into: &rest) { Double($0) / Double($0 + 1) }
        }
        share = max(dailyShare, explained(rest))
    }

    /// Takes from each of the values at `places` the median of the others, or a part of it.
    private static func leaveOut(
        _ places: [Int], of values: [Double], into left: inout [Double], reliable: (Int) -> Double
    ) {
        let order = places.filter { !values[$0].isNaN }.sorted { values[$0] < values[$1] }
        guard order.count >= 2 else { return }
        for (rank, place) in order.enumerated() {
            // The k-th of the others.
            func other(_ k: Int) -> Double { values[order[k < rank ? k : k + 1]] }
            let others = order.count - 1
            let median = others % 2 == 1 ? other(others / 2) : (other(others / 2 - 1) + other(others / 2)) / 2
            left[place] = values[place] - reliable(others) * median
        }
    }
}
