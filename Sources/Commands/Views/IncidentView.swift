import NetworkTypes
import Reports
import Terminal

/// Incidents for people: each with what was unusual, how much, and what explains it.
public struct IncidentView: Sendable {
    public var output: TerminalOutput
    public var numbers: NumberForm

    public init(output: TerminalOutput, numbers: NumberForm = .short) {
        self.output = output
        self.numbers = numbers
    }

    /// Series of an incident that are told.
    private static let members = 5

    public func text(_ report: IncidentListReport) -> String {
        let now = Timestamp(rfc3339: report.at) ?? MomentText.now
        var text = report.incidents.map { incident($0, now) }.joined(separator: "\n")
        if report.incidents.isEmpty { text = "nothing unusual since \(MomentText.local(report.since, beside: now))\n" }
        for silence in report.silences {
            let until = MomentText.local(silence.until, beside: now)
            text += output.styled("silenced until \(until): \(silence.pattern.visible)\n", .yellow)
            if let names = silence.names, names != [silence.pattern] { text += output.styled("  \(Self.meaning(names))\n", .dim) }
        }
        return text + output.styled(rates(report) + "\n", .dim)
    }

    private func rates(_ report: IncidentListReport) -> String {
        var text = "\(hundredths(report.incidentsPerDay)) incidents a day, \(hundredths(report.falseAlarmsPerDay)) of them false alarms"
        // Of less than a day nothing is said about one.
        if let recent = report.recent, recent.seconds < 86_400 {
            text = "\(recent.incidents) incident\(recent.incidents == 1 ? "" : "s") so far, \(recent.falseAlarms) of them false alarms"
        }
        if report.silenced > 0 { text += "; \(report.silenced) \(report.silenced == 1 ? "anomaly" : "anomalies") silenced" }
        return text
    }

    private static func meaning(_ names: [String]) -> String {
        names.isEmpty ? "nothing that is watched now" : "now \(names.joined(separator: ", ").visible)"
    }

    static func text(_ verdict: VerdictReport) -> String {
        func words(_ verdict: String) -> String { verdict == "seen" ? "seen" : "a false alarm" }
        let earlier = verdict.earlier.map { $0 == verdict.verdict ? ", as before" : "; before it was called \(words($0))" } ?? ""
        return "incident \(verdict.id): \(words(verdict.verdict))\(earlier)\n"
    }

    /// - Parameter asked: what was to be silent.
    func text(_ silence: SilenceReport, of asked: String, _ seconds: Int) -> String {
        var text = "\(asked.visible) is told of again\n"
        if seconds > 0 { text = "\(asked.visible) is not told of for \(Duration.seconds(seconds).plain)\n" }
        for pattern in silence.patterns where pattern != asked { text += output.styled("  \(pattern.visible)\n", .dim) }
        guard seconds > 0 else { return text }
        guard silence.matches > 0 else {
            return text + output.styled("  it matches nothing that is watched now; it is kept all the same\n", .yellow)
        }
        let more = silence.matches - silence.names.count
        return text + output.styled("  \(Self.meaning(silence.names))\(more > 0 ? " and \(more) more" : "")\n", .dim)
    }

    /// With what became of it before it.
    public func text(_ event: IncidentEventReport) -> String {
        guard event.event != "changed" else { return "" }
        return output.styled(event.event == "began" ? "+ " : "- ", event.event == "began" ? .red : .green)
            + incident(event.incident, MomentText.now)
    }

    private func incident(_ incident: IncidentReport, _ now: Timestamp) -> String {
        let start = MomentText.local(incident.start, beside: now)
        let end = incident.end.map { "to \(MomentText.local($0, beside: now))" } ?? "and goes on"
        let verdict = incident.verdict.map { $0 == "seen" ? ", seen" : ", a false alarm" } ?? ""
        // No model is sure.
        let certain = "probability \(hundredths(min(0.99, incident.probability)))"
        let style: TextStyle = incident.verdict != nil ? .dim : incident.end == nil ? .red : .yellow
        var text = output.styled("#\(incident.id)", style) + " " + output.styled("\(start) \(end)", .bold) + ", \(certain)\(verdict)\n"
        var table = Table([.init("  WHAT"), .init("SERIES", shrinksTo: 20), .init("WAS", right: true), .init("EXPECTED", right: true)])
        for member in incident.members.prefix(Self.members) {
            let unit = UnitText(unit: member.unit, numbers: numbers)
            var expected = "-"
            if let low = member.expectedLow, let high = member.expectedHigh { expected = "\(unit.text(low)) to \(unit.text(high))" }
            table.append([
                .init("  " + member.kind + (member.end == nil ? "" : " (over)")), .init(member.name),
                .init(member.extreme.map(unit.text) ?? "-"), .init(expected),
            ])
        }
        text += table.text(for: output)
        let more = incident.members.count - Self.members + incident.more
        if more > 0 { text += output.styled("  and \(more) more series\n", .dim) }
        for evidence in incident.members.compactMap(\.evidence).prefix(Self.members) { text += "  \(evidence.visible)\n" }
        for contributor in incident.contributors {
            let unit = UnitText(unit: "bit/s", numbers: numbers)
            text += output.styled("  by \(percent(contributor.share)) ", .dim) + "\(contributor.kind) \(contributor.name.visible)"
            text += output.styled(": \(unit.text(contributor.before)) to \(unit.text(contributor.during))\n", .dim)
        }
        return text
    }
}
