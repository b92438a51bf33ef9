import ProfileSupport
import Testing

@testable import Profiles

@Suite struct ProfileSummaryTests {
    @Test(arguments: 0..<2) func `A regular series scores high, noise next to nothing`(seed: UInt64) throws {
        var series = GeneratedSeries(seed: seed)
        #expect(try #require(summary(series.daily(288 * 14)).regularity) > 0.95)
        #expect(try #require(summary(series.flat(288 * 14)).regularity) < 0.02)
        #expect(try #require(summary(series.bursts(288 * 14)).regularity) < 0.05)
        let week = summary(series.weekly(288 * 42))
        let (share, daily) = (try #require(week.regularity), try #require(week.dailyRegularity))
        #expect(share > 0.95 && daily < 0.9, "\(share), \(daily)")
    }

    @Test func `The pattern has the hours' medians and spread, by UTC`() throws {
        var series = GeneratedSeries(seed: 3)
        let values = series.weekly(288 * 28, noise: 12)
        let told = summary(values)
        let daily = try #require(told.daily)
        let weekly = try #require(told.weekly)
        // Days begin with a Monday, at the mean, and are highest at 06:00.
        #expect(abs(weekly[6].median - 150) < 8 && abs(weekly[5 * 24 + 6].median - 60) < 8 && abs(weekly[18].median - 50) < 8)
        #expect(daily[6].low < 70 && daily[6].median > 140 && daily[6].high < 165 && daily[6].hours == 28 && weekly[6].hours == 4)
        #expect(weekly.allSatisfy { $0.low <= $0.median && $0.median <= $0.high })
        let busy = try #require(told.busyHour)
        #expect(abs(busy.start - (5 * 3600 + 1800)) <= 3600 && busy.ratioToMean > 1.3, "\(busy)")
        #expect(busy.next > monday && busy.next <= monday + 86_400 && busy.next % 86_400 == Int64(busy.start))
        let ofWeek = try #require(told.busyHourOfWeek)
        #expect(ofWeek.start < 5 * 86_400 && (ofWeek.next - monday) == Int64(ofWeek.start))
    }

    /// At the highest noise an hour's mean is off by 3, so a shift of half of 100 is plain.
    @Test(arguments: 0..<2) func `A level shift is dated and sized, on flat, daily and weekly series`(seed: UInt64) throws {
        var series = GeneratedSeries(seed: seed)
        for (values, ago, factor) in [
            (series.flat(288 * 30), 10 * 288, Float(1.5)), (series.daily(288 * 30), 2 * 288, 2),
            (series.weekly(288 * 35), 12 * 288 + 77, 0.5),
            (series.weekly(288 * 35), 2 * 288, 1.5), (series.daily(288 * 9), 4 * 288, 1.5),
        ] {
            let at = values.count - ago
            let told = summary(values.enumerated().map { $0.offset >= at ? $0.element * factor : $0.element })
            let shift = try #require(told.levelShifts.first, "none of \(factor) \(ago / 288) days ago")
            #expect(told.levelShifts.count == 1 && abs(shift.at - (monday - Int64(ago) * 300)) <= 3_600, "\(told.levelShifts)")
            #expect(abs(shift.to / shift.from / Double(factor) - 1) < 0.1, "\(shift)")
            #expect(told.growth?.isSignificant != true || abs(told.growth!.relativePerWeek!) < 0.05)
        }
    }

    @Test func `Neither noise nor a wave nor growth nor a weekend is a level shift, nor noise a trend`() {
        var (shifts, trends, told) = (0, 0, 0)
        for seed in 100..<104 {
            var series = GeneratedSeries(seed: UInt64(seed))
            for days in [8, 20, 56] {
                for values in [series.flat(288 * days), series.daily(288 * days), series.weekly(288 * days), series.bursts(288 * days)] {
                    let one = summary(values)
                    shifts += one.levelShifts.count
                    trends += one.growth?.isSignificant == true ? 1 : 0
                    told += 1
                }
                let growing = summary(series.daily(288 * days).enumerated().map { $0.element * (1 + 0.01 * Float($0.offset) / 288) })
                shifts += growing.levelShifts.count
            }
        }
        #expect(shifts <= 1 && trends <= max(2, told / 25), "\(shifts) shifts, \(trends) trends in \(told)")
    }

    @Test(arguments: 0..<2) func `Growth is measured, also through weekends`(seed: UInt64) throws {
        var series = GeneratedSeries(seed: seed)
        for values in [series.flat(288 * 42), series.weekly(288 * 42)] {
            let growing = values.enumerated().map { $0.element * (1 + 0.01 * Float($0.offset) / 288) }
            let growth = try #require(summary(growing).growth)
            let middle = values.mean
            #expect(growth.isSignificant && abs(growth.perWeek / (0.07 * middle) - 1) < 0.25, "\(growth)")
            #expect(abs(growth.perDay * 7 - growth.perWeek) < 1e-9 && growth.days == 42)
        }
    }

    /// The offsets of a DST change: what is bound to local time moves by an hour, which is neither a level shift nor an end of regularity.
    @Test func `Daylight saving moves the pattern by an hour and is no level shift`() throws {
        var series = GeneratedSeries(seed: 8)
        var values = series.daily(288 * 28)
        let half = values.count / 2
        values = Array(values[..<half] + values[(half + 12)...])
        let told = summary(values)
        #expect(told.levelShifts.isEmpty && (told.regularity ?? 0) > 0.85, "\(told.levelShifts) \(told.regularity ?? 0)")
    }

    @Test func `A few sentences say it`() {
        var series = GeneratedSeries(seed: 5)
        var values = series.weekly(288 * 42).withEvent(period: 288, first: 24, width: 8, size: 80)
        for step in (values.count - 288 * 5)..<values.count { values[step] *= 2 }
        var profile = SeriesProfile(values)
        for second in 0..<3_600 { profile.observe(second: second % 60 == 0 ? 60 : 1, at: monday - 3_600 + Int64(second)) }
        let words = profile.summary(values: Array(values.suffix(4_032)), until: monday).words { "\(Int($0.rounded())) Mb/s" }
        #expect(words[0].hasPrefix("Over 42 days: ") && words[0].contains("95 % of the time below"), "\(words)")
        #expect(words.contains { $0.contains(" regular: the time of the week explains ") }, "\(words)")
        #expect(words.contains { $0.hasPrefix("The level rose from") && $0.hasSuffix("on Wednesday 19 Nov at 00:00.") }, "\(words)")
        #expect(words.contains { $0.hasPrefix("Every night at 02:00 for 40 min, +") && $0.contains("looks like a backup or batch job") })
        #expect(words.contains { $0.hasPrefix("Very bursty: a step's highest second is 30.3 times its mean") }, "\(words)")
        #expect(summary([]).words { "\($0)" } == ["Nothing was measured yet."])
    }

    @Test func `Dates are those of the calendar`() {
        let text = ClockText(StepCalendar())
        #expect(text.date(at: 0) == "Thursday 1 Jan" && text.date(at: monday) == "Monday 24 Nov")
        #expect(text.date(at: 951_782_400) == "Tuesday 29 Feb" && text.date(at: 4_107_542_400) == "Monday 1 Mar")
        #expect(text.date(at: -86_400) == "Wednesday 31 Dec" && text.time(at: -60) == "23:59")
        #expect(text.duration(5_400) == "1 h 30 min" && text.duration(86_400) == "24 h" && text.duration(20) == "20 s")
    }
}
