/// Makes the values of whole steps out of those of seconds.
///
/// A step's value is the mean of what was measured in it. If that is less than half of the step, it has none.
public struct StepMeter: Hashable, Sendable {
    /// A step that is over.
    public struct Step: Hashable, Sendable {
        /// Its beginning, in steps since 1970.
        public var index: Int64
        /// NaN where too little was measured.
        public var value: Double
    }

    /// Seconds.
    public let length: Int
    /// Steps since 1970 of the one that is being measured; nil before the first value.
    public private(set) var current: Int64?
    private var sum = 0.0
    private var measured = 0.0

    public init(length: Int) {
        precondition(length > 0, "\(length)")
        self.length = length
    }

    /// - Parameters:
    ///   - value: mean of the time that ends at `end`; nil: nothing was measured.
    ///   - duration: of that time, seconds.
    ///   - end: seconds since 1970.
    /// - Returns: the step that is over with this, if one is. Steps in which nothing was told at all are passed over: the next index tells.
    ///   After a clock that was set back it is a later one than those to come.
    public mutating func add(_ value: Double?, for duration: Double, at end: Int64) -> Step? {
        let index = end / Int64(length)
        var over: Step?
        if let current, index != current {
            over = finished
            (sum, measured) = (0, 0)
        }
        current = index
        if let value, value.isFinite {
            sum += value * duration
            measured += duration
        }
        return over
    }

    /// Of two that measured the same: the one that is in the later step, or that saw more of it.
    func orFuller(_ other: StepMeter) -> StepMeter {
        (current ?? .min, measured) >= (other.current ?? .min, other.measured) ? self : other
    }

    /// The step as far as it is measured.
    public var finished: Step { Step(index: current ?? 0, value: 2 * measured >= Double(length) ? sum / measured : .nan) }
}
