/// How fast a series grows or shrinks, besides level shifts.
public struct Growth: Hashable, Sendable {
    /// In the series' unit a day and a week; falling is negative.
    public var perDay: Double
    public var perWeek: Double
    /// A week's growth as a part of the median day; nil if that is 0.
    public var relativePerWeek: Double?
    /// Whole days that it was measured over.
    public var days: Int
    /// The test's statistic, normal if there is no trend.
    public var score: Double
    /// More than chance: a score beyond ±2.58 (1 %).
    public var isSignificant: Bool { abs(score) >= 2.58 }

    /// The median slope between days (Theil and Sen) of hourly means, and Mann and Kendall's test of it; from three weeks on only between the
    /// same weekdays (Hirsch, Slack and Smith, “Techniques of trend analysis for monthly water quality data”, 1982). The test's
    /// variance is widened for days that resemble the day before (Yue and Wang, 2004).
    ///
    /// - Parameter shifts: taken out first.
    /// - Returns: nil before a week is known.
    init?(_ hours: Hours, shifts: [LevelShift], calendar: StepCalendar) {
        let days = Self.days(hours, shifts, calendar)
        guard days.count >= 7, let first = days.first?.day, let last = days.last?.day else { return nil }
        let apart: Int64 = last - first >= 20 ? 7 : 1
        var slopes: [Double] = []
        var score = 0.0
        var perWeekday = [Double](repeating: 0, count: 7)
        for (index, later) in days.enumerated() {
            perWeekday[apart == 7 ? StepCalendar.weekday(ofDay: later.day) : 0] += 1
            for earlier in days[..<index] where (later.day - earlier.day) % apart == 0 {
                slopes.append((later.mean - earlier.mean) / Double(later.day - earlier.day))
                score += later.mean > earlier.mean ? 1 : later.mean < earlier.mean ? -1 : 0
            }
        }
        guard !slopes.isEmpty else { return nil }
        let slope = slopes.median
        let variance = perWeekday.reduce(0) { $0 + $1 * ($1 - 1) * (2 * $1 + 5) / 18 } * Self.widening(days, slope)
        perDay = slope
        perWeek = 7 * slope
        let middle = days.map(\.mean).median
        relativePerWeek = middle > 0 ? 7 * slope / middle : nil
        self.days = days.count
        // One less, as the statistic is a whole number and a normal one is not.
        let certain = max(0, abs(score) - 1) / max(variance, 1e-9).squareRoot()
        self.score = score < 0 ? -certain : certain
    }

    /// Days with at least 22 of their hours and no shift in them, at the level of the last.
    private static func days(_ hours: Hours, _ shifts: [LevelShift], _ calendar: StepCalendar) -> [(day: Int64, mean: Double)] {
        hours.wholeDays.compactMap { day, start in
            let values = hours.means[start..<(start + 24)]
            guard values.count(where: { !$0.isNaN }) >= 22 else { return nil }
            let begin = day * Int64(calendar.secondsPerDay)
            let end = begin + Int64(calendar.secondsPerDay)
            if shifts.contains(where: { begin < $0.at && $0.at < end }) { return nil }
            let later = shifts.reduce(0) { $1.at >= end ? $0 + $1.to - $1.from : $0 }
            return (day, values.mean + later)
        }
    }

    /// (1 + r) / (1 - r) of the resemblance r of successive days beside the slope.
    private static func widening(_ days: [(day: Int64, mean: Double)], _ slope: Double) -> Double {
        let left = days.map { $0.mean - slope * Double($0.day - days[0].day) }
        let mean = left.mean
        var (product, square) = (0.0, 0.0)
        for index in left.indices {
            square += (left[index] - mean) * (left[index] - mean)
            if index > 0 { product += (left[index] - mean) * (left[index - 1] - mean) }
        }
        let resemblance = square > 0 ? min(0.95, max(0, product / square)) : 0
        return (1 + resemblance) / (1 - resemblance)
    }
}
