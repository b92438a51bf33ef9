/// Steps, hours, days and weeks of a series, as numbers counted from the epoch.
///
/// Days are those of UTC: where local time knows daylight saving, what is bound to it moves by an hour twice a year. A day may be declared
/// to be shorter than 86,400 s, for a clock that runs fast; then all else shrinks with it.
public struct StepCalendar: Hashable, Sendable {
    public let stepSeconds: Int
    public let secondsPerDay: Int

    /// - Parameters:
    ///   - stepSeconds: at least 1; a whole number of steps makes an hour.
    ///   - secondsPerDay: a whole number of hours' steps, 24 times.
    public init(stepSeconds: Int = 300, secondsPerDay: Int = 86_400) {
        precondition(
            stepSeconds > 0 && secondsPerDay > 0 && secondsPerDay % (24 * stepSeconds) == 0,
            "steps of \(stepSeconds) s in an hour of a day of \(secondsPerDay) s")
        self.stepSeconds = stepSeconds
        self.secondsPerDay = secondsPerDay
    }

    public var secondsPerHour: Int { secondsPerDay / 24 }
    public var stepsPerHour: Int { secondsPerHour / stepSeconds }
    public var stepsPerDay: Int { secondsPerDay / stepSeconds }

    /// The step, hour or day that a second is in, or the first one of the next where it is a boundary.
    func step(at second: Int64) -> Int64 { Self.floor(second, stepSeconds) }
    func hour(at second: Int64) -> Int64 { Self.floor(second, secondsPerHour) }
    func day(at second: Int64) -> Int64 { Self.floor(second, secondsPerDay) }

    /// 0 is Monday; the day 0 (1970-01-01) was a Thursday.
    static func weekday(ofDay day: Int64) -> Int { modulo(day + 3, 7) }
    /// 0 is Monday, the first hour.
    static func hourOfWeek(_ hour: Int64) -> Int { modulo(hour + 72, 168) }

    static func floor(_ value: Int64, _ unit: Int) -> Int64 {
        let unit = Int64(unit)
        let quotient = value / unit
        return value < quotient * unit ? quotient - 1 : quotient
    }

    static func modulo(_ value: Int64, _ unit: Int) -> Int { Int(value - floor(value, unit) * Int64(unit)) }
}
