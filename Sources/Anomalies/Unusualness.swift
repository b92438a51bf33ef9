/// How unusual the last value of a series is, all views together: one number that is compared with one threshold for every series.
struct Unusualness: Sendable {
    /// Of the whole of what the views say this much is carried on to the next value, so that two unusual values in a row count for more.
    private static let carried: Float = 0.3
    /// A young series has seen little, so much is new to it: this is taken off per factor of ten that it is short of `maturity` values.
    private static let youth = 0.6
    private static let maturity = 8000.0
    private static let firstBlock = 4
    private static let longestBlock = 4096

    private var statistics = SeriesStatistics()
    private var tails = [TailModel](repeating: TailModel(), count: View.allCases.count)
    private var views = [Float](repeating: .nan, count: View.allCases.count)
    private var carry: Float = 0
    private var blockLength = Self.firstBlock
    private var inBlock = 0
    /// The view that says most, and what it says: minus the decimal logarithm of a chance.
    private(set) var strongest: (view: View, unlikelihood: Double) = (.above, 0)

    var mean: Double { statistics.mean }
    var deviation: Double { statistics.deviation }
    var count: Int { statistics.count }

    var bytes: Int {
        statistics.bytes + tails.reduce(0) { $0 + $1.bytes } + tails.capacity * MemoryLayout<TailModel>.stride
            + views.capacity * MemoryLayout<Float>.stride
    }

    /// Takes in one finite value.
    /// - Returns: about 0 to 2 for ordinary values, more for unusual ones; no upper limit but 1e6.
    mutating func update(_ value: Double, at seconds: Int64) -> Double {
        statistics.update(value, at: seconds, into: &views)
        var sum: Float = 0
        strongest = (.above, -1)
        for index in tails.indices where !views[index].isNaN {
            let unlikelihood = tails[index].unlikelihood(views[index])
            // A norm between sum and maximum: agreement counts, and one view alone can be enough.
            sum += unlikelihood * unlikelihood.squareRoot()
            if Double(unlikelihood) > strongest.unlikelihood { strongest = (View.allCases[index], Double(unlikelihood)) }
            tails[index].learn(views[index])
        }
        advanceBlock()
        carry = min(sum, 1e9) * (1 - Self.carried) + carry * Self.carried
        guard carry > 0 else { return 0 }
        let strength = exponential(logarithm(Double(carry)) / 1.5)
        let age = Double(statistics.count) / Self.maturity
        return max(0, age < 1 ? strength + Self.youth * logarithm(age) / 2.302585092994046 : strength)
    }

    private mutating func advanceBlock() {
        inBlock += 1
        guard inBlock >= blockLength else { return }
        inBlock = 0
        var full = false
        for index in tails.indices {
            tails[index].endBlock()
            full = full || tails[index].count == TailModel.capacity
        }
        guard full else { return }
        for index in tails.indices { tails[index].merge() }
        // The longest blocks are merged all the same: what is older then counts for less.
        blockLength = min(blockLength * 2, Self.longestBlock)
    }
}
