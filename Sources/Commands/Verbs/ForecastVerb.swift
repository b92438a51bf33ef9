import NetworkTypes
import Reports

/// `nilo forecast`: what a series will do, as quantiles; of an agent's history, or of files.
public struct ForecastVerb: Sendable {
    enum Form: String, CaseIterable { case table, svg, png, json }

    enum Source {
        case series(name: String, step: Step?, horizon: Duration?)
        case accuracy(name: String?, top: Int)
        case batch(ForecastBatch)
    }

    /// How finely, and as the agent calls it.
    enum Step: String, CaseIterable {
        case tenSeconds = "10s"
        case fiveMinutes = "5m"
        case hour = "1h"

        fileprivate var span: String {
            switch self {
            case .tenSeconds: "minutes"
            case .fiveMinutes: "day"
            case .hour: "week"
            }
        }
    }

    var source: Source
    var form: Form
    var inPackets: Bool
    var numbers: NumberForm

    static let accuracy = "accuracy"

    public static let specification = CommandSpecification(
        "forecast", summary: "Forecast traffic and the host's load, as quantiles",
        discussion: """
            What comes over an interface, a link, a network, an application or over all, by
            its key or name as nilo topology tells it, or what the host itself has: cpu,
            memory, disk, space (on disk), flows. Eleven quantiles of each step ahead: half
            of what comes is expected to be over the 50 %, one part in twenty over the 95 %.
            Steps of 5 minutes reach a day ahead, of 10 seconds ten minutes, of an hour a
            week. Without --step it is 5 minutes, or 10 seconds where the history is short.

            nilo forecast accuracy [SERIES] tells how the agent's forecasts did in the last
            week, held against what came: for each lead the error beside that of repeating
            the day before, and how much came within the intervals.

            With --batch the tasks of a file are answered and no agent is asked: from rows
            train_start up to train_end of a series (a column of DIR/DATASET.csv, an empty
            cell is a gap) the H steps that follow, as task_id,h,q05,q10,q20,...,q90,q95.
            TASKS has the columns task_id, dataset, series, train_start, train_end, H and
            step_s (seconds from row to row); others are passed over. What nothing can be
            said to is named on standard error, with the reason.
            """,
        options: [
            OptionSpecification("horizon", value: "TIME", help: "how far ahead"),
            OptionSpecification("step", value: "TIME", choices: Step.allCases.map(\.rawValue), help: "how finely"),
            OptionSpecification("packets", help: "packets, not bits"),
            OptionSpecification("top", short: "n", value: "COUNT", help: "with accuracy: the most series (20)"),
            OptionSpecification(
                "format", short: "f", value: "FORM", choices: Form.allCases.map(\.rawValue), help: "how to show it (table)"),
            OptionSpecification("batch", value: "TASKS", help: "answer a file of tasks (CSV)"),
            OptionSpecification("data", value: "DIR", help: "with --batch: where the series are"),
            OptionSpecification("times", help: "with --batch: tell each task's CPU time on standard error"),
            NumberForm.option, .json, AgentConnection.option,
        ],
        operand: .init(
            "SERIES", count: 0...2, choices: [accuracy], form: "[accuracy] [SERIES]",
            help: "what to forecast; without it all traffic"),
        examples: [
            .init("nilo forecast", "all traffic"), .init("nilo forecast web-1:eth0 --horizon 6h", "an interface, for six hours"),
            .init("nilo forecast cpu --step 1h", "the host's CPUs, for a week"),
            .init("nilo forecast --format svg eth0 >eth0.svg", "a picture, with what was forecast before; png too"),
            .init("nilo forecast accuracy", "how far forecasts can be trusted"),
            .init("nilo forecast --json postgres", "for a script"),
            .init("nilo forecast --batch tasks.csv --data data >forecasts.csv", "answer a file of tasks"),
        ])

    static func usage(_ why: String) -> CommandFailure {
        CommandFailure("forecast", why, hint: "nilo help forecast tells more", code: .usage)
    }

    public init(_ arguments: ParsedArguments) throws(CommandFailure) {
        let asked = arguments.value("format").flatMap(Form.init)
        if arguments.has("json"), let asked, asked != .json { throw Self.usage("--json and --format \(asked.rawValue) are two things") }
        form = arguments.has("json") ? .json : asked ?? .table
        inPackets = arguments.has("packets")
        numbers = NumberForm(arguments)
        let offline = ["batch", "data", "times"].filter(arguments.has)
        guard offline.isEmpty else {
            source = .batch(try Self.batch(arguments, offline[0]))
            return
        }
        let horizon = try arguments.duration("horizon", in: .seconds(1)...(.seconds(8 * 7 * 86_400)))
        let isAccuracy = arguments.operands.first == Self.accuracy
        let names = arguments.operands.dropFirst(isAccuracy ? 1 : 0)
        guard names.count <= 1 else { throw Self.usage("\"\(names.last!.visible)\" is one too many") }
        guard isAccuracy else {
            if arguments.has("top") { throw Self.usage("--top goes with accuracy") }
            let step = arguments.value("step").flatMap(Step.init)
            source = .series(name: names.first ?? "total", step: step, horizon: horizon)
            return
        }
        for other in ["horizon", "step"] where arguments.has(other) { throw Self.usage("--\(other) does not go with accuracy") }
        if form == .svg || form == .png { throw Self.usage("--format \(form.rawValue) does not go with accuracy") }
        source = .accuracy(name: names.first, top: try arguments.number("top", in: 1...100_000) ?? 20)
    }

    private static func batch(_ arguments: ParsedArguments, _ first: String) throws(CommandFailure) -> ForecastBatch {
        guard let tasks = arguments.value("batch"), let folder = arguments.value("data") else {
            throw usage("--\(first) takes both --batch TASKS and --data DIR")
        }
        let other = ["horizon", "step", "packets", "top", "format", "json", "socket"].first(where: arguments.has)
        if let other { throw usage("--\(other) does not go with --batch") }
        if let name = arguments.operands.first { throw usage("\(name.visible) does not go with --batch") }
        return ForecastBatch(tasks: tasks, folder: folder, times: arguments.has("times"))
    }
}

extension ForecastVerb {
    public static let command = Command(specification) { arguments, context in
        let verb = try ForecastVerb(arguments)
        switch verb.source {
        case .batch(let batch): try batch.run(context)
        case .series(let name, let step, let horizon):
            try verb.show(name, step, horizon, AgentConnection(arguments, context: context), context)
        case .accuracy(let name, let top):
            let query = [("measure", verb.measure), ("top", "\(top)")] + (name.map { [("key", $0)] } ?? [])
            let report: ForecastAccuracyReport = try AgentConnection(arguments, context: context)
                .ask("/v1/forecast/accuracy", query, for: "tell how forecasts did", timeout: .seconds(60))
            try context.write(
                verb.form == .json
                    ? JSONOutput.text(report, pretty: true) : AccuracyView(output: context.output, numbers: verb.numbers).text(report))
        }
    }

    private var measure: String { inPackets ? "packets" : "bits" }

    private func show(_ name: String, _ step: Step?, _ horizon: Duration?, _ agent: AgentConnection, _ context: CommandContext) throws {
        var query = [("key", name), ("measure", measure)]
        if let step { query.append(("span", step.span)) }
        var report: ForecastReport = try agent.ask("/v1/forecast", query, for: "forecast", timeout: .seconds(60))
        if let horizon {
            let steps = max(1, Int((horizon / .seconds(report.stepSeconds)).rounded(.up)))
            guard steps <= 2016 else {
                throw CommandFailure(
                    "forecast", "--horizon is \(steps) steps of \(Duration.seconds(report.stepSeconds).plain), and 2016 are the most",
                    hint: "take a longer --step", code: .usage)
            }
            report = try agent.ask("/v1/forecast", query + [("steps", "\(steps)")], for: "forecast", timeout: .seconds(60))
            let told = report.directions.compactMap(\.quantiles?.count).max() ?? steps
            if told < steps {
                let reach = Duration.seconds(told * report.stepSeconds).plain
                context.complain("nilo: the history is long enough to forecast \(reach) ahead, not \(horizon.plain)\n")
            }
        }
        switch form {
        case .json: try context.write(JSONOutput.text(report, pretty: true))
        case .svg: try context.write(ForecastSVG(report).text)
        case .png: try context.write(png: ForecastSVG(report).text, of: "forecast")
        case .table: try context.write(ForecastView(output: context.output, numbers: numbers).text(report))
        }
    }
}
