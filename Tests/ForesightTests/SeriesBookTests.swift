import Anomalies
import Forecasting
import TestSupport
import Testing

@testable import Foresight

struct SeriesBookTests {
    /// A day of 288 seconds: each is a step.
    private static let clock = StepClock(day: 288)

    private static func second(_ end: Int64, _ samples: [(String, Double, SeriesBook.Standing)]) -> SeriesBook.Second {
        .init(end: end, duration: 1, samples: samples.map { .init(key: $0.0, value: $0.1, standing: $0.2) })
    }

    private static func work(_ book: inout SeriesBook) {
        while let task = book.nextTask() { book.finish(task.run()) }
    }

    /// Three days of a square wave: the third is foretold, and it is held against what comes.
    @Test func whatComesEveryDayIsForetold() throws {
        var book = SeriesBook(Self.clock, limit: 10, threshold: 3.5)
        var random = SplitMix64(seed: 3)
        for second in Int64(0)..<3 * 288 {
            let high = second % 288 >= 144
            _ = book.turn(Self.second(second, [("x", (high ? 100 : 20) + Double.random(in: -2...2, using: &random), .always)]))
            Self.work(&book)
        }
        let series = try #require(book["x"])
        #expect(series.values.count == 3 * 288 - 1 && series.bytes < 65_536)
        let forecast = try series.forecast(.day, steps: 288, Self.clock)
        for (step, expected) in [(10, Float(20)), (100, 20), (160, 100), (280, 100)] {
            #expect(abs(forecast[step, Forecast.median] - expected) < 8, "\(step): \(forecast[step, Forecast.median])")
        }
        let scores = series.record.scores(until: series.values.end)
        #expect(scores[0].count > 500 && scores[1].count > 500, "\(scores)")
        #expect(Double(scores[0].within90) / Double(scores[0].count) > 0.8)
    }

    /// A forecast of fewer values than there are is of another time, and not kept.
    @Test func aForecastThatComesLateIsNotHeldAgainstAnything() throws {
        var book = SeriesBook(Self.clock, limit: 10, threshold: 3.5)
        for second in Int64(0)..<60 { _ = book.turn(Self.second(second, [("x", Double(second % 7), .always)])) }
        let next = book.nextTask()
        let task = try #require(next)
        _ = book.turn(Self.second(60, [("x", 1, .always)]))
        book.finish(task.run())
        #expect(book["x"]?.record.waiting.isEmpty == true && book["x"]?.model != nil)
        Self.work(&book)
        #expect(book["x"]?.record.waiting.isEmpty == false)
    }

    @Test func withoutASampleThereWasNothingOrNobodyLooked() {
        var book = SeriesBook(Self.clock, limit: 10, threshold: 3.5)
        _ = book.turn(Self.second(0, [("rate", 5, .always), ("level", 5, .level)]))
        for second in Int64(1)..<4 { _ = book.turn(Self.second(second, [])) }
        #expect(book["rate"]?.values.all == [5, 0, 0])
        #expect(book["level"]?.values.all.first == 5 && book["level"]?.values.all.dropFirst().allSatisfy(\.isNaN) == true)
    }

    /// Those that come and go have to last for half a step; the ordinary step has 300 seconds.
    @Test func whatPassesIsNotWatched() {
        var book = SeriesBook(StepClock(), limit: 10, threshold: 3.5)
        for second in Int64(0)..<149 { _ = book.turn(Self.second(second, [("brief", 1, .earned)])) }
        #expect(book["brief"] == nil)
        for second in Int64(300)..<449 { _ = book.turn(Self.second(second, [("brief", 1, .earned), ("lasting", 1, .earned)])) }
        #expect(book["brief"] == nil, "what it had in the step before does not count")
        _ = book.turn(Self.second(449, [("lasting", 1, .earned)]))
        let newcomers = book.takeNewcomers()
        #expect(book["lasting"] != nil && book["brief"] == nil && newcomers == ["lasting"])
    }

    @Test func whatHasBeenQuietForADayMakesRoom() {
        var book = SeriesBook(Self.clock, limit: 2, threshold: 3.5)
        _ = book.turn(Self.second(0, [("a", 1, .always), ("b", 1, .always), ("c", 1, .always)]))
        #expect(book.count == 2 && book["c"] == nil)
        _ = book.turn(Self.second(1, [("b", 1, .always)]))
        #expect(book.refused == 1)
        for second in Int64(2)..<300 { _ = book.turn(Self.second(second, [("b", 1, .always), ("c", 1, .always)])) }
        #expect(book["a"] == nil && book["b"] != nil && book["c"] != nil && book.count == 2)
    }

    @Test func thePastIsPutBeforeWhatWasSeen() throws {
        let clock = StepClock()
        var book = SeriesBook(clock, limit: 2, threshold: 3.5)
        let now: Int64 = 1_700_000_400
        #expect(now % 300 == 0)
        for second in now..<now + 700 { _ = book.turn(Self.second(second, [("x", 8, .always)])) }
        let past = (1...100).reversed().map { WatchedSeries.Past(value: Double($0), duration: 60, end: now - Int64($0 - 1) * 60 - 1) }
        book.replay("x", past, hours: [1, 2, 3, 4, 5], hoursEnd: now / 3600)
        let series = try #require(book["x"])
        #expect(series.values.end == now / 300 + 2 && series.values.count == 22)
        #expect(series.values.all.suffix(3) == [3, 8, 8] && series.values.all.first == 98)
        let hours = series.long.all
        #expect(series.long.end == now / 3600 && hours == [1, 2, 3, 4, 5], "\(hours)")
    }

    /// A spike of a calm series is found within two looks, told once, and over when it is.
    @Test func aSpikeIsFoundOnce() throws {
        let clock = StepClock(day: 1440)
        var book = SeriesBook(clock, limit: 4, threshold: 3.5)
        var random = SplitMix64(seed: 11)
        var findings: [(second: Int64, finding: SeriesBook.Finding)] = []
        for second in Int64(0)..<3000 {
            let value = 100 + Double.random(in: -5...5, using: &random) + ((2000..<2030).contains(second) ? 400 : 0)
            findings += book.turn(Self.second(second, [("x", value, .always)])).map { (second, $0) }
        }
        let began = findings.filter { $0.finding.began != nil }
        #expect(began.count == 1 && (2000...2003).contains(began.first?.second ?? 0), "\(findings)")
        let anomaly = try #require(began.first?.finding.began)
        #expect(anomaly.start == 2000 && anomaly.kind == .spike && (anomaly.expected?.high ?? 1e9) < 200)
        #expect(findings.contains { $0.finding.ended.map { (2025...2100).contains($0.end ?? 0) } ?? false })
    }

    /// Traffic that began while nothing was known yet, and comes in jerks as on a busy machine, does not hide thirty times as much.
    @Test(arguments: 1...40 as ClosedRange<UInt64>) func whatBeganWhileItWasNewHidesNothing(seed: UInt64) throws {
        var book = SeriesBook(Self.clock, limit: 4, threshold: 3.5)
        var random = SplitMix64(seed: seed)
        let first = Int64.random(in: 1...40, using: &random)
        let jump = first + Int64.random(in: 63...120, using: &random)
        var waiting = 0.0
        var began: [(second: Int64, anomaly: Anomaly)] = []
        for second in Int64(0)..<jump + 12 {
            waiting += second < first ? 0.1 : second < jump ? 400 : 12_000
            let sent = Double.random(in: 0...1, using: &random) < 0.3 ? 0.4 * waiting : waiting
            waiting -= sent
            began += book.turn(Self.second(second, [("x", sent, .always)])).compactMap { $0.began.map { (second, $0) } }
        }
        #expect(began.allSatisfy { $0.second > 60 }, "\(began)")
        let told = began.filter { $0.anomaly.end == nil && ($0.anomaly.extreme ?? 0) > 3000 }
        #expect(told.first.map { (jump...jump + 4).contains($0.second) } == true || book["x"]?.anomaly != nil, "\(jump): \(began)")
    }

    /// That two go together is known from their past: an agent that starts anew notices at once when one no longer follows.
    @Test func pairsAreRecalled() {
        var book = SeriesBook(Self.clock, limit: 10, threshold: 1e9) { key in (key == "ask" ? "answer" : "ask", key == "answer") }
        let now: Int64 = 1_000_000
        var random = SplitMix64(seed: 5)
        _ = book.turn(Self.second(now, [("ask", 100, .always), ("answer", 1000, .always)]))
        let asked = (0..<600).map { _ in Double.random(in: 100...900, using: &random) }
        for (key, factor) in [("ask", 1.0), ("answer", 10)] {
            book.replay(key, (0..<600).map { .init(value: factor * asked[$0], duration: 1, end: now - 600 + Int64($0)) })
        }
        var began: [String] = []
        for second in 1...20 {
            let ask = Double.random(in: 100...900, using: &random)
            let found = book.turn(
                Self.second(now + Int64(second), [("ask", ask, .always), ("answer", second > 5 ? 3 : 10 * ask, .always)]))
            began += found.filter { $0.began?.kind == .correlatedBreak }.map(\.key)
        }
        #expect(began == ["answer"])
    }
}
