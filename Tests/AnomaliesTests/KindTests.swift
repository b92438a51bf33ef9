import Anomalies
import AnomalySupport
import Testing

/// Each kind is found in generated series, with when it was and what was expected.
@Suite struct KindTests {
    /// Two weeks of 5-minute values of 100 with a standard deviation of 5, and something at the given place.
    private func noise(seed: UInt64, count: Int = 4032, change: (Int, inout Double) -> Void = { _, _ in }) -> [Double] {
        var chance = Chance(seed: seed)
        return (0..<count).map { index in
            var value = 100 + 5 * chance.normal()
            change(index, &value)
            return value
        }
    }

    /// High from 8 to 18 o'clock; what the day number is given to.
    private func days(_ count: Int, seed: UInt64, high: (Int) -> Double) -> [Double] {
        var chance = Chance(seed: seed)
        return (0..<count * 288).map { index in
            ((96..<216).contains(index % 288) ? high(index / 288) : 20) + 2 * chance.normal()
        }
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func spike(seed: UInt64) throws {
        let watched = Watched(noise(seed: seed) { if (3000..<3004).contains($0) { $1 += 80 } })
        #expect(watched.alerts.contains(3000))
        let anomaly = try #require(watched.anomaly(near: 3000, within: 0))
        #expect(anomaly.kind == .spike)
        #expect(anomaly.end == watched.time(3003))
        #expect(anomaly.probability > 0.9)
        #expect(try #require(anomaly.extreme) > 160)
        let expected = try #require(anomaly.expected)
        #expect(abs(expected.value - 100) < 6)
        #expect(expected.low > 60 && expected.low < 90 && expected.high > 110 && expected.high < 140)
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func dip(seed: UInt64) throws {
        let watched = Watched(noise(seed: seed) { if (3000..<3004).contains($0) { $1 -= 80 } })
        let anomaly = try #require(watched.anomaly(near: 3000, within: 0))
        #expect(anomaly.kind == .dip)
        #expect(anomaly.end == watched.time(3003))
        #expect(try #require(anomaly.extreme) < 40)
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func level(seed: UInt64) throws {
        let watched = Watched(noise(seed: seed) { if $0 >= 3000 { $1 += 60 } })
        let began = try #require(watched.began.first { $0.index >= 3000 })
        #expect(began.index <= 3002)
        let anomaly = try #require(watched.anomaly(near: 3000, within: 1))
        #expect(anomaly.kind == .level)
        // The new level is the rule after 144 values, and nothing goes on then.
        #expect(anomaly.end == watched.time(3143))
        #expect(abs(try #require(anomaly.expected).value - 100) < 6)
        #expect(watched.detector.current == nil)
    }

    @Test func flatLine() throws {
        let watched = Watched(noise(seed: 4) { if (3000..<3200).contains($0) { $1 = 100 } })
        let began = try #require(watched.began.first { $0.anomaly.kind == .flatLine })
        #expect(began.index == 3035)
        #expect(began.anomaly.start == watched.time(3000))
        let ended = try #require(watched.ended.first { $0.anomaly.kind == .flatLine })
        #expect(ended.anomaly.end == watched.time(3199))
        #expect(ended.anomaly.extreme == 100)
    }

    /// Values that repeat by nature are no flat line.
    @Test func restsAreNoFlatLine() {
        let watched = Watched((0..<4032).map { $0 % 100 < 3 ? 20.0 : 0.0 })
        #expect(!watched.began.contains { $0.anomaly.kind == .flatLine })
    }

    @Test func missing() throws {
        var watched = Watched(noise(seed: 5, count: 1000))
        let last = watched.time(999)
        watched.take(watched.detector.silence(until: last + 600))
        #expect(watched.began.allSatisfy { $0.anomaly.kind != .missing })
        watched.take(watched.detector.silence(until: last + 3600))
        let began = try #require(watched.began.last?.anomaly)
        #expect(began.kind == .missing && began.start == last && began.end == nil)
        #expect(watched.detector.current?.kind == .missing)
        watched.take(watched.detector.silence(until: last + 7200))
        watched.take(watched.detector.observe(100, at: last + 9000))
        let ended = try #require(watched.ended.last?.anomaly)
        #expect(ended.kind == .missing && ended.start == last && ended.end == last + 9000)
        #expect(watched.began.count { $0.anomaly.kind == .missing } == 1)
        #expect(watched.detector.current == nil)
    }

    /// What is no number is missing; a gap that nobody asked about is told when it is over.
    @Test func missingValuesInBetween() throws {
        var values: [Double?] = noise(seed: 6, count: 1000)
        for index in 500..<520 { values[index] = index % 2 == 0 ? nil : .nan }
        let watched = Watched(values)
        #expect(try #require(watched.began.first { $0.anomaly.kind == .missing }).index == 505)
        #expect(watched.scores[500..<520].allSatisfy { $0 == 0 })
        #expect(try #require(watched.ended.first { $0.anomaly.kind == .missing }).anomaly.end == watched.time(520))
    }

    /// The busy hours of one day do not come: each value as such is ordinary.
    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func changedSeasonality(seed: UInt64) throws {
        let watched = Watched(days(14, seed: seed) { $0 == 11 ? 20 : 80 })
        let place = 11 * 288 + 96
        let began = try #require(watched.began.first { $0.index >= place && $0.index < place + 36 })
        #expect(began.anomaly.kind == .changedSeasonality)
        #expect(abs(try #require(began.anomaly.expected).value - 80) < 8)
        #expect(try #require(began.anomaly.extreme) < 30)
    }

    /// A context that was never there, of values that are: low noise where there was always more.
    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func pattern(seed: UInt64) throws {
        let watched = Watched(noise(seed: seed) { if (3000..<3072).contains($0) { $1 = $0 % 2 == 0 ? 88 : 112 } })
        let began = try #require(watched.began.first { (3000..<3072).contains($0.index) })
        #expect(began.anomaly.kind == .pattern)
    }
}
