import Flows
import NetworkTypes

// What the agent tells of flows, as it goes over the control socket and out of `--json`. Names of JSON members are the property names;
// members without a value are left out. Numbers are exact; moments are RFC 3339 in UTC; rates are per second.

/// Packets and bytes both ways of counting (`Totals`).
public struct TotalsReport: Codable, Hashable, Sendable {
    public var skbs: UInt64
    public var skbBytes: UInt64
    public var wirePackets: UInt64
    public var wireBytes: UInt64

    public init(_ totals: Totals = Totals()) {
        skbs = totals.skbs
        skbBytes = totals.skbBytes
        wirePackets = totals.wirePackets
        wireBytes = totals.wireBytes
    }

    public var totals: Totals { Totals(skbs: skbs, skbBytes: skbBytes, wirePackets: wirePackets, wireBytes: wireBytes) }
}

/// Addresses, ports and protocol of one packet layer.
public struct TupleReport: Codable, Hashable, Sendable {
    /// `ip`, `ip6`, `arp`, … or `0x88b5`.
    public var etherType: String
    /// `tcp`, `udp`, … or a number; only for IP.
    public var `protocol`: String?
    public var source: String?
    public var destination: String?
    public var sourcePort: UInt16?
    public var destinationPort: UInt16?
    public var icmpType: UInt8?
    public var icmpCode: UInt8?
    /// Echo identifier; 0 for other messages.
    public var icmpIdentifier: UInt16?
    /// Why there are no ports where the protocol has some: `fragment` or `truncated`.
    public var portsUnknown: String?

    public init(_ tuple: FlowTuple) {
        etherType = tuple.etherType.description
        guard let source = tuple.source, let destination = tuple.destination else { return }
        self.protocol = tuple.protocol.description
        self.source = source.description
        self.destination = destination.description
        switch tuple.form {
        case .none: break
        case .ports:
            sourcePort = tuple.sourcePort
            destinationPort = tuple.destinationPort
        case .icmp:
            icmpType = UInt8(tuple.destinationPort >> 8)
            icmpCode = UInt8(tuple.destinationPort & 255)
            icmpIdentifier = tuple.sourcePort
        case .fragment: portsUnknown = "fragment"
        case .truncated: portsUnknown = "truncated"
        }
    }
}

/// One flow at one observation point.
public struct FlowReport: Codable, Hashable, Sendable {
    /// The interface's name, and Nilometer's own number of it.
    public var interface: String
    public var interfaceID: UInt32
    /// What the interface's namespace belongs to: a name, a container, a unit; absent for the agent's own.
    public var namespace: String?
    /// `ingress` or `egress`.
    public var direction: String
    public var vlan: UInt16?
    public var innerVLAN: UInt16?
    public var tuple: TupleReport
    public var vni: UInt32?
    /// Inside VXLAN.
    public var inner: TupleReport?
    public var totals: TotalsReport
    /// Per second over the last interval, wire counts; absent before the second reading.
    public var bitsPerSecond: Double?
    public var packetsPerSecond: Double?
    public var first: String
    public var last: String
    public var smallestPacket: UInt32
    public var largestPacket: UInt32
    public var ttlMinimum: UInt8
    public var ttlMaximum: UInt8
    /// Of the latest packet.
    public var dscp: UInt8
    /// ECN codepoints seen: `not-ect`, `ect1`, `ect0`, `ce`.
    public var ecn: [String]
    public var congestionMarks: UInt64
    /// Only for TCP.
    public var tcp: TCPReport?
    /// The stack of protocols as nDPI names it, in lower case: `http`, `tls.google`; `unknown`; absent while nothing has been found.
    public var application: String?
    /// On what that rests: `inspection`, `correlation`, or a guess by `port` or `address`.
    public var applicationBasis: String?
    /// By its protocol; absent where that is not known.
    public var encrypted: Bool?
    /// What was asked for by name: a TLS server, an HTTP host, a DNS question. Somebody's word.
    public var serverName: String?
    /// How far the numbers can be trusted beyond the exact counts; see `FlowNotes`.
    public var notes: [String]
    /// The local process whose socket it is, or why that is not known; absent where nobody asked.
    public var owner: String?

    public struct TCPReport: Codable, Hashable, Sendable {
        public var flags: [String]
        public var retransmitted: UInt64
        public var outOfOrder: UInt64
        public var zeroWindows: UInt64
        public var handshakeMicroseconds: UInt32?
    }

    /// - Parameter interface: the name to show; `#7` or the like where there is none.
    public init(_ reading: FlowReading, interface: String, namespace: String? = nil) {
        let record = reading.record
        let key = record.key
        let traits = record.traits
        self.interface = interface
        interfaceID = key.interface.rawValue
        self.namespace = namespace
        direction = key.direction.name
        vlan = key.vlan
        innerVLAN = key.innerVLAN
        tuple = TupleReport(key.outer)
        vni = key.vni
        inner = key.inner.map(TupleReport.init)
        totals = TotalsReport(record.totals)
        if reading.interval > .zero {
            bitsPerSecond = reading.bitRate.bitsPerSecond
            packetsPerSecond = reading.packetRate.packetsPerSecond
        }
        first = traits.first.description
        last = traits.last.description
        smallestPacket = traits.smallest
        largestPacket = traits.largest
        ttlMinimum = traits.ttlMinimum
        ttlMaximum = traits.ttlMaximum
        dscp = traits.dscp
        ecn = ["not-ect", "ect1", "ect0", "ce"].enumerated().filter { traits.ecn >> UInt8($0.offset) & 1 == 1 }.map(\.element)
        congestionMarks = record.transport.congestionMarks
        notes = traits.notes.names
        if key.outer.protocol == .tcp || key.inner?.protocol == .tcp {
            tcp = TCPReport(
                flags: traits.tcpFlags.isEmpty ? [] : traits.tcpFlags.description.split(separator: ",").map(String.init),
                retransmitted: record.transport.retransmitted, outOfOrder: record.transport.outOfOrder,
                zeroWindows: record.transport.zeroWindows,
                handshakeMicroseconds: traits.handshakeMicroseconds == 0 ? nil : traits.handshakeMicroseconds)
        }
    }
}

/// An answer to a question for flows.
public struct FlowListReport: Codable, Hashable, Sendable {
    /// When the flows were read, RFC 3339.
    public var at: String
    /// What rates are over; 0 before the second reading.
    public var intervalSeconds: Double
    /// The filter in its canonical form; empty: everything.
    public var filter: String
    /// How the list is ordered (`FlowMeasure`).
    public var sort: String
    /// Flows that the filter matched, of which `flows` are the first.
    public var matched: Int
    /// Flows in the table.
    public var known: Int
    public var flows: [FlowReport]

    public init(at: Timestamp, interval: Duration, filter: FlowFilter, order: FlowOrder, matched: Int, known: Int, flows: [FlowReport]) {
        self.at = at.description
        intervalSeconds = interval.seconds
        self.filter = filter.description
        sort = order.measure.rawValue
        self.matched = matched
        self.known = known
        self.flows = flows
    }
}

extension Direction {
    public var name: String { self == .ingress ? "ingress" : "egress" }
}

extension FlowNotes {
    private static let table: [(FlowNotes, String)] = [
        (.sequenceRestored, "sequence-restored"), (.sequenceLost, "joined-mid-flow"), (.wireApproximate, "wire-bytes-at-least"),
        (.handshakeAmbiguous, "handshake-ambiguous"), (.severalCPUs, "several-cpus"), (.copy, "copy"),
    ]
    /// Words for what qualifies a flow's numbers; that its sequence is known is no qualification.
    public var names: [String] { Self.table.filter { contains($0.0) }.map(\.1) }
}
