import NetworkTypes

/// Packets and bytes counted both ways.
///
/// `skbs` and `skbBytes` are what `ip -s link` shows on software devices such as veth; `wirePackets` and `wireBytes` are the segments and frames
/// that were on the wire. Bytes are Ethernet frames without FCS, VLAN tags included.
public struct Totals: Hashable, Sendable {
    public var skbs: UInt64
    public var skbBytes: UInt64
    public var wirePackets: UInt64
    public var wireBytes: UInt64

    @inlinable public init(skbs: UInt64 = 0, skbBytes: UInt64 = 0, wirePackets: UInt64 = 0, wireBytes: UInt64 = 0) {
        self.skbs = skbs
        self.skbBytes = skbBytes
        self.wirePackets = wirePackets
        self.wireBytes = wireBytes
    }

    @inlinable public static func += (a: inout Totals, b: Totals) {
        a.skbs &+= b.skbs
        a.skbBytes &+= b.skbBytes
        a.wirePackets &+= b.wirePackets
        a.wireBytes &+= b.wireBytes
    }
    @inlinable public static func + (a: Totals, b: Totals) -> Totals {
        var sum = a
        sum += b
        return sum
    }
    /// What grew from `b` to `a`. Counters only grow, so this never wraps in practice.
    @inlinable public static func - (a: Totals, b: Totals) -> Totals {
        Totals(
            skbs: a.skbs &- b.skbs, skbBytes: a.skbBytes &- b.skbBytes, wirePackets: a.wirePackets &- b.wirePackets,
            wireBytes: a.wireBytes &- b.wireBytes)
    }
    @inlinable public var isZero: Bool { skbs | skbBytes | wirePackets | wireBytes == 0 }
}

/// What TCP and ECN showed, as counts that add up.
public struct TransportCounts: Hashable, Sendable {
    /// Wire packets marked Congestion Experienced (RFC 3168).
    public var congestionMarks: UInt64
    /// TCP segments whose bytes had been seen before at this observation point.
    public var retransmitted: UInt64
    /// TCP segments that filled a gap seen at this observation point.
    public var outOfOrder: UInt64
    public var zeroWindows: UInt64

    @inlinable public init(congestionMarks: UInt64 = 0, retransmitted: UInt64 = 0, outOfOrder: UInt64 = 0, zeroWindows: UInt64 = 0) {
        self.congestionMarks = congestionMarks
        self.retransmitted = retransmitted
        self.outOfOrder = outOfOrder
        self.zeroWindows = zeroWindows
    }

    @inlinable public static func += (a: inout TransportCounts, b: TransportCounts) {
        a.congestionMarks &+= b.congestionMarks
        a.retransmitted &+= b.retransmitted
        a.outOfOrder &+= b.outOfOrder
        a.zeroWindows &+= b.zeroWindows
    }
}

/// What is remembered of a flow beside its counts: extremes and sets, which merge in any order, and the latest packet's DSCP, which does not.
public struct FlowTraits: Hashable, Sendable {
    public var first: Timestamp
    public var last: Timestamp
    /// Smallest and largest wire packet, bytes; 0 and 0 before the first packet.
    public var smallest: UInt32
    public var largest: UInt32
    /// SYN to SYN-ACK on the answering flow, SYN-ACK to ACK on the asking one; 0 when unknown. Microseconds.
    public var handshakeMicroseconds: UInt32
    public var tcpFlags: TCPFlags
    /// Of the latest packet.
    public var dscp: UInt8
    /// Bit n: ECN codepoint n was seen.
    public var ecn: UInt8
    public var ttlMinimum: UInt8
    public var ttlMaximum: UInt8
    public var notes: FlowNotes

    public init(
        first: Timestamp, last: Timestamp, smallest: UInt32 = 0, largest: UInt32 = 0, handshakeMicroseconds: UInt32 = 0,
        tcpFlags: TCPFlags = [],
        dscp: UInt8 = 0, ecn: UInt8 = 0, ttlMinimum: UInt8 = 0, ttlMaximum: UInt8 = 0, notes: FlowNotes = []
    ) {
        self.first = first
        self.last = last
        self.smallest = smallest
        self.largest = largest
        self.handshakeMicroseconds = handshakeMicroseconds
        self.tcpFlags = tcpFlags
        self.dscp = dscp
        self.ecn = ecn
        self.ttlMinimum = ttlMinimum
        self.ttlMaximum = ttlMaximum
        self.notes = notes
    }

    /// Folds in what another part of the same flow showed (another CPU's slot, a later stay in the table).
    /// - Parameter isLatest: whether the other's latest packet came after this one's. The times cannot tell: they are exact to a jiffy,
    ///   and the clock that they are told by may be set.
    @inlinable public mutating func merge(_ other: FlowTraits, isLatest: Bool) {
        first = min(first, other.first)
        last = max(last, other.last)
        if isLatest { dscp = other.dscp }
        smallest = min(smallest, other.smallest)
        largest = max(largest, other.largest)
        if other.handshakeMicroseconds != 0 { handshakeMicroseconds = other.handshakeMicroseconds }
        tcpFlags.formUnion(other.tcpFlags)
        ecn |= other.ecn
        ttlMinimum = min(ttlMinimum, other.ttlMinimum)
        ttlMaximum = max(ttlMaximum, other.ttlMaximum)
        notes.formUnion(other.notes)
    }
}

/// How far a flow's numbers can be trusted beyond its exact counts (`enum nilo_slot_notes`, and notes of the agent's own).
public struct FlowNotes: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    public static let sequenceKnown = FlowNotes(rawValue: 1)
    /// The sequence state came back from an earlier stay in the table.
    public static let sequenceRestored = FlowNotes(rawValue: 2)
    /// Joined mid-flow: sequence counts start there and are approximate.
    public static let sequenceLost = FlowNotes(rawValue: 4)
    /// A super-packet whose per-segment headers could not be parsed: wire bytes are a lower bound.
    public static let wireApproximate = FlowNotes(rawValue: 8)
    public static let handshakeAmbiguous = FlowNotes(rawValue: 16)
    /// Copies that a mirror session of ours made, or the packets of a tunnel that carry them: no traffic of the network's own.
    public static let copy = FlowNotes(rawValue: 32)
    /// Seen on more than one CPU: sequence counts are approximate.
    public static let severalCPUs = FlowNotes(rawValue: 256)
}

/// TCP flags in the order of the header's 13th and 14th byte (RFC 9293, RFC 3168, RFC 9768).
public struct TCPFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    public static let fin = TCPFlags(rawValue: 1)
    public static let syn = TCPFlags(rawValue: 2)
    public static let rst = TCPFlags(rawValue: 4)
    public static let psh = TCPFlags(rawValue: 8)
    public static let ack = TCPFlags(rawValue: 16)
    public static let urg = TCPFlags(rawValue: 32)
    public static let ece = TCPFlags(rawValue: 64)
    public static let cwr = TCPFlags(rawValue: 128)
    public static let ae = TCPFlags(rawValue: 256)
}
