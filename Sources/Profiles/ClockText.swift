/// Times of day, weekdays and durations in words, on the clock of a calendar: a day has 24 hours however many seconds it takes.
struct ClockText {
    private let calendar: StepCalendar

    init(_ calendar: StepCalendar) { self.calendar = calendar }

    private static let weekdays = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// Minutes of the calendar's clock.
    private func minutes(_ seconds: Int) -> Int { Int((Double(seconds) * 1440 / Double(calendar.secondsPerDay)).rounded()) }

    /// `02:05`, from seconds since midnight.
    func time(_ secondsOfDay: Int) -> String {
        let minutes = minutes(secondsOfDay) % 1440
        return Self.two(minutes / 60) + ":" + Self.two(minutes % 60)
    }

    /// Of a moment.
    func time(at second: Int64) -> String { time(StepCalendar.modulo(second, calendar.secondsPerDay)) }

    /// `40 min`, `2 h`, `1 h 30 min`.
    func duration(_ seconds: Int) -> String {
        let minutes = minutes(seconds)
        if minutes == 0 { return "\(seconds) s" }
        if minutes < 60 { return "\(minutes) min" }
        return minutes % 60 == 0 ? "\(minutes / 60) h" : "\(minutes / 60) h \(minutes % 60) min"
    }

    func days(_ seconds: Int) -> String {
        let hours = minutes(seconds) / 60
        if hours == 0 { return duration(seconds) }
        if hours < 48 { return hours == 1 ? "1 hour" : "\(hours) hours" }
        return "\(hours / 24) days"
    }

    static func weekday(_ number: Int) -> String { weekdays[number] }

    /// `Tuesday 3 Nov`; without a real calendar behind it, `day 17`.
    func date(at second: Int64) -> String {
        let day = calendar.day(at: second)
        guard calendar.secondsPerDay == 86_400 else { return "day \(day)" }
        let (month, ofMonth) = Self.civil(day)
        return "\(Self.weekdays[StepCalendar.weekday(ofDay: day)]) \(ofMonth) \(Self.months[month - 1])"
    }

    /// Month and day of a day since 1970-01-01: leap years of 400 years are counted from a March on.
    private static func civil(_ day: Int64) -> (month: Int, day: Int) {
        let inEra = StepCalendar.modulo(day + 719_468, 146_097)
        let year = (inEra - inEra / 1_460 + inEra / 36_524 - inEra / 146_096) / 365
        let inYear = inEra - (365 * year + year / 4 - year / 100)
        let month = (5 * inYear + 2) / 153
        return (month < 10 ? month + 3 : month - 9, inYear - (153 * month + 2) / 5 + 1)
    }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
