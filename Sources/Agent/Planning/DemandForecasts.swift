import Forecasting
import Planning

/// Forecasts of the demand of classes, one mean value an interval. On the agent's thread; models are fitted on threads of their own.
final class DemandForecasts {
    /// One class.
    private struct Series {
        var forecaster: SeriesForecaster
        /// The interval of the last value, counted since 1970.
        var last: Int64
        /// Values that came while a model is fitted; nil: none is.
        var late: [Float]?
        /// Values when a fit was tried last.
        var triedAt = 0
        var count = 0
        /// Why the last fit came to nothing.
        var abstention: ForecastAbstention?
    }

    /// Seconds of an interval.
    let interval: Double
    private var series: [String: Series] = [:]
    /// A model is fitted again after so many intervals: four hours of a day.
    private static let refitAfter = 48
    /// Of a thousand years of seconds.
    private static let mostIntervals: Int64 = 1000 * 366 * 86_400
    /// Intervals of a day: what a model takes for five minutes each.
    private static let stepSeconds = 300
    /// Steps that a model is fitted for.
    private let horizon: Int
    /// Fits a model elsewhere, and brings it back to this thread.
    private let elsewhere: Elsewhere

    typealias Fit = Result<SeriesForecaster, ForecastAbstention>
    typealias Elsewhere = (_ fit: @escaping @Sendable () -> Fit, _ bring: @escaping (Fit) -> Void) -> Void

    init(interval: Double, horizon: Int, elsewhere: @escaping Elsewhere) {
        self.interval = interval
        self.horizon = max(1, horizon)
        self.elsewhere = elsewhere
    }

    /// Takes up what an earlier agent has kept.
    func recall(_ name: String, _ demand: PlanningFolder.Demand) {
        // Intervals since 1970: no clock of ours tells another number.
        guard abs(demand.interval - interval) < 1e-6 * interval, (0...Self.mostIntervals).contains(demand.last) else { return }
        var one = Series(forecaster: SeriesForecaster(stepSeconds: Self.stepSeconds), last: demand.last)
        for value in demand.values.suffix(ForecastModel.historyLimit) { one.forecaster.append(value ?? .nan) }
        one.count = demand.values.count
        series[name] = one
        refitIfDue(name)
    }

    /// The mean of an interval, bits a second; intervals that were left out are gaps.
    func append(_ name: String, _ value: Float, interval number: Int64) {
        var one = series[name] ?? Series(forecaster: SeriesForecaster(stepSeconds: Self.stepSeconds), last: number - 1)
        guard number > one.last else { return }
        let gap = min(number - one.last - 1, Int64(ForecastModel.historyLimit))
        let values = [Float](repeating: .nan, count: Int(gap)) + [value]
        for value in values { one.forecaster.append(value) }
        one.late? += values
        one.count += values.count
        one.last = number
        series[name] = one
        refitIfDue(name)
    }

    func forget(except names: Set<String>) { series = series.filter { names.contains($0.key) } }

    /// What is expected in the next intervals.
    /// - Parameter number: of the first of them.
    func outlook(_ name: String, from number: Int64, steps: Int) -> DemandOutlook {
        guard let one = series[name] else { return .abstained("nothing was measured yet") }
        guard let model = one.forecaster.model else { return .abstained(one.abstention?.description ?? "there is no model yet") }
        let passed = Int(min(max(0, number - one.last - 1), Int64(ForecastModel.historyLimit)))
        guard passed < model.horizon else { return .abstained("nothing was measured in the last \(passed) intervals") }
        do throws(ForecastAbstention) {
            let forecast = try one.forecaster.forecast(steps: min(steps + passed, model.horizon))
            let values = (passed + 1...forecast.steps).map { step in Forecast.levels.indices.map { max(0, Double(forecast[step, $0])) } }
            return .expected(DemandQuantiles(levels: Forecast.levels, values: values))
        } catch { return .abstained(error.description) }
    }

    /// What is to be kept.
    var demand: [String: PlanningFolder.Demand] {
        series.mapValues { one in
            .init(last: one.last, interval: interval, values: one.forecaster.values.map { $0.isFinite ? $0 : nil })
        }
    }

    private func refitIfDue(_ name: String) {
        guard var one = series[name], one.late == nil, one.count >= ForecastModel.historyMinimum else { return }
        let since = one.count - one.triedAt
        // A short history grows by much: sooner then.
        guard one.triedAt == 0 || since >= min(Self.refitAfter, max(4, one.triedAt / 8)) else { return }
        one.triedAt = one.count
        one.late = []
        series[name] = one
        let (copy, horizon) = (one.forecaster, horizon)
        elsewhere({ Self.fitted(copy, horizon) }, { [weak self] in self?.take(name, $0) })
    }

    /// As far ahead as is wanted, or as the history tells.
    private static func fitted(_ series: SeriesForecaster, _ horizon: Int) -> Fit {
        var fitted = series
        do throws(ForecastAbstention) {
            try fitted.refit(upTo: horizon)
            return .success(fitted)
        } catch { return .failure(error) }
    }

    private func take(_ name: String, _ fit: Fit) {
        guard var one = series[name] else { return }
        switch fit {
        case .success(var fitted):
            for value in one.late ?? [] { fitted.append(value) }
            one.forecaster = fitted
            one.abstention = nil
        case .failure(let abstention): one.abstention = abstention
        }
        one.late = nil
        series[name] = one
    }
}
