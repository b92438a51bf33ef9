import Forecasting
import NetworkTypes
import Reports

/// `nilo forecast`: what a series will do, as quantiles; of an agent's history, or of files.
public struct ForecastVerb: Sendable {
    enum Source {
        case series(name: String, step: Duration?, horizon: Duration?, inPackets: Bool)
        case batch(ForecastBatch)
    }

    var source: Source
    var json: Bool
    var numbers: NumberForm

    public static let specification = CommandSpecification(
        "forecast", summary: "Forecast traffic, as quantiles",
        discussion: """
            What comes over an interface, a link, a network, an application or over all, by
            the history that the agent keeps: eleven quantiles of each step ahead. Half of
            what comes is expected to be over the 50 %, one part in twenty over the 95 %.
            Without --step it is the longest of 5m, 1m and 10s that there is history for.

            With --batch the tasks of a file are answered and no agent is asked: from rows
            train_start up to train_end of a series (a column of DIR/DATASET.csv, an empty
            cell is a gap) the H steps that follow, as task_id,h,q05,q10,q20,...,q90,q95.
            TASKS has the columns task_id, dataset, series, train_start, train_end, H and
            step_s (seconds from row to row); others are passed over. What nothing can be
            said to is named on standard error, with the reason.
            """,
        options: [
            OptionSpecification("horizon", value: "TIME", help: "how far ahead (60 steps, or what there is history for)"),
            OptionSpecification("step", value: "TIME", choices: ["10s", "1m", "5m", "1h"], help: "how finely"),
            OptionSpecification("packets", help: "packets, not bits"),
            OptionSpecification("batch", value: "TASKS", help: "answer a file of tasks (CSV)"),
            OptionSpecification("data", value: "DIR", help: "with --batch: where the series are"),
            OptionSpecification("times", help: "with --batch: tell each task's CPU time on standard error"),
            NumberForm.option, .json, AgentConnection.option,
        ],
        operand: .init("SERIES", count: 0...1, help: "a key or name as nilo topology tells them; without it all traffic"),
        examples: [
            .init("nilo forecast", "all traffic"), .init("nilo forecast web-1:eth0 --horizon 6h", "an interface, for six hours"),
            .init("nilo forecast --json app/postgres", "for a script"),
            .init("nilo forecast --batch tasks.csv --data data >forecasts.csv", "answer a file of tasks"),
        ])

    public init(_ arguments: ParsedArguments) throws(CommandFailure) {
        json = arguments.has("json")
        numbers = NumberForm(arguments)
        func usage(_ why: String) -> CommandFailure {
            CommandFailure("forecast", why, hint: "nilo help forecast tells more", code: .usage)
        }
        let offline = ["batch", "data", "times"].filter(arguments.has)
        guard offline.isEmpty else {
            guard let tasks = arguments.value("batch"), let folder = arguments.value("data") else {
                throw usage("--\(offline[0]) takes both --batch TASKS and --data DIR")
            }
            let other = ["horizon", "step", "packets", "json", "socket"].first(where: arguments.has)
            if let other { throw usage("--\(other) does not go with --batch") }
            if let name = arguments.operands.first { throw usage("\(name.visible) does not go with --batch") }
            source = .batch(ForecastBatch(tasks: tasks, folder: folder, times: arguments.has("times")))
            return
        }
        let step = try arguments.duration("step", in: .seconds(1)...(.seconds(3600)))
        let horizon = try arguments.duration("horizon", in: .seconds(10)...(.seconds(7 * 86_400)))
        source = .series(name: arguments.operands.first ?? "total", step: step, horizon: horizon, inPackets: arguments.has("packets"))
    }
}

extension ForecastVerb {
    public static let command = Command(specification) { arguments, context in
        let verb = try ForecastVerb(arguments)
        switch verb.source {
        case .batch(let batch): try batch.run(context)
        case .series(let name, let step, let horizon, let inPackets):
            let question = SeriesForecast.Question(name: name, step: step, horizon: horizon, inPackets: inPackets)
            let report = try SeriesForecast(AgentConnection(arguments, context: context), now: MomentText.now).answer(question)
            if verb.json { return try context.write(JSONOutput.text(report, pretty: true)) }
            try context.write(ForecastView(output: context.output, numbers: verb.numbers).text(report))
        }
    }
}
