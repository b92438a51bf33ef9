import Profiles

/// How time is cut into steps: a day has 288 of 5 minutes, 24 of an hour and 1,440 of a minute, whatever its length is.
///
/// Models know a day of 86,400 seconds. A laboratory plays one in less; then steps are shorter in proportion, never below a second.
public struct StepClock: Hashable, Sendable {
    public static let ordinaryDay = 86_400

    /// What a day is a multiple of, so that hours have whole steps.
    public static let grain = 288

    /// Seconds of a day, 288 to 86,400, a multiple of 288.
    public let day: Int

    public init(day: Int = StepClock.ordinaryDay) {
        precondition((Self.grain...Self.ordinaryDay).contains(day) && day % Self.grain == 0, "a day of \(day) s")
        self.day = day
    }

    /// Of forecasts, profiles and accuracy: 5 minutes.
    public var step: Int { day / Self.grain }
    /// Of what is looked at for anomalies: a minute.
    public var look: Int { max(1, day / 1440) }
    /// Of forecasts for days: an hour.
    public var long: Int { day / 24 }
    /// Of forecasts for minutes: 10 seconds.
    public var short: Int { max(1, day / 8640) }

    public var calendar: StepCalendar { StepCalendar(stepSeconds: step, secondsPerDay: day) }

    /// What a model is told that a step of so many seconds takes.
    public func modelSeconds(_ seconds: Int) -> Int { seconds * Self.ordinaryDay / day }
    /// What a model is told that the time is.
    public func modelTime(_ seconds: Int64) -> Int64 { seconds * Int64(Self.ordinaryDay) / Int64(day) }
}
