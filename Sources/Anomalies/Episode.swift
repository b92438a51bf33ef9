/// Follows the anomaly that a series is in: which kind it turns out to be, how far it goes, and when it is over.
struct Episode: Sendable {
    /// Values within what is expected, one after the other, that end it.
    static let ordinaryValues = 6
    /// Values outside, one after the other, that make it a change of level; and as many more make the new level the rule.
    static let levelValues = 12
    static let settlingValues = 144

    private(set) var anomaly: Anomaly
    private var last: Int64
    private var within = 0
    private var outside = 0
    private var above = 0
    private var below = 0
    private var isSustained = false
    /// Whether the values themselves are as expected, now.
    var isOrdinary: Bool { within > 0 }

    init(_ anomaly: Anomaly) {
        self.anomaly = anomaly
        last = anomaly.start
    }

    enum Course { case goesOn, isOver, hasBecomeTheRule }

    /// One value more.
    mutating func follow(_ value: Double, at seconds: Int64, expected: ExpectedRange?, score: Double, unlikelihood: Double) -> Course {
        anomaly.probability = max(anomaly.probability, score)
        anomaly.unlikelihood = max(anomaly.unlikelihood, unlikelihood)
        guard let expected, !(expected.low...expected.high).contains(value) else {
            within += 1
            outside = 0
            guard within >= Self.ordinaryValues else { return .goesOn }
            return close()
        }
        within = 0
        outside += 1
        last = seconds
        if value > expected.high { above += 1 } else { below += 1 }
        let reference = anomaly.expected?.value ?? expected.value
        if abs(value - reference) > abs((anomaly.extreme ?? reference) - reference) { anomaly.extreme = value }
        if outside >= Self.levelValues { isSustained = true }
        if anomaly.kind != .changedSeasonality { anomaly.kind = isSustained ? .level : above >= below ? .spike : .dip }
        guard outside >= Self.settlingValues else { return .goesOn }
        _ = close()
        return .hasBecomeTheRule
    }

    private mutating func close() -> Course {
        anomaly.end = last
        return .isOver
    }
}
