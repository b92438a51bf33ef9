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
            text += output.styled("silenced until \(MomentText.local(silence.until, beside: now)): \(silence.pattern.visible)\n", .yellow)
        }
        let rates = "\(hundredths(report.incidentsPerDay)) incidents a day, \(hundredths(report.falseAlarmsPerDay)) of them false alarms"
        return text + output.styled(rates + (report.silenced > 0 ? "; \(report.silenced) anomalies silenced" : "") + "\n", .dim)
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
        let certain = "probability \(hundredths(incident.probability))"
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
