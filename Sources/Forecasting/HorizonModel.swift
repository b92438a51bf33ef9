/// The forecast of one horizon: a linear combination of simple forecasts, and the errors that it would have made.
///
/// It is fitted in three steps. (1) Simple forecasts by themselves, averaged by their past success: the prior. (2) A regression on all of
/// them for least absolute error, pulled towards the prior by four strengths; each is tested on blocks of time that it was not fitted to.
/// (3) The average of those and the prior, again by success. Long horizons have few independent errors in a history, so both the pull and
/// the benefit of doubt for the prior grow with horizon / history.
struct HorizonModel: Hashable, Sendable {
    /// Steps ahead.
    let horizon: Int
    /// Weights of the features.
    let coefficients: [Double]
    /// The share of the regressions in the coefficients.
    let regressionShare: Double
    /// Mean absolute error in the backtest over that of the seasonal naive forecast (without a season, of the last value).
    let errorAgainstNaive: Double

    /// Penalties relative to the features' size, for a horizon of 6 % of the history.
    private static let penalties = [0.003, 0.03, 0.3, 3]
    /// Relative excess of loss at which a candidate's weight falls to 1/e, among the simple forecasts and among the regressions.
    private static let simpleTemperature = 0.1
    private static let fittedTemperature = 0.02

    /// Simple forecasts as combinations of features with a season: the slow pattern, the fast one, the day before, the slow one moved by
    /// the deviation of a day, of 4 hours, of an hour, of 3 values; no pattern but the mean of an hour, of a day; and mixtures.
    private static let seasonalForecasts: [[(feature: Int, weight: Double)]] = [
        [], [(3, 1)], [(2, 1)], [(8, 1)], [(7, 1)], [(6, 1)], [(5, 1)], [(10, 1)], [(9, 1)],
        [(3, 0.5), (6, 0.5)], [(3, 1), (6, 0.5)], [(3, 0.5), (9, 0.5)],
    ]
    /// Without one: the exponential mean, the last value, and means of 3 to 96 values.
    private static let plainForecasts: [[(feature: Int, weight: Double)]] = [
        [], [(1, 1)], [(2, 1)], [(3, 1)], [(4, 1)], [(5, 1)], [(6, 1)],
    ]

    /// - Returns: the model, and its backtest errors, one per row.
    static func fitted(_ rows: BacktestRows, view: SeriesView) -> (model: HorizonModel, errors: [Double]) {
        let prior = average(view.day > 0 ? seasonalForecasts : plainForecasts, rows)
        var coefficients = [prior]
        var errors = [[Double](repeating: 0, count: rows.count)]
        rows.errors(of: prior, into: &errors[0])
        let doubt = (Double(rows.horizon) / Double(rows.available)).squareRoot()
        var losses = [rows.loss(errors[0]) * (1 - 0.15 * doubt)]
        if view.day > 0 {
            let strength = view.spread * view.spread * doubt * doubt / 0.06
            // The start only has to tell which errors are large: every other row does.
            let first = NormalEquations(rows, weights: robustWeights(rows, rows.y, spread: view.spread), stride: 2)
            let start = first.solution(penalty: 0.1 * strength * first.weight, prior: prior)
            var left = errors[0]
            rows.errors(of: start, into: &left)
            let equations = NormalEquations(rows, weights: robustWeights(rows, left, spread: view.spread))
            for penalty in penalties {
                let pull = penalty * strength * equations.weight
                rows.crossValidate(equations, penalty: pull, prior: prior, into: &left)
                losses.append(rows.loss(left))
                errors.append(left)
                coefficients.append(equations.solution(penalty: pull, prior: prior))
            }
        }
        let shares = weights(losses, temperature: fittedTemperature)
        var mixed = [Double](repeating: 0, count: SeriesView.featureCount)
        var mixedErrors = [Double](repeating: 0, count: rows.count)
        for (index, share) in shares.enumerated() where share > 1e-4 {
            for k in mixed.indices { mixed[k] += share * coefficients[index][k] }
            for row in 0..<rows.count { mixedErrors[row] += share * errors[index][row] }
        }
        var naive = [Double](repeating: 0, count: SeriesView.featureCount)
        naive[1] = 1
        rows.errors(of: naive, into: &errors[0])
        let naiveLoss = rows.loss(errors[0])
        let model = HorizonModel(
            horizon: rows.horizon, coefficients: mixed, regressionShare: 1 - shares[0],
            errorAgainstNaive: naiveLoss > 0 ? rows.loss(mixedErrors) / naiveLoss : 1)
        return (model, mixedErrors)
    }

    /// The simple forecasts' average, weighed by their losses.
    private static func average(_ forecasts: [[(feature: Int, weight: Double)]], _ rows: BacktestRows) -> [Double] {
        let size = SeriesView.featureCount
        var losses = [Double](repeating: 0, count: forecasts.count)
        for (index, forecast) in forecasts.enumerated() {
            var sum = 0.0
            for row in 0..<rows.count {
                var error = rows.y[row]
                for term in forecast { error -= term.weight * rows.x[row * size + term.feature] }
                sum += rows.weights[row] * abs(error)
            }
            losses[index] = sum
        }
        var prior = [Double](repeating: 0, count: size)
        for (forecast, share) in zip(forecasts, weights(losses, temperature: simpleTemperature)) {
            for term in forecast { prior[term.feature] += share * term.weight }
        }
        return prior
    }

    private static func weights(_ losses: [Double], temperature: Double) -> [Double] {
        let least = (losses.min() ?? 0) + 1e-12
        let parts = losses.map { exponential(-($0 / least - 1) / temperature) }
        let sum = parts.reduce(0, +)
        return sum > 0 && sum.isFinite ? parts.map { $0 / sum } : parts.map { _ in 1 / Double(parts.count) }
    }

    /// Weights that make least squares least absolute deviations, where the error is not tiny.
    private static func robustWeights(_ rows: BacktestRows, _ errors: [Double], spread: Double) -> [Double] {
        var sizes = stride(from: 0, to: errors.count, by: max(1, errors.count / 100)).map { abs(errors[$0]) }
        let least = 0.3 * max(sizes.quantile(0.5), 0.05 * spread)
        return (0..<rows.count).map { rows.weights[$0] * least / max(abs(errors[$0]), least) }
    }
}

extension NormalEquations {
    init(_ rows: BacktestRows, weights: [Double], stride: Int = 1) {
        self.init(x: rows.x, y: rows.y, weights: weights, blockOf: rows.blockOf, blocks: BacktestRows.blocks, every: stride)
    }
}

extension BacktestRows {
    /// The errors of each block by the regression without it.
    func crossValidate(_ equations: NormalEquations, penalty: Double, prior: [Double], into errors: inout [Double]) {
        for block in 0..<Self.blocks {
            let left = equations.solution(penalty: penalty, prior: prior, without: block)
            let first = (block * count + Self.blocks - 1) / Self.blocks
            self.errors(of: left, rows: first..<max(first, ((block + 1) * count + Self.blocks - 1) / Self.blocks), into: &errors)
        }
    }
}
