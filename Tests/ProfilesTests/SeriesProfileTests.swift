import ProfileSupport
import TestSupport
import Testing

@testable import Profiles

@Suite struct SeriesProfileTests {
    @Test func `Peak to mean of the second, of ten seconds and of the minute`() throws {
        var profile = SeriesProfile()
        // Two steps: a second of 31 and one of 61 among ones of 1; the next step's first second ends the last one.
        for second in 0...600 { profile.observe(second: second == 100 ? 31 : second == 400 ? 61 : 1, at: Int64(second)) }
        let bursts = profile.summary(values: [], until: 600).burstiness
        #expect(bursts.map(\.windowSeconds) == [1, 10, 60] && bursts.allSatisfy { $0.steps == 2 })
        let (low, high) = (330.0 / 300, 360.0 / 300)
        #expect(abs(bursts[0].peakToMean - (31 + 61) / (low + high)) < 1e-9)
        #expect(abs(bursts[1].peakToMean - (4 + 7) / (low + high)) < 1e-9)
        #expect(abs(bursts[2].peakToMean - (1.5 + 2) / (low + high)) < 1e-9)
        #expect(abs(bursts[0].highestPeakToMean - 61 / high) < 1e-9 && bursts[0].highestAt == 300)
    }

    @Test func `An idle step is not the burstiest, and half of a step's seconds are enough`() {
        var profile = SeriesProfile()
        for second in 0..<300 { profile.observe(second: 100, at: Int64(second)) }
        for second in 300..<600 { profile.observe(second: second == 310 ? 10 : 0, at: Int64(second)) }
        // Too few seconds to speak of a step.
        for second in 600..<700 { profile.observe(second: second == 650 ? 1_000 : 1, at: Int64(second)) }
        profile.observe(second: 1, at: 900)
        let burst = profile.summary(values: [], until: 900).burstiness[0]
        #expect(burst.steps == 2 && burst.highestPeakToMean == 1)
    }

    @Test func `Short steps have no windows that do not fit twice`() {
        func windows(_ calendar: StepCalendar) -> [Int] {
            var profile = SeriesProfile(calendar: calendar)
            for second in 0..<300 { profile.observe(second: 1, at: Int64(second)) }
            return profile.summary(values: [], until: 300).burstiness.map(\.windowSeconds)
        }
        #expect(windows(StepCalendar(stepSeconds: 2, secondsPerDay: 576)) == [1])
        #expect(windows(StepCalendar(stepSeconds: 10)) == [1])
        #expect(windows(StepCalendar(stepSeconds: 60)) == [1, 10])
        #expect(windows(StepCalendar(stepSeconds: 1)) == [])
    }

    @Test func `A clock that goes back, or far ahead, spoils one step and nothing else`() {
        var profile = SeriesProfile()
        for second in 0..<450 { profile.observe(second: 1, at: Int64(second)) }
        for second in 400..<1_000 { profile.observe(second: 1, at: Int64(second)) }
        for second in 0..<700 { profile.observe(second: 1, at: 4_000_000_000 + Int64(second)) }
        for second in 1_000..<1_600 { profile.observe(second: 1, at: Int64(second)) }
        let summary = profile.summary(values: [], until: 1_600)
        #expect(summary.burstiness.allSatisfy { $0.peakToMean == 1 && $0.highestPeakToMean == 1 })
        #expect(summary.seconds.map { $0.count >= 1_300 } == true)
        // What comes then is forgotten after eight weeks at the latest, as ever.
        for day in 1...60 { profile.observe(second: 1, at: Int64(day) * 86_400) }
        #expect(profile.summary(values: [], until: 60 * 86_400).seconds.map { $0.count < 60 } == true)
    }

    @Test func `Missing values are none`() throws {
        var profile = SeriesProfile()
        for second in 0..<300 { profile.observe(second: second % 3 == 0 ? .nan : second % 3 == 1 ? -5 : 2, at: Int64(second)) }
        #expect(profile.summary(values: [], until: 300).seconds?.count == 100)
        var series = GeneratedSeries(seed: 4)
        var values = series.daily(288 * 20)
        for step in values.indices where step % 7 == 0 || (2_000..<2_600).contains(step) { values[step] = .nan }
        values[5_000] = -1e9
        values[5_001] = .infinity
        let summary = summary(values)
        let level = try #require(summary.level)
        #expect(summary.knownSteps == values.suffix(4_032).count { $0 >= 0 && $0.isFinite } && level.highest < 200)
        #expect(summary.regularity.map { $0 > 0.95 } == true && summary.levelShifts.isEmpty)
        let nothing = summaryOfNothing()
        #expect(nothing.level == nil && nothing.daily == nil && nothing.recurring.isEmpty && nothing.growth == nil)
    }

    private func summaryOfNothing() -> ProfileSummary { summary([Float](repeating: .nan, count: 4_032)) }

    @Test func `Steps that are left out are a gap, and a step back takes back what had not come yet`() {
        var history = HourlyHistory(stepsPerHour: 12)
        func append(_ hours: Range<Int64>, _ value: Float) { for hour in hours { for _ in 0..<12 { history.append(value, hour: hour) } } }
        append(100..<103, 1)
        append(105..<107, 2)
        #expect(history.hours.first == 100 && history.hours.means.map { $0.isNaN ? -1 : $0 } == [1, 1, 1, -1, -1, 2, 2])
        append(104..<106, 3)
        #expect(history.hours.first == 100 && history.hours.means.map { $0.isNaN ? -1 : $0 } == [1, 1, 1, -1, 3, 3])
        append(50..<51, 4)
        #expect(history.hours.first == 50 && history.hours.means == [4])
        append(5_000..<5_001, 5)
        #expect(history.hours.means.count == HourlyHistory.capacity && history.hours.means.last == 5)
    }

    @Test func `An hour's mean is kept to 0.2 %`() {
        var random = SplitMix64(seed: 9)
        var history = HourlyHistory(stepsPerHour: 1)
        let values = (0..<1_000).map { _ in Float.random(in: 1..<2, using: &random) * Float(1 << Int.random(in: 0..<40, using: &random)) }
        for (hour, value) in values.enumerated() { history.append(value, hour: Int64(hour)) }
        for (kept, value) in zip(history.hours.means, values) { #expect(abs(kept - value) <= value / 511) }
        history.append(0, hour: 1_000)
        history.append(.greatestFiniteMagnitude, hour: 1_001)
        #expect(history.hours.means[1_000] == 0 && history.hours.means[1_001].isFinite)
    }

    @Test func `Its state stays under 9 KiB, whatever comes`() {
        var random = SplitMix64(seed: 1)
        var profile = SeriesProfile()
        var second: Int64 = monday - 120 * 86_400
        // Seconds over the whole range of numbers, and steps of four months.
        while second < monday {
            for offset in 0..<20 {
                profile.observe(second: Float(bitPattern: UInt32.random(in: 0...(.max), using: &random)), at: second + Int64(offset))
            }
            profile.append(Float.random(in: 0..<1e9, using: &random), at: second)
            second += 300
        }
        #expect(profile.bytes < 9 * 1024, "\(profile.bytes)")
        // With the values of the last steps, as they are kept elsewhere: less than a half of what a series may take.
        #expect(profile.bytes + 4_032 * 4 < 32 * 1024)
    }

    /// 5 minutes are 2 seconds, a day 576: everything else is the same.
    @Test func `A compressed clock gives the same profile`() throws {
        var series = GeneratedSeries(seed: 21)
        let values = series.weekly(288 * 28).withEvent(period: 288, first: 24, width: 8, size: 80)
        // Day 20 384 is a Monday.
        let real = summary(values, until: 20_384 * 86_400 + 28 * 86_400)
        let fast = summary(values, until: 20_384 * 576 + 28 * 576, calendar: StepCalendar(stepSeconds: 2, secondsPerDay: 576))
        #expect(real.weekly == fast.weekly && real.daily == fast.daily && real.regularity == fast.regularity)
        #expect(real.growth == fast.growth && real.level?.quantile95 == fast.level?.quantile95)
        #expect(fast.recurring.map(\.periodSeconds) == [576] && fast.recurring.map(\.durationSeconds) == [16])
        let words = fast.words { "\(Int($0.rounded()))" }
        #expect(words.contains { $0.hasPrefix("Every night at 02:00 for 40 min, +8") }, "\(words)")
    }
}
