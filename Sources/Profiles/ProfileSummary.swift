/// What a series is like: all amounts in its own unit, all moments in seconds since the epoch, all times of day in UTC.
public struct ProfileSummary: Hashable, Sendable {
    /// The time from the first known hour to the end, and of the steps handed in, how many there were and how many were known.
    public var knownSeconds: Int
    public var steps: Int
    public var knownSteps: Int
    public var calendar: StepCalendar
    public var end: Int64

    /// Of the steps handed in; nil if none was known.
    public var level: Level?
    /// Of the seconds of the last four to eight weeks; nil if none was observed.
    public var seconds: Seconds?
    /// By window, the shortest first; none where no seconds were observed or steps are too short.
    public var burstiness: [Burstiness]
    /// By hour of the day; nil before a day is known.
    public var daily: [PatternHour]?
    /// By hour of the week, Monday first; nil before two weeks are known.
    public var weekly: [PatternHour]?
    public var busyHour: BusyHour?
    /// Of the week; nil before two weeks are known.
    public var busyHourOfWeek: BusyHour?
    /// 0 to 1: the share of the variance of hourly means that the daily pattern explains, and that it explains together with the weekly one
    /// (1 - (mean distance from the pattern / mean distance from the median)²; each hour by the pattern of the others). nil before three
    /// days are known.
    public var dailyRegularity: Double?
    public var regularity: Double?
    /// nil before a week is known.
    public var growth: Growth?
    public var levelShifts: [LevelShift]
    public var recurring: [RecurringEvent]

    public struct Level: Hashable, Sendable {
        public var mean: Double
        public var median: Double
        /// As carriers bill it.
        public var quantile95: Double
        public var highest: Double
        /// When the highest step began.
        public var highestAt: Int64
        public var latest: Double?
    }

    public struct Seconds: Hashable, Sendable {
        public var count: Int
        /// Shares and the values they lie below, each right to `QuantileSketch.relativeError`.
        public var quantiles: [Quantile]
        /// To be merged with those of others.
        public var sketch: QuantileSketch

        public struct Quantile: Hashable, Sendable {
            public var share: Double
            public var value: Double
        }
        static let shares = [0.05, 0.5, 0.95, 0.99, 0.999]
    }

    /// The highest mean of a window in a step, beside the mean of that step.
    public struct Burstiness: Hashable, Sendable {
        public var windowSeconds: Int
        /// The sum of the peaks of all steps by the sum of their means: busy steps count for more.
        public var peakToMean: Double
        /// The highest of one step, of those with at least a tenth of the mean of all, and when it began.
        public var highestPeakToMean: Double
        public var highestAt: Int64
        /// Steps that it was measured in.
        public var steps: Int
    }

    init(values: [Float], until end: Int64, seconds: SecondsPeriod, hours: Hours, calendar: StepCalendar) {
        self.end = end
        self.calendar = calendar
        steps = values.count
        knownSteps = values.count { !$0.isNaN }
        let firstStep = calendar.step(at: end) - Int64(values.count)
        let stepsKnownFrom = values.firstIndex { !$0.isNaN }.map { (firstStep + Int64($0)) * Int64(calendar.stepSeconds) } ?? end
        let hoursKnownFrom = hours.means.isEmpty ? end : hours.first * Int64(calendar.secondsPerHour)
        knownSeconds = Int(max(0, end - min(stepsKnownFrom, hoursKnownFrom)))
        level = Level(values, firstStep: firstStep, calendar: calendar)
        self.seconds = Seconds(seconds.sketch)
        burstiness = zip(BurstMeter.spans, seconds.ratios).compactMap { Burstiness($0, $1) }
        let pattern = SeasonalPattern(hours)
        daily = pattern.daily
        weekly = pattern.weekly
        dailyRegularity = pattern.dailyShare
        regularity = pattern.share
        busyHour =
            BusyHour.ofDay(values, firstStep: firstStep, calendar: calendar, end: end)
            ?? BusyHour.ofPattern(pattern.daily, calendar: calendar, end: end)
        busyHourOfWeek = BusyHour.ofPattern(pattern.weekly, calendar: calendar, end: end)
        levelShifts = LevelShiftSearch(hours)?.shifts(calendar) ?? []
        growth = Growth(hours, shifts: levelShifts, calendar: calendar)
        let events = ScheduledEvents.find(values, until: end, calendar: calendar)
        recurring = events + ScheduledEvents.weekly(hours, values: values, until: end, calendar: calendar, except: events)
    }
}

extension ProfileSummary.Level {
    init?(_ values: [Float], firstStep: Int64, calendar: StepCalendar) {
        let sorted = values.ordered
        guard let highest = sorted.last, let place = values.firstIndex(where: { Double($0) == highest }) else { return nil }
        mean = sorted.mean
        median = sorted.median
        quantile95 = sorted.ranked(0.95)
        self.highest = highest
        highestAt = (firstStep + Int64(place)) * Int64(calendar.stepSeconds)
        latest = values.last.flatMap { $0.isNaN ? nil : Double($0) }
    }
}

extension ProfileSummary.Seconds {
    init?(_ sketch: QuantileSketch) {
        guard sketch.count > 0 else { return nil }
        count = sketch.count
        quantiles = Self.shares.map { Quantile(share: $0, value: sketch.quantile($0) ?? 0) }
        self.sketch = sketch
    }
}

extension ProfileSummary.Burstiness {
    init?(_ seconds: Int, _ ratio: SecondsPeriod.Ratio) {
        guard ratio.means > 0 else { return nil }
        windowSeconds = seconds
        peakToMean = ratio.peaks / ratio.means
        highestPeakToMean = ratio.highest
        highestAt = ratio.highestAt
        steps = ratio.steps
    }
}
