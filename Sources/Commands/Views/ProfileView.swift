import NetworkTypes
import Reports
import Terminal

/// A profile for people: for each direction what it is like in words, the hours of its week (or day) as a picture, the last three days with
/// the events that were due, and the numbers.
public struct ProfileView: Sendable {
    public var output: TerminalOutput
    public var numbers: NumberForm

    public init(output: TerminalOutput, numbers: NumberForm = .short) {
        self.output = output
        self.numbers = numbers
    }

    private var width: Int { output.width == 0 ? 80 : min(output.width, 100) }

    public func text(_ report: ProfileReport) -> String {
        let directions = report.directions.map { direction($0, report) }.joined(separator: "\n")
        return directions + relations(report)
    }

    private func direction(_ direction: ProfileReport.Direction, _ report: ProfileReport) -> String {
        let unit = UnitText(unit: report.unit, numbers: numbers)
        let title = direction.direction.isEmpty ? report.name : "\(report.name) \(direction.direction.replacing("-", with: " "))"
        var text = output.styled(title.visible, .bold)
        if let latest = direction.level?.latest { text += "  now \(unit.text(latest))" }
        text += "\n"
        for sentence in direction.words { text += wrapped(sentence.visible) }
        if let weekly = direction.weekly {
            text += "\n" + heat(weekly, unit)
        } else if let daily = direction.daily {
            text += "\n" + band(daily, unit)
        }
        text += recent(direction, unit)
        text += events(direction, unit, report)
        text += table(direction, unit)
        let step = Duration.seconds(report.stepSeconds).short
        var foot = "by \(direction.measured) of \(direction.steps) steps of \(step); times of day are UTC\n"
        if report.secondsPerDay != 86_400 {
            let (day, hour) = (Duration.seconds(report.secondsPerDay).plain, Duration.seconds(report.secondsPerDay / 24).plain)
            foot += wrapped(
                "a day takes \(day) here, an hour \(hour): sentences and pictures tell hours and times of that day, tables those of the clock"
            )
        }
        return text + output.styled(foot, .dim)
    }

    /// Within the width; what follows the first line is set in.
    private func wrapped(_ sentence: String) -> String {
        var (lines, line) = ([String](), "")
        for word in Self.pieces(sentence) {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = "  \(word)"
            } else {
                line += line.isEmpty ? word : " \(word)"
            }
        }
        return (lines + [line]).map { $0 + "\n" }.joined()
    }

    /// Words, numbers together with what follows them: their unit.
    private static func pieces(_ sentence: String) -> [String] {
        var pieces: [String] = []
        for word in sentence.split(separator: " ") {
            if let last = pieces.last, last.last?.isNumber == true, word.first?.isNumber == false {
                pieces[pieces.count - 1] += " \(word)"
            } else {
                pieces.append(String(word))
            }
        }
        return pieces
    }

    // MARK: Pictures

    private static let weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    private static let shades: [Character] = ["·", "░", "▒", "▓", "█"]
    private static let hourAxis = "      00    03    06    09    12    15    18    21\n"

    /// Seven days of 24 hours, two columns each, darker where there is more.
    private func heat(_ hours: [ProfileReport.Hour], _ unit: UnitText) -> String {
        let medians = hours.map(\.median)
        let known = medians.compactMap { $0 }
        guard let low = known.min(), let high = known.max(), hours.count == 168 else { return "" }
        var text = output.styled(Self.hourAxis, .dim)
        for day in 0..<7 {
            let cells = (0..<24).map { hour -> String in
                guard let value = medians[day * 24 + hour] else { return "  " }
                let place = high > low ? Int((value - low) / (high - low) * Double(Self.shades.count)) : 0
                return String(repeating: Self.shades[min(Self.shades.count - 1, place)], count: 2)
            }
            let row = cells.joined()
            let cut = row.lastIndex { $0 != " " }.map { String(row[...$0]) } ?? ""
            text += "\(Self.weekdays[day])   " + output.styled(cut, .blue) + "\n"
        }
        let scale = "\(Self.shades[0]) \(unit.text(low)) to \(Self.shades[Self.shades.count - 1]) \(unit.text(high)), median of the hour"
        return text + "      " + output.styled(scale + "\n", .dim)
    }

    /// The day from the 10 % to the 90 % quantile of each hour, with the median.
    private func band(_ hours: [ProfileReport.Hour], _ unit: UnitText) -> String {
        let rows = 8
        guard let top = hours.compactMap(\.high).max(), top > 0 else { return "" }
        func row(_ value: Double) -> Int { min(rows - 1, max(0, Int(value / top * Double(rows)))) }
        var text = ""
        for line in stride(from: rows - 1, through: 0, by: -1) {
            let cells = hours.map { hour -> String in
                guard let low = hour.low, let median = hour.median, let high = hour.high else { return "  " }
                return row(median) == line ? "██" : (row(low)...row(high)).contains(line) ? "▒▒" : "  "
            }
            let joined = cells.joined()
            let cut = joined.lastIndex { $0 != " " }.map { String(joined[...$0]) } ?? ""
            let label = line == rows - 1 ? unit.text(top) : line == 0 ? "0" : ""
            let margin = String(repeating: " ", count: max(0, 11 - label.count))
            text += margin + label + " │" + output.styled(cut, .blue) + "\n"
        }
        return text + "           └" + String(repeating: "─", count: 48) + "\n"
            + output.styled("       " + Self.hourAxis + "             █ median, ▒ 10 % to 90 % of the days\n", .dim)
    }

    private func recent(_ direction: ProfileReport.Direction, _ unit: UnitText) -> String {
        let hours = direction.recentHours
        guard hours.count > 1, let top = hours.compactMap({ $0 }).max() else { return "" }
        let count = min(hours.count, width - 8)
        let shown = hours.suffix(count).map { $0 ?? .nan }
        var text = "\nlast \(count) hours, the highest \(unit.text(top)); ▲ where an event was due\n"
        if !direction.dueHours.contains(true) { text = "\nlast \(count) hours, the highest \(unit.text(top))\n" }
        text += "      " + output.styled(Sparkline.text(shown, width: count), .blue) + "\n"
        let marks = String(direction.dueHours.suffix(count).map { $0 ? "▲" : " " })
        guard let end = marks.lastIndex(of: "▲") else { return text }
        return text + "      " + output.styled(String(marks[...end]), .yellow) + "\n"
    }

    // MARK: Numbers

    private func events(_ direction: ProfileReport.Direction, _ unit: UnitText, _ report: ProfileReport) -> String {
        guard !direction.events.isEmpty else { return "" }
        var table = Table([
            .init("EVERY", right: true), .init("FOR", right: true), .init("HIGHER BY", right: true), .init("SEEN", right: true),
            .init("CHANCE", right: true), .init("NEXT"),
        ])
        for event in direction.events {
            table.append([
                .init(Duration.seconds(event.periodSeconds).short), .init(Duration.seconds(event.durationSeconds).short),
                .init(unit.aligned(event.size)), .init("\(event.seen) of \(event.expected)"), .init(percent(event.confidence)),
                .init(Self.minute(event.nextDue)),
            ])
        }
        return "\n" + table.text(for: output)
    }

    private func table(_ direction: ProfileReport.Direction, _ unit: UnitText) -> String {
        var table = Table([.init(""), .init("", right: true), .init("")])
        if let level = direction.level {
            table.append([.init("mean"), .init(unit.aligned(level.mean)), .init("median \(unit.text(level.median))")])
            table.append([.init("95 % of steps"), .init(unit.aligned(level.quantile95)), .init("below this")])
            table.append([.init("highest step"), .init(unit.aligned(level.highest)), .init(Self.minute(level.highestAt))])
        }
        if let seconds = direction.seconds {
            for (share, value) in zip(seconds.shares, seconds.quantiles) where share >= 0.99 {
                let name = "\(Self.percentage(share)) of seconds"
                table.append([.init(name), .init(unit.aligned(value)), .init("below this, ±\(Self.percentage(seconds.relativeError))")])
            }
        }
        for burst in direction.bursts {
            let window = Duration.seconds(burst.windowSeconds).short
            table.append([
                .init("highest \(window) to mean"), .init(hundredths(burst.peakToMean)),
                .init("at most \(hundredths(burst.highestPeakToMean)), \(Self.minute(burst.highestAt))"),
            ])
        }
        if let growth = direction.growth {
            let change = growth.relativePerWeek.map { " (\(Self.signed($0 * 100)) %)" } ?? ""
            let amount = (growth.perWeek < 0 ? "-" : "+") + unit.text(abs(growth.perWeek))
            table.append([
                .init("growth a week"), .init(amount), .init((growth.isSignificant ? "beyond chance" : "may be chance") + change),
            ])
        }
        if let regularity = direction.regularity {
            let day = direction.dailyRegularity.map { "by the day alone \(percent($0))" } ?? ""
            table.append([.init("regularity"), .init(percent(regularity)), .init(day)])
        }
        guard !table.rows.isEmpty else { return "" }
        // Its columns need no headings.
        return "\n" + table.lines(for: output).dropFirst().map { $0 + "\n" }.joined()
    }

    private func relations(_ report: ProfileReport) -> String {
        var text = ""
        for relation in report.relations {
            let lag = Duration.seconds(relation.lagSeconds).short
            let other = [relation.name, relation.otherDirection].filter { !$0.isEmpty }.joined(separator: " ")
            let order = relation.otherLeads ? "\(other) changes \(lag) before it" : "\(other) follows it after \(lag)"
            text += wrapped("\(order) (correlation \(relation.correlation < 0 ? "-" : "")\(hundredths(abs(relation.correlation))))".visible)
        }
        return text.isEmpty ? "" : "\n" + text
    }

    /// `2026-01-31 02:00`, without seconds and zone.
    private static func minute(_ moment: String) -> String { String(moment.prefix(16)).replacing("T", with: " ") }

    private static func ratio(_ value: Double) -> String { hundredths(value) }

    /// `99.9 %`.
    private static func percentage(_ share: Double) -> String {
        let tenths = Int((share * 1000).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10) %" : "\(tenths / 10).\(tenths % 10) %"
    }

    private static func signed(_ value: Double) -> String { (value < 0 ? "-" : "+") + "\(Int(abs(min(max(value, -1e6), 1e6)).rounded()))" }
}
