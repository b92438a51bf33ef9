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
        if report.isCounted == true { text += output.styled("the file tells no times: they are counted from 00:00\n", .dim) }
        if let paused = report.paused { text += output.styled("! nothing is changed: \(paused.visible)\n", .yellow) }
        if let seconds = report.confirmWithinSeconds {
            text += output.styled(
                "the last changes are being measured; taken back in \(Duration.seconds(seconds).short) unless they do no harm\n", .dim)
        }
        guard !report.classes.isEmpty || !report.routes.isEmpty else {
            return text + (report.mode == "off" ? "" : "no class and no route is planned: docs/planning.md tells how\n")
        }
        if !report.classes.isEmpty { text += "\n" + classes(report) + notes(report) }
        if report.classes.contains(where: { $0.score != nil }) { text += "\n" + scores(report) }
        if !report.routes.isEmpty { text += "\n" + routes(report) }
        let time = times(report)
        let changes =
            report.actions.map { (at: $0.at, text: action($0, time($0.at))) }
            + report.shifts.map { (at: $0.at, text: shift($0, time($0.at))) }
        if !changes.isEmpty { text += "\n" + changes.sorted { $0.at > $1.at }.map(\.text).joined() }
        return text
    }

    /// How times of changes are told: of the agent's in local time; of a replay's as its file has them, with the day where they are of several.
    private func times(_ report: PlanningReport) -> (String) -> String {
        guard report.mode == "replay" else {
            let now = Timestamp(rfc3339: report.at) ?? MomentText.now
            return { MomentText.local($0, beside: now) }
        }
        let days = Set((report.actions.map(\.at) + report.shifts.map(\.at)).map { $0.prefix(10) })
        return { at in
            let clock = String(at.dropFirst(11).prefix(8))
            guard days.count > 1 else { return clock }
            guard report.isCounted == true, let moment = Timestamp(rfc3339: at) else { return "\(at.prefix(10)) \(clock)" }
            return "day \(moment.nanoseconds / 86_400_000_000_000 + 1) \(clock)"
        }
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

    /// A line for each path, the route's name at its first.
    private func routes(_ report: PlanningReport) -> String {
        var table = Table([
            .init("ROUTE", shrinksTo: 8), .init("OVER", shrinksTo: 8), .init("SHARE", right: true), .init("OF IT", right: true),
            .init("LINK", right: true), .init("LIMIT", right: true), .init("EXPECTED", right: true), .init("OVERLOADED", right: true),
            .init("FIRST ONLY", right: true, dropRank: 0),
        ])
        table.narrowGap = 1
        var notes = ""
        for route in report.routes {
            for (place, path) in route.paths.enumerated() {
                let isFull = (path.linkBitsPerSecond ?? 0) > path.limitBitsPerSecond
                let isFirst = place == 0
                table.append([
                    .init(isFirst ? route.name.visible : "", .bold), .init(path.interface.visible, path.isUsable ? nil : .red),
                    .init("\(path.weight) %"), .init(numbers.rate(path.carriedBitsPerSecond)),
                    .init(numbers.rate(path.linkBitsPerSecond), isFull ? .red : nil), .init(numbers.rate(path.limitBitsPerSecond)),
                    .init(isFirst ? numbers.rate(route.expectedBitsPerSecond) : ""),
                    .init(isFirst ? route.score.map { Self.time($0.overloadSeconds) } ?? "" : ""),
                    .init(isFirst ? route.score.map { Self.time($0.overloadSecondsFirst) } ?? "" : ""),
                ])
            }
            func note(_ text: String, _ style: TextStyle) { notes += output.styled("  \(route.name.visible): \(text)\n", style) }
            if let trouble = route.trouble { note(trouble.visible, .red) }
            for path in route.paths where !path.isUsable { note("\(path.interface.visible) is down, or not counted", .red) }
            if let reason = route.abstention { note("no forecast: \(reason.visible); planned by what was measured", .yellow) }
            for refusal in route.refusals { note(refusal.visible, .yellow) }
        }
        return table.text(for: output) + notes
    }

    private static func time(_ seconds: Int) -> String { seconds == 0 ? "0 s" : Duration.seconds(seconds).short }

    private func action(_ action: PlanningReport.Action, _ time: String) -> String {
        let (from, to) = rates(action.fromBitsPerSecond, action.toBitsPerSecond)
        return change(
            time, action.name, from, to, action.because,
            (action.expected, action.measured), (action.outcome, action.reason))
    }

    private func shift(_ shift: PlanningReport.Shift, _ time: String) -> String {
        func spread(_ weights: [Int]) -> String { weights.map(String.init).joined(separator: ":") }
        return change(
            time, shift.name, spread(shift.from), spread(shift.to), shift.because, (shift.expected, shift.measured),
            (shift.outcome, shift.reason))
    }

    private func change(
        _ time: String, _ name: String, _ from: String, _ to: String, _ because: String,
        _ effects: (expected: PlanningReport.Effect?, measured: PlanningReport.Effect?), _ end: (outcome: String, reason: String?)
    ) -> String {
        let style: TextStyle = end.outcome == "rolled-back" || end.outcome == "failed" ? .red : .dim
        var text = "\(time) \(output.styled(name.visible, .bold)) \(from) → \(to): \(because.visible)\n"
        var parts: [String] = []
        if let effect = effects.expected { parts.append("expected overload \(Self.effect(effect))") }
        if let effect = effects.measured {
            parts.append("measured \(Self.effect(effect)) in \(Duration.seconds(effect.seconds).short)")
        }
        parts.append(end.outcome + (end.reason.map { ": \($0.visible)" } ?? ""))
        text += output.styled("         \(parts.joined(separator: "; "))\n", style)
        return text
    }

    /// Two rates, with as many digits as it takes to tell them apart.
    private func rates(_ from: Double, _ to: Double) -> (String, String) {
        if numbers == .exact { return (numbers.rate(from), numbers.rate(to)) }
        let short = (BitRate(bitsPerSecond: from).description, BitRate(bitsPerSecond: to).description)
        guard short.0 == short.1, from != to else { return short }
        let units = [(1e12, "Tb/s"), (1e9, "Gb/s"), (1e6, "Mb/s"), (1e3, "kb/s")]
        let (scale, unit) = units.first { max(from, to) >= $0.0 } ?? (1, "b/s")
        for places in 2...6 {
            let text = [from, to].map { fixed($0 / scale, places: places) }
            if text[0] != text[1] { return ("\(text[0]) \(unit)", "\(text[1]) \(unit)") }
        }
        return short
    }

    private static func effect(_ effect: PlanningReport.Effect) -> String {
        func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }
        return "\(percent(effect.overloaded)), without it \(percent(effect.overloadedWithout))"
    }
}
