import Reports

extension MetricsPage {
    /// Telling applications by the first packets of flows.
    mutating func applications(_ report: StatusReport.Applications) {
        func one(_ name: String, _ kind: String, _ help: String, _ value: Double) { metric(name, kind, help, [(labels: [], value: value)]) }
        one("nilo_classifier_up", "gauge", "Whether the process that tells applications runs.", report.state == "running" ? 1 : 0)
        one("nilo_classifier_restarts_total", "counter", "Times that it was started anew.", Double(report.restarts))
        one("nilo_classifier_cpu_seconds_total", "counter", "CPU time that it has used.", report.cpuSeconds)
        metric(
            "nilo_classifier_packets_total", "counter", "First packets of flows, by what became of them.",
            [("inspected", report.inspected), ("passed-over", report.passedOver), ("lost", report.lost)].map {
                (labels: [("outcome", $0.0)], value: Double($0.1))
            })
        metric(
            "nilo_classifier_verdicts_total", "counter", "Conversations with a verdict, by what it rests on.",
            [("identified", report.identified), ("guessed", report.guessed), ("unknown", report.unknown)].map {
                (labels: [("basis", $0.0)], value: Double($0.1))
            })
        one("nilo_classifier_names_total", "counter", "Names that DNS answers gave to addresses.", Double(report.names))
        one("nilo_classifier_refused_total", "counter", "Findings that were not taken.", Double(report.refused))
    }
}
