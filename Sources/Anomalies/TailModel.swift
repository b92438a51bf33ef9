/// How unusual a statistic is against its own past: the maxima of earlier blocks, and an exponential tail above their median.
///
/// Peaks over a threshold (Pickands 1975; in streams Siffer et al. 2017, KDD), with two departures. The peaks are maxima of blocks, so that
/// an episode counts once however long it is. And when the store is full each two blocks become one, so the model always speaks about the
/// whole past in the same few blocks: what it answers is the chance that a block of some thirtieth of the past holds such a value.
struct TailModel: Sendable {
    /// Blocks that are kept at most. Even.
    static let capacity = 32
    /// Blocks before anything is said.
    static let fewest = 8
    private static let ln10: Float = 2.302585
    /// log10 of 0 (never asked for) to of one more than the blocks.
    private static let decimalLogarithms = (0...capacity + 1).map { Float(logarithm(Double(max($0, 1))) / 2.302585092994046) }

    private var maxima: [Float]
    private(set) var count = 0
    private var current = -Float.infinity
    private var lowest = Float.infinity
    /// Half of the maxima are above this one.
    private var threshold = Float.infinity
    /// What is said of the threshold itself, and how much more per unit above it.
    private var atThreshold: Float = 0
    private var slope: Float = 0

    init() { maxima = Array(repeating: 0, count: Self.capacity) }

    var bytes: Int { maxima.capacity * MemoryLayout<Float>.stride }

    /// Minus the decimal logarithm of the chance that a block holds a value as high as this; 0 as long as too little is known.
    func unlikelihood(_ value: Float) -> Float {
        guard count >= Self.fewest, value > lowest else { return 0 }
        if value > threshold { return atThreshold + (value - threshold) * slope }
        var asHigh = 1
        for index in 0..<count where maxima[index] >= value { asHigh += 1 }
        return Self.decimalLogarithms[count + 1] - Self.decimalLogarithms[asHigh]
    }

    mutating func learn(_ value: Float) { current = max(current, value) }

    /// Ends the block. A block without a value is none.
    mutating func endBlock() {
        guard current > -.infinity else { return }
        if count == Self.capacity { merge() }
        maxima[count] = current
        count += 1
        current = -.infinity
        fit()
    }

    /// Makes one block of each two.
    mutating func merge() {
        var merged = 0
        var index = 0
        while index < count {
            maxima[merged] = index + 1 < count ? max(maxima[index], maxima[index + 1]) : maxima[index]
            merged += 1
            index += 2
        }
        count = merged
    }

    private mutating func fit() {
        guard count >= Self.fewest else { return }
        let sorted = maxima[..<count].sorted()
        let above = count / 2
        lowest = sorted[0]
        threshold = sorted[count - above]
        var excess: Float = 0
        for value in sorted[(count - above)...] { excess += value - threshold }
        excess /= Float(above)
        let mean = sorted.reduce(0, +) / Float(count)
        let variance = sorted.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(count)
        // The mean of few is uncertain; and where all maxima are about the same, some width is left.
        let scale = excess * (1 + 1 / Float(above)) + 0.02 * variance.squareRoot() + 1e-9
        atThreshold = Self.decimalLogarithms[count + 1] - Self.decimalLogarithms[above]
        slope = 1 / (scale * Self.ln10)
    }
}
