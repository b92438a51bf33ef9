/// Finds what is unusual in one series, value by value, in bounded memory and time.
///
/// Feed it the values in order; it never looks ahead and has no parameters to fit to a series. What it says of a value depends on that
/// value and the ones before, not on a clock or chance: the same values give the same answers.
///
/// - The method, its accuracy and its false alarms are in docs/anomalies.md.
/// - Time: about 1 µs a value. Memory: at most 8 KiB (`bytes`).
public struct SeriesDetector: Sendable {
    /// What one value changed.
    public struct Assessment: Hashable, Sendable {
        /// 0 to 1. At least 0.5 at the one value that raises an alert, and below at all others.
        public var score: Double
        /// How unusual it is: about 0 to 2 for ordinary values. What reaches the threshold soon after an alert raises none.
        public var strength = 0.0
        /// What was expected of this value; nil while too little is known.
        public var expected: ExpectedRange?
        /// The anomaly that this value raised an alert for.
        public var began: Anomaly?
        /// The anomaly that is over with this value, in its final form.
        public var ended: Anomaly?
    }

    /// The strength that raises an alert, by default: see docs/anomalies.md for what other values cost and bring.
    public static let defaultThreshold = 2.5
    /// After an alert others wait for this part of the values so far, at least and at most this many.
    static let repose = (part: 0.05, fewest: 20, most: 150)
    /// Times the strength of the last alert.
    static let much = 4.0
    /// Times the largest value so far, while it warms up: that is where its use begins.
    private static let awakening = 10.0
    private static let furthest = 1e100

    public let threshold: Double
    private let warmUp: Int
    /// What is going on at present; its kind and extreme may still change.
    public var current: Anomaly? { episode?.anomaly ?? runs.current }

    /// So far, while it warms up.
    private var largest = 0.0
    private var unusualness = Unusualness()
    private var expectation = Expectation()
    private var runs = Runs()
    private var episode: Episode?
    private var sinceAlert = Int.max / 2
    private var lastStrength = 0.0
    /// The first of the values outside what is expected that reach to the last one.
    private var outsideSince: Int64?

    /// - Parameters:
    ///   - threshold: the strength that raises an alert; higher means fewer.
    ///   - warmUp: so many values only teach what is usual, and are no part of an anomaly. They count from when the series is in use: from the
    ///     last one among them that is ten times as much as all before.
    public init(threshold: Double = SeriesDetector.defaultThreshold, warmUp: Int = 0) {
        precondition(threshold > 0 && warmUp >= 0, "\(threshold), \(warmUp)")
        self.threshold = threshold
        self.warmUp = warmUp
    }

    /// A series that has hardly been used says nothing about what it is like in use, but would call that the most unusual of all.
    private mutating func awake(_ value: Double) {
        guard !isWarm else { return }
        if abs(value) > Self.awakening * largest, unusualness.count > 0 { self = SeriesDetector(threshold: threshold, warmUp: warmUp) }
        largest = max(largest, abs(value))
    }

    private var isWarm: Bool { unusualness.count >= warmUp }

    /// How many bytes it takes, on the heap and itself.
    public var bytes: Int { unusualness.bytes + expectation.bytes + MemoryLayout<Self>.size }

    /// Takes in the next value.
    ///
    /// - Parameters:
    ///   - value: in any unit; nil, not a number and infinite mean that there is none.
    ///   - seconds: since the epoch. A time that is not after the last one is allowed: the value counts, the time between them does not.
    public mutating func observe(_ value: Double?, at seconds: Int64) -> Assessment {
        guard let given = value, given.isFinite else { return silence(until: seconds) }
        let value = min(max(given, -Self.furthest), Self.furthest)
        awake(value)
        var assessment = Assessment(score: 0, expected: expectation.range(at: seconds))
        let isWarm = isWarm
        assessment.ended = runs.resume(at: seconds)
        let strength = unusualness.update(value, at: seconds)
        assessment.score = ordinaryScore(strength)
        assessment.strength = strength
        follow(value, at: seconds, strength: strength, into: &assessment)
        if isWarm { raise(value, at: seconds, strength: strength, into: &assessment) }
        let (flat, varied) = runs.learn(value, at: seconds, expected: assessment.expected)
        assessment.began = assessment.began ?? flat
        assessment.ended = assessment.ended ?? varied
        if episode == nil || episode!.isOrdinary { expectation.learn(value, at: seconds) }
        return assessment
    }

    /// Tells that there has been no value until now; may be called as often as one likes.
    public mutating func silence(until seconds: Int64) -> Assessment {
        let expected = expectation.range(at: seconds)
        guard isWarm else { return Assessment(score: 0, expected: expected) }
        return Assessment(score: 0, expected: expected, began: runs.silence(until: seconds, expected: expected))
    }

    /// The logistic function of how far the strength is above the threshold.
    private func probability(_ strength: Double) -> Double { 1 / (1 + exponential(threshold - strength)) }

    /// Below 0.5, also of a value that would be an alert were there not one already.
    private func ordinaryScore(_ strength: Double) -> Double { min(probability(strength), 0.5) * 0.999 }

    private mutating func follow(_ value: Double, at seconds: Int64, strength: Double, into assessment: inout Assessment) {
        if let expected = assessment.expected, !(expected.low...expected.high).contains(value) {
            outsideSince = outsideSince ?? seconds
        } else {
            outsideSince = nil
        }
        guard episode != nil else { return }
        let unlikelihood = unusualness.strongest.unlikelihood
        let course = episode!.follow(
            value, at: seconds, expected: assessment.expected, score: max(0.5, probability(strength)), unlikelihood: unlikelihood)
        guard course != .goesOn else { return }
        assessment.ended = episode!.anomaly
        episode = nil
        if course == .hasBecomeTheRule { expectation.settle(on: value) }
    }

    private mutating func raise(_ value: Double, at seconds: Int64, strength: Double, into assessment: inout Assessment) {
        sinceAlert += 1
        guard strength >= threshold else { return }
        let repose = min(max(Int(Self.repose.part * Double(unusualness.count)), Self.repose.fewest), Self.repose.most)
        // What is much stronger than the last one is something else, however soon it comes.
        guard sinceAlert > repose || (episode == nil && strength > Self.much * lastStrength) else { return }
        sinceAlert = 0
        lastStrength = strength
        assessment.score = max(0.5, probability(strength))
        guard episode == nil else { return }
        let (view, unlikelihood) = unusualness.strongest
        let anomaly = Anomaly(
            kind: kind(of: value, view: view, expected: assessment.expected), start: outsideSince ?? seconds, end: nil,
            probability: assessment.score, unlikelihood: unlikelihood, expected: assessment.expected, extreme: value)
        var begun = Episode(anomaly)
        _ = begun.follow(
            value, at: seconds, expected: assessment.expected, score: assessment.score, unlikelihood: unlikelihood)
        assessment.began = begun.anomaly
        episode = begun
    }

    private func kind(of value: Double, view: View, expected: ExpectedRange?) -> AnomalyKind {
        let isOrdinary = abs(value - unusualness.mean) < 3 * unusualness.deviation
        guard let expected, value < expected.low || value > expected.high else {
            switch view {
            case .above: return .spike
            case .below: return .dip
            case .aboveHour, .belowHour, .meanAboveHour, .meanBelowHour: return isOrdinary ? .changedSeasonality : .pattern
            default: return .pattern
            }
        }
        if expectation.isSeasonal, isOrdinary { return .changedSeasonality }
        return value > expected.high ? .spike : .dip
    }
}
