/// Finds what happens at set times: a backup every night, a batch job every six hours, a report on Sundays.
///
/// For each candidate period the edges of the series are laid over each other. Where a rise and, within a quarter of a day, a fall stand
/// out from chance at the same phase, the times that it was due are looked at one by one: most have to show it, at a size that matters beside
/// what the series otherwise does, and with edges that are steep for that size (a daily wave has none).
/// Short periods come first, and what they explain is not looked at again.
public enum ScheduledEvents {
    /// The periods that are tried, in parts of a day: from 20 minutes to 2 days.
    private static let periods: [(numerator: Int, denominator: Int)] = [
        (1, 72), (1, 48), (1, 24), (1, 16), (1, 12), (1, 8), (1, 6), (5, 24), (1, 4), (7, 24), (1, 3), (3, 8), (10, 24), (1, 2), (1, 1),
        (2, 1),
    ]
    /// The most events of a series.
    private static let limit = 8

    /// - Parameters:
    ///   - values: one for each step, oldest first, nan where there is none.
    ///   - end: since the epoch, where the last of them ended.
    /// - Returns: the shortest periods first.
    public static func find(_ values: [Float], until end: Int64, calendar: StepCalendar) -> [RecurringEvent] {
        let day = calendar.stepsPerDay
        var search = EventSearch(
            values, first: calendar.step(at: end) - Int64(values.count), stepsPerDay: day, stepSeconds: calendar.stepSeconds)
        var events: [RecurringEvent] = []
        for (numerator, denominator) in periods where day * numerator % denominator == 0 {
            let period = day * numerator / denominator
            guard period >= 4, values.count >= 3 * period else { continue }
            while events.count < limit, let event = search.next(period: period, end: end) { events.append(event) }
        }
        return events
    }

    /// What comes once a week, of hourly means over more weeks than there are steps of, placed to the step where the steps show it.
    ///
    /// - Parameter others: what was found already; it is not found again.
    static func weekly(
        _ hours: Hours, values: [Float], until end: Int64, calendar: StepCalendar, except others: [RecurringEvent]
    ) -> [RecurringEvent] {
        guard hours.means.count >= 3 * 168 else { return [] }
        var search = EventSearch(hours.means, first: hours.first, stepsPerDay: 24, stepSeconds: calendar.secondsPerHour)
        var events: [RecurringEvent] = []
        while events.count < limit, var event = search.next(period: 168, end: end) {
            refine(&event, values, end, calendar)
            let isKnown = others.contains { other in
                // From the beginning of that one to the beginning of this one, and back again; an hour tells no less than an hour.
                let apart = StepCalendar.modulo(event.nextDue - other.nextDue, other.periodSeconds)
                let hour = calendar.secondsPerHour
                return apart < other.durationSeconds + hour || other.periodSeconds - apart < event.durationSeconds + hour
            }
            if !isKnown { events.append(event) }
        }
        return events
    }

    /// Begin and duration by the steps of its last occurrences, and its size there, if these are known.
    private static func refine(_ event: inout RecurringEvent, _ values: [Float], _ end: Int64, _ calendar: StepCalendar) {
        let hour = calendar.stepsPerHour
        let length = event.durationSeconds / calendar.stepSeconds
        let span = length + 4 * hour
        var heights = [Double](repeating: .infinity, count: span)
        var start = values.count - Int((end - event.lastSeen) / Int64(calendar.stepSeconds))
        guard hour > 1, start >= 2 * hour, start + length + 2 * hour <= values.count else { return }
        while start >= 2 * hour {
            let around = values[(start - 2 * hour)..<(start + length + 2 * hour)]
            let level = (Array(around.prefix(hour)) + Array(around.suffix(hour))).median
            // The least of all: what only one of them has is not part of it.
            for (index, value) in around.enumerated() where !value.isNaN { heights[index] = min(heights[index], Double(value) - level) }
            start -= 7 * calendar.stepsPerDay
        }
        let inside = heights[hour..<(span - hour)].filter(\.isFinite).sorted()
        guard let top = inside.dropLast().last, top > 0 else { return }
        let high = (hour..<(span - hour)).filter { heights[$0].isFinite && heights[$0] > top / 2 }
        guard let first = high.first, let last = high.last else { return }
        let moved = Int64((first - 2 * hour) * calendar.stepSeconds)
        let duration = (last - first + 1) * calendar.stepSeconds
        event.size = heights[first...last].filter(\.isFinite).median
        event.durationSeconds = duration
        event.lastSeen += moved
        event.nextDue += moved
        if event.nextDue < end { event.nextDue += Int64(event.periodSeconds) }
    }
}
