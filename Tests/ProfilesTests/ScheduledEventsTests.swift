import ProfileSupport
import Testing

@testable import Profiles

@Suite struct ScheduledEventsTests {
    private static func find(_ values: [Float]) -> [RecurringEvent] {
        ScheduledEvents.find(Array(values.suffix(4_032)), until: monday, calendar: StepCalendar())
    }

    @Test(arguments: 0..<3) func `A backup every night is found in noise, waves, weeks and bursts`(seed: UInt64) throws {
        var series = GeneratedSeries(seed: seed)
        for values in [series.flat(4_032), series.daily(4_032), series.weekly(4_032), series.bursts(4_032), series.wandering(4_032)] {
            let events = Self.find(values.withEvent(period: 288, first: 24, width: 8, size: 80))
            let event = try #require(events.first { $0.periodSeconds == 86_400 }, "\(events)")
            #expect(abs(event.durationSeconds - 2_400) <= 300 && abs(event.size - 80) < 12, "\(event)")
            #expect(event.seen >= 12 && event.expected == 14 && event.confidence > 0.8)
            #expect(abs(event.nextDue - (monday + 7_200)) <= 300 && abs(event.lastSeen - (monday - 86_400 + 7_200)) <= 86_700)
        }
    }

    @Test(arguments: [(72, 10, 3), (12, 4, 1), (60, 7, 4), (144, 100, 6), (36, 5, 2)])
    func `Other periods too, each once and not as several longer ones`(period: Int, first: Int, width: Int) throws {
        for seed in 30..<32 {
            var series = GeneratedSeries(seed: UInt64(seed))
            for values in [series.daily(4_032), series.bursts(4_032)] {
                let events = Self.find(values.withEvent(period: period, first: first, width: width, size: 60))
                #expect(events.count == 1 && events[0].periodSeconds == period * 300, "\(seed): \(events)")
                let start = monday - 14 * 86_400 + Int64(first) * 300
                let phase = (try #require(events.first).nextDue - start) % Int64(period * 300)
                #expect(phase <= 300 || phase >= Int64(period * 300) - 300, "\(phase)")
                #expect(events[0].nextDue >= monday && events[0].nextDue < monday + Int64(period * 300))
            }
        }
    }

    @Test func `Workdays and weekends are told apart`() throws {
        for seed in 0..<2 {
            var series = GeneratedSeries(seed: UInt64(seed))
            // The first day is a Monday.
            let work = Self.find(series.daily(4_032).withEvent(period: 288, first: 100, width: 12, size: 60) { $0 % 7 < 5 })
            #expect(work.map(\.weekdays) == [[0, 1, 2, 3, 4]] && work.map(\.expected) == [10], "\(work)")
            #expect(work[0].nextDue == monday + 100 * 300)
            let words = work[0].words(calendar: StepCalendar()) { "\(Int($0.rounded() / 10) * 10) Mb/s" }
            #expect(words == "every workday at 08:20 for 1 h, +60 Mb/s: looks like a scheduled job")
        }
    }

    @Test func `What comes once a week is found in eight weeks and placed to the step`() throws {
        for seed in 0..<2 {
            var series = GeneratedSeries(seed: UInt64(seed))
            let values = series.daily(288 * 56).withEvent(period: 2_016, first: 6 * 288 + 36, width: 8, size: 120)
            let events = summary(values).recurring
            #expect(events.map(\.periodSeconds) == [7 * 86_400], "\(events)")
            let event = try #require(events.first)
            #expect(event.durationSeconds == 2_400 && abs(event.size - 120) < 20 && event.seen == 8 && event.expected == 8, "\(event)")
            #expect(event.nextDue == monday + 6 * 86_400 + 3 * 3_600)
            let words = event.words(calendar: StepCalendar()) { _ in "120 Mb/s" }
            #expect(words == "every Sunday at 03:00 for 40 min, +120 Mb/s: looks like a backup or batch job")
        }
    }

    @Test func `One that was missed at times is less sure, and one that comes half of the time is none`() throws {
        var series = GeneratedSeries(seed: 40)
        let values = series.daily(4_032)
        let missed = values.withEvent(period: 288, first: 24, width: 8, size: 80) { ![3, 8, 12].contains($0) }
        let often = try #require(Self.find(missed).first)
        #expect(often.seen == 11 && often.expected == 14 && often.confidence == 0.75 && often.weekdays == nil)
        let half = Self.find(values.withEvent(period: 288, first: 24, width: 8, size: 80) { [0, 1, 4, 6, 9, 10, 11].contains($0) })
        #expect(!half.contains { $0.periodSeconds == 86_400 }, "\(half)")
    }

    @Test func `Gaps are neither seen nor missed`() throws {
        var series = GeneratedSeries(seed: 41)
        var values = series.daily(4_032).withEvent(period: 288, first: 24, width: 8, size: 80)
        for step in (288 * 5)..<(288 * 7) { values[step] = .nan }
        let event = try #require(Self.find(values).first)
        #expect(event.seen == event.expected && (11...12).contains(event.expected), "\(event)")
    }

    /// Of 3 to 14 days, and of 8 weeks for what is weekly. docs/profiles.md has the rates over more of them.
    @Test func `Hardly any events in noise, waves, office hours, bursts and wandering`() {
        let rounds = 5
        var (with, told, shown) = (0, 0, "")
        for seed in 0..<rounds {
            var series = GeneratedSeries(seed: UInt64(5_000 + seed))
            for days in [3, 7, 14, 56] {
                let count = days * 288
                for values in [
                    series.flat(count), series.daily(count, noise: 0.5), series.daily(count, noise: 0), series.weekly(count),
                    series.wandering(count), series.bursts(count), series.bursts(count, once: 20, onlyByDay: true),
                ] {
                    let events = days == 56 ? summary(values).recurring : Self.find(values)
                    told += 1
                    if let event = events.first {
                        with += 1
                        shown += "\(days) days: \(event.words(calendar: StepCalendar()) { "\($0)" }), \(event.seen) of \(event.expected)\n"
                    }
                }
            }
        }
        #expect(told == 28 * rounds && with <= max(2, told / 100), "\(with) of \(told):\n\(shown)")
    }
}
