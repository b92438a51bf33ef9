/// How the errors of the past were spread: eleven quantiles by time of day, and their size by horizon.
///
/// A history of two weeks holds a dozen independent errors of a day ahead, too few for a 5 % quantile. So what is told by time of day is
/// the shape, from the errors of all horizons, each divided by the mean size at its horizon. Three corrections then make the quantiles hold
/// what they promise; they are the same for all series.
///
/// 1. A pattern made of d days errs more than one of all D: an early error counts (1 + 1/D) / (1 + 1/d) of itself, far ahead.
/// 2. Errors come in calm and in restless times: the sizes move towards those of the last day.
/// 3. Few independent errors do not show their tails: the outer four quantiles are widened, the more the fewer there are.
struct ErrorShape: Hashable, Sendable {
    /// Times of day that are told apart, with a season.
    private static let classesPerDay = 12
    private static let levels = Forecast.levels.count
    /// The reach of a time of day's neighbours as a part of the day (standard deviation), and the weight of all others.
    private static let reach = 1.0 / 12
    private static let elsewhere = 0.15
    /// How far the sizes follow recent ones (an exponent), after how many days errors count half there, and the most that it may change.
    private static let following = 0.6
    private static let recentDays = 0.5
    private static let followingLimit = 3.0
    /// Steps that stand for a day where there is no season.
    private static let stepsWithoutDay = 36
    /// The widening of the 5 and 95 % quantiles with n independent errors: `always + few / (n + 4)`. Of it, 10 and 90 % get half.
    private static let always = 0.09
    private static let few = 2.5
    /// The same without a season: what the day will bring is not in the errors yet.
    private static let fewWithoutDay = 4.0
    private static let widened: [Double] = Forecast.levels.map { min($0, 1 - $0) < 0.075 ? 1 : min($0, 1 - $0) < 0.15 ? 0.5 : 0 }

    private let day: Int
    private let classes: Int
    /// classes × levels, in mean absolute errors.
    private let shape: [Float]
    /// Mean absolute error of each fitted horizon, as it is to be expected now.
    let sizes: [Double]
    /// How much the 5 and 95 % quantiles of each fitted horizon are widened.
    let widenings: [Double]

    /// - Parameters:
    ///   - backtests: the rows of each fitted horizon with their errors.
    ///   - day: samples a day, 0 without a season.
    ///   - count: samples of the history.
    init(_ backtests: [(rows: BacktestRows, errors: [Double])], day: Int, count: Int) {
        self.day = day
        let classes = day > 0 ? Self.classesPerDay : 1
        self.classes = classes
        var sum = [Double](repeating: 0, count: classes * Self.levels)
        var total = 0.0
        let nearness = Self.nearness(classes)
        var sizes: [Double] = []
        var widenings: [Double] = []
        var recent = 0.0
        var counted = 0.0
        for (rows, errors) in backtests {
            let errors = day > 0 ? Self.asOfNow(errors, rows, day: Double(day), days: Double(count) / Double(day)) : errors
            let size = rows.loss(errors)
            sizes.append(size)
            widenings.append(Self.always + (day > 0 ? Self.few : Self.fewWithoutDay) / (rows.independentCount + 4))
            guard size > 0 else { continue }
            recent += Self.recentLoss(rows, errors, half: Self.recentDays * Double(day > 0 ? day : Self.stepsWithoutDay)) / size
            counted += 1
            // Independent errors that the horizon stands for.
            let independent = min(100, Double(rows.available) / Double(rows.horizon))
            total += independent
            Self.add(rows, errors, day: day, classes: classes, nearness: nearness, scale: independent / size, to: &sum)
        }
        let ratio = counted > 0 ? min(max(recent / counted, 1 / Self.followingLimit), Self.followingLimit) : 1
        let factor = exponential(Self.following * logarithm(ratio))
        // Without a season nothing is surer farther ahead: that it seems so shows how few errors there were.
        if day == 0 { for index in sizes.indices.dropFirst() { sizes[index] = max(sizes[index], sizes[index - 1]) } }
        self.sizes = sizes.map { $0 * factor }
        self.widenings = widenings
        shape = sum.map { total > 0 ? Float($0 / total) : 0 }
    }

    /// The errors as they would be with as many days of pattern as there are now.
    private static func asOfNow(_ errors: [Double], _ rows: BacktestRows, day: Double, days: Double) -> [Double] {
        // The next steps hang on the last values more than on the pattern.
        let share = Double(rows.horizon) / (Double(rows.horizon) + day / 24)
        return errors.indices.map { row in
            let known = Double(rows.targets[row] - rows.horizon + 1) / day
            return errors[row] * (1 + share * ((1 + 1 / days) / (1 + 1 / known) - 1))
        }
    }

    /// The mean absolute error where what is `half` steps before the end counts half.
    private static func recentLoss(_ rows: BacktestRows, _ errors: [Double], half: Double) -> Double {
        var sum = 0.0
        var total = 1e-30
        let last = rows.targets[rows.count - 1]
        for row in 0..<rows.count where rows.weights[row] > 0 {
            let weight = powerOfTwo(-Double(last - rows.targets[row]) / half)
            sum += weight * abs(errors[row])
            total += weight
        }
        return sum / total
    }

    /// Weights of the 96 quarter hours of the day for each class: classes × 96.
    private static func nearness(_ classes: Int) -> [Double] {
        guard classes > 1 else { return [] }
        return (0..<classes * 96).map { index in
            let apart = abs((Double(index % 96) + 0.5) / 96 - (Double(index / 96) + 0.5) / Double(classes))
            let units = min(apart, 1 - apart) / reach
            return exponential(-0.5 * units * units) + elsewhere
        }
    }

    /// Adds the weighted quantiles of one horizon's errors to each class.
    private static func add(
        _ rows: BacktestRows, _ errors: [Double], day: Int, classes: Int, nearness: [Double], scale: Double, to sum: inout [Double]
    ) {
        // Two hundred of each horizon are enough for a shape that all of them share.
        let stride = max(1, rows.count / 200)
        let taken = Swift.stride(from: rows.count - 1, through: 0, by: -stride).filter { rows.weights[$0] > 0 }
        let order = taken.sorted { errors[$0] < errors[$1] }
        let sorted = order.map { errors[$0] }
        let recency = order.map { rows.weights[$0] }
        let quarters = order.map { classes > 1 ? rows.targets[$0] % day * 96 / day : 0 }
        var weights = recency
        for index in 0..<classes {
            var total = 0.0
            for k in order.indices {
                weights[k] = classes > 1 ? recency[k] * nearness[index * 96 + quarters[k]] : recency[k]
                total += weights[k]
            }
            var below = 0.0
            var level = 0
            var place = 0.0
            for k in order.indices {
                let next = (below + 0.5 * weights[k]) / total
                below += weights[k]
                while level < levels && next >= Forecast.levels[level] {
                    let value =
                        k == 0 ? sorted[0] : sorted[k - 1] + (sorted[k] - sorted[k - 1]) * (Forecast.levels[level] - place) / (next - place)
                    sum[index * levels + level] += value * scale
                    level += 1
                }
                place = next
            }
            while level < levels {
                sum[index * levels + level] += (sorted.last ?? 0) * scale
                level += 1
            }
        }
    }

    /// The quantiles of the error on the model's scale, for a target at that place of the series.
    ///
    /// - Parameters:
    ///   - lower, upper: the fitted horizons that the target lies between.
    ///   - share: how far it is on the way to the upper one, 0 … 1.
    func quantiles(target: Int, lower: Int, upper: Int, share: Double, _ take: (_ level: Int, _ error: Double) -> Void) {
        let first = (classes > 1 ? target % day * classes / day : 0) * Self.levels
        let size = share * sizes[upper] + (1 - share) * sizes[lower]
        let widening = share * widenings[upper] + (1 - share) * widenings[lower]
        for level in 0..<Self.levels { take(level, Double(shape[first + level]) * size * (1 + Self.widened[level] * widening)) }
    }
}
