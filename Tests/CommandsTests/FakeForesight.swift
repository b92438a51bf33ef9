import API
import Foundation
import NetworkTypes
import Reports

/// Forecasts and incidents of an agent that has none.
enum FakeForesight {
    static func answer(_ request: ControlRequest) throws -> ControlResponse {
        switch request.path {
        case "/v1/forecast": try forecast(request)
        case "/v1/forecast/accuracy": try json(accuracy)
        case "/v1/anomalies": try json(incidents)
        case "/v1/anomalies/events":
            ControlResponse { stream in
                for event in ["began", "changed", "ended"] {
                    let line = try? JSONEncoder().encode(IncidentEventReport(event: event, incident: incident))
                    _ = stream.write(Array(line ?? Data()) + [0x0a])
                }
                stream.finish()
            }
        case "/v1/anomalies/judge" where request.query["id"] != "7":
            .failure(404, "there is no incident \(request.query["id"] ?? "")", hint: "nilo anomalies --since 30d lists them")
        case "/v1/anomalies/judge":
            try json(
                VerdictReport(id: 7, verdict: request.query["verdict"] ?? "", earlier: request.query["verdict"] == "seen" ? nil : "seen"))
        case "/v1/anomalies/silence": try json(silence(request.query["pattern"] ?? "", isOn: request.query["seconds"] != "0"))
        default: .failure(404, "no \(request.path)")
        }
    }

    private static func json(_ value: some Encodable) throws -> ControlResponse {
        ControlResponse(body: Array(try JSONEncoder().encode(value)))
    }

    /// Of what is called `vm:va sent` there are two series, of `backup` none.
    private static func silence(_ pattern: String, isOn: Bool) -> SilenceReport {
        let isKnown = pattern == "vm:va sent"
        return SilenceReport(
            patterns: isKnown ? ["*<netns-if/vm/va"] : [pattern], until: isOn ? "2026-03-01T20:00:00Z" : nil,
            names: isKnown ? ["vm:va sent"] : [], matches: isKnown ? 1 : 0)
    }

    static let levels = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]

    /// A sine of a day with bands of ±10 %; of `new` nothing can be said, `nothing` is not watched, `cpu` has no direction.
    private static func forecast(_ request: ControlRequest) throws -> ControlResponse {
        let name = request.query["key"] ?? "total"
        guard name != "nothing" else { return .failure(404, "nothing is not watched", hint: "watched are total, cpu") }
        let step = ["minutes": 10, "week": 3600][request.query["span"] ?? "day"] ?? 300
        let steps = request.query["steps"].flatMap { Int($0) } ?? 288
        func value(_ index: Int) -> Double { (name == "cpu" ? 50 : 100e6) * (1 + 0.5 * sin(2 * .pi * Double(index * step) / 86_400)) }
        var forward = ForecastReport.Direction(
            direction: name == "cpu" ? "" : "received", steps: 288, measured: 280, latest: value(-1),
            past: (-288..<0).map { $0 < -280 ? nil : value($0) })
        if name == "new" {
            forward.abstention = "3 values are too few, it takes 24"
        } else {
            forward.quantiles = (0..<steps).map { index in levels.map { value(index) * (1 + ($0 - 0.5) / 5) } }
            (forward.errorAgainstNaive, forward.samplesPerDay, forward.basis) = (0.62, 288, "daily pattern; linear scale")
            forward.accuracy = [score(lead: 300, share: 0.9, naive: name == "young" ? .lastValue : .dayBefore)]
            func band(_ ago: Int) -> ForecastReport.Earlier.Band {
                .init(stepsAgo: ago, low: value(-ago) * 0.9, median: value(-ago), high: value(-ago) * 1.1)
            }
            // Every step but for a gap; and once an hour.
            forward.earlier = [
                .init(leadSeconds: 3600, bands: (1...100).filter { !(40..<60).contains($0) }.map(band)),
                .init(leadSeconds: 86_400, bands: stride(from: 6, through: 270, by: 12).map(band)),
            ]
        }
        var quiet = ForecastReport.Direction(direction: "sent", steps: 288, measured: 288, latest: 0, past: .init(repeating: 0, count: 288))
        quiet.quantiles = .init(repeating: .init(repeating: 0, count: 11), count: steps)
        var report = ForecastReport(
            from: "2026-03-01T12:00:00Z", stepSeconds: step, key: name, name: name == "total" ? "all traffic" : name,
            unit: name == "cpu" ? "%" : request.query["measure"] == "packets" ? "packet/s" : "bit/s", levels: levels,
            directions: name == "cpu" || name == "new" ? [forward] : [forward, quiet])
        report.at = name == "late" ? "2026-03-01T12:20:00Z" : "2026-03-01T12:04:59Z"
        return try json(report)
    }

    private static func score(lead: Int, share: Double, error: Double = 2e6, naive: ForecastScoreReport.Naive? = nil) -> ForecastScoreReport
    {
        .init(
            leadSeconds: lead, count: 400, meanError: error, meanLoss: 1.5e6, errorAgainstNaive: 0.71, lossAgainstNaive: 0.5,
            within90: share,
            within60: 0.61, above95: 0.04, naive: naive)
    }

    private static let accuracy = ForecastAccuracyReport(
        watched: 12, limit: 2000, refused: 3,
        series: [
            .init(
                key: "total", name: "all traffic to servers", isBackward: false, unit: "bit/s",
                scores: [score(lead: 300, share: 0.9), score(lead: 3600, share: 0.7)]),
            .init(key: "cpu", name: "cpu", isBackward: false, unit: "%", scores: [score(lead: 300, share: 0.88, error: 2.5)]),
        ], scored: 5)

    static let incident = IncidentReport(
        id: 7, start: "2026-03-01T11:58:00Z", end: nil, probability: 0.97, unlikelihood: 8.5,
        members: [
            .init(
                key: "bytes>if", name: "web-1:eth0 received", kind: "spike", start: "2026-03-01T11:58:00Z", end: nil, probability: 0.97,
                unlikelihood: 8.5, unit: "bit/s", expected: 4e6, expectedLow: 3e6, expectedHigh: 5e6, extreme: 25e6, evidence: nil),
            .init(
                key: "scan/10.0.0.9", name: "10.0.0.9", kind: "port-scan", start: "2026-03-01T11:58:01Z", end: "2026-03-01T11:58:31Z",
                probability: 0.99, unlikelihood: 6, unit: "", expected: nil, expectedLow: nil, expectedHigh: nil, extreme: nil,
                evidence: "10.0.0.9 tried 1000 ports of 10.0.0.1"),
        ],
        contributors: [
            .init(kind: "conversation", key: "a~b", name: "10.0.0.9 – 10.0.0.1", before: 1e6, during: 21e6, share: 0.95)
        ], verdict: nil)

    private static let incidents = IncidentListReport(
        since: "2026-03-01T11:00:00Z", at: "2026-03-01T12:00:00Z", incidents: [incident],
        silences: [.init(pattern: "*backup*", until: "2026-03-01T20:00:00Z", names: ["vm:backup received"])], silenced: 1,
        incidentsPerDay: 1.5, falseAlarmsPerDay: 0.25)
}
