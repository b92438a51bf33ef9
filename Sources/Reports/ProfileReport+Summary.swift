import NetworkTypes
import Profiles

extension ProfileReport.Direction {
    /// - Parameters:
    ///   - values: those that the summary was made of.
    ///   - format: writes an amount with its unit.
    public init(_ direction: String, _ summary: ProfileSummary, values: [Float], format: (Double) -> String) {
        self.direction = direction
        words = summary.words(format: format)
        knownSeconds = summary.knownSeconds
        steps = summary.steps
        measured = summary.knownSteps
        level = summary.level.map(ProfileReport.Level.init)
        seconds = summary.seconds.map(ProfileReport.Seconds.init)
        bursts = summary.burstiness.map(ProfileReport.Burst.init)
        daily = summary.daily?.map(ProfileReport.Hour.init)
        weekly = summary.weekly?.map(ProfileReport.Hour.init)
        busyHour = summary.busyHour.map(ProfileReport.Busy.init)
        busyHourOfWeek = summary.busyHourOfWeek.map(ProfileReport.Busy.init)
        regularity = summary.regularity
        dailyRegularity = summary.dailyRegularity
        growth = summary.growth.map(ProfileReport.Trend.init)
        levelShifts = summary.levelShifts.map(ProfileReport.Shift.init)
        events = summary.recurring.map { ProfileReport.Event($0, words: $0.words(calendar: summary.calendar, format: format)) }
        (recentHours, dueHours) = Self.recent(summary, values)
    }

    private static let hours = 72

    private static func recent(_ summary: ProfileSummary, _ values: [Float]) -> ([Double?], [Bool]) {
        let length = summary.calendar.stepsPerHour
        // Whole hours of the clock.
        let running = summary.end % Int64(summary.calendar.secondsPerHour) / Int64(summary.calendar.stepSeconds)
        let end = values.count - Int(running)
        var (means, due): ([Double?], [Bool]) = ([], [])
        for hour in stride(from: hours, through: 1, by: -1) where end - hour * length >= 0 {
            let start = end - hour * length
            let known = values[start..<(start + length)].filter { $0 >= 0 && $0.isFinite }
            means.append(known.isEmpty ? nil : known.reduce(0) { $0 + Double($1) } / Double(known.count))
            let begin = summary.end - Int64((values.count - start) * summary.calendar.stepSeconds)
            let span = begin..<(begin + Int64(summary.calendar.secondsPerHour))
            due.append(summary.recurring.contains { $0.isDue(in: span, calendar: summary.calendar) })
        }
        return (means, due)
    }
}

extension ProfileReport.Level {
    init(_ level: ProfileSummary.Level) {
        latest = level.latest
        mean = level.mean
        median = level.median
        quantile95 = level.quantile95
        highest = level.highest
        highestAt = ProfileReport.moment(level.highestAt)
    }
}

extension ProfileReport.Seconds {
    init(_ seconds: ProfileSummary.Seconds) {
        count = seconds.count
        relativeError = QuantileSketch.relativeError
        shares = seconds.quantiles.map(\.share)
        quantiles = seconds.quantiles.map(\.value)
    }
}

extension ProfileReport.Burst {
    init(_ burst: ProfileSummary.Burstiness) {
        windowSeconds = burst.windowSeconds
        peakToMean = burst.peakToMean
        highestPeakToMean = burst.highestPeakToMean
        highestAt = ProfileReport.moment(burst.highestAt)
        steps = burst.steps
    }
}

extension ProfileReport.Hour {
    init(_ hour: PatternHour) {
        func known(_ value: Double) -> Double? { value.isNaN ? nil : value }
        low = known(hour.low)
        median = known(hour.median)
        high = known(hour.high)
    }
}

extension ProfileReport.Busy {
    init(_ hour: BusyHour) {
        startSeconds = hour.start
        value = hour.value
        ratioToMean = hour.ratioToMean
        next = ProfileReport.moment(hour.next)
    }
}

extension ProfileReport.Trend {
    init(_ growth: Growth) {
        perDay = growth.perDay
        perWeek = growth.perWeek
        relativePerWeek = growth.relativePerWeek
        days = growth.days
        score = growth.score
        isSignificant = growth.isSignificant
    }
}

extension ProfileReport.Shift {
    init(_ shift: LevelShift) {
        at = ProfileReport.moment(shift.at)
        from = shift.from
        to = shift.to
    }
}

extension ProfileReport.Event {
    init(_ event: RecurringEvent, words: String) {
        self.words = words
        periodSeconds = event.periodSeconds
        weekdays = event.weekdays
        nextDue = ProfileReport.moment(event.nextDue)
        lastSeen = ProfileReport.moment(event.lastSeen)
        durationSeconds = event.durationSeconds
        size = event.size
        seen = event.seen
        expected = event.expected
        confidence = event.confidence
    }
}
