import TestSupport
import Testing

@testable import Anomalies

struct PairDetectorTests {
    private static func run(seed: UInt64, steps: Int, _ pair: (Int, Double, Double) -> (Double, Double)) -> [(
        step: Int, PairDetector.Assessment
    )] {
        var random = SplitMix64(seed: seed)
        var detector = PairDetector()
        var told: [(Int, PairDetector.Assessment)] = []
        for step in 0..<steps {
            let (x, y) = pair(step, Double.random(in: 0...1, using: &random), Double.random(in: -1...1, using: &random))
            let found = detector.observe(x, y, at: Int64(step) * 60)
            if found.began != nil || found.ended != nil { told.append((step, found)) }
        }
        return told
    }

    /// Answers are ten times the requests, whatever those are, until they stop coming for an hour.
    @Test(arguments: 0..<10) func answersThatNoLongerFollowAreTold(seed: UInt64) throws {
        let told = Self.run(seed: seed, steps: 2000) { step, x, noise in
            let requests = 100 + 900 * x
            return (requests, (1000..<1060).contains(step) ? 50 : 10 * requests * (1 + 0.05 * noise))
        }
        #expect(told.count == 2, "\(told)")
        let began = try #require(told.first?.1.began)
        #expect(began.kind == .correlatedBreak && (1000...1002).contains(began.start / 60) && told[0].step <= 1008)
        let ended = try #require(told.last?.1.ended)
        #expect((1055...1060).contains(Int(ended.end ?? 0) / 60) && (ended.extreme ?? 1e9) <= 60)
    }

    /// It is told of the one that is not as usual, held against the other one.
    @Test(arguments: [true, false]) func itIsToldOfTheOneThatIsNotAsUsual(isFirst: Bool) throws {
        let told = Self.run(seed: 3, steps: 2000) { step, x, noise in
            let (one, other) = (100 + 900 * x, 10 * (100 + 900 * x) * (1 + 0.05 * noise))
            guard (1000..<1060).contains(step) else { return (one, other) }
            return isFirst ? (2, other) : (one, 20)
        }
        let began = try #require(told.first?.1)
        let anomaly = try #require(began.began)
        #expect(began.isOfFirst == isFirst && (anomaly.extreme ?? 1e9) < 30, "\(told)")
        #expect((isFirst ? 50...1200 : 500...12_000).contains(anomaly.expected?.value ?? 0), "\(anomaly)")
    }

    /// Two that rise together a hundredfold still go together.
    @Test(arguments: 0..<10) func whatFollowsIsNotTold(seed: UInt64) {
        let told = Self.run(seed: seed, steps: 3000) { step, x, noise in
            let requests = (100 + 900 * x) * ((1500..<1600).contains(step) ? 10 : 1)
            return (requests, 10 * requests * (1 + 0.05 * noise))
        }
        #expect(told.isEmpty, "\(told)")
    }

    @Test(arguments: 0..<10) func whatNeverWentTogetherCannotBreak(seed: UInt64) {
        #expect(Self.run(seed: seed, steps: 3000) { step, x, noise in (x, step > 2000 ? 50 : noise) }.isEmpty)
    }

    /// A proxy is put between: from then on it is another relation, told once.
    @Test func whatHasBecomeTheRuleIsLearnt() {
        let told = Self.run(seed: 4, steps: 4000) { step, x, noise in
            let requests = 100 + 900 * x
            return (requests, (step < 2000 ? 10 : 3) * requests * (1 + 0.05 * noise))
        }
        #expect(told.count == 2 && told.first?.1.began != nil && told.last?.1.ended != nil, "\(told)")
    }

    @Test func whatIsNoNumberIsPassedOver() {
        let told = Self.run(seed: 9, steps: 2000) { step, x, _ in
            (step % 7 == 0 ? .nan : x, step % 11 == 0 ? .infinity : step % 13 == 0 ? 1e300 : 2 * x)
        }
        #expect(told.isEmpty, "\(told)")
        #expect(MemoryLayout<PairDetector>.size <= 320)
    }
}
