import NetworkTypes
import Reports
import Terminal

/// How forecasts did, for people: a line for each series and lead.
public struct AccuracyView: Sendable {
    public var output: TerminalOutput
    public var numbers: NumberForm

    public init(output: TerminalOutput, numbers: NumberForm = .short) {
        self.output = output
        self.numbers = numbers
    }

    /// Of the 90 % interval: within these it is called good.
    private static let good = 0.85...0.95
    /// Fewer say nothing.
    private static let enough = 50

    public func text(_ report: ForecastAccuracyReport) -> String {
        guard !report.series.isEmpty else {
            let steps = "24 steps of \(Duration.seconds(report.stepSeconds ?? 300).plain)"
            return "no forecast was held against what came yet: the first takes \(report.watched == 0 ? "a series" : steps)\n"
        }
        var table = Table([
            .init("SERIES", shrinksTo: 16), .init("AHEAD", right: true), .init("TIMES", right: true), .init("ERROR", right: true),
            .init("OF NAIVE", right: true), .init("IN 90 %", right: true), .init("IN 60 %", right: true, dropRank: 1),
            .init("OVER 95 %", right: true),
        ])
        for series in report.series {
            let unit = UnitText(unit: series.unit, numbers: numbers)
            for (number, score) in series.scores.enumerated() {
                let isFew = score.count < Self.enough
                let isGood = Self.good.contains(score.within90)
                table.append([
                    .init(number == 0 ? series.name : ""), .init(Duration.seconds(score.leadSeconds).plain), .init("\(score.count)"),
                    .init(unit.aligned(score.meanError)),
                    .init(score.errorAgainstNaive.map(hundredths) ?? "-", score.errorAgainstNaive.map { $0 > 1 } == true ? .yellow : nil),
                    .init(percent(score.within90), isFew ? .dim : isGood ? .green : .yellow), .init(percent(score.within60)),
                    .init(percent(score.above95)),
                ])
            }
        }
        let naive = Set(report.series.flatMap(\.scores).compactMap(\.naive))
        var foot = "the last seven days; naive repeats the "
        switch naive {
        case [], [.dayBefore]: foot += "day before\n"
        case [.lastValue]: foot += "last value, until there is a day before\n"
        default: foot += "day before, and until there was one the last value\n"
        }
        foot += "\(report.series.count) of \(report.scored) series with scores; \(report.watched) watched, at most \(report.limit)"
        if report.refused > 0 { foot += "; no room for \(report.refused)" }
        return table.text(for: output) + output.styled(foot + "\n", .dim)
    }
}
