/// Counts by the hash of what is counted, for its entropy.
///
/// What shares a bucket counts as one, so the entropy is at most that of the values themselves (grouping never adds to it), and at most the
/// logarithm of the number of buckets.
public struct HashedHistogram: Sendable, Hashable {
    private var counts: [UInt64]

    /// - Parameter buckets: a power of two.
    public init(buckets: Int) {
        precondition(buckets > 1 && buckets & (buckets - 1) == 0, "\(buckets) buckets")
        counts = Array(repeating: 0, count: buckets)
    }

    public mutating func add(_ hash: UInt64, count: UInt64 = 1) {
        counts[Int(truncatingIfNeeded: hash & UInt64(counts.count - 1))] &+= count
    }

    public mutating func merge(_ other: HashedHistogram) {
        precondition(counts.count == other.counts.count, "histograms of \(counts.count) and \(other.counts.count) buckets")
        for index in counts.indices { counts[index] &+= other.counts[index] }
    }

    /// Shannon's entropy as a part of the most that there could be, 0 (all of one value) to 1 (evenly spread).
    public var evenness: Double {
        let total = Double(counts.reduce(0, &+))
        guard total > 0 else { return 0 }
        var nats = 0.0
        for count in counts where count > 0 {
            let share = Double(count) / total
            nats -= share * logarithm(share)
        }
        return nats / logarithm(Double(counts.count))
    }
}
