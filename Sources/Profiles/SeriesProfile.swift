/// What is known of one series, kept current second by second and step by step in less than 9 KiB.
///
/// Of the seconds: their distribution and burstiness over the last four to eight weeks. Of the steps: the hourly means of the last eight
/// weeks. The values of the last steps are kept elsewhere (`SeriesForecaster.values`) and handed in for the summary.
///
/// Values are amounts: what is negative, infinite or not a number counts as missing. How a clock that jumps, gaps and daylight saving are
/// treated is in docs/profiles.md.
public struct SeriesProfile: Sendable {
    public let calendar: StepCalendar

    private var meter: BurstMeter
    private var period: SecondsPeriod
    private var earlier: SecondsPeriod?
    private var history: HourlyHistory
    private var periodEnd = Int64.min
    private var periodStart = Int64.max

    public init(calendar: StepCalendar = StepCalendar()) {
        self.calendar = calendar
        meter = BurstMeter(calendar)
        period = SecondsPeriod(number: .min)
        history = HourlyHistory(stepsPerHour: calendar.stepsPerHour)
    }

    /// How many bytes it takes, on the heap and itself.
    public var bytes: Int { MemoryLayout<Self>.size + period.bytes + (earlier?.bytes ?? 0) + history.bytes }

    /// Takes in the mean of one second, or of whatever sampling is finer than a step.
    ///
    /// - Parameter second: since the epoch, of its beginning.
    @inline(__always) public mutating func observe(second value: Float, at second: Int64) {
        guard value >= 0, value.isFinite else { return }
        if second < periodStart || second >= periodEnd { turn(to: second) }
        period.sketch.insert(value)
        if let step = meter.observe(Double(value), at: second) { period.add(step) }
    }

    /// After four weeks the period before the last is forgotten. A clock that goes back into the one before goes on in this
    /// one; further back, it was wrong before and a new one begins.
    @inline(never) private mutating func turn(to second: Int64) {
        let length = Int64(SecondsPeriod.days * calendar.secondsPerDay)
        let number = StepCalendar.floor(second, Int(length))
        periodStart = number * length
        periodEnd = periodStart + length
        guard number > period.number || number < period.number - 1 else { return }
        earlier = number == period.number &+ 1 || number < period.number ? period : nil
        period = SecondsPeriod(number: number)
    }

    /// Takes in a step that is over.
    ///
    /// Steps that are left out are missing. One that is before the last one takes back the hours from its own on.
    ///
    /// - Parameters:
    ///   - value: its mean; nan if there is none.
    ///   - second: since the epoch, of its beginning.
    public mutating func append(_ value: Float, at second: Int64) { history.append(value, hour: calendar.hour(at: second)) }

    /// Says what the series is like.
    ///
    /// - Parameters:
    ///   - values: of the last steps, oldest first, one for each step, nan where there was none.
    ///   - end: since the epoch, where the last of them ended.
    public func summary(values: [Float], until end: Int64) -> ProfileSummary {
        var seconds = period
        if let earlier { seconds.merge(earlier) }
        let values = values.map { $0 >= 0 && $0.isFinite ? $0 : .nan }
        return ProfileSummary(values: values, until: end, seconds: seconds, hours: history.hours.known, calendar: calendar)
    }
}
