import Commands
import Foundation
import NetworkTypes
import Profiles
import Reports
import Terminal
import Testing

/// `nilo profile` for people.
@Suite struct ProfileViewTests {
    /// A Monday, 00:00 UTC.
    private static let end: Int64 = 1_763_942_400
    private static let screen = TerminalOutput(isTerminal: true, width: 80, color: false)

    /// A wave that is highest at 15:00, at half its size on Saturdays and Sundays, with a backup at 02:00, and of seconds an hour.
    private static func report(days: Int, unit: String = "bit/s", direction: String = "received") -> ProfileReport {
        let calendar = StepCalendar()
        var profile = SeriesProfile(calendar: calendar)
        let first = end - Int64(days) * 86_400
        let values = (0..<(days * 288)).map { step -> Float in
            let (day, hour) = (step / 288, Double(step % 288) / 12)
            // The end is a Monday, so the days before it are a Saturday and a Sunday.
            let scale = (days - day - 1) % 7 < 2 ? 0.5 : 1
            let backup = (24..<32).contains(step % 288) ? 80e6 : 0
            return Float(scale * (100e6 + 60e6 * cos((hour - 15) / 12 * .pi)) + backup)
        }
        for (step, value) in values.enumerated() { profile.append(value, at: first + Int64(step) * 300) }
        for second in 0..<3600 { profile.observe(second: second % 10 == 0 ? 500e6 : 50e6, at: end - 3600 + Int64(second)) }
        let summary = profile.summary(values: Array(values.suffix(4032)), until: end)
        return ProfileReport(
            at: Timestamp(nanoseconds: end * 1_000_000_000), calendar: calendar, key: "interface/eth0", name: "eth0", unit: unit,
            directions: [.init(direction, summary, values: Array(values.suffix(4032))) { "\(BitRate(bitsPerSecond: $0))" }],
            relations: [
                .init(
                    key: "link/a", name: "db", direction: "received", otherDirection: "sent", otherLeads: true, lagSeconds: 300,
                    correlation: 0.62)
            ])
    }

    @Test func `A profile of five weeks is words, a week in shades, three days and numbers, within 80 columns`() throws {
        let lines = ProfileView(output: Self.screen).text(Self.report(days: 35)).split(separator: "\n").map(String.init)
        #expect(lines.allSatisfy { TerminalText.width($0) <= 80 && $0.last != " " }, "\(lines.filter { $0.count > 80 || $0.last == " " })")
        #expect(lines[0].hasPrefix("eth0 received  now "))
        #expect(lines.contains { $0.contains("Every night at 02:00 for 40 min, +79.") }, "\(lines)")
        let days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].map { day in lines.first { $0.hasPrefix(day + "   ") } }
        let workday = try #require(days[2])
        let weekend = try #require(days[6])
        // Two columns an hour: dark at 15:00 on a workday, not on a Sunday.
        #expect(workday.dropFirst(6).dropFirst(30).first == "█" && weekend.dropFirst(6).dropFirst(30).first != "█")
        let axis = try #require(lines.firstIndex { $0.hasPrefix("last 72 hours") })
        let marks = lines[axis + 2].dropFirst(6)
        // Of the last three days' hours those at 02:00.
        #expect(marks.enumerated().filter { $0.element == "▲" }.map(\.offset) == [2, 26, 50])
        #expect(lines.contains { $0.contains("1d 00h") && $0.contains("14 of 14") && $0.hasSuffix("2025-11-24 02:00") }, "\(lines)")
        #expect(lines.contains { $0.hasPrefix("highest 1 s to mean") && $0.contains("5.26") }, "\(lines)")
        #expect(lines.contains("db sent changes 5m 00s before it (correlation 0.62)"))
        #expect(lines.contains { $0.hasPrefix("by 4032 of 4032 steps of 5m") })
    }

    @Test(arguments: [30, 41, 47, 53, 80]) func `A number stays with its unit`(width: Int) {
        let view = ProfileView(output: TerminalOutput(isTerminal: true, width: width, color: false))
        let lines = view.text(Self.report(days: 35)).split(separator: "\n").prefix { !$0.hasPrefix("      00") }
        #expect(!lines.contains { $0.contains(/^ +(Mb\/s|%|min )/) }, "\(lines)")
        #expect(lines.count > 2)
    }

    @Test func `Of a fast day it is said which times are whose`() {
        var report = Self.report(days: 15)
        #expect(!ProfileView(output: Self.screen).text(report).contains("a day takes"))
        report.secondsPerDay = 576
        #expect(ProfileView(output: Self.screen).text(report).contains("a day takes 9m 36s here, an hour 24 s: sentences and pictures"))
    }

    @Test func `Before two weeks are known the day is shown as a band`() {
        let text = ProfileView(output: Self.screen).text(Self.report(days: 5))
        #expect(text.contains("█ median, ▒ 10 % to 90 % of the days") && !text.contains("Mon   "))
        #expect(text.split(separator: "\n").allSatisfy { TerminalText.width(String($0)) <= 80 }, "\(text)")
    }

    @Test func `A series without values says so`() {
        let summary = SeriesProfile().summary(values: [], until: Self.end)
        var report = Self.report(days: 1)
        report.directions = [.init("", summary, values: []) { "\($0)" }]
        report.relations = []
        let text = ProfileView(output: Self.screen).text(report)
        #expect(text.hasPrefix("eth0\nNothing was measured yet.\n"), "\(text)")
    }

    @Test func `The report is the same after JSON`() throws {
        let report = Self.report(days: 35)
        let encoded = try JSONEncoder().encode(report)
        #expect(try JSONDecoder().decode(ProfileReport.self, from: encoded) == report)
        let direction = report.directions[0]
        #expect(direction.weekly?.count == 168 && direction.daily?.count == 24 && direction.recentHours.count == 72)
        #expect(direction.seconds?.quantiles.last.map { abs($0 - 500e6) < 500e6 / 60 } == true)
        #expect(report.at == "2025-11-24T00:00:00Z" || report.at.hasPrefix("2025-11-24T00:00:00"))
    }
}
