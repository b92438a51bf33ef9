// What profiles cost, and how often they are right about generated series: the numbers of docs/profiles.md.

import Glibc
import ProfileSupport
import Profiles

@main struct ProfileProbe {
    static func main() {
        switch CommandLine.arguments.dropFirst().first {
        case "cost": cost()
        case "accuracy":
            falseFindings(200)
            findings(50)
            leads(20)
        default:
            print("usage: profile-probe cost | accuracy")
            exit(2)
        }
    }

    /// A Monday, 00:00 UTC.
    private static let monday: Int64 = 1_763_942_400
    private static let calendar = StepCalendar()
    /// Values that are kept of a series.
    private static let kept = 14 * calendar.stepsPerDay

    private static func summary(_ values: [Float]) -> ProfileSummary {
        var profile = SeriesProfile()
        for (step, value) in values.enumerated() { profile.append(value, at: monday - Int64((values.count - step) * 300)) }
        return profile.summary(values: Array(values.suffix(kept)), until: monday)
    }

    /// Seconds of this thread's processor time.
    private static func processorTime(_ work: () -> Void) -> Double {
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let start = now()
        work()
        return now() - start
    }

    /// What there is in series with nothing in them but the time of day.
    private static let plain: [(name: String, make: @Sendable (inout GeneratedSeries, Int) -> [Float])] = [
        ("noise", { $0.flat($1) }), ("wave", { $0.daily($1) }), ("week", { $0.weekly($1) }), ("wandering", { $0.wandering($1) }),
        ("bursts", { $0.bursts($1) }), ("bursts by day", { $0.bursts($1, once: 20, onlyByDay: true) }),
    ]

    private static func cost() {
        var series = GeneratedSeries(seed: 1)
        let seconds = series.daily(864_000, day: 86_400, noise: 30)
        var profile = SeriesProfile()
        let observing = processorTime { for (second, value) in seconds.enumerated() { profile.observe(second: value, at: Int64(second)) } }
        print("a second: \(observing / 864_000 * 1e9) ns")
        let steps = series.weekly(56 * 288)
        let appending = processorTime {
            for (step, value) in steps.enumerated() { profile.append(value, at: monday - Int64((steps.count - step) * 300)) }
        }
        print("a step: \(appending / Double(steps.count) * 1e9) ns")
        print("state: \(profile.bytes) bytes")
        let last = Array(steps.suffix(kept))
        let telling = processorTime { for _ in 0..<50 { _ = profile.summary(values: last, until: monday) } }
        print("a summary: \(telling / 50 * 1e3) ms")
        let many = (0..<200).map { _ in series.daily(kept) }
        print("leads among 200 series of \(kept): \(processorTime { _ = LeadingCorrelations.find(many, stepsPerDay: 288) }) s")
    }

    private static func falseFindings(_ rounds: Int) {
        print("of \(rounds) series each that have none, events / level shifts / trends:")
        for (name, make) in plain {
            for days in [7, 14, 56] {
                var (events, shifts, trends) = (0, 0, 0)
                for seed in 0..<rounds {
                    var series = GeneratedSeries(seed: UInt64(seed))
                    let told = summary(make(&series, days * 288))
                    events += told.recurring.isEmpty ? 0 : 1
                    shifts += told.levelShifts.isEmpty ? 0 : 1
                    trends += told.growth?.isSignificant == true ? 1 : 0
                }
                print("  \(name), \(days) days: \(events) / \(shifts) / \(trends)")
            }
        }
    }

    private static func findings(_ rounds: Int) {
        print("of \(rounds) series each: a backup at night (+80, +40), hourly (+40), on Sundays (+80); a shift by half; 7 % more a week:")
        for (name, make) in plain {
            var found = [Int](repeating: 0, count: 6)
            for seed in 0..<rounds {
                var series = GeneratedSeries(seed: UInt64(seed))
                let values = make(&series, 56 * 288)
                func has(_ event: [Float], _ period: Int) -> Int {
                    summary(event).recurring.contains { $0.periodSeconds == period } ? 1 : 0
                }
                found[0] += has(values.withEvent(period: 288, first: 24, width: 8, size: 80), 86_400)
                found[1] += has(values.withEvent(period: 288, first: 24, width: 8, size: 40), 86_400)
                found[2] += has(values.withEvent(period: 12, first: 4, width: 1, size: 40), 3_600)
                found[3] += has(values.withEvent(period: 2_016, first: 1_764, width: 8, size: 80), 7 * 86_400)
                let at = values.count - 10 * 288
                let shifted = summary(values.enumerated().map { $0.offset < at ? $0.element : 1.5 * $0.element }).levelShifts
                found[4] += shifted.contains { abs($0.at - (monday - 10 * 86_400)) <= 6 * 3_600 } ? 1 : 0
                let growing = values.enumerated().map { $0.element * (1 + 0.01 * Float($0.offset) / 288) }
                found[5] += summary(growing).growth.map { $0.isSignificant && $0.perWeek > 0 } == true ? 1 : 0
            }
            print("  \(name): \(found.map { "\($0)" }.joined(separator: ", "))")
        }
    }

    private static func leads(_ rounds: Int) {
        print("of \(rounds) sets of 40 independent series, those with any lead; of \(rounds) pairs with a quarter in common, those found:")
        for (name, make) in plain {
            var (any, found) = (0, 0)
            for seed in 0..<rounds {
                var series = GeneratedSeries(seed: UInt64(seed))
                let set = (0..<40).map { _ in make(&series, kept) }
                any += LeadingCorrelations.find(set, stepsPerDay: 288).isEmpty ? 0 : 1
                let follower = set[0].indices.map { 0.25 * set[0][max(0, $0 - 2)] + 0.75 * set[1][$0] }
                let lead = LeadingCorrelations.find([set[0], follower], stepsPerDay: 288).first
                found += lead?.leader == 0 && lead?.lag == 2 ? 1 : 0
            }
            print("  \(name): \(any); \(found)")
        }
    }
}
