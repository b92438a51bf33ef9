import Forecasting
import Glibc
import NetworkTypes

/// A file of tasks, answered: `nilo forecast --batch`.
struct ForecastBatch {
    var tasks: String
    var folder: String
    /// Tell what each took.
    var times: Bool

    func run(_ context: CommandContext) throws {
        let file = self.tasks
        let tasks = try ForecastTask.all(in: SeriesFile(file, for: ForecastTask.purpose))
        guard !tasks.isEmpty else { throw CommandFailure(ForecastTask.purpose, "\(file): there is no task") }
        var sets: [String: Result<[String: [Float]], CommandFailure>] = [:]
        for set in Set(tasks.map(\.set)) { sets[set] = Result { () throws(CommandFailure) in try table(of: set) } }
        try context.write("task_id,h,q05,q10,q20,q30,q40,q50,q60,q70,q80,q90,q95\n")
        func tell(_ task: ForecastTask, _ what: String) { context.complain("\(task.name): \(what)".visible + "\n") }
        // What has too little to go by is an answer; what cannot be read is not.
        var unread = 0
        func passOver(_ task: ForecastTask, _ why: String) {
            unread += 1
            tell(task, why)
        }
        var spent: [Double] = []
        for task in tasks {
            let table: [String: [Float]]
            switch sets[task.set] {
            case .success(let found)?: table = found
            case .failure(let failure)?:
                passOver(task, failure.why)
                continue
            case nil: preconditionFailure(task.set)
            }
            guard let series = table[task.series] else {
                passOver(task, "there is no series \(task.series) in \(task.set).csv")
                continue
            }
            guard task.history.upperBound <= series.count else {
                passOver(task, "train_end \(task.history.upperBound) is beyond the \(series.count) values of \(task.series)")
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
        if unread > 0 { throw CommandFailure("answer the tasks", "\(unread) of \(tasks.count) are of series that cannot be read") }
    }

    private func table(of set: String) throws(CommandFailure) -> [String: [Float]] {
        let purpose = "read the series"
        return try SeriesFile("\(folder)/\(set).csv", for: purpose).table(for: purpose)
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
