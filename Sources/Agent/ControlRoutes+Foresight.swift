import API
import FoundationEssentials
import Forecasting
import Foresight
import NetworkTypes
import Reports
import Topology

/// What may be asked of the future, and of what was unusual.
extension ControlRoutes {
    /// The series of a subject that are watched, forward and then backward.
    static func watched(_ subject: String, _ measure: SeriesKey.Measure, _ thread: ForesightThread) throws(TopologyRefusal) -> [(
        key: SeriesKey, series: WatchedSeries
    )] {
        var keys = [SeriesKey(subject, measure, isBackward: false), SeriesKey(subject, measure, isBackward: true)]
        if let gauge = HostGauge(rawValue: subject) {
            keys =
                gauge.isCounter
                ? [SeriesKey(subject, .bits, isBackward: false), SeriesKey(subject, .bits, isBackward: true)]
                : [SeriesKey(subject, .level, isBackward: false)]
        }
        let found = keys.map(\.watched).compactMap { key in thread.series(key.text).map { (key: key, series: $0) } }
        guard !found.isEmpty else {
            throw TopologyRefusal(
                status: 404, error: "\(keys[0].name) is not watched",
                hint:
                    "watched are total, \(HostGauge.allCases.map(\.rawValue).joined(separator: ", ")), interfaces, networks, services, applications, and links that last"
            )
        }
        return found
    }

    /// What a person means: what has that key or name in the topology, else the series that lists show so.
    static func subject(_ text: String, _ snapshot: Snapshot, _ thread: ForesightThread) throws(TopologyRefusal) -> String {
        let known = try? snapshot.seriesSubject(text)
        let names = SeriesNames(thread.keys)
        if let known, names.keys.contains(where: { $0.subject == known }) { return known }
        if let shown = try names.subject(text) { return shown }
        return try snapshot.seriesSubject(text)
    }

    static func forecast(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let text = query.text("key") ?? SeriesKey.total
        let measure = try query.choice("measure", standard: SeriesKey.Measure.bits)
        let span = try query.optionalChoice("span", of: ForecastSpan.self)
        let steps = query.text("steps") == nil ? nil : try query.number("steps", in: 1...2016, standard: 60)
        return { agent in
            let thread = try agent.foresight()
            let snapshot = try agent.knownTopology().snapshot
            return later {
                let subject = try subject(text, snapshot, thread)
                guard let found = try? watched(subject, measure, thread) else {
                    return try json(try unwatched(SeriesKey(subject, measure, isBackward: false), snapshot, thread))
                }
                // The widest that there is enough of.
                let chosen =
                    span
                    ?? [ForecastSpan.day, .minutes].first { found[0].series.values(of: $0).count >= 2 * ForecastModel.historyMinimum }
                    ?? .minutes
                let step = WatchedSeries.step(of: chosen, thread.clock)
                let end = found[0].series.values(of: chosen).end
                var report = ForecastReport(
                    from: Timestamp(second: end * Int64(step)).description, stepSeconds: step, key: found[0].key.subject,
                    name: found[0].key.name, unit: found[0].key.unit, levels: Forecast.levels,
                    directions: found.map { $0.series.report($0.key, chosen, steps: steps, thread.clock) })
                report.at = Timestamp.now.description
                return try json(report)
            }
        }
    }

    /// Of what has just come, or does not last, there is nothing to say; of what is not there that is an error.
    private static func unwatched(_ key: SeriesKey, _ snapshot: Snapshot, _ thread: ForesightThread) throws -> ForecastReport {
        let isThere =
            switch EntityKey(key.subject) {
            case .node(let node)?: snapshot.id(of: node) != nil
            case .link(let link)?: snapshot.id(of: link) != nil
            case nil: false
            }
        guard isThere else {
            _ = try watched(key.subject, key.measure, thread)
            throw TopologyRefusal.notYet
        }
        var direction = ForecastReport.Direction(direction: key.direction, steps: 0, measured: 0, latest: nil, past: [])
        direction.abstention = "it is not watched: \(whyNot(key.subject))"
        return ForecastReport(
            from: Timestamp.now.description, stepSeconds: thread.clock.step, key: key.subject, name: key.name, unit: key.unit,
            levels: Forecast.levels, directions: [direction])
    }

    private static func whyNot(_ subject: String) -> String {
        guard case .node(let node)? = EntityKey(subject), ![.interface, .network, .application, .service].contains(node.kind) else {
            return "it has no traffic, has just come, or does not last"
        }
        let what = node.kind == .endpoint ? "single hosts are" : "a \(node.kind) is"
        return "\(what) not, only interfaces, networks, services, applications, and links that last"
    }

    static func forecastAccuracy(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let text = query.text("key")
        let top = try query.number("top", in: 1...100_000, standard: 20)
        let measure = try query.choice("measure", standard: SeriesKey.Measure.bits)
        return { agent in
            let thread = try agent.foresight()
            let snapshot = try agent.knownTopology().snapshot
            return later {
                let wanted = try text.map { try subject($0, snapshot, thread) }
                let keys = thread.keys.compactMap(SeriesKey.init).filter { key in
                    wanted.map { $0 == key.subject } ?? true && (key.measure == measure || key.measure == .level)
                }
                var found: [(report: ForecastAccuracyReport.Series, count: Int)] = []
                for key in keys {
                    // What never moves is no forecast's merit.
                    guard let series = thread.series(key.text), series.values.all.contains(where: { $0 != 0 && !$0.isNaN }) else {
                        continue
                    }
                    let scores = series.scores(thread.clock)
                    guard !scores.isEmpty else { continue }
                    let report = ForecastAccuracyReport.Series(
                        key: key.subject, name: key.title, isBackward: key.isBackward, unit: key.unit, scores: scores)
                    found.append((report, scores.reduce(0) { $0 + $1.count }))
                }
                found.sort { ($1.count, $0.report.name) < ($0.count, $1.report.name) }
                let health = thread.health
                return try json(
                    ForecastAccuracyReport(
                        watched: health.series, limit: health.limit, refused: health.refused, series: found.prefix(top).map(\.report),
                        scored: found.count, stepSeconds: thread.clock.step))
            }
        }
    }
}

extension Agent {
    /// - Throws: where none are made.
    func foresight() throws(TopologyRefusal) -> ForesightThread {
        guard let foresight = topology?.foresight else {
            throw TopologyRefusal(
                status: 404, error: "no forecasts are made", hint: "forecast.enabled and topology.kept of the configuration say whether")
        }
        return foresight
    }
}
