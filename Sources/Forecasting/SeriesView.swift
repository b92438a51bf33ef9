/// A transformed series seen as daily pattern, weekly pattern and what deviates from them, so that the features of any origin and horizon
/// cost no more than a few additions.
///
/// Everything about time u is made of values at or before u: the pattern that is expected at u is `slow[u - day]`. So one view serves all
/// origins of the backtest without any of them seeing its future.
struct SeriesView {
    /// Simple forecasts that the regression weighs, each as its difference from the base; see `features`.
    static let featureCount = 17
    /// How much less a day counts in the patterns than the day after it.
    private static let slowMemory = 0.9
    private static let fastMemory = 0.6
    private static let weeklyMemory = 0.8
    /// How much of a value the exponential mean of a series without a season takes in.
    private static let levelGain = 0.5

    let count: Int
    let day: Int
    let week: Int
    /// The values, less the weekly pattern that was expected of them.
    private(set) var z: [Double]
    /// The share of the weekly pattern that is expected again, 0 … 1.
    private(set) var weeklyShare = 0.0
    /// The typical size of a deviation: 1.5 times the 60 % quantile, at least 1e-9.
    private(set) var spread = 1e-9

    /// Samples at both sides that the patterns are smoothed over: a quarter of an hour.
    private let smoothing: Int
    private let hour: Int
    private let fourHours: Int
    private var sums: [Double] = []
    private var slow: [Double] = []
    private var fast: [Double] = []
    private var deviation: [Double] = []
    private var deviationSums: [Double] = []
    private var weekly: [Double] = []

    /// - Parameters:
    ///   - z: transformed values without gaps, oldest first.
    ///   - weeklyShare: as measured by an earlier fit; nil to measure it.
    init(_ z: [Double], season: Season, weeklyShare known: Double? = nil) {
        count = z.count
        day = season.day
        week = season.week
        self.z = z
        smoothing = day / 96
        hour = max(3, day / 24)
        fourHours = max(4, day / 6)
        derive()
        spread = Self.typicalSize(deviation[max(1, day)...])
        guard week > 0, known != 0 else { return }
        deriveWeekly()
        let share = known ?? measuredWeeklyShare()
        guard share > 0.05 else { return }
        weeklyShare = share
        for i in (week + day)..<max(count, week + day) { self.z[i] -= share * weekly[i - week] }
        derive()
        spread = Self.typicalSize(deviation[day...])
    }

    private static func typicalSize(_ deviation: ArraySlice<Double>) -> Double {
        if deviation.isEmpty { return 1e-9 }
        let stride = max(1, deviation.count / 2_000)
        var sizes: [Double] = []
        sizes.reserveCapacity(deviation.count / stride + 1)
        for index in Swift.stride(from: deviation.startIndex, to: deviation.endIndex, by: stride) { sizes.append(abs(deviation[index])) }
        return max(1e-9, 1.5 * sizes.quantile(0.6))
    }

    private static func prefixSums(_ values: [Double]) -> [Double] {
        var sums = [Double](repeating: 0, count: values.count + 1)
        var sum = 0.0
        for (index, value) in values.enumerated() {
            sum += value
            sums[index + 1] = sum
        }
        return sums
    }

    /// Makes the daily patterns and the deviations of `z`.
    private mutating func derive() {
        sums = Self.prefixSums(z)
        deviation = [Double](repeating: 0, count: count)
        if day > 0 {
            slow = pattern(memory: Self.slowMemory)
            fast = pattern(memory: Self.fastMemory)
            for i in min(day, count)..<count { deviation[i] = z[i] - slow[i - day] }
        } else {
            slow = z
            for i in 1..<max(1, count) { slow[i] = slow[i - 1] + Self.levelGain * (z[i] - slow[i - 1]) }
            for i in 1..<max(1, count) { deviation[i] = z[i] - slow[i - 1] }
        }
        deviationSums = Self.prefixSums(deviation)
    }

    /// The exponentially weighted mean of the smoothed values at the same time of this and the days before.
    private func pattern(memory: Double) -> [Double] {
        var sum = [Double](repeating: 0, count: count)
        var weight = 1.0
        var days = 0
        for i in 0..<count {
            let from = max(0, i - smoothing)
            let to = min(count - 1, i + smoothing)
            let value = (sums[to + 1] - sums[from]) / Double(to + 1 - from)
            if i / day > days {
                days = i / day
                weight = 1 + memory * weight
            }
            // sum holds means; the mean of k days weighs 1 : memory · (weight of k-1 days).
            sum[i] = i < day ? value : value / weight + sum[i - day] * (1 - 1 / weight)
        }
        return sum
    }

    /// The mean of what the daily pattern left over, at the same time of the weeks so far.
    private mutating func deriveWeekly() {
        weekly = [Double](repeating: 0, count: count)
        let reach = max(1, day / 24)
        var weight = 1.0
        var weeks = 0
        for i in day..<count {
            let from = max(day, i - reach)
            let to = min(count - 1, i + reach)
            let value = (deviationSums[to + 1] - deviationSums[from]) / Double(to + 1 - from)
            if (i - day) / week > weeks {
                weeks = (i - day) / week
                weight = 1 + Self.weeklyMemory * weight
            }
            weekly[i] = i - week < day ? value : value / weight + weekly[i - week] * (1 - 1 / weight)
        }
    }

    /// The robust slope of deviations over what the weeks before let expect, less while there are only few days to tell it from.
    private func measuredWeeklyShare() -> Double {
        var product = 0.0
        var square = 1e-12
        let first = week + day
        guard first < count else { return 0 }
        // Weights fall by half in 14 days, and with the size of the deviation (least absolute deviations by reweighting).
        let decay = powerOfTwo(-1 / Double(14 * day))
        var recency = 1.0
        for i in stride(from: count - 1, through: first, by: -1) {
            let weight = recency / max(abs(deviation[i]), 0.5 * spread)
            product += weight * deviation[i] * weekly[i - week]
            square += weight * weekly[i - week] * weekly[i - week]
            recency *= decay
        }
        let days = Double(count - first) / Double(day)
        return max(0, min(1, product / square)) * min(1, days / (days + 3))
    }

    /// The weekly pattern expected `horizon` steps after `origin`.
    func weeklyPart(_ origin: Int, _ horizon: Int) -> Double {
        guard weeklyShare > 0 else { return 0 }
        let like = origin + horizon - week * ((horizon + week - 1) / week)
        return like >= day ? weeklyShare * weekly[like] : 0
    }

    @inline(__always) private func mean(_ from: Int, _ to: Int) -> Double {
        let from = max(0, from)
        return (sums[to + 1] - sums[from]) / Double(to + 1 - from)
    }

    @inline(__always) private func meanDeviation(_ from: Int, _ to: Int) -> Double {
        let from = max(day, from)
        return to < from ? 0 : (deviationSums[to + 1] - deviationSums[from]) / Double(to + 1 - from)
    }

    /// The mean of the last day (of the last 36 values without a season) at `origin`.
    func level(_ origin: Int) -> Double { mean(origin - (day > 0 ? day : 36) + 1, origin) }

    /// Writes the features of a forecast made at `origin` for `horizon` steps later, and returns the base they are differences from.
    @inline(__always) func features(_ origin: Int, _ horizon: Int, into x: UnsafeMutablePointer<Double>) -> Double {
        x[0] = spread
        return day > 0 ? seasonalFeatures(origin, horizon, x) : plainFeatures(origin, x)
    }

    /// Base: the slow daily pattern. Features: (1) the value a day before, (2) smoothed, (3) the fast pattern; deviations from the pattern
    /// (4) now, (5) of the last 3 values, (6) of the last hour, (7) of 4 hours, (8) of a day; (9) the mean of a day, (10) of an hour;
    /// deviations a week before the target, (11) as such, (12) smoothed, and (13) of 4 hours a week before the origin; (14) the deviation of the day
    /// before the last; (15) the values a day before smoothed over two hours; (16) the mean of all so far.
    @inline(__always) private func seasonalFeatures(_ origin: Int, _ horizon: Int, _ x: UnsafeMutablePointer<Double>) -> Double {
        let target = origin + horizon
        let like = target - day * ((horizon + day - 1) / day)
        // Not so late that smoothing would reach behind the origin.
        let safe = max(0, min(like, origin - smoothing))
        let base = slow[safe]
        x[1] = z[like] - base
        x[2] = mean(like - smoothing, min(like + smoothing, origin)) - base
        x[3] = fast[safe] - base
        x[4] = deviation[origin]
        x[5] = meanDeviation(origin - 2, origin)
        x[6] = meanDeviation(origin - hour + 1, origin)
        x[7] = meanDeviation(origin - fourHours + 1, origin)
        x[8] = meanDeviation(origin - day + 1, origin)
        x[9] = mean(origin - day + 1, origin) - base
        x[10] = mean(origin - hour + 1, origin) - base
        let weekBefore = week > 0 ? target - week * ((horizon + week - 1) / week) : -1
        if weekBefore >= day {
            x[11] = deviation[weekBefore]
            x[12] = meanDeviation(weekBefore - smoothing, min(weekBefore + smoothing, origin))
            x[13] = origin - week >= day ? meanDeviation(origin - week - day / 6 + 1, origin - week) : 0
        } else {
            x[11] = 0
            x[12] = 0
            x[13] = 0
        }
        x[14] = meanDeviation(origin - 2 * day + 1, origin - day)
        x[15] = mean(like - hour, min(like + hour, origin)) - base
        x[16] = mean(0, origin) - base
        return base
    }

    /// Base: the exponential mean. Features: (1) the last value, the means of the last (2) 3, (3) 6, (4) 12, (5) 36, (6) 96.
    @inline(__always) private func plainFeatures(_ origin: Int, _ x: UnsafeMutablePointer<Double>) -> Double {
        let base = slow[origin]
        x[1] = z[origin] - base
        x[2] = mean(origin - 2, origin) - base
        x[3] = mean(origin - 5, origin) - base
        x[4] = mean(origin - 11, origin) - base
        x[5] = mean(origin - 35, origin) - base
        x[6] = mean(origin - 95, origin) - base
        for index in 7..<Self.featureCount { x[index] = 0 }
        return base
    }
}
