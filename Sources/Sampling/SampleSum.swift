/// What a number of random samples says of the traffic that they were taken from.
///
/// Each wire packet was taken on its own account with probability p = 1/N (Bernoulli sampling), N being the rate in force at that moment, so
/// that a packet in the sum stands for N packets (Horvitz and Thompson, 1952). Sums over samples of different rates are unbiased therefore,
/// as long as a rate was chosen before the packets that it was applied to. Samples that were taken for another reason have no hits and add nothing.
public struct SampleSum: Hashable, Sendable {
    /// Wire packets that chance chose.
    public private(set) var hits: UInt64 = 0
    private var packets = Moments()
    private var bytes = Moments()
    /// Bytes of the hits themselves, which the truth cannot fall short of.
    private var seenBytes = 0.0

    public init() {}

    /// - Parameters:
    ///   - hits: wire packets of a sample that chance chose.
    ///   - oneIn: the rate in force, at least 1.
    ///   - meanBytes: of a wire packet of it. The segments of a super-packet are as good as equal: all but the last are.
    @inlinable public mutating func add(hits: UInt32, oneIn: UInt32, meanBytes: Double) {
        if hits == 0 { return }
        add(Double(hits), Double(max(1, oneIn)), meanBytes)
    }

    @usableFromInline mutating func add(_ hits: Double, _ oneIn: Double, _ meanBytes: Double) {
        self.hits &+= UInt64(hits)
        packets.add(hits, oneIn, 1)
        bytes.add(hits, oneIn, meanBytes)
        seenBytes += hits * meanBytes
    }

    public static func += (a: inout SampleSum, b: SampleSum) {
        a.hits &+= b.hits
        a.packets += b.packets
        a.bytes += b.bytes
        a.seenBytes += b.seenBytes
    }

    /// Wire packets, with the interval that holds the truth in 95 of 100 cases.
    public var packetEstimate: Estimate { packets.estimate(atLeast: Double(hits), hits: hits) }
    /// Bytes on the wire, likewise.
    public var byteEstimate: Estimate { bytes.estimate(atLeast: seenBytes, hits: hits) }
}

/// A figure that was worked out from samples.
public struct Estimate: Hashable, Sendable {
    public var value: Double
    /// Ends of the 95 % confidence interval. It is promised for keys with 30 or more expected samples; for bytes also only where some of
    /// them are of the large packets that make up most of the bytes, which a sample alone cannot tell.
    public var low: Double
    public var high: Double
    /// Wire packets that it rests on.
    public var hits: UInt64

    /// There were samples enough for the interval to be relied on, or every packet was one.
    public var isPromised: Bool { hits >= 30 || hits > 0 && low == high }

    public init(value: Double, low: Double, high: Double, hits: UInt64) {
        self.value = value
        self.low = low
        self.high = high
        self.hits = hits
    }
}

/// Sums over hits of size y at rate N that estimate a total and the moments of that estimate.
///
/// With indicator b of probability p, the term y b/p of the total has variance y² (1-p)/p and third central moment y³ (1-p)(1-2p)/p², and its
/// covariance with its own contribution to the estimated variance is y³ (1-p)²/p². A hit estimates the sum of any of these over all packets
/// by 1/p times it.
private struct Moments: Hashable, Sendable {
    var total = 0.0
    var variance = 0.0
    var third = 0.0
    var covariance = 0.0

    mutating func add(_ hits: Double, _ n: Double, _ y: Double) {
        let term = hits * y * n
        total += term
        variance += term * y * (n - 1)
        third += term * y * y * (n - 1) * (n - 2)
        covariance += term * y * y * (n - 1) * (n - 1)
    }

    static func += (a: inout Moments, b: Moments) {
        a.total += b.total
        a.variance += b.variance
        a.third += b.third
        a.covariance += b.covariance
    }

    /// The normal quantile of 97.5 %.
    private static let z = 1.959963984540054

    /// Estimate and its variance go up and down together, and sums of few large terms are skewed: an interval of ± z standard deviations
    /// leaves out the truth more often than it says. Its middle is moved by what the Edgeworth expansion of the studentized sum comes to
    /// (Hall, "The Bootstrap and Edgeworth Expansion", 1992, chapter 3), and widened as the score interval of a Poisson mean is.
    func estimate(atLeast floor: Double, hits: UInt64) -> Estimate {
        guard variance > 0 else { return Estimate(value: total, low: total, high: total, hits: hits) }
        let z = Self.z
        let middle = total + (z * z / 2) * (covariance / variance) - (z * z - 1) / 6 * (third / variance)
        let pull = z * z / 2 * (covariance / variance)
        let reach = (z * z * variance + pull * pull).squareRoot()
        return Estimate(value: total, low: max(floor, middle - reach), high: middle + reach, hits: hits)
    }
}
