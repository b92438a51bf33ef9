import Foundation
import Testing

@testable import Commands

/// Verbs that answer files, and ask no agent.
struct BatchTests {
    private final class Folder: Sendable {
        let path = NSTemporaryDirectory() + "nilo-batch-\(UUID().uuidString.prefix(8))"
        deinit { try? FileManager.default.removeItem(atPath: path) }

        func put(_ name: String, _ text: String) throws {
            let file = URL(fileURLWithPath: "\(path)/\(name)")
            try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
    }

    private static func run(_ words: String...) -> (code: ExitCode, out: String, err: String) {
        let screen = Screen()
        let code = NiloCommands.table.run(words, context: screen.context(width: 100))
        return (code, screen.written, screen.complaints)
    }

    private static let header = "task_id,dataset,series,train_start,train_end,H,m,m2,step_s"

    /// Ten days of hours with a day's pattern, twice: by column, and by row.
    private static func daily(_ folder: Folder) throws {
        let values: [Double] = (0..<240).map { hour in
            let day = sin(Double(hour) * Double.pi / 12)
            return 100 + 50 * day + Double(hour * 7919 % 13)
        }
        let rows: [String] = values.enumerated().map { hour, value in
            let twice = hour == 5 ? "" : "\(2 * value)"
            return "2026-01-01T00:00:00,\(value),\(twice)"
        }
        try folder.put("data/wide.csv", "ts,a,b\n" + rows.joined(separator: "\n") + "\n")
        try folder.put("data/long.csv", "a," + values.map { "\($0)" }.joined(separator: ",") + "\n")
    }

    @Test func tasksAreAnswered() throws {
        let folder = Folder()
        try Self.daily(folder)
        let tasks = ["1,wide,a,0,192,24,24,168,3600", "2,wide,b,0,192,24,24,168,3600", "3,long,a,0,192,24,24,168,3600"]
        try folder.put("tasks.csv", ([Self.header] + tasks).joined(separator: "\n"))
        let result = Self.run("forecast", "--batch", "\(folder.path)/tasks.csv", "--data", "\(folder.path)/data", "--times")
        #expect(result.code == .success, "\(result.err)")
        let lines = result.out.split(separator: "\n").map { $0.split(separator: ",").map(String.init) }
        #expect(lines[0].joined(separator: ",") == "task_id,h,q05,q10,q20,q30,q40,q50,q60,q70,q80,q90,q95")
        #expect(lines.count == 1 + 3 * 24 && lines.allSatisfy { $0.count == 13 })
        #expect(Set(lines.dropFirst().map { $0[0] }) == ["1", "2", "3"])
        for line in lines.dropFirst() {
            let quantiles = line.dropFirst(2).compactMap(Double.init)
            #expect(quantiles == quantiles.sorted() && quantiles.count == 11)
        }
        // By row and by column is the same; twice the values are about twice the forecast.
        #expect(lines[1...24].map { $0.dropFirst(2) } == lines[49...72].map { $0.dropFirst(2) })
        let peak = try #require(Double(lines[7][7]))
        #expect(abs(peak - 156) < 25, "\(peak)")
        #expect(result.err.contains("3 tasks, "))
    }

    @Test func whatCannotBeAnsweredIsNamed() throws {
        let folder = Folder()
        try Self.daily(folder)
        let tasks = ["short,wide,a,0,2,24,24,168,3600", "none,wide,c,0,100,24,24,168,3600", "far,wide,a,0,1000,24,24,168,3600"]
        try folder.put("tasks.csv", ([Self.header] + tasks).joined(separator: "\n"))
        let result = Self.run("forecast", "--batch", "\(folder.path)/tasks.csv", "--data", "\(folder.path)/data")
        #expect(result.code == .failed && result.out.split(separator: "\n").count == 1)
        #expect(result.err.contains("answer the tasks: 2 of 3 are of series that cannot be read"), "\(result.err)")
        #expect(result.err.contains("short: no forecast: ") && result.err.contains("none: there is no series c in wide.csv\n"))
        #expect(result.err.contains("far: train_end 1000 is beyond the 240 values of a\n"))
    }

    /// Others are answered all the same.
    @Test func aDataSetThatCannotBeReadIsPassedOver() throws {
        let folder = Folder()
        try Self.daily(folder)
        try folder.put("data/odd.csv", "ts,a\n1,x\n")
        let tasks = ["1,no,a,0,100,1,24,168,3600", "2,odd,a,0,1,1,24,168,3600", "3,wide,a,0,192,2,24,168,3600"]
        try folder.put("tasks.csv", ([Self.header] + tasks).joined(separator: "\n"))
        let result = Self.run("forecast", "--batch", "\(folder.path)/tasks.csv", "--data", "\(folder.path)/data")
        #expect(result.code == .failed && result.out.split(separator: "\n").map { $0.first } == ["t", "3", "3"], "\(result.out)")
        #expect(result.err.contains("1: \(folder.path)/data/no.csv: there is no such file\n"), "\(result.err)")
        #expect(result.err.contains("2: \(folder.path)/data/odd.csv, line 2: \"x\" is no number\n"))
    }

    @Test(arguments: [
        ("1,wide,a,0,ten,24,24,168,3600", "line 2: train_end \"ten\": it is a whole number"),
        ("1,wide,a,5,5,24,24,168,3600", "line 2: train_end \"5\": it is a whole number from 6"),
        ("1,wide,a,0,100,0,24,168,3600", "line 2: H \"0\""), ("1,../wide,a,0,100,1,24,168,3600", "line 2: dataset \"../wide\""),
        ("1,wide,a", "line 2: 3 values, where the header has 9 names"),
    ])
    func mistakesInFilesAreNamed(row: String, reason: String) throws {
        let folder = Folder()
        try Self.daily(folder)
        try folder.put("tasks.csv", Self.header + "\n" + row)
        let result = Self.run("forecast", "--batch", "\(folder.path)/tasks.csv", "--data", "\(folder.path)/data")
        #expect(result.code == .failed && result.out.isEmpty && result.err.contains(reason), "\(result.err)")
    }

    @Test func filesAreScored() throws {
        let folder = Folder()
        var values: [Double] = (0..<3000).map { index in 10 + Double(index * 7919 % 101) / 50 }
        values[2500] = 400
        let rows: [String] = values.enumerated().map { index, value in
            let shown = index == 7 ? "" : "\(value)"
            return "\(1_700_000_000 + index * 300),\(shown)\n"
        }
        try folder.put("in/steady/a.csv", rows.joined())
        try folder.put("in/steady/notes.txt", "passed over")
        let result = Self.run("anomalies", "--batch", "\(folder.path)/in", "--out", "\(folder.path)/out")
        #expect(result.code == .success, "\(result.err)")
        let scores = try String(contentsOfFile: "\(folder.path)/out/steady/a.csv", encoding: .utf8).split(separator: "\n").compactMap {
            Double($0)
        }
        #expect(scores.count == 3000 && scores.allSatisfy { (0...1).contains($0) })
        #expect(scores[2500] >= 0.5 && scores.indices.filter { scores[$0] >= 0.5 }.count < 12)
        #expect(result.out.contains("steady/a.csv: spike from 2023-"), "\(result.out)")
    }

    @Test func mistakesInSeriesAreNamed() throws {
        let folder = Folder()
        try folder.put("in/odd/a.csv", "1700000000,1\n1700000300,one\n")
        try folder.put("in/empty/.keep", "")
        let result = Self.run("anomalies", "--batch", "\(folder.path)/in", "--out", "\(folder.path)/out")
        #expect(result.code == .failed && result.err.contains("in/odd/a.csv, line 2: \"one\" is no number"), "\(result.err)")
        #expect(Self.run("anomalies", "--batch", "\(folder.path)/no", "--out", "\(folder.path)/out").err.contains("there is no such file"))
        #expect(Self.run("anomalies", "--batch", "\(folder.path)/in/empty", "--out", "\(folder.path)/out").err.contains("there is no file"))
        // Scores do not go over the values that they are of.
        let before = try String(contentsOfFile: "\(folder.path)/in/odd/a.csv", encoding: .utf8)
        let same = Self.run("anomalies", "--batch", "\(folder.path)/in", "--out", "\(folder.path)/./in/")
        #expect(same.code == .usage && same.err.contains("is the folder of the series"), "\(same.err)")
        #expect(try String(contentsOfFile: "\(folder.path)/in/odd/a.csv", encoding: .utf8) == before)
        #expect(Self.run("forecast", "--batch", "x").code == .usage && Self.run("anomalies", "--out", "x").code == .usage)
    }

    // MARK: Planning

    private static let plan = """
        shape: [{name: web, rate: 6 Mbit/s}]
        plan: [{class: web, lead: 5m, headroom: 5 %, hold: 10m, floor: 1 Mbit/s, freeze: ["22:00-23:00"]}]
        """

    /// 8 Mb/s from 22:00 on, every so many seconds.
    private static func demand(_ count: Int, every: Int = 300, _ time: (Int) -> String) -> String {
        "ts,web\n" + (0..<count).map { "\(time($0 * every)),8000000\n" }.joined()
    }

    private static func replay(_ demand: String, _ words: String...) throws -> (code: ExitCode, out: String, err: String) {
        let folder = Folder()
        try folder.put("plan.yaml", plan)
        try folder.put("demand.csv", demand)
        let screen = Screen()
        let all = ["planning", "--replay", "\(folder.path)/demand.csv", "--policy", "\(folder.path)/plan.yaml"] + words
        return (NiloCommands.table.run(all, context: screen.context(width: 100)), screen.written, screen.complaints)
    }

    /// 22:00 of the first of March 2026, UTC.
    private static let evening: Int64 = 1_772_402_400

    @Test func aReplayGoesByTheFilesClock() throws {
        func zoneless(_ seconds: Int) -> String {
            "2026-03-01T\(22 + seconds / 3600):\(seconds / 60 % 60 < 10 ? "0" : "")\(seconds / 60 % 60):00"
        }
        for time in [zoneless, { zoneless($0) + "Z" }, { "\(Self.evening + Int64($0))" }] {
            let result = try Self.replay(Self.demand(20, time))
            // Nothing is changed before the freeze is over.
            #expect(result.code == .success && result.out.contains("\n23:00:00 web 6.0 Mb/s → "), "\(result.out)\(result.err)")
            #expect(!result.out.contains("\n22:") && !result.out.contains("counted from 00:00") && result.err.isEmpty)
        }
    }

    @Test func withoutAClockItIsCountedFromMidnight() throws {
        let result = try Self.replay(Self.demand(20) { "row \($0)" })
        #expect(result.out.contains("the file tells no times: they are counted from 00:00\n"), "\(result.out)")
        #expect(result.out.contains("\n00:00:01 web 6.0 Mb/s → ") && result.err.isEmpty)
    }

    @Test func theWidthOfALineIsAsItsTimesSay() throws {
        let quarters = Self.demand(20, every: 900) { "\(Self.evening + Int64($0))" }
        let result = try Self.replay(quarters)
        #expect(result.out.hasPrefix("planning: replayed, every 15m") && result.err.isEmpty, "\(result.out)")
        let other = try Self.replay(quarters, "--interval", "5m")
        #expect(
            other.out.hasPrefix("planning: replayed, every 5m") && other.err.contains("line 3 is 900 s after the line before, not 300 s"))
    }

    @Test(
        arguments: [
            ("ts,web\n", "there is no line of demand"), ("ts,web\n1,5\n2,-3\n", "web: value 2, a demand of -3.0 b/s, is below 0"),
            ("ts,web\n1,inf\n", "line 2: \"inf\" is more than can be counted"),
            ("ts,web\n1772402400,1\nsoon,2\n", "line 3: \"soon\" is no time"),
            ("ts,web\n2026-03-01T22:00:00.5Z,1\n", "line 2: \"2026-03-01T22:00:00.5Z\" is no whole second"),
        ])
    func demandThatCannotBeIsRefused(file: String, reason: String) throws {
        let result = try Self.replay(file)
        #expect(result.code == .failed && result.err.contains(reason) && result.out.isEmpty, "\(result.err)")
    }

    @Test(arguments: ["--policy", "--from", "--interval"]) func whatIsOfAReplayAloneIsRefused(option: String) {
        let result = Self.run("planning", option, option == "--policy" ? "p.yaml" : option == "--from" ? "3" : "5m")
        #expect(result.code == .usage && result.err.contains("\(option) goes with --replay"), "\(result.err)")
    }
}
