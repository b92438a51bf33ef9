/// What is wrong with a series.
public enum AnomalyKind: String, CaseIterable, Hashable, Sendable {
    /// The series has moved to values that it is not expected to have, and stays there for at least an hour's worth of values.
    case level
    /// Values above, or below, what is expected, and then ordinary ones again.
    case spike, dip
    /// The same value again and again, much longer than the series has ever held one.
    case flatLine = "flat-line"
    /// No values.
    case missing
    /// Values that are ordinary as such, and not at this hour of the day.
    case changedSeasonality = "changed-seasonality"
    /// Values that are ordinary one by one, in an order or with a spread that the series has not had before.
    case pattern
    /// Two series that always went together no longer do.
    case correlatedBreak = "correlated-break"
}

/// The values that are to be expected: half of the ordinary ones are well within.
public struct ExpectedRange: Hashable, Sendable {
    public var value: Double
    public var low: Double
    public var high: Double
}

/// An anomaly of one series, from the value that gave it away to the first ordinary ones.
public struct Anomaly: Hashable, Sendable {
    public var kind: AnomalyKind
    /// Seconds since the epoch of the first value that is part of it; of a missing one, of the last value before.
    public var start: Int64
    /// Seconds since the epoch of the last value that is part of it; nil while it goes on.
    public var end: Int64?
    /// How likely it is to be one, 0.5 to 1: the score of the most unusual value.
    public var probability: Double
    /// How unusual: minus the decimal logarithm of the chance of the most unusual statistic, in a thirtieth of the past of the series.
    public var unlikelihood: Double
    /// What was expected at the start; nil when nothing was known to expect.
    public var expected: ExpectedRange?
    /// The value furthest from what was expected; nil while there is none.
    public var extreme: Double?
}
