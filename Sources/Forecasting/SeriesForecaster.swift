/// One series kept current: its last values and the model fitted to them.
///
/// A new value costs one store. A forecast between refits works everything out again from the values, with the model as it is. The state
/// is the values (16 KB), and a model of at most 14 KB.
public struct SeriesForecaster: Sendable {
    /// The time between two values.
    public let stepSeconds: Int
    /// The model of the last fit.
    public private(set) var model: ForecastModel?
    /// Values that were appended since then.
    public private(set) var valuesSinceFit = 0

    private var ring: [Float] = []
    /// The place of the oldest value, once the ring is full.
    private var oldest = 0

    /// - Parameter stepSeconds: at least 1.
    public init(stepSeconds: Int) {
        precondition(stepSeconds > 0, "step \(stepSeconds) s")
        self.stepSeconds = stepSeconds
    }

    /// Appends the next step's value; NaN if there was none.
    public mutating func append(_ value: Float) {
        valuesSinceFit += 1
        if ring.count < ForecastModel.historyLimit {
            ring.append(value)
        } else {
            ring[oldest] = value
            oldest = oldest + 1 == ring.count ? 0 : oldest + 1
        }
    }

    /// The values that are kept, oldest first, at most `ForecastModel.historyLimit`.
    public var values: [Float] { Array(ring[oldest...] + ring[..<oldest]) }

    /// Fits anew to what is kept. If that cannot be done, an earlier model stays.
    public mutating func refit(horizon: Int) throws(ForecastAbstention) {
        model = try ForecastModel(fitting: values, stepSeconds: stepSeconds, horizon: horizon)
        valuesSinceFit = 0
    }

    /// The same for as many steps as the history tells of, at most so many.
    public mutating func refit(upTo horizon: Int) throws(ForecastAbstention) {
        model = try ForecastModel(fitting: values, stepSeconds: stepSeconds, upTo: horizon)
        valuesSinceFit = 0
    }

    /// Forecasts the next steps with the model of the last fit.
    ///
    /// - Parameter steps: 1 up to the horizon that was fitted; nil for all of them.
    /// - Throws: why not; with no fit so far, the values that it takes.
    public func forecast(steps: Int? = nil) throws(ForecastAbstention) -> Forecast {
        guard let model else { throw .tooFewValues(have: ring.count, need: max(ring.count + 1, ForecastModel.historyMinimum)) }
        return try model.forecast(after: values, steps: steps)
    }
}
