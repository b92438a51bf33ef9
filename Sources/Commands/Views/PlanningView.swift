import NetworkTypes
import Reports
import Terminal

/// What planning does, for people.
public struct PlanningView: Sendable {
    public var output: TerminalOutput
    public var numbers: NumberForm

    public init(output: TerminalOutput, numbers: NumberForm = .short) {
        self.output = output
        self.numbers = numbers
    }

    public func text(_ report: PlanningReport) -> String {
        var text = output.styled("planning: \(Self.mode(report))", .bold) + "\n"
        if let paused = report.paused { text += output.styled("! nothing is changed: \(paused.visible)\n", .yellow) }
        if let seconds = report.confirmWithinSeconds {
            text += output.styled(
                "the last changes are being measured; taken back in \(Duration.seconds(seconds).short) unless they do no harm\n", .dim)
        }
        guard !report.classes.isEmpty else {
            return text + (report.mode == "off" ? "" : "no class is planned: docs/planning.md tells how\n")
        }
        text += "\n" + classes(report) + notes(report)
        if report.classes.contains(where: { $0.score != nil }) { text += "\n" + scores(report) }
        if !report.actions.isEmpty { text += "\n" + report.actions.map { action($0, report) }.joined() }
        return text
    }

    private static func mode(_ report: PlanningReport) -> String {
        let every = "every \(Duration.seconds(report.intervalSeconds).short)"
        switch report.mode {
        case "auto": return "auto, \(every)"
        case "replay": return "replayed, \(every)"
        case "observe": return "observe, \(every): nothing is changed, this is what it would do"
        default: return report.mode
        }
    }

    private func classes(_ report: PlanningReport) -> String {
        var table = Table([
            .init("CLASS", shrinksTo: 8), .init("CRIT", right: true), .init("ASKED FOR", right: true), .init("EXPECTED", right: true),
            .init("ALLOCATED", right: true), .init("IN FILES", right: true), .init("AHEAD", right: true, dropRank: 0),
        ])
        table.narrowGap = 1
        for one in report.classes {
            let isShort = (one.demandBitsPerSecond ?? 0) > one.allocationBitsPerSecond
            table.append([
                .init(one.name.visible, .bold), .init("\(one.criticality)"), .init(numbers.rate(one.demandBitsPerSecond)),
                .init(numbers.rate(one.expectedBitsPerSecond)), .init(numbers.rate(one.allocationBitsPerSecond), isShort ? .red : nil),
                .init(numbers.rate(one.declaredBitsPerSecond)), .init(Duration.seconds(one.leadSeconds).short),
            ])
        }
        return table.text(for: output)
    }

    private func notes(_ report: PlanningReport) -> String {
        var text = ""
        for one in report.classes {
            if let reason = one.abstention {
                text += output.styled("  \(one.name.visible): no forecast: \(reason.visible); planned by what was measured\n", .yellow)
            }
            for refusal in one.refusals { text += output.styled("  \(one.name.visible): \(refusal.visible)\n", .yellow) }
        }
        return text
    }

    private func scores(_ report: PlanningReport) -> String {
        var table = Table([
            .init("SCORE", shrinksTo: 8), .init("OVERLOADED", right: true), .init("IN FILES", right: true), .init("MEAN", right: true),
            .init("IN FILES", right: true), .init("DEMAND", right: true), .init("OVER", right: true),
        ])
        table.narrowGap = 1
        for one in report.classes {
            guard let score = one.score else { continue }
            let isWorse = score.overloadSeconds > score.overloadSecondsDeclared
            table.append([
                .init(one.name.visible, .bold), .init(Self.time(score.overloadSeconds), isWorse ? .yellow : nil),
                .init(Self.time(score.overloadSecondsDeclared)), .init(numbers.rate(score.meanAllocation)),
                .init(numbers.rate(score.meanDeclared)), .init(numbers.rate(score.meanDemand)), .init(Self.time(score.seconds)),
            ])
        }
        return table.text(for: output)
    }

    private static func time(_ seconds: Int) -> String { seconds == 0 ? "0 s" : Duration.seconds(seconds).short }

    private func action(_ action: PlanningReport.Action, _ report: PlanningReport) -> String {
        let time = action.at.split(separator: "T").last.map { String($0.prefix(8)) } ?? action.at
        let (from, to) = (rate(action.fromBitsPerSecond), rate(action.toBitsPerSecond))
        let style: TextStyle = action.outcome == "rolled-back" || action.outcome == "failed" ? .red : .dim
        var text = "\(time) \(output.styled(action.name.visible, .bold)) \(from) → \(to): \(action.because.visible)\n"
        var parts: [String] = []
        if let effect = action.expected { parts.append("expected overload \(Self.effect(effect))") }
        if let effect = action.measured {
            parts.append("measured \(Self.effect(effect)) in \(Duration.seconds(effect.seconds).short)")
        }
        parts.append(action.outcome + (action.reason.map { ": \($0.visible)" } ?? ""))
        text += output.styled("         \(parts.joined(separator: "; "))\n", style)
        return text
    }

    private func rate(_ bits: Double) -> String { numbers == .exact ? numbers.rate(bits) : "\(BitRate(bitsPerSecond: bits))" }

    private static func effect(_ effect: PlanningReport.Effect) -> String {
        func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }
        return "\(percent(effect.overloaded)), without it \(percent(effect.overloadedWithout))"
    }
}
