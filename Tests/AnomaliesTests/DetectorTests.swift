import Anomalies
import AnomalySupport
import Testing

@Suite struct DetectorTests {
    /// Four weeks of each kind of ordinary series by two seeds: after the first week less than one alert in three days. (Measured over
    /// eight weeks and ten seeds it is 0 to 0.14 a day.)
    @Test(arguments: OrdinarySeries.all.indices)
    func ordinarySeriesRaiseFewAlerts(kind: Int) {
        var alerts = 0
        for seed: UInt64 in 11...12 {
            alerts += Watched(OrdinarySeries.all[kind].make(seed, 4 * 2016)).alerts.count { $0 >= 2016 }
        }
        #expect(Double(alerts) / 42 < 0.34, "\(OrdinarySeries.all[kind].name)")
    }

    @Test func alertsAreApart() {
        var chance = Chance(seed: 8)
        let wild = Watched((0..<6000).map { $0 < 2000 ? chance.normal() : 1000 * chance.normal() * Double($0) })
        #expect(!wild.alerts.isEmpty)
        #expect(zip(wild.alerts, wild.alerts.dropFirst()).allSatisfy { $1 - $0 > 20 })
    }

    @Test func aHigherThresholdRaisesFewer() {
        let values = OrdinarySeries.all[5].make(3, 8000)
        let counts = [2.0, 3, 5].map { threshold in
            var detector = SeriesDetector(threshold: threshold)
            return values.enumerated().count { detector.observe($1, at: Int64($0) * 300).score >= 0.5 }
        }
        #expect(counts[0] > counts[1] && counts[1] > counts[2])
    }

    /// The same values, the same answers; and those of a value do not depend on what comes after it.
    @Test func answersDependOnThePastAlone() {
        var values = OrdinarySeries.all[2].make(9, 4000)
        let whole = Watched(values)
        #expect(Watched(values).scores == whole.scores)
        for index in 3000..<4000 { values[index] = 1e6 }
        #expect(Watched(values).scores[..<3000] == whole.scores[..<3000])
        var one = SeriesDetector()
        for index in 0..<2000 { _ = one.observe(values[index], at: Int64(index) * 300) }
        var other = one
        for index in 2000..<2500 {
            #expect(one.observe(values[index], at: Int64(index) * 300) == other.observe(values[index], at: Int64(index) * 300))
        }
    }

    /// The unit of the values does not matter.
    @Test(arguments: [1.0 / 1024, 1024, 1_073_741_824]) func unitsDoNotMatter(factor: Double) {
        let values = OrdinarySeries.all[4].make(10, 6000)
        #expect(Watched(values.map { $0 * factor }).alerts == Watched(values).alerts)
    }

    @Test func memoryIsBounded() {
        var most = SeriesDetector().bytes
        var detector = SeriesDetector()
        for (index, value) in OrdinarySeries.all[6].make(1, 12_000).enumerated() {
            _ = detector.observe(value, at: Int64(index) * 300)
            if index < 500 || index % 1000 == 0 { most = max(most, detector.bytes) }
        }
        #expect(most <= 8192)
    }

    @Test func anythingGoes() {
        var chance = Chance(seed: 12)
        let odd: [Double?] = [nil, .nan, .infinity, -.infinity, 1e308, -1e308, .leastNonzeroMagnitude, -0.0, 0, 1e-300]
        var detector = SeriesDetector()
        var seconds: Int64 = 0
        for _ in 0..<5000 {
            let value = chance.uniform() < 0.2 ? odd[Int(chance.uniform() * Double(odd.count))] : 50 + chance.normal()
            switch chance.uniform() {
            case ..<0.02: seconds &-= 86_400
            case ..<0.04: break
            case ..<0.05: seconds = [Int64.min, .max / 2, 0, -1][Int(chance.uniform() * 4)]
            default: seconds = seconds < .max - 300 ? seconds + 300 : 0
            }
            let assessment = detector.observe(value, at: seconds)
            #expect(assessment.score >= 0 && assessment.score <= 1)
            if let expected = assessment.expected { #expect(expected.low <= expected.value && expected.value <= expected.high) }
        }
        _ = detector.observe(1, at: .max)
        _ = detector.silence(until: .max)
        #expect(detector.bytes <= 8192)
    }

    /// Clocks that step, stand still or run back neither alarm nor keep later anomalies from being found.
    @Test func timeMayDoAnything() {
        var chance = Chance(seed: 13)
        var detector = SeriesDetector()
        var alerts: [Int] = []
        for index in 0..<4032 {
            let step: Int64 = index < 2000 ? 0 : index < 2500 ? -7200 : index < 3000 ? 3600 : 86_400
            let value = 100 + 5 * chance.normal() + (index == 3900 ? 100 : 0)
            let assessment = detector.observe(value, at: Int64(index) * 300 + step)
            if assessment.score >= 0.5 { alerts.append(index) }
        }
        #expect(alerts.contains(3900))
        #expect(alerts.count { $0 > 1000 } <= 4)
    }

    /// A rate from a counter that was reset: one huge value, once.
    @Test func oneHugeValueDoesNotBlind() {
        var chance = Chance(seed: 14)
        let watched = Watched(
            (0..<6000).map { index in
                index == 2000 ? 1.8e19 : 1000 + 50 * chance.normal() + ((5000..<5010).contains(index) ? 2000 : 0)
            })
        #expect(watched.alerts.contains(2000))
        #expect(watched.alerts.contains { (5000..<5010).contains($0) })
    }

    /// After a change of level the series is watched at its new one.
    @Test func aNewLevelIsWatchedToo() {
        var chance = Chance(seed: 15)
        let watched = Watched(
            (0..<5000).map { index in (index < 2500 ? 10 : 90) + chance.normal() + ((4000..<4003).contains(index) ? 40 : 0) })
        #expect(watched.alerts.contains { (2500..<2503).contains($0) })
        #expect(watched.alerts.contains { (4000..<4003).contains($0) })
        #expect(watched.anomaly(near: 4000)?.kind == .spike)
    }
}
