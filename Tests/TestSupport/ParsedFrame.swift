import CDatapath

/// What the reference parser says of a frame: the key that the datapath must give it, and what it must count.
public struct ParsedFrame: Equatable, Sendable {
    public var outer = ReferenceTuple()
    /// Identifier | NILO_VLAN_PRESENT, or 0.
    public var vlan: UInt16 = 0
    public var innerVLAN: UInt16 = 0
    /// The VNI and the inner frame's tuple.
    public var tunnel: Tunnel?
    /// Bytes of the Ethernet frame without FCS, with the tag that came beside the bytes.
    public var length = 0
    /// Bytes before the innermost transport's payload, of `length`: what a segmented super-packet repeats in each segment.
    /// Where the innermost tuple has no transport header, all up to what carries it.
    public var headerLength = 0
    /// Of the outermost IP header; nil when there is none or it is cut off.
    public var network: NetworkFacts?
    /// Of the IP header inside the tunnel.
    public var tunnelNetwork: NetworkFacts?
    /// Of the innermost TCP header; nil when the innermost tuple is not whole TCP.
    public var tcp: TCPFacts?
    /// What kept the parser from a full answer, innermost first met.
    public var shortfall: Shortfall?
    public var fragment: FragmentIdentity?
    public var tunnelFragment: FragmentIdentity?

    public struct Tunnel: Hashable, Sendable {
        public var vni: UInt32
        public var inner: ReferenceTuple
    }

    public struct NetworkFacts: Hashable, Sendable {
        public var dscp: UInt8
        public var ecn: UInt8
        public var timeToLive: UInt8

        public init(dscp: UInt8, ecn: UInt8, timeToLive: UInt8) {
            self.dscp = dscp
            self.ecn = ecn
            self.timeToLive = timeToLive
        }
    }

    public struct TCPFacts: Hashable, Sendable {
        public var flags: TCPHeader.Flags
        public var sequence: UInt32
        public var acknowledgement: UInt32
        public var window: UInt16
        /// From the IP header's length, but no more than the frame has.
        public var payloadLength: Int
    }

    /// What fragments of one packet have in common.
    public struct FragmentIdentity: Hashable, Sendable {
        public var source: [UInt8]
        public var destination: [UInt8]
        public var identification: UInt32
        public var protocolNumber: UInt8
        public var isFirst: Bool
        /// The VLANs and the VNI: the same addresses may be others' there.
        public var segment: [UInt32] = []
    }

    public enum Shortfall: Hashable, Sendable {
        /// The network header is cut off or malformed.
        case network
        case transport
        case tooManyExtensions
    }
}

/// The five-tuple of one frame, in the words of `nilo_tuple`.
public struct ReferenceTuple: Hashable, Sendable {
    /// 16 bytes; IPv4 in the first 4.
    public var source = [UInt8](repeating: 0, count: 16)
    public var destination = [UInt8](repeating: 0, count: 16)
    /// As a number; the record has it in network order.
    public var sourcePort: UInt16 = 0
    public var destinationPort: UInt16 = 0
    public var protocolNumber: UInt8 = 0
    public var form = NILO_FORM_NONE
    public var etherType: UInt16 = 0

    public init() {}

    public static func == (a: ReferenceTuple, b: ReferenceTuple) -> Bool {
        a.source == b.source && a.destination == b.destination && a.sourcePort == b.sourcePort && a.destinationPort == b.destinationPort
            && a.protocolNumber == b.protocolNumber && a.form.rawValue == b.form.rawValue && a.etherType == b.etherType
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(source)
        hasher.combine(destination)
        hasher.combine(sourcePort)
        hasher.combine(destinationPort)
        hasher.combine(protocolNumber)
        hasher.combine(form.rawValue)
        hasher.combine(etherType)
    }

    var record: nilo_tuple {
        var record = nilo_tuple()
        withUnsafeMutableBytes(of: &record.saddr) { $0.copyBytes(from: source) }
        withUnsafeMutableBytes(of: &record.daddr) { $0.copyBytes(from: destination) }
        record.sport = sourcePort.bigEndian
        record.dport = destinationPort.bigEndian
        record.protocol = protocolNumber
        record.form = UInt8(form.rawValue)
        record.ethertype = etherType
        return record
    }
}

extension ParsedFrame {
    /// The record that the datapath must make of the frame.
    public func key(interface: UInt32, direction: nilo_direction) -> nilo_flow_key {
        let tuple = outer.record
        var key = nilo_flow_key()
        key.saddr = tuple.saddr
        key.daddr = tuple.daddr
        key.sport = tuple.sport
        key.dport = tuple.dport
        key.protocol = tuple.protocol
        key.form = tuple.form
        key.ethertype = tuple.ethertype
        key.if_id = interface
        key.vlan = vlan
        key.inner_vlan = innerVLAN
        key.direction = UInt8(direction.rawValue)
        if let tunnel {
            key.encap = UInt8(NILO_ENCAP_VXLAN.rawValue)
            key.vni = tunnel.vni
            key.inner = tunnel.inner.record
        }
        return key
    }

    /// The 96 bytes of `key`, to compare and to hash.
    public func keyBytes(interface: UInt32, direction: nilo_direction) -> [UInt8] {
        withUnsafeBytes(of: key(interface: interface, direction: direction)) { Array($0) }
    }

    /// Whether a super-packet of this frame can be told apart into segments: its innermost tuple is TCP, UDP or UDP-Lite with a whole header.
    public var isSegmentable: Bool {
        let innermost = tunnel?.inner ?? outer
        return innermost.form.rawValue == NILO_FORM_PORTS.rawValue
            && [IPProtocol.tcp, IPProtocol.udp, IPProtocol.udpLite].contains(innermost.protocolNumber)
    }

    /// The bytes on the wire of the `segments` packets that a super-packet of this frame stands for.
    public func wireBytes(segments: Int) -> Int { length + max(0, segments - 1) * headerLength }
}

/// Gives later fragments the tuple of their first one, for comparisons with a datapath that has seen both in this order.
public struct FragmentMemory: Sendable {
    private var firsts: [ParsedFrame.FragmentIdentity: ReferenceTuple] = [:]

    public init() {}

    /// The frame as it is keyed after all that was resolved before. A fragment of a tunnel's outer packet takes on the outer tuple alone.
    public mutating func resolve(_ frame: ParsedFrame) -> ParsedFrame {
        var frame = frame
        frame.outer = resolve(frame.outer, frame.fragment)
        if let tunnel = frame.tunnel { frame.tunnel!.inner = resolve(tunnel.inner, frame.tunnelFragment) }
        return frame
    }

    private mutating func resolve(_ tuple: ReferenceTuple, _ fragment: ParsedFrame.FragmentIdentity?) -> ReferenceTuple {
        guard var identity = fragment else { return tuple }
        if identity.isFirst {
            // A first fragment without a whole transport header has nothing to hand on.
            if tuple.form.rawValue != NILO_FORM_TRUNCATED.rawValue { firsts[identity] = tuple }
            return tuple
        }
        identity.isFirst = true
        return firsts[identity] ?? tuple
    }
}
