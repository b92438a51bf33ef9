/// Something that a series does again and again at set times: for a while it is higher by about the same.
public struct RecurringEvent: Hashable, Sendable {
    /// Seconds from one to the next; a day also where it comes on some weekdays only.
    public var periodSeconds: Int
    /// The weekdays that it comes on, 0 is Monday; nil for all.
    public var weekdays: [Int]?
    /// When the first one after the history is due, seconds since the epoch.
    public var nextDue: Int64
    /// When it was last seen to begin, seconds since the epoch.
    public var lastSeen: Int64
    public var durationSeconds: Int
    /// The median of how much higher the series then is than before and after, in its unit.
    public var size: Double
    /// How many were seen, of how many times it was due and could have been seen.
    public var seen: Int
    public var expected: Int
    /// The chance that the next one comes, by Laplace's rule of succession: (seen + 1) / (expected + 2).
    public var confidence: Double { Double(seen + 1) / Double(expected + 2) }

    /// Whether one was due to begin in a span of seconds since the epoch.
    public func isDue(in span: Range<Int64>, calendar: StepCalendar) -> Bool {
        let recurrence = Recurrence(period: Int64(periodSeconds), offset: nextDue)
        var next = recurrence.next(after: span.lowerBound - 1)
        while span.contains(next) {
            if weekdays?.contains(StepCalendar.weekday(ofDay: calendar.day(at: next))) ?? true { return true }
            next += recurrence.period
        }
        return false
    }
}
