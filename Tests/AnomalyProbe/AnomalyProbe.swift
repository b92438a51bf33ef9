// Runs the detector over files, as `nilo anomalies --batch` is to, and measures what it costs and how often ordinary series alarm it.
import Anomalies
import AnomalySupport
import Glibc

@main struct AnomalyProbe {
    static func main() {
        let arguments = CommandLine.arguments
        switch arguments.dropFirst().first {
        case "batch" where arguments.count >= 4: batch(arguments[2], arguments[3], events: arguments.count > 4)
        case "cost" where arguments.count == 2: cost()
        case "ordinary": ordinary(arguments.count > 2 ? Double(arguments[2]) ?? 0 : SeriesDetector.defaultThreshold)
        default: end("usage: anomaly-probe batch DIR OUT [events] | cost | ordinary [THRESHOLD]", 2)
        }
    }

    /// Scores DIR/<category>/<file>.csv (epoch seconds, value), one score a line, into OUT/<category>/<file>.csv.
    private static func batch(_ folder: String, _ out: String, events: Bool) {
        mkdir(out, 0o755)
        for category in entries(of: folder) {
            for file in entries(of: "\(folder)/\(category)") where file.hasSuffix(".csv") {
                mkdir("\(out)/\(category)", 0o755)
                var detector = SeriesDetector()
                var text = ""
                for (seconds, value) in rows(of: "\(folder)/\(category)/\(file)") {
                    let assessment = detector.observe(value, at: seconds)
                    text += "\(assessment.score)\n"
                    if events, let anomaly = assessment.ended { print("\(category)/\(file) \(anomaly)") }
                }
                write(text, to: "\(out)/\(category)/\(file)")
            }
        }
    }

    private static func entries(of folder: String) -> [String] {
        guard let open = opendir(folder) else { return [] }
        defer { closedir(open) }
        var names: [String] = []
        while let entry = readdir(open) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    private static func rows(of path: String) -> [(Int64, Double?)] {
        guard let file = fopen(path, "r") else { end("anomaly-probe: \(path): \(String(cString: strerror(errno)))", 1) }
        defer { fclose(file) }
        var rows: [(Int64, Double?)] = []
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, 256, file) != nil {
            let text = line.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
            let fields = text.split(separator: ",", omittingEmptySubsequences: false)
            guard fields.count == 2, let seconds = Int64(fields[0]) else { end("anomaly-probe: \(path): no row: \(text)", 1) }
            rows.append((seconds, Double(fields[1].filter { !$0.isWhitespace })))
        }
        return rows
    }

    private static func write(_ text: String, to path: String) {
        guard let file = fopen(path, "w") else { end("anomaly-probe: \(path): \(String(cString: strerror(errno)))", 1) }
        fputs(text, file)
        guard fclose(file) == 0 else { end("anomaly-probe: \(path): \(String(cString: strerror(errno)))", 1) }
    }

    /// Processor time a value and bytes a stream.
    private static func cost() {
        let series = OrdinarySeries.all[2].make(1, 200_000)
        var detector = SeriesDetector()
        var alerts = 0
        let start = clock()
        for (index, value) in series.enumerated() {
            if detector.observe(value, at: Int64(index) * 300).score >= 0.5 { alerts += 1 }
        }
        let nanoseconds = Double(clock() - start) / Double(CLOCKS_PER_SEC) * 1e9 / Double(series.count)
        print("\(Int(nanoseconds)) ns a value, \(detector.bytes) bytes a stream (\(alerts) alerts)")
    }

    /// Alerts a day of series that have nothing wrong with them: 10 seeds of 8 weeks of 5-minute values, the first week not counted.
    private static func ordinary(_ threshold: Double) {
        for kind in OrdinarySeries.all {
            var weekly = [Int](repeating: 0, count: 8)
            for seed in 1...10 {
                var detector = SeriesDetector(threshold: threshold)
                for (index, value) in kind.make(UInt64(seed), 8 * 2016).enumerated() {
                    if detector.observe(value, at: Int64(index) * 300).score >= 0.5 { weekly[index / 2016] += 1 }
                }
            }
            let later = Double(weekly[1...].reduce(0, +)) / 490
            let last = Double(weekly[7]) / 70
            print("\(kind.name): \(rounded(later)) alerts a day in weeks 2 to 8, \(rounded(last)) in week 8; by week \(weekly)")
        }
    }

    private static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }

    private static func end(_ text: String, _ status: Int32) -> Never {
        let line = Array("\(text)\n".utf8)
        _ = Glibc.write(2, line, line.count)
        exit(status)
    }
}
