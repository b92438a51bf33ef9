/// A running median and median distance from it, which a few outliers do not move (stochastic quantile estimates, Robbins and Monro 1951).
struct RobustScale: Sendable {
    private static let slowest = 0.001
    /// As long as fewer values are known they are sorted.
    static let exact = 60

    private(set) var median = 0.0
    private(set) var distance = 0.0
    private var count = 0

    /// - Parameters:
    ///   - deviation: the standard deviation of the series so far; the scale never falls far below it.
    ///   - first: all values so far, this one too; asked for as long as there are at most `exact`.
    mutating func learn(_ value: Double, deviation: Double, first: @autoclosure () -> ArraySlice<Double>) {
        count += 1
        guard count > Self.exact else { return learnExactly(first()) }
        let rate = max(Self.slowest, 1 / Double(count))
        median += rate * 3 * max(distance, 0.02 * deviation) * (value > median ? 1 : value < median ? -1 : 0)
        distance = max(distance, 0.001 * deviation)
        let away = abs(value - median)
        distance += rate * 2 * distance * (away > distance ? 1 : away < distance ? -1 : 0)
    }

    private mutating func learnExactly(_ first: ArraySlice<Double>) {
        median = Self.median(of: first)
        distance = Self.median(of: first.map { abs($0 - median) })
    }

    /// The value in a scale on which ordinary ones are within 1 of 0 and far ones count by their logarithm.
    func squashed(_ value: Double, deviation: Double) -> Double {
        let scale = max(distance * 1.4826, 0.05 * deviation) + 1e-9 * abs(median) + 1e-300
        return inverseHyperbolicSine((value - median) / (3 * scale))
    }

    private static func median(of values: some Sequence<Double>) -> Double {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
