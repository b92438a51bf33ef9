import Flows
import NetworkTypes

/// A sampling rule: which packets, and how many of them, are handed to user space.
public struct SampleRule: Hashable, Sendable {
    public enum Rate: Hashable, Sendable {
        /// One wire packet in this many, at random.
        case oneIn(UInt32)
        /// A controller keeps to this many samples a second; the rate in force travels with each sample.
        case samplesPerSecond(Double)
        /// Likewise to this part of one CPU, 0 … 1, for the agent's handling of samples.
        case cpu(Double)
        /// None at random; `firstPackets` and `always` alone.
        case none
    }

    public var name: String
    public var scope: RuleScope
    public var rate: Rate
    /// The first packets of each flow are sampled beside the rate; 0: none.
    public var firstPackets: UInt32
    /// Packets that show any of these TCP flags are sampled beside the rate.
    public var always: TCPFlags
    /// Most bytes of a frame that a sample carries.
    public var snapLength: Int

    public init(
        name: String, scope: RuleScope, rate: Rate, firstPackets: UInt32 = 0, always: TCPFlags = [], snapLength: Int = 128
    ) {
        self.name = name
        self.scope = scope
        self.rate = rate
        self.firstPackets = firstPackets
        self.always = always
        self.snapLength = snapLength
    }
}
