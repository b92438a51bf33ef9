/// Watches two series that go together, as requests and answers do, and tells when one no longer follows the other.
///
/// By least squares that forget (over 720 pairs of values), the logarithm of the second is explained by that of the first. While that
/// explains nine tenths of its variance or more, a second value that is far from what the first one says, again and again, is a break: both
/// may be ordinary by themselves. It is told of the one of the two that is farther from what it usually is. What happens during a break is
/// not learnt, until it has become the rule. Time: some 20 ns a pair, memory: this struct.
public struct PairDetector: Sendable {
    /// What one pair changed.
    public struct Assessment: Hashable, Sendable {
        public var began: Anomaly?
        public var ended: Anomaly?
        /// It is of the first of the two, held against what the second one says.
        public var isOfFirst = false
    }

    private static let memory = 720.0
    /// Pairs that the scales are of.
    private static let first = 30
    /// Pairs before anything is told.
    private static let fewest = 150
    /// Of the variance, that the first has to explain before a break is one.
    private static let explained = 0.9
    /// Deviations that are far, and pairs in a row that are far, or near again.
    private static let far = 6.0
    private static let inARow = 5
    /// Pairs after which a break is the rule.
    private static let rule = 144

    private var count = 0
    /// Below these the logarithms are straight: the means of the first values.
    private var scaleX = 0.0
    private var scaleY = 0.0
    private var meanX = 0.0
    private var meanY = 0.0
    private var varianceX = 0.0
    private var varianceY = 0.0
    private var covariance = 0.0
    /// Of what the first leaves over.
    private var residual = 0.0
    private var outside = 0
    private var inside = 0
    private var sinceBreak = 0
    /// The largest error of this break, in logarithms; of either one what was expected then, and what was.
    private var worst = 0.0
    private var worstRange = (first: ExpectedRange(value: 0, low: 0, high: 0), second: ExpectedRange(value: 0, low: 0, high: 0))
    private var worstValue = (first: 0.0, second: 0.0)
    /// How far either was from its mean while it was far, in deviations.
    private var distances = (first: 0.0, second: 0.0)
    private var isOfFirst = false
    private var firstOutside: Int64 = 0
    private var lastOutside: Int64 = 0
    public private(set) var current: Anomaly?

    public init() {}

    /// The share of the second's variance that the first explains, 0 to 1.
    public var strength: Double {
        guard varianceX > 0, varianceY > 0 else { return 0 }
        return min(1, covariance * covariance / (varianceX * varianceY))
    }

    /// - Parameters:
    ///   - x: what explains; of the same step as `y`. Values that are none, or not finite, are passed over.
    ///   - seconds: since the epoch.
    public mutating func observe(_ x: Double, _ y: Double, at seconds: Int64) -> Assessment {
        var assessment = Assessment()
        guard x.isFinite, y.isFinite, abs(x) < 1e100, abs(y) < 1e100 else { return assessment }
        guard count >= Self.first else {
            // Rates are never negative; what is goes by its size.
            (scaleX, scaleY) = (scaleX + abs(x) / Double(Self.first), scaleY + abs(y) / Double(Self.first))
            count += 1
            return assessment
        }
        guard scaleX > 0, scaleY > 0 else {
            // Nothing came so far: begin anew.
            self = PairDetector()
            return assessment
        }
        let (u, v) = (logarithmOfOnePlus(max(0, x) / scaleX), logarithmOfOnePlus(max(0, y) / scaleY))
        let expected = varianceX > 0 ? meanY + covariance / varianceX * (u - meanX) : meanY
        let error = v - expected
        // A deviation of less than a few percent is nobody's concern, however exact the two were.
        let scale = max(residual.squareRoot(), 0.02)
        let isFar = count >= Self.fewest && abs(error) > Self.far * scale
        (outside, inside) = isFar ? (outside + 1, 0) : (0, inside + 1)
        if isFar {
            if outside == 1, current == nil { (firstOutside, worst, distances) = (seconds, 0, (0, 0)) }
            lastOutside = seconds
            distances.first += abs(u - meanX) / max(varianceX.squareRoot(), 1e-9)
            distances.second += abs(v - meanY) / max(varianceY.squareRoot(), 1e-9)
            if abs(error) > worst { note(u, v, x, y, error, expected, scale) }
        }
        if current != nil {
            follow(into: &assessment)
        } else if outside == Self.inARow, strength >= Self.explained {
            let unlikelihood = min(30, error * error / (scale * scale) / 4.6)
            isOfFirst = distances.first > distances.second
            current = Anomaly(
                kind: .correlatedBreak, start: firstOutside, end: nil, probability: 1 - 0.5 / (1 + unlikelihood),
                unlikelihood: unlikelihood,
                expected: isOfFirst ? worstRange.first : worstRange.second, extreme: isOfFirst ? worstValue.first : worstValue.second)
            sinceBreak = 0
            (assessment.began, assessment.isOfFirst) = (current, isOfFirst)
        }
        if current == nil, !isFar { learn(u, v, error) }
        return assessment
    }

    /// The most of this break so far.
    private mutating func note(
        _ u: Double, _ v: Double, _ x: Double, _ y: Double, _ error: Double, _ expected: Double, _ scale: Double
    ) {
        worst = abs(error)
        worstValue = (x, y)
        worstRange.second = Self.range(expected, scale, of: scaleY)
        // The line the other way round, and what it leaves over.
        let back = varianceY > 0 ? meanX + covariance / varianceY * (v - meanY) : meanX
        worstRange.first = Self.range(back, scale * (varianceX / max(varianceY, 1e-12)).squareRoot(), of: scaleX)
    }

    /// What is expected, out of its logarithm.
    private static func range(_ logarithm: Double, _ scale: Double, of unit: Double) -> ExpectedRange {
        func value(_ logarithm: Double) -> Double { max(0, unit * (exponential(logarithm) - 1)) }
        return ExpectedRange(value: value(logarithm), low: value(logarithm - far * scale), high: value(logarithm + far * scale))
    }

    private mutating func follow(into assessment: inout Assessment) {
        sinceBreak += 1
        current!.expected = isOfFirst ? worstRange.first : worstRange.second
        current!.extreme = isOfFirst ? worstValue.first : worstValue.second
        let isRule = sinceBreak >= Self.rule
        guard inside >= Self.inARow || isRule else { return }
        current!.end = lastOutside
        (assessment.ended, assessment.isOfFirst) = (current, isOfFirst)
        current = nil
        (outside, inside) = (0, 0)
        // What it has become is learnt from nothing.
        if isRule { self = PairDetector() }
    }

    private mutating func learn(_ x: Double, _ y: Double, _ error: Double) {
        count += 1
        let learnt = count - Self.first
        let weight = 1 / min(Double(learnt), Self.memory)
        let (dx, dy) = (x - meanX, y - meanY)
        meanX += weight * dx
        meanY += weight * dy
        varianceX += weight * (dx * (x - meanX) - varianceX)
        varianceY += weight * (dy * (y - meanY) - varianceY)
        covariance += weight * (dx * (y - meanY) - covariance)
        // Before there is a line, what is left over says nothing.
        if learnt > 20 { residual += max(weight, 1 / Double(learnt - 20)) * (error * error - residual) }
    }
}
