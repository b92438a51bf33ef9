import Agent
import Configuration
import NetworkTypes
import Policy
import Reports

/// `nilo planning`: what the closed loop does, or would do. The answer is a `PlanningReport`, shown by `PlanningView`.
public enum PlanningVerb {
    public static let specification = CommandSpecification(
        "planning", summary: "Show how rates and routes follow what is expected, and how that fares",
        discussion: """
            For each class that policy files have planned: what it is asked to carry, what
            is expected of it, what planning allocates it (or would, in mode observe) and
            what the files say, and the score of both: seconds in which more was asked for
            than allocated, and mean allocations. For each route: how its traffic is
            spread over its paths, what they carry, and how far they may be filled. Then
            the last changes: why, what was expected of them, and what was measured.

            With --replay no agent is asked: what was recorded is planned once more, to see
            how a declaration would have fared. The file begins with a header ts,CLASS,...
            with each class of --policy, and has a line for each interval, means in bits a
            second; lines before --from are history. ts tells when a line was (RFC 3339,
            taken as UTC where it names no zone, or seconds since 1970), and how far lines
            are apart; where it tells no times they are counted from 00:00 and a line is
            of --interval.
            """,
        options: [
            OptionSpecification("replay", value: "CSV", help: "plan recorded demand instead"),
            OptionSpecification("policy", value: "FILE", help: "for --replay: the policy file with its plan"),
            OptionSpecification("from", value: "LINE", help: "for --replay: the first line to plan, counted from 0"),
            OptionSpecification("interval", value: "TIME", help: "for --replay: of a line (as ts says, else 5m)"),
            OptionSpecification("top", value: "N", help: "changes that are shown (10, at most 500)"), NumberForm.option, .json,
            AgentConnection.option,
        ],
        examples: [
            .init("nilo planning", "one screen"), .init("nilo planning --top 100 --json", "the journal, for scripts"),
            .init("sudo nilo agent --auto", "an agent that carries out what it plans"),
        ])

    public static let command = Command(specification) { arguments, context in
        let top = try arguments.number("top", in: 0...500) ?? 10
        if !arguments.has("replay"), let other = ["policy", "from", "interval"].first(where: arguments.has) {
            throw CommandFailure("planning", "--\(other) goes with --replay", hint: "nilo help planning tells more", code: .usage)
        }
        let report =
            try arguments.value("replay").map { try replay($0, arguments, top, context) }
            ?? AgentConnection(arguments, context: context).ask("/v1/planning", [("top", "\(top)")], for: "ask for what is planned")
        try context.write(
            arguments.has("json")
                ? JSONOutput.text(report, pretty: true)
                : PlanningView(output: context.output, numbers: NumberForm(arguments)).text(report))
    }

    private static func replay(
        _ path: String, _ arguments: ParsedArguments, _ top: Int, _ context: CommandContext
    ) throws(CommandFailure) -> PlanningReport {
        let what = "replay \(path)"
        guard let file = arguments.value("policy") else {
            throw CommandFailure(what, "no policy is given", hint: "--policy FILE with shape: and plan:", code: .usage)
        }
        let policy: Policy
        let text = try ApplyVerb.text(of: file)
        do throws(PolicyFile.Failure) { policy = try PolicyFile.parse(Array(text.utf8), file: file).policy } catch {
            throw CommandFailure(what, "\(error)")
        }
        let recorded = try SeriesFile(path, for: what)
        let table = try recorded.table(for: what)
        let names = policy.plans.map(\.rule)
        if let missing = names.first(where: { table[$0] == nil }) {
            throw CommandFailure(what, "there is no column for the class \(missing)", hint: "a header line names the columns")
        }
        guard !names.isEmpty else { throw CommandFailure(what, "\(file) plans no class", hint: "docs/planning.md") }
        let demand = table.filter { names.contains($0.key) }
        let lines = demand.values.map(\.count).min() ?? 0
        guard lines > 0 else { throw CommandFailure(what, "there is no line of demand", hint: "nilo help planning tells the form") }
        for (name, values) in demand.sorted(by: { $0.key < $1.key }) {
            guard let row = values.firstIndex(where: { $0 < 0 }) else { continue }
            throw CommandFailure(what, "\(name): value \(row + 1), a demand of \(values[row]) b/s, is below 0")
        }
        let first = try arguments.number("from", in: 0...max(0, lines - 1)) ?? 0
        let asked = try arguments.duration("interval", in: .seconds(1)...Duration.seconds(3600)).map { length throws(CommandFailure) in
            guard length.components.attoseconds == 0 else {
                throw CommandFailure("planning", "--interval wants whole seconds, not \(length.short)", hint: "as 2s, 5m", code: .usage)
            }
            return Int(length.components.seconds)
        }
        let moments = try recorded.moments(for: what) ?? []
        let apart = zip(moments.dropFirst(), moments).map { Int($0 - $1) }
        let interval = asked ?? apart.first.flatMap { (1...3600).contains($0) ? $0 : nil } ?? 300
        if let uneven = apart.firstIndex(where: { $0 != interval }) {
            let far = "line \(uneven + 3) is \(apart[uneven]) s after the line before, not \(interval) s"
            context.complain("nilo: \(path.visible): \(far): times are counted from the first line on\n")
        }
        return PlanningReplay(
            policy, demand: demand.mapValues { Array($0.prefix(lines)) }, intervalSeconds: interval, start: moments.first
        )
        .report(from: first, changes: top)
    }
}
