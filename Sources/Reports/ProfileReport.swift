import NetworkTypes
import Profiles

/// What a series is usually like: `GET /v1/profile`. Amounts are in `unit`, moments in RFC 3339, times of day in UTC.
public struct ProfileReport: Codable, Hashable, Sendable {
    /// Where the last step ended.
    public var at: String
    public var stepSeconds: Int
    /// 86,400 but on a clock that runs fast.
    public var secondsPerDay: Int
    /// The subject's key, and its name.
    public var key: String
    public var name: String
    /// `bit/s`, `packet/s`, `B/s`, `B`, `%` or `flows`.
    public var unit: String
    public var directions: [Direction]
    /// Series that this one leads or follows, the strongest first.
    public var relations: [Relation]

    public struct Relation: Codable, Hashable, Sendable {
        public var key: String
        public var name: String
        /// Directions of this series and of the other one, as in `Direction`.
        public var direction: String
        public var otherDirection: String
        /// The other one changes first.
        public var otherLeads: Bool
        public var lagSeconds: Int
        /// -1 to 1, of what neither foretells of itself.
        public var correlation: Double

        public init(
            key: String, name: String, direction: String, otherDirection: String, otherLeads: Bool, lagSeconds: Int, correlation: Double
        ) {
            self.key = key
            self.name = name
            self.direction = direction
            self.otherDirection = otherDirection
            self.otherLeads = otherLeads
            self.lagSeconds = lagSeconds
            self.correlation = correlation
        }
    }

    public init(
        at end: Timestamp, calendar: StepCalendar, key: String, name: String, unit: String, directions: [Direction], relations: [Relation]
    ) {
        at = "\(end)"
        stepSeconds = calendar.stepSeconds
        secondsPerDay = calendar.secondsPerDay
        self.key = key
        self.name = name
        self.unit = unit
        self.directions = directions
        self.relations = relations
    }

    static func moment(_ second: Int64) -> String { "\(Timestamp(nanoseconds: second * 1_000_000_000))" }
}

extension ProfileReport {
    public struct Direction: Codable, Hashable, Sendable {
        /// As in a forecast: `received`, `sent`, …; empty of a level.
        public var direction: String
        /// Sentences for people.
        public var words: [String]
        /// From the first known hour on.
        public var knownSeconds: Int
        /// Steps that were looked at, and those of them that were measured.
        public var steps: Int
        public var measured: Int
        /// nil if nothing was measured.
        public var level: Level?
        /// Distribution of the seconds; nil where none were observed.
        public var seconds: Seconds?
        public var bursts: [Burst]
        /// 24 hours of the day; nil before a day is known. Then 168 of the week, Monday first; nil before two weeks are.
        public var daily: [Hour]?
        public var weekly: [Hour]?
        public var busyHour: Busy?
        public var busyHourOfWeek: Busy?
        /// 0 to 1: the share of the variation that the time of the week, and that of the day alone, explains.
        public var regularity: Double?
        public var dailyRegularity: Double?
        public var growth: Trend?
        public var levelShifts: [Shift]
        public var events: [Event]
        /// Means of the last 72 hours that ended, oldest first.
        public var recentHours: [Double?]
        /// For each of them, whether a recurring event was due in it.
        public var dueHours: [Bool]
    }

    public struct Level: Codable, Hashable, Sendable {
        public var latest: Double?
        public var mean: Double
        public var median: Double
        /// The 95 % quantile of the steps.
        public var quantile95: Double
        public var highest: Double
        public var highestAt: String
    }

    public struct Seconds: Codable, Hashable, Sendable {
        public var count: Int
        /// The quantiles may be off by this part of themselves.
        public var relativeError: Double
        /// Shares and the values below which they lie.
        public var shares: [Double]
        public var quantiles: [Double]
    }

    /// The highest window of a step beside the mean of that step.
    public struct Burst: Codable, Hashable, Sendable {
        public var windowSeconds: Int
        public var peakToMean: Double
        public var highestPeakToMean: Double
        public var highestAt: String
        public var steps: Int
    }

    /// Of the same hour on all days (weeks): 10 % quantile, median and 90 % quantile; nil where none is known.
    public struct Hour: Codable, Hashable, Sendable {
        public var low: Double?
        public var median: Double?
        public var high: Double?
    }

    public struct Busy: Codable, Hashable, Sendable {
        /// Seconds since midnight, or since the beginning of Monday.
        public var startSeconds: Int
        public var value: Double
        public var ratioToMean: Double
        public var next: String
    }

    public struct Trend: Codable, Hashable, Sendable {
        public var perDay: Double
        public var perWeek: Double
        /// As a part of the median day.
        public var relativePerWeek: Double?
        public var days: Int
        /// In standard deviations of chance.
        public var score: Double
        public var isSignificant: Bool
    }

    public struct Shift: Codable, Hashable, Sendable {
        public var at: String
        public var from: Double
        public var to: Double
    }

    public struct Event: Codable, Hashable, Sendable {
        public var words: String
        public var periodSeconds: Int
        /// 0 is Monday; nil for all.
        public var weekdays: [Int]?
        public var nextDue: String
        public var lastSeen: String
        public var durationSeconds: Int
        public var size: Double
        public var seen: Int
        public var expected: Int
        /// The chance that the next one comes.
        public var confidence: Double
    }
}
