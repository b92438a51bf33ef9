/// Traffic by key, worked out from samples: by flow, by address, by whatever the caller groups by.
///
/// Bounded: what comes after the limit of keys was reached, of keys that are not there yet, is summed up as `others`.
public struct SampleEstimates<Key: Hashable & Sendable>: Sendable {
    public let limit: Int
    public private(set) var sums: [Key: SampleSum] = [:]
    public private(set) var others = SampleSum()
    /// Of all keys and the others.
    public private(set) var total = SampleSum()

    public init(limit: Int) { self.limit = limit }

    /// - Parameters:
    ///   - hits, oneIn, meanBytes: of `SampleSum.add`.
    public mutating func add(_ key: Key, hits: UInt32, oneIn: UInt32, meanBytes: Double) {
        if hits == 0 { return }
        total.add(hits: hits, oneIn: oneIn, meanBytes: meanBytes)
        if sums.count < limit || sums[key] != nil {
            sums[key, default: SampleSum()].add(hits: hits, oneIn: oneIn, meanBytes: meanBytes)
        } else {
            others.add(hits: hits, oneIn: oneIn, meanBytes: meanBytes)
        }
    }

    /// The keys with the most estimated bytes, most first; equals in no order.
    public func largest(_ count: Int) -> [(key: Key, sum: SampleSum)] {
        let ranked = sums.map { (key: $0.key, sum: $0.value, bytes: $0.value.byteEstimate.value) }.sorted { $0.bytes > $1.bytes }
        return ranked.prefix(count).map { ($0.key, $0.sum) }
    }
}
