/// Looks for what is not in the values: the same one again and again, and none.
struct Runs: Sendable {
    /// The same value so often at least, and so many times the longest run so far, is a flat line.
    private static let flatValues = 36
    private static let flatFactor = 4
    /// No value for so many of the usual intervals, and so many times the longest gap so far, is missing.
    private static let missingIntervals = 5.0
    private static let missingFactor = 2.0
    /// Longest run and gap are forgotten by half in this many values.
    private static let forgetting = 0.9998

    private(set) var current: Anomaly?
    private var value = Double.nan
    private var runStart: Int64 = 0
    private var runEnd: Int64 = 0
    private var run = 0
    private var longestRun = 0.0
    private var last: Int64?
    private var interval = 0.0
    private var longestGap = 0.0
    private var count = 0

    /// There has been no value until now.
    /// - Returns: the anomaly, when this is when it is noticed.
    mutating func silence(until seconds: Int64, expected: ExpectedRange?) -> Anomaly? {
        guard count >= 12, let last, current?.kind != .missing else { return nil }
        let gap = Double(seconds) - Double(last)
        let allowed = max(Self.missingIntervals * interval, Self.missingFactor * longestGap)
        guard gap > allowed, allowed > 0 else { return nil }
        current = Anomaly(
            kind: .missing, start: last, end: nil, probability: gap / (gap + allowed),
            unlikelihood: logarithm(Double(count + 1)) / 2.302585,
            expected: expected, extreme: nil)
        return current
    }

    /// There is a value again.
    /// - Returns: the gap before it, if it was too long: whether it was noticed before or not.
    mutating func resume(at seconds: Int64) -> Anomaly? {
        _ = silence(until: seconds, expected: nil)
        defer { learn(gapUntil: seconds) }
        guard current?.kind == .missing else { return nil }
        var ended = current
        ended?.end = seconds
        current = nil
        return ended
    }

    private mutating func learn(gapUntil seconds: Int64) {
        count += 1
        defer { last = seconds }
        // A clock that was set back, or stood, says nothing.
        guard let last, seconds > last else { return }
        let gap = Double(seconds) - Double(last)
        longestGap *= Self.forgetting
        if interval == 0 { interval = gap }
        interval += max(1 / Double(count), 0.01) * (min(gap, 3 * interval) - interval)
        longestGap = max(longestGap, min(gap, 4 * max(longestGap, interval)))
    }

    /// - Returns: a flat line that is noticed with this value; one that ends with it.
    mutating func learn(_ new: Double, at seconds: Int64, expected: ExpectedRange?) -> (began: Anomaly?, ended: Anomaly?) {
        guard new == value else { return (nil, vary(new, at: seconds)) }
        run += 1
        runEnd = seconds
        guard current == nil, run >= Self.flatValues, count > 2 * run, Double(run) >= Double(Self.flatFactor) * longestRun else {
            return (nil, nil)
        }
        current = Anomaly(
            kind: .flatLine, start: runStart, end: nil, probability: Double(run) / (Double(run) + longestRun),
            unlikelihood: logarithm(Double(count + 1)) / 2.302585, expected: expected, extreme: new)
        return (current, nil)
    }

    private mutating func vary(_ new: Double, at seconds: Int64) -> Anomaly? {
        var ended: Anomaly?
        if current?.kind == .flatLine {
            ended = current
            ended?.end = runEnd
            current = nil
        }
        longestRun = max(longestRun * Self.forgetting, Double(run))
        value = new
        run = 1
        runStart = seconds
        runEnd = seconds
        return ended
    }
}
