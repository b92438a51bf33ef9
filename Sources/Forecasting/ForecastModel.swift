/// A model fitted to a series' history, that forecasts from any later state of it.
///
/// Direct and linear: for each of a dozen horizons that stand 1.7 apart a combination of simple forecasts (`HorizonModel`); horizons
/// between two of those take from both. The spread around it is that of the backtest's errors (`ErrorShape`).
public struct ForecastModel: Hashable, Sendable {
    /// Values that a model looks back on at most: 14 days of 5 minutes.
    public static let historyLimit = 4_032
    /// Values that it takes at least.
    public static let historyMinimum = 24

    /// The longest horizon that was fitted, in steps.
    public let horizon: Int
    let season: Season
    let transform: Transform
    /// Samples of the stretched series per sample, 1 unless the day drifts.
    let stretch: Double
    let weeklyShare: Double
    let models: [HorizonModel]
    let shape: ErrorShape

    /// Fits, chooses and calibrates.
    ///
    /// - Parameters:
    ///   - values: evenly spaced, oldest first, only the last `historyLimit` count; NaN and infinities are gaps.
    ///   - stepSeconds: the time between two values, at least 1.
    ///   - horizon: steps ahead to prepare for, at least 1.
    /// - Throws: why nothing can be said.
    public init(fitting values: some Collection<Float>, stepSeconds: Int, horizon: Int) throws(ForecastAbstention) {
        precondition(stepSeconds > 0 && horizon > 0, "step \(stepSeconds) s, horizon \(horizon)")
        let history = try GaplessHistory(values, stepSeconds: stepSeconds)
        // A season that the gaps leave nothing of is none; the calendar goes by what there is.
        let season = Season(stepSeconds: stepSeconds, count: history.values.count)
        let transform = Transform(history.values, isShort: !season.isDaily)
        var z = history.values.map(transform.forward)
        var isMissing = history.isMissing
        let length = season.isWeekly ? DayLength.measured(z, day: season.day) : Double(season.day)
        var stretch = 1.0
        if length != Double(season.day) {
            stretch = Double(season.day) / length
            z = DayLength.stretched(z, ratio: 1 / stretch)
            isMissing = []
        }
        let view = SeriesView(z, season: season)
        let steps = Int((Double(horizon) * stretch).rounded(.up))
        var models: [HorizonModel] = []
        var backtests: [(rows: BacktestRows, errors: [Double])] = []
        for horizon in Self.ladder(to: steps) {
            guard let rows = BacktestRows(view, horizon: horizon, isMissing: isMissing) else {
                let first = view.day > 0 ? view.day : 1
                throw .horizonTooLong(steps: steps, longest: max(0, Int(Double(view.count - first - 8) / stretch)))
            }
            let fit = HorizonModel.fitted(rows, view: view)
            models.append(fit.model)
            backtests.append((rows, fit.errors))
        }
        self.horizon = horizon
        self.season = season
        self.transform = transform
        self.stretch = stretch
        self.weeklyShare = view.weeklyShare
        self.models = models
        self.shape = ErrorShape(backtests, day: season.day)
    }

    /// The horizons that are fitted: 1, 2, 3, 5, 9, 15 … each 1.7 times the one before, and the last.
    static func ladder(to last: Int) -> [Int] {
        var steps = [1]
        while let previous = steps.last, previous < last {
            steps.append(min(last, max(previous + 1, Int((Double(previous) * 1.7).rounded()))))
        }
        return steps
    }

    /// Forecasts the steps after the last of the values, without fitting anew.
    ///
    /// - Parameters:
    ///   - values: as in the fit, of the same step; it may have gone on since.
    ///   - steps: 1 … `horizon`; nil for all of them.
    public func forecast(after values: some Collection<Float>, stepSeconds: Int, steps: Int? = nil) throws(ForecastAbstention) -> Forecast {
        let steps = min(steps ?? horizon, horizon)
        let history = try GaplessHistory(values, stepSeconds: stepSeconds)
        guard history.values.count > max(season.day, 1) + season.day / 24 else {
            throw .tooFewValues(have: history.values.count, need: season.day + season.day / 24 + 2)
        }
        var z = history.values.map(transform.forward)
        if stretch != 1 { z = DayLength.stretched(z, ratio: 1 / stretch) }
        let view = SeriesView(z, season: season, weeklyShare: weeklyShare)
        let levels = Forecast.levels.count
        var quantiles = [Float](repeating: 0, count: steps * levels)
        if stretch == 1 {
            for step in 1...steps {
                let there = errors(view, step)
                for level in 0..<levels { quantiles[(step - 1) * levels + level] = Float(transform.backward(there[level])) }
            }
        } else {
            for step in 1...steps {
                let place = Double(step) * stretch
                let before = max(1, min(models.last!.horizon, Int(place)))
                let after = min(models.last!.horizon, before + 1)
                let share = min(1, max(0, place - Double(before)))
                let near = errors(view, before)
                let far = errors(view, after)
                for level in 0..<levels {
                    quantiles[(step - 1) * levels + level] = Float(transform.backward(near[level] * (1 - share) + far[level] * share))
                }
            }
        }
        for step in 0..<steps {
            for level in 1..<levels where quantiles[step * levels + level] < quantiles[step * levels + level - 1] {
                quantiles[step * levels + level] = quantiles[step * levels + level - 1]
            }
        }
        return Forecast(steps: steps, quantiles: quantiles, basis: basis)
    }

    public var basis: ForecastBasis {
        let last = models.last!
        return ForecastBasis(
            samplesPerDay: season.day, weeklyShare: weeklyShare, driftingDay: stretch == 1 ? nil : Double(season.day) / stretch,
            isLogarithmic: transform.isLogarithmic, regressionShare: last.regressionShare, errorAgainstNaive: last.errorAgainstNaive)
    }

    /// The eleven quantiles of one step, on the model's scale.
    private func errors(_ view: SeriesView, _ step: Int) -> [Double] {
        let origin = view.count - 1
        return withUnsafeTemporaryAllocation(of: Double.self, capacity: SeriesView.featureCount) { x in
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
            let size = share * shape.sizes[upper] + (1 - share) * shape.sizes[lower]
            return shape.quantiles(target: origin + step).map { center + Double($0) * size }
        }
    }
}
