import Forecasting
import Foresight
import NetworkTypes
import Reports
import Topology

// What is known of series and incidents, in the form in which it is told.

extension ForecastScoreReport {
    init(_ score: LeadScore, leadSeconds: Int, naive: Naive) {
        let count = Double(score.count)
        self.init(
            leadSeconds: leadSeconds, count: score.count, meanError: score.absoluteError / count, meanLoss: score.loss / count,
            errorAgainstNaive: score.naiveError > 0 ? score.absoluteError / score.naiveError : nil,
            lossAgainstNaive: score.naiveError > 0 ? score.loss / score.naiveError : nil, within90: Double(score.within90) / count,
            within60: Double(score.within60) / count, above95: Double(score.above) / count, naive: naive)
    }
}

extension WatchedSeries {
    func scores(_ clock: StepClock) -> [ForecastScoreReport] {
        let naive = naive
        return zip(ForecastRecord.leads, record.scores(until: values.end)).compactMap { lead, score in
            score.count > 0 ? ForecastScoreReport(score, leadSeconds: lead * clock.step, naive: naive) : nil
        }
    }

    /// What the naive forecasts repeated that scores of seven days are held against.
    private var naive: ForecastScoreReport.Naive {
        let (day, known) = (StepClock.grain, values.all.drop { $0.isNaN }.count)
        return known <= day ? .lastValue : known < 8 * day ? .either : .dayBefore
    }

    private static let pastSteps = 288

    /// - Parameter steps: ahead; nil: as far as the span goes or the history tells.
    func report(_ key: SeriesKey, _ span: ForecastSpan, steps: Int?, _ clock: StepClock) -> ForecastReport.Direction {
        let kept = values(of: span)
        let known = kept.all.drop { $0.isNaN }
        let bounds = key.bounds
        func told(_ value: Float) -> Double? { value.isNaN ? nil : Double(value) }
        var report = ForecastReport.Direction(
            direction: key.direction, steps: known.count, measured: known.count { !$0.isNaN },
            latest: known.last { !$0.isNaN }.map { Double($0) }, past: known.suffix(Self.pastSteps).map(told))
        do throws(ForecastAbstention) {
            let forecast = try forecast(span, steps: steps ?? Self.horizon(of: span), clock)
            report.quantiles = (1...forecast.steps).map { step in
                Forecast.levels.indices.map { Double(forecast[step, $0]).clamped(to: bounds) }
            }
            report.basis = forecast.basis.words
            report.errorAgainstNaive = forecast.basis.errorAgainstNaive.isFinite ? forecast.basis.errorAgainstNaive : nil
            report.samplesPerDay = forecast.basis.samplesPerDay
        } catch { report.abstention = "\(error)" }
        guard span == .day else { return report }
        report.accuracy = scores(clock)
        report.earlier = zip(ForecastRecord.shown, record.bands).compactMap { place, bands in
            let near = bands.filter { $0.index < kept.end && kept.end - $0.index <= Int64(Self.pastSteps) }
            guard !near.isEmpty else { return nil }
            return .init(
                leadSeconds: ForecastRecord.leads[place] * clock.step,
                bands: near.map {
                    .init(
                        stepsAgo: Int(kept.end - $0.index), low: Double($0.low).clamped(to: bounds),
                        median: Double($0.median).clamped(to: bounds), high: Double($0.high).clamped(to: bounds))
                })
        }
        return report
    }
}

extension ForecastBasis {
    /// Which model, and why.
    var words: String {
        func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }
        guard samplesPerDay > 0 else { return "an average of simple forecasts: the history is shorter than two days" }
        var parts = ["daily pattern"]
        if weeklyShare > 0.005 { parts[0] = "daily and weekly pattern (\(percent(weeklyShare)) of last weeks' shape returns)" }
        parts.append(
            regressionShare > 0.005
                ? "linear regression on it and on what was lately (\(percent(regressionShare)) of the weight, the rest simple forecasts)"
                : "an average of simple forecasts, which did better than the regression")
        if let driftingDay { parts.append("the day repeats after \(Int(driftingDay.rounded())) steps, not \(samplesPerDay)") }
        parts.append(logarithmicFrom == nil ? "linear scale" : "logarithmic scale")
        return parts.joined(separator: "; ")
    }
}

extension ForesightThread {
    var report: StatusReport.Forecast {
        let (health, book) = (health, incidents.book)
        return .init(
            series: health.series, limit: health.limit, refused: health.refused, waiting: health.waiting, bytes: health.bytes,
            tellsAnomalies: incidents.isOn, openIncidents: book.incidents.count { $0.end == nil }, incidents: book.begun,
            notPosted: incidents.notPosted, behindSeconds: behindSeconds)
    }
}

extension Timestamp {
    /// What 64 bits of nanoseconds do not hold is the first or the last moment that they do.
    init(second: Int64) {
        let (nanoseconds, isTooMuch) = second.multipliedReportingOverflow(by: 1_000_000_000)
        self.init(nanoseconds: isTooMuch ? second < 0 ? .min : .max : nanoseconds)
    }
}

extension IncidentReport {
    init(_ incident: Incident) {
        self.init(
            id: incident.id, start: Timestamp(second: incident.start).description,
            end: incident.end.map { Timestamp(second: $0).description }, probability: incident.probability,
            unlikelihood: incident.unlikelihood, members: incident.members.map(Member.init),
            more: incident.more, contributors: incident.contributors.map(Contributor.init), verdict: incident.verdict?.rawValue)
    }
}

extension IncidentReport.Member {
    fileprivate init(_ member: Incident.Member) {
        let series = SeriesKey(member.key)
        let bounds = series?.bounds ?? 0 ... .infinity
        self.init(
            key: member.key, name: member.title, kind: member.kind, start: Timestamp(second: member.start).description,
            end: member.end.map { Timestamp(second: $0).description }, probability: member.probability, unlikelihood: member.unlikelihood,
            unit: series?.unit ?? "", expected: member.expected?.value.clamped(to: bounds),
            expectedLow: member.expected?.low.clamped(to: bounds), expectedHigh: member.expected?.high.clamped(to: bounds),
            extreme: member.extreme, evidence: member.evidence)
    }
}

extension IncidentReport.Contributor {
    fileprivate init(_ contributor: Incident.Contributor) {
        self.init(
            kind: contributor.kind, key: contributor.key,
            name: SeriesKey(contributor.key, .bits, isBackward: false).name, before: contributor.before, during: contributor.during,
            share: contributor.share)
    }
}

extension IncidentListReport {
    private static let days = 7

    init(_ book: IncidentBook, since: Timestamp, at now: Timestamp) {
        let week = now.nanoseconds / 1_000_000_000 - Int64(Self.days * 86_400)
        let recent = book.incidents.filter { $0.start >= week }
        let seconds = now.nanoseconds / 1_000_000_000 - max(week, book.incidents.first?.start ?? week)
        let days = max(1, Double(seconds) / 86_400)
        self.init(
            since: since.description, at: now.description,
            incidents: book.incidents.reversed().filter { ($0.end ?? .max) >= since.nanoseconds / 1_000_000_000 }.map(IncidentReport.init),
            silences: book.silences.filter { $0.until > now.nanoseconds / 1_000_000_000 }
                .map { .init(pattern: $0.pattern, until: Timestamp(second: $0.until).description) },
            silenced: book.silenced, incidentsPerDay: Double(recent.count) / days,
            falseAlarmsPerDay: Double(recent.count { $0.verdict == .falseAlarm }) / days,
            recent: .init(seconds: Int(max(0, seconds)), incidents: recent.count, falseAlarms: recent.count { $0.verdict == .falseAlarm }))
    }
}
