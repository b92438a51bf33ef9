/// What a series is expected to do in each of the next steps, as quantiles.
public struct Forecast: Hashable, Sendable {
    /// The probabilities of the eleven quantiles.
    public static let levels: [Double] = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
    /// The place of the median in `levels`.
    public static let median = 5

    /// Steps ahead that are told, at least 1; step 1 is the first one after the last value.
    public let steps: Int
    /// steps × 11 values in the series' own unit, step by step; within a step they never fall.
    public let quantiles: [Float]
    /// Which model this is and why, and how it did lately.
    public let basis: ForecastBasis

    init(steps: Int, quantiles: [Float], basis: ForecastBasis) {
        precondition(quantiles.count == steps * Self.levels.count, "\(quantiles.count) quantiles for \(steps) steps")
        self.steps = steps
        self.quantiles = quantiles
        self.basis = basis
    }

    /// - Parameters:
    ///   - step: 1 … `steps`.
    ///   - level: 0 … 10, an index into `levels`.
    public subscript(step: Int, level: Int) -> Float { quantiles[(step - 1) * Self.levels.count + level] }
}

/// Why a forecast is what it is.
public struct ForecastBasis: Hashable, Sendable {
    /// Samples of the daily pattern; 0 if the history is too short for one.
    public var samplesPerDay: Int
    /// The share of the last weeks' pattern that is expected again, 0 … 1; 0 too if the history is too short.
    public var weeklyShare: Double
    /// Samples after which the day really repeats itself, if that is clearly not `samplesPerDay`: samples were lost regularly, or the
    /// clock runs wrong.
    public var driftingDay: Double?
    /// Where the logarithm of the scale that counts most turns linear, in the series' unit; nil for a series with negative values.
    public var logarithmicFrom: Double?
    /// The share of the fitted regression, 0 … 1; the rest is the average of simple forecasts by their past success.
    public var regressionShare: Double
    /// Mean absolute error in the backtest at the last fitted horizon, divided by that of the seasonal naive forecast (without a season:
    /// of the last value) for the same times. Under 1 is better.
    public var errorAgainstNaive: Double
}

/// Why there is no forecast.
public enum ForecastAbstention: Error, Hashable, Sendable {
    /// Fewer values than the smallest history that anything can be said from.
    case tooFewValues(have: Int, need: Int)
    /// More than half of the history, or all of its last part, is missing.
    case tooManyGaps(missing: Int, of: Int)
    /// The history does not reach back far enough to test a forecast of that many steps; `longest` would do.
    case horizonTooLong(steps: Int, longest: Int)
}

extension ForecastAbstention: CustomStringConvertible {
    public var description: String {
        switch self {
        case .tooFewValues(let have, let need): "\(have) values are too few, it takes \(need)"
        case .tooManyGaps(let missing, let of): "\(missing) of \(of) values are missing"
        case .horizonTooLong(let steps, let longest): "the history tells of \(longest) steps ahead at most, not of \(steps)"
        }
    }
}
