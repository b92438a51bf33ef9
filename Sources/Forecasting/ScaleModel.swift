/// The direct linear model of a series on one scale.
///
/// For each of a dozen horizons that stand 1.7 apart a combination of simple forecasts (`HorizonModel`); horizons between two of those take
/// from both. The spread around it is that of the backtest's errors (`ErrorShape`).
struct ScaleModel: Hashable, Sendable {
    private static let levels = Forecast.levels.count

    let season: Season
    let transform: Transform
    /// Samples of the stretched series per sample, 1 unless the day drifts.
    let stretch: Double
    let weeklyShare: Double
    let models: [HorizonModel]
    let shape: ErrorShape

    /// - Returns: the model, and what its quantiles would have cost in the backtest, in the series' own unit.
    static func fitted(
        _ history: GaplessHistory, season: Season, transform: Transform, stretch: Double, horizon: Int
    ) throws(ForecastAbstention) -> (model: ScaleModel, loss: Double) {
        var z = history.values.map(transform.forward)
        if stretch != 1 { z = DayLength.stretched(z, ratio: 1 / stretch) }
        let view = SeriesView(z, season: season)
        let steps = Int((Double(horizon) * stretch).rounded(.up))
        var models: [HorizonModel] = []
        var backtests: [(rows: BacktestRows, errors: [Double])] = []
        for step in ladder(to: steps) {
            guard let rows = BacktestRows(view, horizon: step, isMissing: stretch == 1 ? history.isMissing : []) else {
                throw .horizonTooLong(steps: horizon, longest: max(0, Int(Double(view.count - max(1, view.day) - 8) / stretch)))
            }
            let fit = HorizonModel.fitted(rows, view: view)
            models.append(fit.model)
            backtests.append((rows, fit.errors))
        }
        let shape = ErrorShape(backtests, day: season.day, count: view.count)
        let model = ScaleModel(
            season: season, transform: transform, stretch: stretch, weeklyShare: view.weeklyShare, models: models, shape: shape)
        return (model, model.loss(backtests, view))
    }

    /// The horizons that are fitted: 1, 2, 3, 5, 9, 15 … each 1.7 times the one before, and the last.
    static func ladder(to last: Int) -> [Int] {
        var steps = [1]
        while let previous = steps.last, previous < last {
            steps.append(min(last, max(previous + 1, Int((Double(previous) * 1.7).rounded()))))
        }
        return steps
    }

    /// The pinball loss of the 10, 50 and 90 % quantiles over the backtest.
    private func loss(_ backtests: [(rows: BacktestRows, errors: [Double])], _ view: SeriesView) -> Double {
        var loss = 0.0
        for (index, backtest) in backtests.enumerated() {
            let (errors, weights, targets, horizon) = (
                backtest.errors, backtest.rows.weights, backtest.rows.targets, backtest.rows.horizon
            )
            var sum = 0.0
            var weight = 0.0
            for row in stride(from: weights.count - 1, through: 0, by: -4) where weights[row] > 0 {
                let target = targets[row]
                let known = view.z[target] + view.weeklyPart(target - horizon, horizon)
                let actual = transform.backward(known)
                let center = known - errors[row]
                var cost = 0.0
                shape.quantiles(target: target, lower: index, upper: index, share: 0) { level, error in
                    guard level == 1 || level == 5 || level == 9 else { return }
                    let over = actual - transform.backward(center + error)
                    cost += max(Forecast.levels[level] * over, (Forecast.levels[level] - 1) * over)
                }
                sum += weights[row] * cost
                weight += weights[row]
            }
            loss += weight > 0 ? sum / weight : 0
        }
        return loss
    }

    /// Adds `share` times the quantiles of the next steps, in the series' own unit.
    func add(_ history: GaplessHistory, steps: Int, share: Double, to sum: inout [Double]) {
        var z = history.values.map(transform.forward)
        if stretch != 1 { z = DayLength.stretched(z, ratio: 1 / stretch) }
        let view = SeriesView(z, season: season, weeklyShare: weeklyShare)
        var near = [Double](repeating: 0, count: Self.levels)
        var far = near
        let last = models[models.count - 1].horizon
        for step in 1...steps {
            let place = Double(step) * stretch
            let before = max(1, min(last, Int(place)))
            let part = min(1, max(0, place - Double(before)))
            quantiles(view, before, into: &near)
            if part > 0 {
                quantiles(view, min(last, before + 1), into: &far)
                for level in 0..<Self.levels { near[level] += part * (far[level] - near[level]) }
            }
            for level in 0..<Self.levels { sum[(step - 1) * Self.levels + level] += share * transform.backward(near[level]) }
        }
    }

    /// The eleven quantiles of one step, on the model's scale.
    private func quantiles(_ view: SeriesView, _ step: Int, into quantiles: inout [Double]) {
        let origin = view.count - 1
        withUnsafeTemporaryAllocation(of: Double.self, capacity: SeriesView.featureCount) { x in
            let base = view.features(origin, step, into: x.baseAddress!) + view.weeklyPart(origin, step)
            let upper = models.firstIndex { $0.horizon >= step } ?? models.count - 1
            let lower = max(0, upper - 1)
            var share = 1.0
            if lower < upper, models[upper].horizon > step {
                let near = Double(models[lower].horizon)
                share = logarithm(Double(step) / near) / logarithm(Double(models[upper].horizon) / near)
            }
            var center = base
            for k in 0..<SeriesView.featureCount {
                center += (share * models[upper].coefficients[k] + (1 - share) * models[lower].coefficients[k]) * x[k]
            }
            shape.quantiles(target: origin + step, lower: lower, upper: upper, share: share) { quantiles[$0] = center + $1 }
        }
    }
}
