/// How the errors of the past were spread: eleven quantiles by time of day, and their size by horizon.
///
/// A history of two weeks holds a dozen independent errors of a day ahead, too few for a 5 % quantile. So what is told by time of day is
/// the shape, from the errors of all horizons, each divided by the mean size at its horizon. The outer quantiles are then widened a little
/// for what a backtest cannot see; that is the conformal step, and the same for all series.
struct ErrorShape: Hashable, Sendable {
    /// Times of day that are told apart, with a season.
    private static let classesPerDay = 24
    private static let levels = Forecast.levels.count
    /// The reach of a time of day's neighbours as a part of the day (standard deviation), and the weight of all others.
    private static let reach = 1.0 / 12
    private static let elsewhere = 0.15
    private static let widening: [Double] = Forecast.levels.map {
        switch $0 {
        case ...0.051, 0.949...: 1.14
        case ...0.11, 0.89...: 1.07
        default: 1
        }
    }

    private let day: Int
    private let classes: Int
    /// classes × levels, in mean absolute errors.
    private let shape: [Float]
    /// Mean absolute error of each fitted horizon.
    let sizes: [Double]

    /// - Parameter backtests: the rows of each fitted horizon with their errors.
    init(_ backtests: [(rows: BacktestRows, errors: [Double])], day: Int) {
        self.day = day
        let classes = day > 0 ? Self.classesPerDay : 1
        self.classes = classes
        var sum = [Double](repeating: 0, count: classes * Self.levels)
        var total = 0.0
        let nearness = Self.nearness(classes)
        var sizes: [Double] = []
        for (rows, errors) in backtests {
            let size = rows.loss(errors)
            sizes.append(size)
            guard size > 0 else { continue }
            // Independent errors that the horizon stands for.
            let independent = min(100, Double(rows.available) / Double(rows.horizon))
            total += independent
            Self.add(rows, errors, day: day, classes: classes, nearness: nearness, scale: independent / size, to: &sum)
        }
        self.sizes = sizes
        shape = (0..<sum.count).map { total > 0 ? Float(sum[$0] / total * Self.widening[$0 % Self.levels]) : 0 }
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
        let order = (0..<rows.count).filter { rows.weights[$0] > 0 }.sorted { errors[$0] < errors[$1] }
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

    /// The eleven quantiles of the error, in mean absolute errors, for a target at that place of the series.
    func quantiles(target: Int) -> ArraySlice<Float> {
        let index = classes > 1 ? target % day * classes / day : 0
        return shape[(index * Self.levels)..<((index + 1) * Self.levels)]
    }
}
