/// The distribution of many amounts in little space, with quantiles of bounded relative error.
///
/// Buckets whose ends are numbers of five mantissa bits, so that a value's bucket is a shift of its bit pattern: the linearly interpolated
/// form of DDSketch (Masson, Rim and Lee, “DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees”, 2019).
///
/// - A quantile is off by at most 1/65 (1.54 %) of itself, if it is at least two millionths (2⁻¹⁹) of the largest value. Of smaller
///   ones only the number is known.
/// - Merging two sketches gives the same sketch as all their values would, in any order.
/// - At most 2.5 KiB, in proportion to the logarithm of the range that was seen.
public struct QuantileSketch: Hashable, Sendable {
    public static let relativeError = 1.0 / 65
    /// Factors of 2 between the smallest and the largest bucket.
    static let octaves = 20
    private static let bits = 5
    private static let octave = 1 << bits
    private static let shift = Float.significandBitCount - bits

    /// All values.
    public private(set) var count = 0
    private var zeros = 0
    /// Values above 0 that are below the buckets kept.
    private var tiny = 0
    /// The first bucket that is kept; whole octaves.
    private var first = 0
    private var buckets: [UInt32] = []

    public init() {}

    var bytes: Int { buckets.capacity * MemoryLayout<UInt32>.stride }

    /// Counts a value.
    ///
    /// - Parameter value: an amount: negative, infinite ones and what is not a number are not counted.
    @inline(__always) public mutating func insert(_ value: Float) {
        let index = Int(value.bitPattern >> UInt32(Self.shift)) - first
        // A negative value's sign bit, an infinity and what is not a number come out above every bucket.
        if index >= 0, index < buckets.count, buckets[index] < .max {
            buckets[index] += 1
            count += 1
        } else {
            insertElsewhere(value)
        }
    }

    @inline(never) private mutating func insertElsewhere(_ value: Float) {
        guard value >= 0, value.isFinite else { return }
        count += 1
        guard value.isNormal else {
            zeros += 1
            return
        }
        let bucket = Int(value.bitPattern >> UInt32(Self.shift))
        reach(from: bucket, to: bucket)
        add(1, to: bucket)
    }

    /// A bucket that is full stays full.
    private mutating func add(_ number: UInt32, to bucket: Int) {
        guard bucket >= first else {
            tiny += Int(number)
            return
        }
        let (sum, overflow) = buckets[bucket - first].addingReportingOverflow(number)
        buckets[bucket - first] = overflow ? .max : sum
    }

    /// Has the octaves from one bucket's to another's, the lowest given up if they are too many.
    private mutating func reach(from low: Int, to high: Int) {
        let isEmpty = buckets.isEmpty
        let end = max(isEmpty ? 0 : first + buckets.count, (high / Self.octave + 1) * Self.octave)
        let begin = max(min(isEmpty ? .max : first, low / Self.octave * Self.octave), end - Self.octaves * Self.octave)
        guard isEmpty || begin != first || end != first + buckets.count else { return }
        var wider = [UInt32](repeating: 0, count: end - begin)
        for (index, number) in buckets.enumerated() {
            if first + index >= begin { wider[first + index - begin] = number } else { tiny += Int(number) }
        }
        buckets = wider
        first = begin
    }

    /// Takes in all values of another sketch.
    public mutating func merge(_ other: QuantileSketch) {
        count += other.count
        zeros += other.zeros
        tiny += other.tiny
        guard !other.buckets.isEmpty else { return }
        reach(from: other.first, to: other.first + other.buckets.count - 1)
        for (index, number) in other.buckets.enumerated() where number > 0 { add(number, to: other.first + index) }
    }

    /// The value that is greater than a share of the others: of n values in order, the one at ⌊share · (n - 1)⌋.
    ///
    /// - Parameter share: 0 to 1.
    /// - Returns: nil without values.
    public func quantile(_ share: Double) -> Double? {
        guard count > 0 else { return nil }
        var before = min(count - 1, max(0, Int(share * Double(count - 1)))) - zeros
        if before < 0 { return 0 }
        before -= tiny
        if before < 0 { return Self.lowerEnd(first) }
        for (index, number) in buckets.enumerated() {
            before -= Int(number)
            if before < 0 {
                let (low, high) = (Self.lowerEnd(first + index), Self.lowerEnd(first + index + 1))
                // As far from both ends, in parts of them.
                return 2 * low * high / (low + high)
            }
        }
        return Self.lowerEnd(first + buckets.count)
    }

    /// Not as a `Float`: the end of the last bucket is none.
    private static func lowerEnd(_ bucket: Int) -> Double {
        Double(sign: .plus, exponent: bucket / octave - 127, significand: 1 + Double(bucket % octave) / Double(octave))
    }
}
