/// The search for recurring events in one series; what was found is taken out of it.
struct EventSearch {
    /// Evidence that a rise and a fall need each, in standard deviations.
    private static let evidence = 4.0
    /// The fewest times that something was seen, and the share of those that it was due. Periods that do not divide a day are rarer and ask
    /// for more, as do events whose size varies.
    private static let fewest = (usual: 4, weekly: 3)
    private static let share = (usual: 0.65, weekly: 0.75, unusual: 0.8)
    /// The share on its weekdays, and at most on the others, of what comes on some weekdays only.
    private static let weekdays = (on: 0.8, off: 0.2)
    /// The smallest event, in distances between the 5 % and the 95 % quantile of the series.
    private static let smallest = 0.05
    /// The part of the size that its edges rise and fall within a reach, and the part that an occurrence has to have.
    private static let sharpness = 0.5
    private static let enough = 0.5
    /// Phases that are looked at for one period.
    private static let attempts = 4

    private let values: [Float]
    private let first: Int64
    private let stepsPerDay: Int
    private let stepSeconds: Int
    private let smallest: Double
    /// With a reach of one step, for what is short or plain, and of three, for what is long and drowns in noise.
    private var contrasts: [EdgeContrasts]

    /// One time that an event was due.
    private struct Occurrence {
        var step: Int
        var excess: Double
        /// The smaller of its rise and its fall.
        var edge: Double
    }

    /// - Parameter first: number of the first step, counted from the epoch.
    init(_ values: [Float], first: Int64, stepsPerDay: Int, stepSeconds: Int) {
        self.values = values
        self.first = first
        self.stepsPerDay = stepsPerDay
        self.stepSeconds = stepSeconds
        let sorted = values.ordered
        smallest = max(Self.smallest * (sorted.ranked(0.95) - sorted.ranked(0.05)), 1e-6 * abs(sorted.ranked(0.95)))
        contrasts = [1, 3].map { EdgeContrasts(values, reach: $0, first: first, stepsPerDay: stepsPerDay) }
    }

    /// The plainest event of that period that was not found before; it is taken out.
    mutating func next(period: Int, end: Int64) -> RecurringEvent? {
        for scale in contrasts.indices where period >= 4 * contrasts[scale].reach {
            let folded = contrasts[scale].folded(period, first: first)
            let rises = folded.indices.filter { folded[$0] > Self.evidence }.sorted { folded[$0] > folded[$1] }
            for rise in rises.prefix(Self.attempts) {
                // Nothing takes longer than a quarter of a day, or half of its period.
                let widths = 1...max(1, min(period / 2, stepsPerDay / 4))
                guard let width = widths.min(by: { folded[(rise + $0) % period] < folded[(rise + $1) % period] }),
                    folded[(rise + width) % period] < -Self.evidence
                else { continue }
                if let event = verified(period, phase: rise, width: width, reach: contrasts[scale].reach, end) { return event }
            }
        }
        return nil
    }

    private mutating func verified(_ period: Int, phase: Int, width: Int, reach: Int, _ end: Int64) -> RecurringEvent? {
        var start = StepCalendar.modulo(Int64(phase) - first, period)
        var due: [Occurrence] = []
        while start + width <= values.count {
            if let occurrence = occurrence(start, width, reach: reach, period) { due.append(occurrence) }
            start += period
        }
        // What the larger ones are like: it may have been missing, or come on some weekdays only; or all of them, if its size varies.
        for (quantile, least) in [(0.85, 0), (0.5, Self.share.unusual)] {
            let typical = due.map(\.excess).quantile(quantile)
            guard typical > smallest, let found = seen(due, typical, period), Double(found.seen) >= least * Double(found.expected) else {
                continue
            }
            for occurrence in due {
                for scale in contrasts.indices { contrasts[scale].remove((occurrence.step - 1)..<(occurrence.step + width + 1)) }
            }
            return RecurringEvent(
                periodSeconds: period * stepSeconds, weekdays: found.weekdays,
                nextDue: nextDue(period, phase: phase, found.weekdays, end),
                lastSeen: (first + Int64(found.last)) * Int64(stepSeconds), durationSeconds: width * stepSeconds, size: found.size,
                seen: found.seen, expected: found.expected)
        }
        return nil
    }

    /// How often it was seen, if that is often enough, at a size that matters and with edges that are steep.
    private func seen(
        _ due: [Occurrence], _ typical: Double, _ period: Int
    ) -> (weekdays: [Int]?, seen: Int, expected: Int, size: Double, last: Int)? {
        var due = due
        var seen = due.filter { $0.excess > Self.enough * typical }
        let weekdays = period == stepsPerDay ? self.weekdays(due, seen) : nil
        if let weekdays {
            due.removeAll { !weekdays.contains(weekday($0.step)) }
            seen.removeAll { !weekdays.contains(weekday($0.step)) }
        }
        let isWeekly = period == 7 * stepsPerDay
        let share = stepsPerDay % period == 0 ? Self.share.usual : isWeekly ? Self.share.weekly : Self.share.unusual
        let size = seen.map(\.excess).median
        guard seen.count >= (isWeekly ? Self.fewest.weekly : Self.fewest.usual), Double(seen.count) >= share * Double(due.count),
            size > smallest, seen.map(\.edge).median >= Self.sharpness * size, let last = seen.last
        else { return nil }
        return (weekdays, seen.count, due.count, size, last.step)
    }

    /// nil if too little is known around it.
    private func occurrence(_ start: Int, _ width: Int, reach: Int, _ period: Int) -> Occurrence? {
        let flank = max(1, min(6, max(2, width), (period - width) / 2))
        let end = start + width
        guard start >= flank, end + flank <= values.count else { return nil }
        let reach = min(reach, width, flank)
        let rise = mean(start..<(start + reach)) - mean((start - reach)..<start)
        let fall = mean((end - reach)..<end) - mean(end..<(end + reach))
        let excess = middle(start..<end) - (middle((start - flank)..<start) + middle(end..<(end + flank))) / 2
        return excess.isNaN || rise.isNaN || fall.isNaN ? nil : Occurrence(step: start, excess: excess, edge: min(rise, fall))
    }

    private func mean(_ steps: Range<Int>) -> Double {
        steps.count == 1 ? Double(values[steps.lowerBound]) : values[steps].mean
    }

    /// The median; nan if less than half of the steps are known.
    private func middle(_ steps: Range<Int>) -> Double {
        if steps.count == 1 { return Double(values[steps.lowerBound]) }
        let known = values[steps].ordered
        guard 2 * known.count >= steps.count else { return .nan }
        return (known[(known.count - 1) / 2] + known[known.count / 2]) / 2
    }

    private func weekday(_ step: Int) -> Int { StepCalendar.weekday(ofDay: StepCalendar.floor(first + Int64(step), stepsPerDay)) }

    /// The weekdays that it was nearly always seen on, if these follow each other and it hardly was on the others; nil without such a
    /// difference.
    private func weekdays(_ due: [Occurrence], _ seen: [Occurrence]) -> [Int]? {
        var (times, hits) = ([Int](repeating: 0, count: 7), [Int](repeating: 0, count: 7))
        for occurrence in due { times[weekday(occurrence.step)] += 1 }
        for occurrence in seen { hits[weekday(occurrence.step)] += 1 }
        guard times.allSatisfy({ $0 >= 1 }), due.count >= 10 else { return nil }
        let on = (0..<7).filter { 2 * hits[$0] >= times[$0] }
        func share(_ days: [Int]) -> Double {
            Double(days.reduce(0) { $0 + hits[$1] }) / Double(max(1, days.reduce(0) { $0 + times[$1] }))
        }
        let off = (0..<7).filter { !on.contains($0) }
        let runs = on.count { !on.contains(($0 + 1) % 7) }
        guard runs == 1, off.count >= 2, share(on) >= Self.weekdays.on, share(off) <= Self.weekdays.off else { return nil }
        return on
    }

    private func nextDue(_ period: Int, phase: Int, _ weekdays: [Int]?, _ end: Int64) -> Int64 {
        let recurrence = Recurrence(period: Int64(period * stepSeconds), offset: Int64(phase * stepSeconds))
        // One that begins right at the end is the next.
        var next = recurrence.next(after: end - 1)
        guard let weekdays else { return next }
        while !weekdays.contains(StepCalendar.weekday(ofDay: StepCalendar.floor(next, stepsPerDay * stepSeconds))) {
            next += recurrence.period
        }
        return next
    }
}
