import Forecasting
import Glibc
import NetworkTypes

/// `nilo forecast`: what series will do, as quantiles.
public struct ForecastVerb: Hashable, Sendable {
    public var tasks: String
    public var folder: String
    public var times: Bool

    public static let specification = CommandSpecification(
        "forecast", summary: "Forecast series in files, as quantiles",
        discussion: """
            Answers each task of a file: from rows train_start up to train_end of a series
            (a column of DIR/DATASET.csv, an empty cell is a gap) eleven quantiles of each
            of the H steps that follow, as task_id,h,q05,q10,q20,...,q90,q95. Nothing else
            of the file is looked at. A task that nothing can be said to is named on
            standard error, with the reason. No agent is asked.

            TASKS has the columns task_id, dataset, series, train_start, train_end, H and
            step_s (seconds from row to row); others are passed over.
            """,
        options: [
            OptionSpecification("batch", value: "TASKS", help: "the file of tasks (CSV)"),
            OptionSpecification("data", value: "DIR", help: "where the series are"),
            OptionSpecification("times", help: "tell the CPU time of each task on standard error"),
        ],
        examples: [.init("nilo forecast --batch tasks.csv --data data >forecasts.csv", "answer a file of tasks")])

    public init(_ arguments: ParsedArguments) throws(CommandFailure) {
        guard let tasks = arguments.value("batch"), let folder = arguments.value("data") else {
            throw CommandFailure("forecast", "it takes --batch TASKS and --data DIR", hint: "nilo help forecast tells more", code: .usage)
        }
        self.tasks = tasks
        self.folder = folder
        times = arguments.has("times")
    }
}

extension ForecastVerb {
    public static let command = Command(specification) { arguments, context in try ForecastVerb(arguments).run(context) }

    func run(_ context: CommandContext) throws {
        let tasks = try ForecastTask.all(in: SeriesFile(tasks, for: ForecastTask.purpose))
        var sets: [String: [String: [Float]]] = [:]
        for set in Set(tasks.map(\.set)) {
            let purpose = "read the series"
            sets[set] = try SeriesFile("\(folder)/\(set).csv", for: purpose).table(for: purpose)
        }
        try context.write("task_id,h,q05,q10,q20,q30,q40,q50,q60,q70,q80,q90,q95\n")
        func tell(_ task: ForecastTask, _ what: String) { context.complain("\(task.name): \(what)".visible + "\n") }
        var spent: [Double] = []
        for task in tasks {
            guard let series = sets[task.set]?[task.series] else {
                tell(task, "there is no series \(task.series) in \(task.set).csv")
                continue
            }
            guard task.history.upperBound <= series.count else {
                tell(task, "train_end \(task.history.upperBound) is beyond the \(series.count) values of \(task.series)")
                continue
            }
            let began = Self.processorMilliseconds
            let answer = Self.forecast(task, series[task.history])
            let took = Self.processorMilliseconds - began
            switch answer {
            case .success(let forecast):
                spent.append(took)
                try context.write(Self.rows(task.name, forecast))
                if times { tell(task, "\(Self.rounded(took)) ms") }
            case .failure(let abstention): tell(task, "no forecast: \(abstention)")
            }
        }
        if times, !spent.isEmpty {
            context.complain("\(spent.count) tasks, \(Self.rounded(spent.reduce(0, +) / Double(spent.count))) ms each\n")
        }
    }

    private static func forecast(_ task: ForecastTask, _ values: ArraySlice<Float>) -> Result<Forecast, ForecastAbstention> {
        Result { () throws(ForecastAbstention) in
            try ForecastModel(fitting: values, stepSeconds: task.stepSeconds, horizon: task.steps).forecast(after: values)
        }
    }

    private static func rows(_ task: String, _ forecast: Forecast) -> String {
        var text = ""
        for step in 1...forecast.steps {
            text += "\(task),\(step)"
            for level in Forecast.levels.indices { text += ",\(forecast[step, level])" }
            text += "\n"
        }
        return text
    }

    private static var processorMilliseconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1000 + Double(time.tv_nsec) / 1_000_000
    }

    private static func rounded(_ milliseconds: Double) -> Double { (milliseconds * 1000).rounded() / 1000 }
}
