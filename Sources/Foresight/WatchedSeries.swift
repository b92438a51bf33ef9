import Anomalies
import Forecasting
import Profiles

/// All that is kept of one series: its last values, the model fitted to them, how its forecasts did, and what is unusual about it.
public struct WatchedSeries: Sendable {
    /// Two weeks of steps, two hours of short ones, eight weeks of long ones.
    static let capacities = (step: ForecastModel.historyLimit, short: 720, long: 1344)
    /// Looks that only teach what is usual: an hour.
    static let warmUp = 60
    /// Looks back that two series are held against each other: what `PairDetector` remembers.
    private static let pairedLooks = 800
    /// Steps after which a model is fitted anew, where there are enough values: an hour.
    private static let refit = 12

    /// What a second changed.
    struct Turn {
        var closedStep = false
        /// The look that is over; nil while one goes on, or where too little was measured.
        var look: StepMeter.Step?
        var began: Anomaly?
        var ended: Anomaly?
    }

    /// Where it has no value nothing was measured; otherwise it was 0.
    let isLevel: Bool
    public private(set) var values = StepValues(capacity: capacities.step)
    public private(set) var short = StepValues(capacity: capacities.short)
    public private(set) var long = StepValues(capacity: capacities.long)
    public private(set) var record = ForecastRecord()
    /// What it is usually like.
    public private(set) var profile: SeriesProfile
    public private(set) var model: ForecastModel?
    /// Made when the last whole step was over; nil where it could not be.
    public private(set) var latestForecast: Forecast?
    /// The last second with a value other than 0.
    private(set) var activeAt: Int64 = 0
    private var measuredAt: Int64?
    private let clock: StepClock
    private var stepMeter: StepMeter
    private var shortMeter: StepMeter
    private var longMeter: StepMeter
    private var lookMeter: StepMeter
    private var detector: SeriesDetector
    /// When the anomalies began that were told and go on, in the detector's time.
    private var told: [Int64] = []
    /// What began until then is of the past that was taken in, and not told any more.
    private var recalledUntil = Int64.min
    private var stepsSinceFit = Int.max

    init(_ clock: StepClock, isLevel: Bool, threshold: Double) {
        self.clock = clock
        self.isLevel = isLevel
        profile = SeriesProfile(calendar: clock.calendar)
        stepMeter = StepMeter(length: clock.step)
        shortMeter = StepMeter(length: clock.short)
        longMeter = StepMeter(length: clock.long)
        lookMeter = StepMeter(length: clock.look)
        detector = SeriesDetector(threshold: threshold, warmUp: Self.warmUp)
    }

    /// The anomaly that goes on, as far as it is known now.
    public var anomaly: Anomaly? { detector.current.flatMap { told.contains($0.start) ? inOurTime($0) : nil } }

    /// What a step of the last hour had: the median; nil where nothing is known.
    public var usual: Double? { usual(before: .max) }

    /// The same of the hour before a second.
    public func usual(before second: Int64) -> Double? {
        let end = min(values.end, second / Int64(clock.step))
        let known = (end - 12..<end).map { values[$0] }.filter { !$0.isNaN }.sorted()
        return known.isEmpty ? nil : Double(known[known.count / 2])
    }

    public var bytes: Int {
        values.bytes + short.bytes + long.bytes + record.bytes + profile.bytes + detector.bytes + MemoryLayout<Self>.stride
    }

    // MARK: Seconds

    mutating func turn(_ value: Double?, for duration: Double, at end: Int64) -> Turn {
        var turn = Turn()
        measuredAt = end
        if let value { profile.observe(second: Float(value), at: end) }
        if let value, value != 0 { activeAt = end }
        measure(value, for: duration, at: end, into: &turn)
        if let step = shortMeter.add(value, for: duration, at: end) { short.set(step.index, Float(step.value)) }
        return turn
    }

    private mutating func measure(_ value: Double?, for duration: Double, at end: Int64, into turn: inout Turn) {
        if let step = stepMeter.add(value, for: duration, at: end) {
            if step.index < values.end - 1 { record.forget(after: step.index) }
            values.set(step.index, Float(step.value))
            record.settle(step.index, Float(step.value))
            profile.append(Float(step.value), at: step.index * Int64(clock.step))
            stepsSinceFit = stepsSinceFit == .max ? .max : stepsSinceFit + 1
            turn.closedStep = true
        }
        if let step = longMeter.add(value, for: duration, at: end) { long.set(step.index, Float(step.value)) }
        if let step = lookMeter.add(value, for: duration, at: end) {
            turn.look = step.value.isNaN ? nil : step
            let time = clock.modelTime(step.index * Int64(clock.look))
            let found = step.value.isNaN ? detector.silence(until: time) : detector.observe(step.value, at: time)
            tell(found, in: &turn)
        }
    }

    private mutating func tell(_ found: SeriesDetector.Assessment, in turn: inout Turn) {
        if let ended = found.ended, let index = told.firstIndex(of: ended.start) {
            told.remove(at: index)
            turn.ended = inOurTime(ended)
        }
        guard let anomaly = found.began ?? grown(found), Self.isWorthTelling(anomaly) else { return }
        told.append(anomaly.start)
        turn.began = inOurTime(anomaly)
    }

    /// What goes on and was not worth a word when it began, once something unusual is in it again.
    private func grown(_ found: SeriesDetector.Assessment) -> Anomaly? {
        guard found.strength >= detector.threshold, let current = detector.current, current.start > recalledUntil,
            !told.contains(current.start)
        else { return nil }
        return current
    }

    /// What is unusual about values that are expected one by one, their order or spread, moves nobody to look.
    private static func isWorthTelling(_ anomaly: Anomaly) -> Bool {
        guard let expected = anomaly.expected, let extreme = anomaly.extreme, anomaly.kind != .flatLine else { return true }
        return extreme < expected.low || extreme > expected.high
    }

    private func inOurTime(_ anomaly: Anomaly) -> Anomaly {
        var anomaly = anomaly
        anomaly.start = anomaly.start * Int64(clock.day) / Int64(StepClock.ordinaryDay)
        anomaly.end = anomaly.end.map { $0 * Int64(clock.day) / Int64(StepClock.ordinaryDay) }
        return anomaly
    }

    // MARK: The past

    /// A stretch of the past.
    public struct Past: Sendable {
        /// nil: nothing was measured.
        public var value: Double?
        /// Seconds, at most one look.
        public var duration: Double
        /// Seconds since 1970.
        public var end: Int64

        public init(value: Double?, duration: Double, end: Int64) {
            self.value = value
            self.duration = duration
            self.end = end
        }
    }

    /// Takes in what was before it was watched, in order; what has been measured since the last of it counts too.
    ///
    /// - Parameter hours: long steps before those, oldest first, that end at `hoursEnd` (long steps since 1970).
    /// - Returns: its last looks, as many as two series are held against each other.
    mutating func replay(_ past: [Past], hours: [Float] = [], hoursEnd: Int64 = 0) -> [StepMeter.Step] {
        var earlier = WatchedSeries(clock, isLevel: isLevel, threshold: detector.threshold)
        var turn = Turn()
        let first = (past.first?.end ?? .max) / Int64(clock.long)
        for (offset, value) in hours.enumerated() {
            let hour = hoursEnd - Int64(hours.count - offset)
            guard hour < first else { break }
            for step in 0..<Int64(clock.long / clock.step) {
                earlier.profile.append(value, at: hour * Int64(clock.long) + step * Int64(clock.step))
            }
        }
        var seen: [StepMeter.Step] = []
        for one in past {
            turn.look = nil
            earlier.measure(one.value, for: one.duration, at: one.end, into: &turn)
            guard let look = turn.look else { continue }
            if seen.count == 2 * Self.pairedLooks { seen.removeFirst(Self.pairedLooks) }
            seen.append(look)
        }
        // What is not over yet goes on from whichever has seen more of it.
        if let seen = measuredAt, seen > past.last?.end ?? 0 { earlier.measure(nil, for: 0, at: seen, into: &turn) }
        (stepMeter, longMeter) = (stepMeter.orFuller(earlier.stepMeter), longMeter.orFuller(earlier.longMeter))
        lookMeter = lookMeter.orFuller(earlier.lookMeter)
        earlier.values.put(after: values)
        var joined = StepValues(capacity: Self.capacities.long)
        for (offset, value) in hours.enumerated() { joined.set(hoursEnd - Int64(hours.count - offset), value) }
        joined.put(after: earlier.long)
        joined.put(after: long)
        earlier.long = joined
        (values, long, profile, detector, told) = (earlier.values, earlier.long, earlier.profile, earlier.detector, [])
        if let last = [past.last?.end, measuredAt].compactMap({ $0 }).max() { recalledUntil = clock.modelTime(last) }
        stepsSinceFit = .max
        return seen.suffix(Self.pairedLooks)
    }

    /// What an earlier agent knew of its forecasts.
    mutating func restore(_ record: ForecastRecord) { self.record = record }

    // MARK: Forecasts

    /// Steps that are to be told of: of each width see `ForecastSpan`.
    public static let horizons = (step: StepClock.grain, short: 60, long: 168)

    /// Whether the model is older than it should be.
    private var isFitDue: Bool {
        model == nil ? values.count >= ForecastModel.historyMinimum : stepsSinceFit >= min(Self.refit, max(1, values.count / 24))
    }

    /// Fits if that is due, and tells the next steps. Costs milliseconds; `finish` takes in what became of it.
    func forecasted() -> Forecasted {
        var result = Forecasted(end: values.end, model: model)
        guard values.count > 0 else { return result }
        let all = values.all
        if isFitDue {
            result.isFitted = true
            // What cannot be said now stays as it was said.
            let model = try? ForecastModel(fitting: all, stepSeconds: clock.modelSeconds(clock.step), upTo: Self.horizons.step)
            result.model = model ?? result.model
        }
        guard let model = result.model else { return result }
        let steps = min(model.horizon, ForecastRecord.steps(after: values.end - 1))
        result.forecast = try? model.forecast(after: all, steps: steps)
        return result
    }

    struct Forecasted: Sendable {
        /// The step after the last value that it knew.
        var end: Int64
        var model: ForecastModel?
        var isFitted = false
        var forecast: Forecast?
    }

    mutating func finish(_ result: Forecasted) {
        if result.isFitted {
            model = result.model
            stepsSinceFit = 0
        }
        // Values that came meanwhile would make it a forecast of less than it says.
        guard let forecast = result.forecast, result.end == values.end else { return }
        latestForecast = forecast
        let last = values.end - 1
        record.keep(forecast, after: last) { target in
            let day = Int64(StepClock.grain)
            let back = (target - last + day - 1) / day * day
            let before = values[target - back]
            return before.isNaN ? values[last] : before
        }
    }
}
