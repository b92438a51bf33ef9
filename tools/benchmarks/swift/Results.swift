import Glibc

/// What was measured, in order, and how it is shown.
final class Results {
    enum Target {
        case atMost(Double)
        case atLeast(Double)
    }

    struct Metric {
        var name: String
        var value: Double
        var low: Double
        var high: Double
        var target: Target?
        /// The same of the reference program, or of the conventional way.
        var reference: Double?
    }

    private(set) var metrics: [Metric] = []
    private var remarks: [String] = []
    private let loadAtStart = Results.load()

    /// - Parameter samples: of one value per round; the median counts.
    func add(_ name: String, _ samples: [Double], _ target: Target? = nil, reference: Double? = nil) {
        let sorted = samples.sorted()
        precondition(!sorted.isEmpty, "\(name): nothing was measured")
        metrics.append(
            Metric(name: name, value: median(sorted), low: sorted[0], high: sorted[sorted.count - 1], target: target, reference: reference))
    }

    func add(_ name: String, _ value: Double, _ target: Target? = nil, reference: Double? = nil) {
        add(name, [value], target, reference: reference)
    }

    /// A line below the table.
    func remark(_ text: String) { remarks.append(text) }

    private static func load() -> Double {
        var load = [0.0]
        return getloadavg(&load, 1) == 1 ? load[0] : -1
    }

    var json: String {
        var fields = metrics.flatMap { metric in
            [(metric.name, metric.value)]
                + (metric.reference.map { [("\(metric.name)_reference", $0)] } ?? [])
                + (metric.low == metric.high ? [] : [("\(metric.name)_min", metric.low), ("\(metric.name)_max", metric.high)])
        }
        fields.append(("load_average", loadAtStart))
        return "{" + fields.map { "\"\($0.0)\": \(fixed($0.1, 4))" }.joined(separator: ", ") + "}"
    }

    var table: String {
        var rows = [["metric", "median", "min", "max", "target", "reference", "of it", "verdict"]]
        for metric in metrics {
            let reference = metric.reference.map { [number($0), $0 > 0 ? number(metric.value / $0) : ""] } ?? ["", ""]
            let isSingle = metric.low == metric.high
            rows.append(
                [
                    metric.name, number(metric.value), isSingle ? "" : number(metric.low), isSingle ? "" : number(metric.high),
                    metric.targetText,
                ]
                    + reference + [metric.verdict])
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        let lines = rows.map { row in
            let cells = zip(row, widths).enumerated().map { column, cell in
                let gap = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 0 || column == row.count - 1 ? cell.0 + gap : gap + cell.0
            }
            return String(cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
        }
        var notes = remarks
        if loadAtStart > 1 {
            notes.append(
                "The load average was \(number(loadAtStart)) at the start: others used the CPUs meanwhile. Trust minima and ratios.")
        }
        return (lines + [""] + notes).joined(separator: "\n")
    }
}

extension Results.Metric {
    var targetText: String {
        switch target {
        case .atMost(let bound): "<= \(number(bound))"
        case .atLeast(let bound): ">= \(number(bound))"
        case nil: ""
        }
    }

    var verdict: String {
        switch target {
        case .atMost(let bound): value <= bound ? "reached" : "MISSED"
        case .atLeast(let bound): value >= bound ? "reached" : "MISSED"
        case nil: ""
        }
    }
}

/// A line on standard error.
func say(_ text: String) {
    let line = Array("\(text)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
}

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// Three figures or so, for people.
func number(_ value: Double) -> String { fixed(value, abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : abs(value) >= 0.1 ? 2 : 4) }

func fixed(_ value: Double, _ digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let whole = Int64((abs(value) * scale).rounded())
    let sign = value < 0 && whole != 0 ? "-" : ""
    if digits == 0 { return "\(sign)\(whole)" }
    let fraction = String(whole % Int64(scale))
    return "\(sign)\(whole / Int64(scale)).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
}
