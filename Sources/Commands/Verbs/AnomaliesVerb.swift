import FoundationEssentials
import NetworkTypes
import Reports

/// `nilo anomalies`: what was unusual.
public struct AnomaliesVerb: Hashable, Sendable {
    public enum Question: Hashable, Sendable {
        case list(since: Timestamp)
        case watch
        case judge(Int, isFalseAlarm: Bool)
        /// Seconds; 0 ends it.
        case silence(String, Int)
        case batch(AnomaliesBatch)
    }

    public var question: Question
    public var json: Bool
    public var numbers: NumberForm

    static let words = ["watch", "ack", "silence", "unsilence"]

    public static let specification = CommandSpecification(
        "anomalies", summary: "Show what is unusual: incidents, since when, and what explains them",
        discussion: """
            Every series that the agent watches (all traffic, interfaces, networks,
            applications, lasting links, the host's CPU, memory and disks) is looked at once
            a minute, and packets are looked at for scans and floods. What is unusual at one
            time and for one cause is one incident.

            With a word first:
              watch                   incidents as they happen
              ack ID [--false]        it was seen; with --false it was a false alarm
              silence NAME [--for 1h] tell nothing of a series, by its name as it is listed
                                      or its key, in which * stands for anything
              unsilence NAME          tell of it again

            With --batch no agent is asked: every DIR/CATEGORY/FILE.csv (seconds since the
            epoch, comma, value; an empty value is missing) is read in order, and one score
            from 0 to 1 a line is written to OUT/CATEGORY/FILE.csv. 0.5 or more is an alert:
            at most one for what goes on. No score knows of later values. What the anomalies
            of each file were goes to standard output.
            """,
        options: [
            OptionSpecification("since", value: "TIME", help: "incidents that went on after then (1h)"),
            OptionSpecification("false", help: "with ack: it was a false alarm"),
            OptionSpecification("for", value: "TIME", help: "with silence: how long, at most 720h (1h)"),
            OptionSpecification("batch", value: "DIR", help: "where the series are"),
            OptionSpecification("out", value: "OUT", help: "with --batch: where the scores go; made where it is missing"),
            NumberForm.option, .json, AgentConnection.option,
        ],
        operand: .init("WORD", count: 0...2, choices: words, form: "[WORD [NAME]]", help: "what to do; without it incidents are listed"),
        examples: [
            .init("nilo anomalies --since 1d", "what was unusual since yesterday"), .init("nilo anomalies watch", "as it happens"),
            .init("nilo anomalies ack 3 --false", "incident 3 was none"),
            .init("nilo anomalies silence '*backup*' --for 8h", "a night's work is planned"),
            .init("nilo anomalies --json | jq '.incidents[].members[].name'", "for a script"),
            .init("nilo anomalies --batch series --out scores", "score a folder of files"),
        ])

    private static func usage(_ why: String, hint: String = "nilo help anomalies tells more") -> CommandFailure {
        CommandFailure("anomalies", why, hint: hint, code: .usage)
    }

    public init(_ arguments: ParsedArguments, now: Timestamp) throws(CommandFailure) {
        json = arguments.has("json")
        numbers = NumberForm(arguments)
        question = try Self.question(arguments, now)
    }

    private static func question(_ arguments: ParsedArguments, _ now: Timestamp) throws(CommandFailure) -> Question {
        let word = arguments.operands.first
        func only(_ options: [String], _ count: Int, _ what: String) throws(CommandFailure) {
            guard arguments.operands.count == count else { throw usage("\(word ?? "the list") takes \(what)") }
            let all = ["since", "false", "for", "batch", "out"]
            if let other = all.first(where: { arguments.has($0) && !options.contains($0) }) {
                throw usage("--\(other) does not go with \(word ?? (arguments.has("batch") ? "--batch" : "the list"))")
            }
        }
        if arguments.has("batch") || arguments.has("out") {
            try only(["batch", "out"], 0, "--batch DIR and --out OUT alone")
            guard let folder = arguments.value("batch"), let out = arguments.value("out") else {
                throw usage("it takes both --batch DIR and --out OUT")
            }
            if arguments.has("json") { throw usage("--json does not go with --batch") }
            return .batch(AnomaliesBatch(folder: folder, out: out))
        }
        switch word {
        case nil:
            try only(["since"], 0, "nothing")
            let text = arguments.value("since") ?? "1h"
            guard let since = MomentText.moment(text, now: now) else {
                throw usage("--since \"\(text.visible)\" is not a moment", hint: MomentText.hint)
            }
            return .list(since: since)
        case "watch"?:
            try only([], 1, "nothing more")
            return .watch
        case "ack"?:
            try only(["false"], 2, "the number of an incident")
            guard let id = Int(arguments.operands[1]), id > 0 else {
                throw usage("ack \"\(arguments.operands[1].visible)\" is not the number of an incident", hint: "nilo anomalies lists them")
            }
            return .judge(id, isFalseAlarm: arguments.has("false"))
        case "silence"?:
            try only(["for"], 2, "the name of a series, or its key with * for anything")
            let length = try arguments.duration("for", in: .seconds(1)...(.seconds(30 * 86_400))) ?? .seconds(3600)
            return .silence(arguments.operands[1], max(1, Int(length.components.seconds)))
        case "unsilence"?:
            try only([], 2, "what was silenced")
            return .silence(arguments.operands[1], 0)
        case let other?:
            let near = Suggestion.nearest(to: other, among: words).map { "did you mean \($0)?" }
            throw usage("nothing is known to do with \"\(other.visible)\"", hint: near ?? "it is one of \(words.joined(separator: ", "))")
        }
    }
}

extension AnomaliesVerb {
    public static let command = Command(specification) { arguments, context in
        let verb = try AnomaliesVerb(arguments, now: MomentText.now)
        let agent = AgentConnection(arguments, context: context)
        switch verb.question {
        case .batch(let batch): try batch.run(context)
        case .list(let since):
            let report: IncidentListReport = try agent.ask("/v1/anomalies", [("since", "\(since)")], for: "list what is unusual")
            try context.write(
                verb.json
                    ? JSONOutput.text(report, pretty: true) : IncidentView(output: context.output, numbers: verb.numbers).text(report))
        case .watch: try verb.watch(agent, context)
        case .judge(let id, let isFalseAlarm):
            let verdict = isFalseAlarm ? "false-alarm" : "seen"
            let answer: VerdictReport = try agent.tell(
                "/v1/anomalies/judge", [("id", "\(id)"), ("verdict", verdict)], for: "judge incident \(id)")
            try context.write(verb.json ? JSONOutput.text(answer, pretty: true) : IncidentView.text(answer))
        case .silence(let pattern, let seconds):
            let what = seconds == 0 ? "end the silence" : "silence \(pattern.visible)"
            let answer: SilenceReport = try agent.tell(
                "/v1/anomalies/silence", [("pattern", pattern), ("seconds", "\(seconds)")], for: what)
            let view = IncidentView(output: context.output, numbers: verb.numbers)
            try context.write(verb.json ? JSONOutput.text(answer, pretty: true) : view.text(answer, of: pattern, seconds))
        }
    }

    /// Incidents as they happen, until interrupted: lines for people, or one document a line.
    private func watch(_ agent: AgentConnection, _ context: CommandContext) throws {
        var failure: (any Error)?
        let view = IncidentView(output: context.output, numbers: numbers)
        if !json, context.output.isTerminal { context.complain("watching for anomalies; Ctrl-C ends it\n") }
        try agent.events("/v1/anomalies/events", []) { line in
            do {
                if json {
                    try context.write(line + "\n")
                } else if !line.isEmpty {
                    try context.write(view.text(JSONDecoder().decode(IncidentEventReport.self, from: Data(line.utf8))))
                }
                return true
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        throw CommandFailure(
            "watch for anomalies", "the agent ended it: it stops, or this reader fell behind", hint: "nilo status tells whether it runs")
    }
}
