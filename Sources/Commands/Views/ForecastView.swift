import NetworkTypes
import Reports
import Terminal

/// A forecast for people: for each direction a chart of what was and what comes, and a few lines of numbers.
public struct ForecastView: Sendable {
    public var output: TerminalOutput
    public var numbers: NumberForm

    public init(output: TerminalOutput, numbers: NumberForm = .short) {
        self.output = output
        self.numbers = numbers
    }

    /// Lines of numbers of a direction: of more steps every so manieth is shown.
    private static let rows = 8
    /// The quantiles that there is room for, as places in the report's.
    private var shown: [Int] { output.width == 0 || output.width >= 78 ? [0, 2, 5, 8, 10] : [0, 5, 10] }

    public func text(_ report: ForecastReport) -> String { report.directions.map { direction($0, report) }.joined(separator: "\n") }

    private func direction(_ direction: ForecastReport.Direction, _ report: ForecastReport) -> String {
        let step = Duration.seconds(report.stepSeconds)
        let unit = UnitText(unit: report.unit, numbers: numbers)
        let title = direction.direction.isEmpty ? report.name : "\(report.name) \(direction.direction.replacing("-", with: " "))"
        var heading = output.styled(title.visible, .bold)
        let late = report.secondsLate
        if let latest = direction.latest { heading += "  \(late == nil ? "now" : "last") \(unit.text(latest))" }
        guard let quantiles = direction.quantiles, !quantiles.isEmpty else {
            return heading + "\n" + output.styled("no forecast: \((direction.abstention ?? "?").visible)\n", .yellow)
        }
        if (direction.past.compactMap { $0 } + quantiles.map { $0[10] }).allSatisfy({ $0 == 0 }) {
            return heading + output.styled("  nothing came, and nothing is expected\n", .dim)
        }
        if let late {
            heading += output.styled("\nwhat came in the last \(Duration.seconds(late).plain) is not in it: the agent is behind", .yellow)
        }
        let now =
            late == nil ? "now" : MomentText.local(report.from, beside: report.at.flatMap { Timestamp(rfc3339: $0) } ?? MomentText.now)
        return heading + "\n" + chart(direction, quantiles, unit, step, now) + table(quantiles, report, unit, step)
            + foot(direction, step).map { output.styled($0 + "\n", .dim) }.joined()
    }

    private func chart(
        _ direction: ForecastReport.Direction, _ quantiles: [[Double]], _ unit: UnitText, _ step: Duration, _ now: String
    ) -> String {
        let chart = FanChart(past: direction.past, fan: quantiles.map { row in [0, 2, 5, 8, 10].map { row[$0] } })
        let edge = 12
        let width = max(20, (output.width == 0 ? 80 : min(output.width, 120)) - edge)
        let (top, lines) = chart.lines(width: width)
        var text = ""
        for (number, line) in lines.enumerated() {
            let label = number == 0 ? unit.text(top) : number == lines.count - 1 ? "0" : ""
            let cut = line.lastIndex { $0 != " " }.map { String(line[...$0]) } ?? ""
            text += String(repeating: " ", count: max(0, edge - 2 - label.count)) + label + " │" + output.styled(cut, .blue) + "\n"
        }
        let place = lines[0].count - max(1, min(width / 2, quantiles.count))
        var axis = [Character](repeating: "─", count: lines[0].count)
        axis[place] = "┴"
        let end = "in \((step * quantiles.count).plain)"
        let before = max(0, place - now.count / 2)
        text += String(repeating: " ", count: edge - 1) + "└" + String(axis) + "\n"
        text += String(repeating: " ", count: edge + before) + now
        let blanks = lines[0].count - before - now.count - end.count
        return text + (blanks > 0 ? String(repeating: " ", count: blanks) + end : "") + "\n"
    }

    private func table(_ quantiles: [[Double]], _ report: ForecastReport, _ unit: UnitText, _ step: Duration) -> String {
        var table = Table(
            [.init("IN", right: true)] + shown.map { .init("\(Int((report.levels[$0] * 100).rounded())) %", right: true) })
        let stride = (quantiles.count + Self.rows - 1) / Self.rows
        for index in Swift.stride(from: stride - 1, to: quantiles.count, by: stride) {
            table.append([.init((step * (index + 1)).plain)] + shown.map { .init(unit.aligned(quantiles[index][$0])) })
        }
        return table.text(for: output)
    }

    private func foot(_ direction: ForecastReport.Direction, _ step: Duration) -> [String] {
        var basis = "by \(direction.measured) of \(direction.steps) steps of \(step.plain)"
        if let error = direction.errorAgainstNaive {
            let naive = (direction.samplesPerDay ?? 0) > 0 ? "yesterday" : "the last"
            basis += ", error \(hundredths(error)) of what repeating \(naive) has"
        }
        var lines = [basis]
        if let words = direction.basis { lines.append(words.visible) }
        for score in direction.accuracy.prefix(2) {
            let ratio = score.errorAgainstNaive.map { ", error \(hundredths($0)) of repeating \(Self.naive(score))" } ?? ""
            lines.append(
                "lately, \(Duration.seconds(score.leadSeconds).plain) ahead: \(percent(score.within90)) of \(score.count) within 5 to 95 %\(ratio)"
            )
        }
        return lines.flatMap(wrapped)
    }

    private static func naive(_ score: ForecastScoreReport) -> String {
        switch score.naive {
        case .lastValue?: "the last value"
        case .either?: "the day before (until there was one the last value)"
        case .dayBefore?, nil: "the day before"
        }
    }

    /// At blanks, so that it fits.
    private func wrapped(_ text: String) -> [String] {
        guard output.width > 20 else { return [text] }
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > output.width {
                lines.append(line)
                line = "  " + word
            } else {
                line += (line.isEmpty ? "" : " ") + word
            }
        }
        return lines + [line]
    }
}
