import ProfileSupport
import Testing

@testable import Profiles

@Suite struct LeadingCorrelationsTests {
    /// Waves, weeks, bursts by day and wandering: all that they have in common is the time.
    @Test func `Independent series with the same pattern have none`() {
        for seed in 0..<4 {
            var series = GeneratedSeries(seed: UInt64(900 + seed))
            let set = (0..<12).map { _ in
                switch seed % 4 {
                case 0: series.daily(4_032)
                case 1: series.weekly(4_032)
                case 2: series.bursts(4_032, once: 20, onlyByDay: true)
                default: series.wandering(4_032)
                }
            }
            let found = LeadingCorrelations.find(set, stepsPerDay: 288)
            #expect(found.isEmpty, "\(seed): \(found)")
        }
    }

    @Test(arguments: [1, 2, 7, 24]) func `A series that follows another is found, with its lag`(lag: Int) throws {
        for seed in 0..<2 {
            var series = GeneratedSeries(seed: UInt64(seed))
            let leader = series.daily(4_032 + lag)
            let other = series.daily(4_032)
            let follower = (0..<4_032).map { 0.5 * leader[$0] + 0.5 * other[$0] }
            let set = [series.daily(4_032), follower, series.bursts(4_032), Array(leader.suffix(4_032))]
            let found = LeadingCorrelations.find(set, stepsPerDay: 288)
            #expect(found.map { [$0.leader, $0.follower, $0.lag] } == [[3, 1, lag]], "\(found)")
            #expect(found[0].correlation > 0.4 && found[0].score > 10, "\(found)")
        }
    }

    @Test func `What changes at once leads nothing, and what falls after a rise does`() {
        var series = GeneratedSeries(seed: 77)
        let one = series.wandering(4_033)
        let same = one.map { $0 + 20 * series.noise() / 10 }
        #expect(LeadingCorrelations.find([one, same], stepsPerDay: 288).isEmpty)
        let against = (0..<4_032).map { 400 - one[$0] + 3 * series.noise() }
        let found = LeadingCorrelations.find([Array(one.suffix(4_032)), against], stepsPerDay: 288)
        #expect(found.count == 1 && found[0].leader == 0 && found[0].lag == 1 && found[0].correlation < -0.5, "\(found)")
    }

    @Test func `Gaps, constants and short series are no reason to find or to fail`() {
        var series = GeneratedSeries(seed: 78)
        var gaps = series.daily(4_032)
        for step in 1_000..<3_000 { gaps[step] = .nan }
        let nothing = [Float](repeating: .nan, count: 4_032)
        // Another one with the same gap, a step later.
        let later = [series.daily(1)[0]] + zip(gaps.dropLast(), series.daily(4_031)).map { $0.isNaN ? $0 : $1 }
        let set = [gaps, later, nothing, [Float](repeating: 5, count: 4_032), series.daily(4_032)]
        #expect(LeadingCorrelations.find(set, stepsPerDay: 288).isEmpty)
        #expect(LeadingCorrelations.find([[1, 2], [2, 1]], stepsPerDay: 288).isEmpty)
        #expect(LeadingCorrelations.find([], stepsPerDay: 288).isEmpty)
        // Without a day.
        let leader = series.wandering(302)
        #expect(LeadingCorrelations.find([Array(leader.prefix(300)), Array(leader.suffix(300))], stepsPerDay: 0).map(\.lag) == [2])
    }

    @Test(arguments: [(0.05, 1.645), (1e-3, 3.090), (1e-7, 5.199), (1e-9, 5.998)])
    func `The threshold is that of the normal distribution, or a little above`(chance: Double, exact: Double) {
        let told = LeadingCorrelations.normalQuantile(upper: chance)
        #expect(told >= exact && told < exact + 0.25, "\(told)")
    }
}
