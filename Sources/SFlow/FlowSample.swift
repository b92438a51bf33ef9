/// A sampled packet, as a flow sample tells it (sFlow version 5, section 5.3).
public struct FlowSample: Hashable, Sendable {
    /// What the header bytes begin with (`header_protocol`).
    public enum Framing: UInt32, Hashable, Sendable {
        case ethernet = 1
        case ipv4 = 11
        case ipv6 = 12
    }

    /// An interface that a packet came or went by. The sFlow index is the caller's to choose; it must mean the same in counter samples.
    public enum Port: Hashable, Sendable {
        case unknown
        case index(UInt32)
        /// The host itself.
        case local
    }

    /// The interface at which it was sampled.
    public var source: UInt32
    /// The rate in force: one in this many.
    public var samplingRate: UInt32
    /// Packets so far that could have been sampled at this source; told modulo 2^32.
    public var pool: UInt64
    /// Samples of this source so far that were lost for want of room.
    public var drops: UInt32
    public var input: Port
    public var output: Port
    public var framing: Framing
    /// Wire packets of the sample that chance chose: as many flow samples are told. None for a sample that was taken for another reason: a
    /// collector would multiply it with the rate.
    public var hits: UInt32
    /// Wire packets of the super-packet, 1 for a plain one, and their bytes, without FCS.
    public var wirePackets: UInt32
    public var wireBytes: UInt32
    /// Bytes of VLAN tags that are not among the header bytes: the kernel keeps the outer tag apart.
    public var strippedTagBytes: UInt32
    /// Identifier of the outer VLAN tag.
    public var vlan: UInt16?

    public init(
        source: UInt32, samplingRate: UInt32, pool: UInt64, drops: UInt32, input: Port, output: Port, framing: Framing = .ethernet,
        hits: UInt32 = 1, wirePackets: UInt32 = 1, wireBytes: UInt32, strippedTagBytes: UInt32 = 0, vlan: UInt16? = nil
    ) {
        self.source = source
        self.samplingRate = samplingRate
        self.pool = pool
        self.drops = drops
        self.input = input
        self.output = output
        self.framing = framing
        self.hits = hits
        self.wirePackets = wirePackets
        self.wireBytes = wireBytes
        self.strippedTagBytes = strippedTagBytes
        self.vlan = vlan
    }
}

/// Counters of an interface as its device has them (generic interface counters, sFlow version 5, section 5.4; RFC 2863). What is nil is told as
/// unknown.
public struct InterfaceCounterSample: Hashable, Sendable {
    public var index: UInt32
    /// ifType; 6: Ethernet.
    public var type: UInt32 = 6
    /// Bits a second.
    public var speed: UInt64 = 0
    /// Full duplex is 1, half 2; 0 unknown.
    public var duplex: UInt32 = 0
    public var isAdministrativelyUp = true
    public var isOperational = true
    public var isPromiscuous = false
    public var received = Counts()
    public var sent = Counts()

    public struct Counts: Hashable, Sendable {
        public var octets: UInt64 = 0
        public var unicast: UInt64?
        public var multicast: UInt64?
        public var broadcast: UInt64?
        public var discards: UInt64?
        public var errors: UInt64?
        public init() {}
    }

    public init(index: UInt32) { self.index = index }
}
