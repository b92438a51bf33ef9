// Answers a file of forecasting tasks, for scoring by the rolling-origin protocol that docs/forecasting.md describes.
import Forecasting
import Glibc

@main struct ForecastProbe {
    private static let usage = """
        usage: forecast-probe --batch TASKS.csv --data DIR [--times]

        Reads tasks (task_id,dataset,series,train_start,train_end,H,m,m2,step_s) and DIR/DATASET.csv, and prints
        task_id,h,q05,q10,q20,q30,q40,q50,q60,q70,q80,q90,q95 for h = 1 ... H. Of a task only the rows train_start up to
        train_end and the step are used; m and m2 are not. A task that cannot be answered is told on standard error.

          --times   print the CPU time of each task on standard error, and their mean
        """

    static func main() {
        var batch: String?
        var folder: String?
        var times = false
        var arguments = CommandLine.arguments.dropFirst()
        while let argument = arguments.popFirst() {
            switch argument {
            case "--batch": batch = arguments.popFirst()
            case "--data": folder = arguments.popFirst()
            case "--times": times = true
            case "--help": end(usage, 0)
            default: end("forecast-probe: no option \(argument)\n\(usage)", 2)
            }
        }
        guard let batch, let folder else { end(usage, 2) }
        answer(batch, folder, times: times)
    }

    private static func answer(_ batch: String, _ folder: String, times: Bool) {
        var sets: [String: [String: [Float]]] = [:]
        var total = 0.0
        var refits = 0.0
        var answered = 0
        print("task_id,h,q05,q10,q20,q30,q40,q50,q60,q70,q80,q90,q95")
        for line in lines(batch).dropFirst() {
            let fields = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            guard fields.count >= 9, let start = Int(fields[3]), let stop = Int(fields[4]), let horizon = Int(fields[5]),
                let step = Int(fields[8])
            else { continue }
            if sets[fields[1]] == nil { sets[fields[1]] = SeriesTable.load("\(folder)/\(fields[1]).csv") }
            guard let series = sets[fields[1]]?[fields[2]], start >= 0, start < stop, stop <= series.count else {
                complain("\(fields[0]): no such series")
                continue
            }
            let values = series[start..<stop]
            let began = processorMilliseconds()
            do throws(ForecastAbstention) {
                let model = try ForecastModel(fitting: values, stepSeconds: step, horizon: horizon)
                let fitted = processorMilliseconds()
                let forecast = try model.forecast(after: values)
                let ended = processorMilliseconds()
                total += ended - began
                refits += ended - fitted
                answered += 1
                if times { complain("\(fields[0]) \(ended - began) ms") }
                tell(fields[0], forecast)
            } catch {
                complain("\(fields[0]): no forecast: \(error)")
            }
        }
        if times {
            let mean = total / Double(max(1, answered))
            complain("\(answered) tasks, \(mean) ms each, of that \(refits / Double(max(1, answered))) ms after the fit")
        }
    }

    private static func tell(_ task: String, _ forecast: Forecast) {
        var text = ""
        for step in 1...forecast.steps {
            text += "\(task),\(step)"
            for level in Forecast.levels.indices { text += ",\(forecast[step, level])" }
            text += "\n"
        }
        print(text, terminator: "")
    }

    private static func processorMilliseconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1_000 + Double(time.tv_nsec) / 1_000_000
    }
}

func lines(_ path: String) -> [Substring] {
    guard let file = fopen(path, "r") else { end("forecast-probe: \(path): \(String(cString: strerror(errno)))", 1) }
    defer { fclose(file) }
    fseek(file, 0, SEEK_END)
    var bytes = [UInt8](repeating: 0, count: ftell(file))
    rewind(file)
    let read = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<read], as: UTF8.self).split(whereSeparator: \.isNewline)
}

func complain(_ text: String) { write(text, to: STDERR_FILENO) }

func write(_ text: String, to descriptor: Int32) {
    let bytes = Array((text + "\n").utf8)
    _ = write(descriptor, bytes, bytes.count)
}

func end(_ text: String, _ status: Int32) -> Never {
    write(text, to: status == 0 ? STDOUT_FILENO : STDERR_FILENO)
    exit(status)
}
