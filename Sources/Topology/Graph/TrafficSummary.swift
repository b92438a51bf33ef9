import NetworkTypes

/// What a link carried. Counts are of one observation point a flow (``ObservationRule``), so that they may be added up.
public struct TrafficSummary: Sendable, Hashable {
    /// One direction. Forward is from the link's first end (the client) to its second (the server).
    public struct Side: Sendable, Hashable {
        /// In the latest epoch that had any: see ``TrafficSummary/epoch``.
        public var packets: UInt32 = 0
        public var bytes: UInt64 = 0
        /// Since the link came.
        public var totalPackets: UInt64 = 0
        public var totalBytes: UInt64 = 0
        public var retransmitted: UInt64 = 0

        public init() {}
    }

    public var forward = Side()
    public var backward = Side()
    public var first = Timestamp(nanoseconds: 0)
    public var last = Timestamp(nanoseconds: 0)
    /// The epoch that the sides' `packets` and `bytes` are of.
    public var epoch: UInt64 = 0
    /// Flows known now.
    public var flows: UInt32 = 0
    /// Flows that were never answered, which have no link of their own.
    public var unanswered: UInt32 = 0
    public var roundTrips = RoundTrips()

    public init() {}

    /// Retransmitted segments of all packets, both ways; nil before the first packet.
    public var retransmissionRatio: Double? {
        let packets = forward.totalPackets + backward.totalPackets
        return packets == 0 ? nil : Double(forward.retransmitted + backward.retransmitted) / Double(packets)
    }

    /// The latest epoch's bytes of a direction, 0 when there was nothing in `epoch`.
    public func rate(_ side: KeyPath<TrafficSummary, Side>, in epoch: UInt64, of length: Duration) -> BitRate {
        self.epoch == epoch ? BitRate(bytes: self[keyPath: side].bytes, over: length) : BitRate(bitsPerSecond: 0)
    }
}

/// Round-trip times of TCP handshakes, in sixteen buckets that double from 16 µs: quantiles to within a factor of two, in 20 bytes.
/// When a bucket is full all are halved: what was long ago counts less.
public struct RoundTrips: Sendable, Hashable {
    private var low: UInt64 = 0
    private var high: UInt64 = 0
    /// 0 before the first.
    public private(set) var leastMicroseconds: UInt32 = 0

    public init() {}

    private subscript(bucket: Int) -> UInt8 {
        get { UInt8(truncatingIfNeeded: (bucket < 8 ? low : high) >> UInt64(8 * (bucket & 7))) }
        set {
            let shift = UInt64(8 * (bucket & 7))
            if bucket < 8 {
                low = low & ~(0xFF << shift) | UInt64(newValue) << shift
            } else {
                high = high & ~(0xFF << shift) | UInt64(newValue) << shift
            }
        }
    }

    public mutating func add(microseconds: UInt32) {
        guard microseconds > 0 else { return }
        leastMicroseconds = leastMicroseconds == 0 ? microseconds : min(leastMicroseconds, microseconds)
        let bucket = min(15, max(0, 28 - microseconds.leadingZeroBitCount))
        if self[bucket] == .max { for other in 0..<16 { self[other] /= 2 } }
        self[bucket] += 1
    }

    public var count: Int { (0..<16).reduce(0) { $0 + Int(self[$1]) } }

    /// The upper bound of the bucket that the quantile lies in, microseconds; nil before the first.
    /// - Parameter quantile: 0...1.
    public func quantile(_ quantile: Double) -> UInt32? {
        let total = count
        guard total > 0 else { return nil }
        let rank = max(1, Int((quantile * Double(total)).rounded(.up)))
        var sum = 0
        for bucket in 0..<16 {
            sum += Int(self[bucket])
            if sum >= rank { return 16 << UInt32(bucket) }
        }
        return 16 << 15
    }
}
