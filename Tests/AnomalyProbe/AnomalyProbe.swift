// Measures what the detector costs and how often ordinary series alarm it.
import Anomalies
import AnomalySupport
import Glibc

@main struct AnomalyProbe {
    static func main() {
        let arguments = CommandLine.arguments
        switch arguments.dropFirst().first {
        case "cost" where arguments.count == 2: cost()
        case "ordinary": ordinary(arguments.count > 2 ? Double(arguments[2]) ?? 0 : SeriesDetector.defaultThreshold)
        default: end("usage: anomaly-probe cost | ordinary [THRESHOLD]", 2)
        }
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
