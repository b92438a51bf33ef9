import NetworkTypes

/// A line of a file of tasks: which part of which series, and how far ahead.
///
///     task_id,dataset,series,train_start,train_end,H,m,m2,step_s
struct ForecastTask {
    var name: String
    /// The file is `DATASET.csv`.
    var set: String
    var series: String
    /// What may be looked at, by row.
    var history: Range<Int>
    var steps: Int
    var stepSeconds: Int

    static let purpose = "read the tasks"
    static let longest = 100_000

    /// All of them, or why not: before the first is answered.
    static func all(in file: SeriesFile) throws(CommandFailure) -> [ForecastTask] {
        let columns = ["task_id", "dataset", "series", "train_start", "train_end", "H", "step_s"]
        let names = file.rows.first.map { SeriesFile.cells($0).map(String.init) } ?? []
        var places: [String: Int] = [:]
        for column in columns {
            guard let place = names.firstIndex(of: column) else { throw file.failure(purpose, 0, "there is no column \(column)") }
            places[column] = place
        }
        var tasks: [ForecastTask] = []
        for (number, row) in file.rows.enumerated().dropFirst() {
            let cells = SeriesFile.cells(row)
            guard cells.count == names.count else {
                throw file.failure(purpose, number, "\(cells.count) values, where the header has \(names.count) names")
            }
            func text(_ column: String) -> String { String(cells[places[column]!]) }
            func whole(_ column: String, _ bounds: ClosedRange<Int>) throws(CommandFailure) -> Int {
                guard let value = Int(text(column)), bounds.contains(value) else {
                    let why = "it is a whole number from \(bounds.lowerBound) to \(bounds.upperBound)"
                    throw file.failure(purpose, number, "\(column) \"\(text(column).visible(most: 40))\": \(why)")
                }
                return value
            }
            let start = try whole("train_start", 0...(Int(Int32.max)))
            let end = try whole("train_end", (start + 1)...(Int(Int32.max) + 1))
            // It becomes the name of a file.
            guard !text("dataset").isEmpty, !text("dataset").contains("/"), !text("dataset").hasPrefix(".") else {
                throw file.failure(purpose, number, "dataset \"\(text("dataset").visible(most: 40))\": it is the name of a file")
            }
            tasks.append(
                ForecastTask(
                    name: text("task_id"), set: text("dataset"), series: text("series"), history: start..<end,
                    steps: try whole("H", 1...longest), stepSeconds: try whole("step_s", 1...(366 * 86_400))))
        }
        return tasks
    }
}
