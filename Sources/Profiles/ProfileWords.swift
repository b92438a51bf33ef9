extension RecurringEvent {
    /// `every night at 02:00 for 40 min, +80 Mb/s: looks like a backup or batch job`.
    ///
    /// - Parameter format: writes an amount with its unit.
    public func words(calendar: StepCalendar, format: (Double) -> String) -> String {
        let clock = ClockText(calendar)
        return "\(recurrence(calendar, clock)) for \(clock.duration(durationSeconds)), +\(format(size)): looks like \(nature(calendar))"
    }

    private func recurrence(_ calendar: StepCalendar, _ clock: ClockText) -> String {
        let time = clock.time(at: nextDue)
        let day = calendar.secondsPerDay
        switch periodSeconds {
        case 7 * day: return "every \(ClockText.weekday(StepCalendar.weekday(ofDay: calendar.day(at: nextDue)))) at \(time)"
        case day:
            guard let weekdays else { return "every \(isNightly(calendar) ? "night" : "day") at \(time)" }
            switch weekdays {
            case [0, 1, 2, 3, 4]: return "every workday at \(time)"
            case [5, 6]: return "at weekends at \(time)"
            default: return "every \(weekdays.map(ClockText.weekday).joined(separator: ", ")) at \(time)"
            }
        default: return "every \(clock.duration(periodSeconds)) (next at \(time))"
        }
    }

    /// Begins between 22:00 and 06:00.
    private func isNightly(_ calendar: StepCalendar) -> Bool {
        let hour = StepCalendar.modulo(nextDue, calendar.secondsPerDay) / calendar.secondsPerHour
        return hour >= 22 || hour < 6
    }

    private func nature(_ calendar: StepCalendar) -> String {
        if periodSeconds >= calendar.secondsPerDay, isNightly(calendar) { return "a backup or batch job" }
        if 2 * periodSeconds <= calendar.secondsPerDay { return durationSeconds * 4 <= calendar.secondsPerHour ? "a timer" : "a batch job" }
        return "a scheduled job"
    }
}

extension ProfileSummary {
    /// A few sentences, the most important first.
    ///
    /// - Parameter format: writes an amount with its unit.
    public func words(format: (Double) -> String) -> [String] {
        guard let level else { return ["Nothing was measured yet."] }
        let clock = ClockText(calendar)
        var sentences = [
            "Over \(clock.days(knownSeconds)): \(format(level.median)) typically, 95 % of the time below \(format(level.quantile95)), "
                + "at most \(format(level.highest))."
        ]
        if let pattern = patternWords(clock, format) { sentences.append(pattern) }
        if let growth, growth.isSignificant, let change = growth.relativePerWeek {
            let direction = change > 0 ? "Growing" : "Shrinking"
            sentences.append("\(direction) by \(Self.percent(abs(change))) a week (\(format(abs(growth.perWeek)))).")
        } else if growth != nil {
            sentences.append("No growth beyond chance.")
        }
        for shift in levelShifts.suffix(3) {
            let moved = shift.to > shift.from ? "rose" : "fell"
            let since = "\(clock.date(at: shift.at)) at \(clock.time(at: shift.at))"
            sentences.append("The level \(moved) from \(format(shift.from)) to \(format(shift.to)) on \(since).")
        }
        for event in recurring {
            let words = event.words(calendar: calendar, format: format)
            sentences.append(words.prefix(1).uppercased() + words.dropFirst() + "; seen \(event.seen) of \(event.expected) times.")
        }
        if let burst = burstWords(clock) { sentences.append(burst) }
        return sentences
    }

    private func patternWords(_ clock: ClockText, _ format: (Double) -> String) -> String? {
        guard let regularity else { return nil }
        let share = Self.percent(regularity)
        let how: String
        switch regularity {
        case 0.75...: how = "Very regular: the time of \(weekIsTelling ? "the week" : "day") explains \(share) of its variation"
        case 0.4...: how = "Fairly regular: the time of \(weekIsTelling ? "the week" : "day") explains \(share) of its variation"
        case 0.1...: how = "Only loosely bound to the time of day (\(share) of its variation)"
        default: return "No daily pattern: any hour may be the busiest."
        }
        guard let busyHour else { return how + "." }
        let end = busyHour.start + calendar.secondsPerHour
        return how + "; the busy hour is \(clock.time(busyHour.start))-\(clock.time(end)) UTC at \(format(busyHour.value)), "
            + "\(Self.tenths(busyHour.ratioToMean)) times the mean."
    }

    /// The weekly pattern explains a twentieth more of the variance than the daily one alone.
    private var weekIsTelling: Bool { weekly != nil && (regularity ?? 0) > (dailyRegularity ?? 0) + 0.05 }

    private func burstWords(_ clock: ClockText) -> String? {
        guard let second = burstiness.first else { return nil }
        let word = second.peakToMean >= 10 ? "Very bursty" : second.peakToMean >= 3 ? "Bursty" : "Smooth"
        let others = burstiness.dropFirst().map { "\(Self.tenths($0.peakToMean)) times in its highest \(clock.window($0.windowSeconds))" }
        let parts = ["a step's highest second is \(Self.tenths(second.peakToMean)) times its mean"] + others
        return "\(word): \(parts.joined(separator: ", "))."
    }

    private static func percent(_ share: Double) -> String {
        let percent = min(share, 1e6) * 100
        return percent < 10 && percent > 0 ? "\(tenths(percent)) %" : "\(Int(percent.rounded())) %"
    }

    private static func tenths(_ value: Double) -> String {
        let tenths = Int((min(max(value, 0), 1e9) * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}

extension ClockText {
    /// A window's length in true seconds.
    func window(_ seconds: Int) -> String { seconds == 60 ? "minute" : "\(seconds) s" }
}
