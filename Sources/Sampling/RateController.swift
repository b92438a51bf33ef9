/// Holds a rule to a number of samples a second, by choosing the rate for what comes next.
///
/// How many packets a rule applies to is counted exactly, so most of the answer is a division. What is learnt from the samples is only how
/// many there are to a hit (a super-packet is one sample with several hits). A rate never depends on the packets that it is applied to:
/// estimates stay unbiased.
public struct RateController: Hashable, Sendable {
    public struct Limits: Hashable, Sendable {
        public var minimum: UInt32
        public var maximum: UInt32
        public init(minimum: UInt32 = 1, maximum: UInt32 = 1 << 24) {
            precondition(minimum >= 1 && minimum <= maximum, "\(minimum) to \(maximum)")
            self.minimum = minimum
            self.maximum = maximum
        }
    }

    /// What a rule did since the last decision.
    public struct Observation: Hashable, Sendable {
        public var elapsed: Duration
        /// Wire packets that the rule applied to.
        public var packets: UInt64
        /// Wire packets that chance chose, and the samples that held them; lost ones included.
        public var hits: UInt64
        public var randomSamples: UInt64
        /// Samples that were taken for other reasons alone; they count against the budget.
        public var otherSamples: UInt64
        public init(elapsed: Duration, packets: UInt64, hits: UInt64, randomSamples: UInt64, otherSamples: UInt64 = 0) {
            self.elapsed = elapsed
            self.packets = packets
            self.hits = hits
            self.randomSamples = randomSamples
            self.otherSamples = otherSamples
        }
    }

    public let limits: Limits
    /// The rate to be in force: one in this many.
    public private(set) var oneIn: UInt32
    /// Packets a second; follows a rise at once and a fall slowly.
    private var packetRate = 0.0
    /// Samples a second for other reasons, likewise.
    private var otherRate = 0.0
    /// Samples to a hit, over the last few hundred hits.
    private var samples = 1.0
    private var hits = 1.0

    /// How much the rate may change at one decision: more packets must be met fast, for the ring is finite; fewer can wait.
    private static let steepestRise = 64.0
    private static let steepestFall = 2.0
    /// Changes of less than this factor are left.
    private static let hysteresis = 1.2
    /// Half the weight of the packet rate is from within this time, when it falls.
    private static let memory = 2.0
    private static let hitMemory = 256.0

    /// - Parameter oneIn: to begin with, within `limits`. With nothing known a cautious one.
    public init(limits: Limits = Limits(), oneIn: UInt32 = 1000) {
        self.limits = limits
        self.oneIn = min(max(oneIn, limits.minimum), limits.maximum)
    }

    /// Samples a second that a part of a CPU is enough for.
    /// - Parameter secondsPerSample: as measured by who handles them; until then 10 µs is a cautious guess.
    public static func samplesPerSecond(cpu: Double, secondsPerSample: Double = 1e-5) -> Double { cpu / max(secondsPerSample, 1e-8) }

    /// Decides on the rate. Every 100 ms or so is often enough.
    /// - Parameter budget: samples a second, more than 0.
    /// - Returns: `oneIn`.
    public mutating func decide(_ seen: Observation, budget: Double) -> UInt32 {
        precondition(budget > 0, "a budget of \(budget) samples a second")
        let elapsed = seen.elapsed / .seconds(1)
        guard elapsed > 0 else { return oneIn }
        let weight = 1 / (1 + elapsed / Self.memory)
        packetRate = max(Double(seen.packets) / elapsed, packetRate * weight + Double(seen.packets) / elapsed * (1 - weight))
        otherRate = max(Double(seen.otherSamples) / elapsed, otherRate * weight + Double(seen.otherSamples) / elapsed * (1 - weight))
        let forget = hits > Self.hitMemory ? Self.hitMemory / hits : 1
        samples = samples * forget + Double(seen.randomSamples)
        hits = hits * forget + Double(seen.hits)
        // Samples for other reasons cannot be helped, but chance keeps a tenth of the budget in any case.
        let left = max(budget - otherRate, budget / 10)
        let wanted = packetRate * (samples / hits) / left
        let present = Double(oneIn)
        if wanted < present * Self.hysteresis && wanted > present / Self.hysteresis { return oneIn }
        let bounded = min(max(wanted, present / Self.steepestFall), present * Self.steepestRise)
        // Rounded up: a budget is a bound.
        oneIn = UInt32(min(max(bounded.rounded(.up), Double(limits.minimum)), Double(limits.maximum)))
        return oneIn
    }
}
