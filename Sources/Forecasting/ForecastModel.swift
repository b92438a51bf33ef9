/// A model fitted to a series' history, that forecasts from any later state of it.
///
/// The average of the same direct linear model on up to three scales (`ScaleModel`), by what their quantiles would have cost in the past.
public struct ForecastModel: Hashable, Sendable {
    /// Values that a model looks back on at most: 14 days of 5 minutes.
    public static let historyLimit = 4_032
    /// Values that it takes at least.
    public static let historyMinimum = 24
    /// Relative excess of loss at which a scale's weight falls to 1/e.
    private static let temperature = 0.03

    /// The longest horizon that was fitted, in steps.
    public let horizon: Int
    private let stepSeconds: Int
    private let season: Season
    private let parts: [Part]

    private struct Part: Hashable, Sendable {
        var share: Double
        var model: ScaleModel
    }

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
        let season = Season(stepSeconds: stepSeconds, count: history.values.count)
        let scales = Transform.candidates(history.values, season: season)
        let middle = scales[scales.count / 2]
        let length = season.isWeekly ? DayLength.measured(history.values.map(middle.forward), day: season.day) : Double(season.day)
        var fits: [(model: ScaleModel, loss: Double)] = []
        for scale in scales {
            let stretch = length == Double(season.day) ? 1 : Double(season.day) / length
            fits.append(try ScaleModel.fitted(history, season: season, transform: scale, stretch: stretch, horizon: horizon))
        }
        let least = (fits.map(\.loss).min() ?? 0) + 1e-300
        let weights = fits.map { exponential(-($0.loss / least - 1) / Self.temperature) }
        let sum = weights.reduce(0, +)
        let isTold = sum.isFinite && sum > 0
        self.horizon = horizon
        self.stepSeconds = stepSeconds
        self.season = season
        parts = zip(fits, weights).map { Part(share: isTold ? $1 / sum : 1 / Double(fits.count), model: $0.model) }
            .filter { $0.share > 0.02 }
    }

    /// Fits for as many steps as are asked for, or as the history tells of.
    public init(fitting values: some Collection<Float>, stepSeconds: Int, upTo horizon: Int) throws(ForecastAbstention) {
        do throws(ForecastAbstention) { try self.init(fitting: values, stepSeconds: stepSeconds, horizon: horizon) } catch {
            guard case .horizonTooLong(_, let longest) = error, longest > 0 else { throw error }
            try self.init(fitting: values, stepSeconds: stepSeconds, horizon: longest)
        }
    }

    /// Forecasts the steps after the last of the values, without fitting anew.
    ///
    /// - Parameters:
    ///   - values: as in the fit; the series may have gone on since.
    ///   - steps: 1 … `horizon`; nil for all of them.
    public func forecast(after values: some Collection<Float>, steps: Int? = nil) throws(ForecastAbstention) -> Forecast {
        let steps = max(1, min(steps ?? horizon, horizon))
        let history = try GaplessHistory(values, stepSeconds: stepSeconds)
        let need = season.day + season.day / 24 + 2
        guard history.values.count >= need else { throw .tooFewValues(have: history.values.count, need: need) }
        let levels = Forecast.levels.count
        var sum = [Double](repeating: 0, count: steps * levels)
        var shares = 0.0
        for part in parts {
            part.model.add(history, steps: steps, share: part.share, to: &sum)
            shares += part.share
        }
        var quantiles = sum.map { Float($0 / shares) }
        for index in quantiles.indices where index % levels > 0 { quantiles[index] = max(quantiles[index], quantiles[index - 1]) }
        return Forecast(steps: steps, quantiles: quantiles, basis: basis)
    }

    /// What the model is and why.
    public var basis: ForecastBasis {
        let main = parts.max { $0.share < $1.share }!.model
        let last = main.models.last!
        return ForecastBasis(
            samplesPerDay: season.day, weeklyShare: main.weeklyShare,
            driftingDay: main.stretch == 1 ? nil : Double(season.day) / main.stretch,
            logarithmicFrom: main.transform.isLogarithmic ? main.transform.offset : nil,
            regressionShare: last.regressionShare, errorAgainstNaive: last.errorAgainstNaive)
    }
}
