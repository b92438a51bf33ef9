import Forecasting
import NetworkTypes
import Reports

/// Forecasts out of the rates that the agent's history has, made here and not by the agent.
struct SeriesForecast {
    struct Question {
        var name: String
        /// nil: the longest that there is history for.
        var step: Duration?
        /// nil: 60 steps, or fewer where the history is short.
        var horizon: Duration?
        var inPackets: Bool
    }

    private let agent: AgentConnection
    private let now: Timestamp

    init(_ agent: AgentConnection, now: Timestamp) {
        self.agent = agent
        self.now = now
    }

    private static let steps: [Int64] = [300, 60, 10]
    private static let standardHorizon = 60
    /// Measured steps from which on a longer step is taken rather than a shorter one.
    private static let enough = 2 * ForecastModel.historyMinimum
    private static let purpose = "forecast"

    func answer(_ question: Question) throws(CommandFailure) -> ForecastReport {
        var history: SeriesListReport?
        for step in question.step.map({ [$0.components.seconds] }) ?? Self.steps {
            history = try read(question, step)
            if (history?.series.first?.values ?? []).count(where: { $0 != nil }) >= Self.enough { break }
        }
        guard let history, let series = history.series.first else {
            throw CommandFailure(
                Self.purpose, "the history has nothing of \(question.name)", hint: "nilo topology shows what there is; total is all traffic"
            )
        }
        let horizon = try question.horizon.map { (time) throws(CommandFailure) in try Self.horizon(time, history.stepSeconds) }
        let words = Self.directions(series)
        var directions = [Self.direction(words.0, series.values, history.stepSeconds, horizon)]
        if let reverse = series.reverse { directions.append(Self.direction(words.1, reverse, history.stepSeconds, horizon)) }
        return ForecastReport(
            from: history.to, stepSeconds: history.stepSeconds, key: series.key, name: series.name, unit: history.unit,
            levels: Forecast.levels, directions: directions)
    }

    private static func horizon(_ time: Duration, _ step: Int) throws(CommandFailure) -> Int {
        let steps = Int((time / .seconds(step)).rounded(.up))
        guard steps <= 2016 else {
            throw CommandFailure(
                purpose, "--horizon is \(steps) steps of \(Duration.seconds(step).short), and 2016 are the most",
                hint: "take a longer --step", code: .usage)
        }
        return max(1, steps)
    }

    /// The steps that are over, as many as a model looks back on.
    private func read(_ question: Question, _ step: Int64) throws(CommandFailure) -> SeriesListReport {
        let end = now.nanoseconds / 1_000_000_000 / step * step
        func moment(_ seconds: Int64) -> String { "\(Timestamp(nanoseconds: seconds * 1_000_000_000))" }
        let query = [
            ("key", question.name), ("from", moment(end - Int64(ForecastModel.historyLimit) * step)), ("to", moment(end - step)),
            ("step", "\(step)"), ("measure", question.inPackets ? "packets" : "bits"),
        ]
        return try agent.ask("/v1/series", query, for: Self.purpose, timeout: .seconds(60))
    }

    private static func directions(_ series: SeriesListReport.SeriesReport) -> (String, String) {
        switch series.kind {
        case "entity": ("received", "sent")
        case "link": ("to", "from")
        default: ("to-servers", "from-servers")
        }
    }

    private static func direction(_ name: String, _ rates: [Double?], _ step: Int, _ horizon: Int?) -> ForecastReport.Direction {
        // From the first that was measured: before it nothing is missing.
        let known = rates.drop { $0 == nil }
        let values = known.map { $0.map { Float($0) } ?? Float.nan }
        var report = ForecastReport.Direction(
            direction: name, steps: known.count, measured: known.count { $0 != nil }, latest: known.last { $0 != nil } ?? nil)
        do throws(ForecastAbstention) {
            let forecast = try forecast(values, step, horizon)
            report.quantiles = (1...forecast.steps).map { step in
                // A rate is never below nothing, whatever a model makes of noise.
                Forecast.levels.indices.map { max(0, Double(forecast[step, $0])) }
            }
            report.errorAgainstNaive = forecast.basis.errorAgainstNaive
            report.samplesPerDay = forecast.basis.samplesPerDay
        } catch { report.abstention = "\(error)" }
        return report
    }

    /// As far as was asked for; without that as far as the history tells.
    private static func forecast(_ values: [Float], _ step: Int, _ horizon: Int?) throws(ForecastAbstention) -> Forecast {
        func made(_ steps: Int) throws(ForecastAbstention) -> Forecast {
            try ForecastModel(fitting: values[...], stepSeconds: step, horizon: steps).forecast(after: values[...])
        }
        do throws(ForecastAbstention) { return try made(horizon ?? standardHorizon) } catch {
            guard horizon == nil, case .horizonTooLong(_, let longest) = error, longest > 0 else { throw error }
            return try made(longest)
        }
    }
}
