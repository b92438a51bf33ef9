import Forecasting
import Foresight
import Topology

extension MetricsPage {
    /// Of the forecast that is told: an hour ahead, as places in the levels and in Prometheus' words.
    private static let quantiles = [(5, "0.5"), (9, "0.9"), (10, "0.95")]
    private static let steps = 12

    /// What is to come, and what was unusual.
    mutating func foresight(_ thread: ForesightThread) {
        let report = thread.report
        func one(_ name: String, _ kind: String, _ help: String, _ value: Int) {
            metric(name, kind, help, [(labels: [], value: Double(value))])
        }
        one("nilo_forecast_series", "gauge", "Series that are watched.", report.series)
        one("nilo_forecast_refused_series", "gauge", "Series for which there was no room lately.", report.refused)
        one("nilo_forecast_waiting_series", "gauge", "Series whose new forecast is still to be made.", report.waiting)
        one("nilo_incidents_total", "counter", "Incidents that began.", report.incidents)
        one("nilo_incidents_not_posted_total", "counter", "Incidents that the webhook did not take.", report.notPosted)
        one(
            "nilo_forecast_behind_seconds", "gauge", "How far behind what is measured forecasts and anomalies are.",
            report.behindSeconds ?? 0)
        let open = thread.incidents.book.incidents.filter { $0.end == nil }
        one("nilo_incidents", "gauge", "Incidents that go on.", open.count)
        let kinds = Dictionary(grouping: open.flatMap(\.members).filter { $0.end == nil }, by: \.kind)
        metric(
            "nilo_anomalies", "gauge", "Anomalies that go on, by kind.",
            kinds.sorted { $0.key < $1.key }.map { (labels: [("kind", $0.key)], value: Double($0.value.count)) })
        var levels: [(labels: [(String, String)], value: Double)] = []
        for key in thread.keys.compactMap(SeriesKey.init) where key.measure != .packets && key.isMetric {
            guard let forecast = thread.series(key.text)?.latestForecast else { continue }
            for (level, quantile) in Self.quantiles where forecast.steps >= Self.steps {
                let labels = [("series", key.title), ("unit", key.unit), ("quantile", quantile)]
                levels.append((labels, Double(forecast[Self.steps, level]).clamped(to: key.bounds)))
            }
        }
        metric("nilo_forecast", "gauge", "What is expected in an hour, as a quantile.", levels)
    }
}

extension SeriesKey {
    /// Of how many there may be is bounded: links and networks come and go.
    fileprivate var isMetric: Bool {
        if subject == Self.total || hostGauge != nil { return true }
        if case .node(let node)? = EntityKey(subject) { return node.kind == .interface }
        return false
    }
}
