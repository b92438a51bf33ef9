/// The hour that is busiest, usually: in ITU-T E.600 the time-consistent busy hour, with medians in place of means, so that one burst does
/// not make it.
public struct BusyHour: Hashable, Sendable {
    /// Seconds from the beginning of the UTC day (of Monday, for the week) to that of the hour.
    public var start: Int
    /// The median of that hour's mean, in the series' unit.
    public var value: Double
    /// The same divided by the mean of all such hours; at least 1.
    public var ratioToMean: Double
    /// When it begins next, seconds since the epoch.
    public var next: Int64

    /// Of the day, to the step; nil with less than a whole day.
    static func ofDay(_ values: [Float], firstStep: Int64, calendar: StepCalendar, end: Int64) -> BusyHour? {
        let day = calendar.stepsPerDay
        guard values.count >= day else { return nil }
        let medians = (0..<day).map { step in
            stride(from: StepCalendar.modulo(Int64(step) - firstStep, day), to: values.count, by: day).map { values[$0] }.median
        }
        let width = calendar.stepsPerHour
        return busiest((0..<day).map { start in (start..<(start + width)).map { medians[$0 % day] }.mean }).map { start, value, ratio in
            let seconds = start * calendar.stepSeconds
            let next = Recurrence(period: Int64(calendar.secondsPerDay), offset: Int64(seconds)).next(after: end)
            return BusyHour(start: seconds, value: value, ratioToMean: ratio, next: next)
        }
    }

    /// Of the day or of the week, to the hour, of its pattern.
    static func ofPattern(_ pattern: [PatternHour]?, calendar: StepCalendar, end: Int64) -> BusyHour? {
        guard let pattern else { return nil }
        return busiest(pattern.map(\.median)).map { hour, value, ratio in
            let seconds = hour * calendar.secondsPerHour
            // The first Monday was the fifth day.
            let offset = Int64(pattern.count == 168 ? seconds + 4 * calendar.secondsPerDay : seconds)
            let next = Recurrence(period: Int64(pattern.count * calendar.secondsPerHour), offset: offset).next(after: end)
            return BusyHour(start: seconds, value: value, ratioToMean: ratio, next: next)
        }
    }

    private static func busiest(_ values: [Double]) -> (index: Int, value: Double, ratio: Double)? {
        let mean = values.mean
        guard mean > 0, let best = values.indices.filter({ !values[$0].isNaN }).max(by: { values[$0] < values[$1] }) else { return nil }
        return (best, values[best], max(1, values[best] / mean))
    }
}

/// Moments that are a period apart.
struct Recurrence: Hashable, Sendable {
    var period: Int64
    /// Of one of them.
    var offset: Int64

    func next(after second: Int64) -> Int64 {
        let passed = second - offset
        var periods = passed / period
        if passed < periods * period { periods -= 1 }
        return offset + (periods + 1) * period
    }
}
