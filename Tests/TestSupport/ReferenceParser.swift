import CDatapath

/// The specification of a packet's key, as a parser that is slow and plain: `bpf/abi/flow_key.h` in Swift, written from
/// the RFCs and not from the datapath, against which the datapath is tested.
///
/// Choices where the header leaves room (each also stands at its rule below):
/// - A tag beside the bytes is the outermost. A third tag's identifier is an ethertype like any other that is not IP, and so
///   is that of a tag that is cut off.
/// - A header counts as read only when the frame holds all of it: IPv4 with options, every extension header by its own length.
/// - An extension header that is cut off: the addresses stay, the protocol is that header's number.
/// - Least lengths of transport headers: TCP 20, UDP and UDP-Lite 8, SCTP and DCCP 12, ICMP and ICMPv6 8.
/// - ICMP and ICMPv6 are told by their protocol number, whichever IP they are in.
/// - A fragment that is not the first has FORM_FRAGMENT whatever its protocol.
public struct ReferenceParser: Sendable {
    /// A VLAN tag that the kernel keeps beside the bytes (`vlan_tci`, `vlan_proto`).
    public struct MetadataTag: Sendable {
        public var control: UInt16
        public var protocolIdentifier: UInt16

        public init(control: UInt16, protocolIdentifier: UInt16 = 0x8100) {
            self.control = control
            self.protocolIdentifier = protocolIdentifier
        }
        public init(_ tag: VLANTag) { self.init(control: tag.control, protocolIdentifier: tag.protocolIdentifier) }
    }

    public var vxlanPorts: Set<UInt16> = [4789]

    public init(vxlanPorts: Set<UInt16> = [4789]) { self.vxlanPorts = vxlanPorts }

    /// - Parameters:
    ///   - tag: kept beside the bytes.
    ///   - protocolNumber: the ethertype of a packet on a device without Ethernet headers; the bytes start with the network header.
    public func parse(_ bytes: [UInt8], tag: MetadataTag? = nil, layer3 protocolNumber: UInt16? = nil) -> ParsedFrame {
        var frame = ParsedFrame()
        let beside = tag == nil ? 0 : 4
        frame.length = bytes.count + beside
        var link = LinkReading(tags: tag.map { [$0.control] } ?? [])
        var cursor = ByteCursor(bytes)
        if let protocolNumber { link.etherType = protocolNumber } else { link.read(&cursor) }
        frame.vlan = link.tags.first.map(Self.present) ?? 0
        frame.innerVLAN = link.tags.dropFirst().first.map(Self.present) ?? 0

        let outer = NetworkReading(etherType: link.etherType, linkIsWhole: link.isWhole, &cursor)
        frame.outer = outer.tuple
        frame.network = outer.facts
        frame.fragment = outer.fragment
        frame.fragment?.segment = [UInt32(frame.vlan), UInt32(frame.innerVLAN)]
        frame.tcp = outer.tcp
        frame.shortfall = outer.shortfall
        frame.headerLength = cursor.position + beside
        guard outer.tuple.form.rawValue == NILO_FORM_PORTS.rawValue, outer.tuple.protocolNumber == IPProtocol.udp,
            vxlanPorts.contains(outer.tuple.destinationPort)
        else { return frame }
        readTunnel(&cursor, beside, &frame)
        return frame
    }

    /// VXLAN (RFC 7348): the flag that says there is a VNI, and a whole Ethernet header inside; else it is UDP like any other.
    private func readTunnel(_ cursor: inout ByteCursor, _ beside: Int, _ frame: inout ParsedFrame) {
        var inside = cursor
        guard let header = inside.take(8), header[0] & 0x08 != 0, inside.remaining >= 14 else { return }
        let vni = UInt32(header[4]) << 16 | UInt32(header[5]) << 8 | UInt32(header[6])
        var link = LinkReading(tags: [])
        link.read(&inside)
        let inner = NetworkReading(etherType: link.etherType, linkIsWhole: link.isWhole, &inside)
        frame.tunnel = ParsedFrame.Tunnel(vni: vni, inner: inner.tuple)
        frame.tunnelNetwork = inner.facts
        frame.tunnelFragment = inner.fragment
        frame.tunnelFragment?.segment = [UInt32(frame.vlan), UInt32(frame.innerVLAN), vni]
        frame.tcp = inner.tcp
        frame.shortfall = inner.shortfall
        frame.headerLength = inside.position + beside
    }

    private static func present(_ control: UInt16) -> UInt16 { control & 0x0fff | UInt16(NILO_VLAN_PRESENT) }
}

/// Ethernet with its tags.
private struct LinkReading {
    var tags: [UInt16]
    var etherType: UInt16 = 0
    var isWhole = true

    /// Moves the cursor to what `etherType` names.
    mutating func read(_ cursor: inout ByteCursor) {
        guard let header = cursor.take(14) else {
            isWhole = false
            return
        }
        etherType = UInt16(header[12]) << 8 | UInt16(header[13])
        while [0x8100, 0x88a8, 0x9100].contains(etherType), tags.count < 2 {
            guard let tag = cursor.take(4) else { return }
            tags.append(UInt16(tag[0]) << 8 | UInt16(tag[1]))
            etherType = UInt16(tag[2]) << 8 | UInt16(tag[3])
        }
        // Below 0x600 it is the length of an 802.3 frame, which LLC opens: ETH_P_802_2.
        if etherType < 0x600 { etherType = 4 }
    }
}

/// An IP packet, or whatever else an ethertype names. Leaves the cursor behind the last header that was read.
private struct NetworkReading {
    var tuple = ReferenceTuple()
    var facts: ParsedFrame.NetworkFacts?
    var fragment: ParsedFrame.FragmentIdentity?
    var tcp: ParsedFrame.TCPFacts?
    var shortfall: ParsedFrame.Shortfall?
    /// Where the IP packet ends by its own account; nil when it does not say.
    private var end: Int?

    init(etherType: UInt16, linkIsWhole: Bool, _ cursor: inout ByteCursor) {
        tuple.etherType = etherType
        if !linkIsWhole {
            fail(.network)
        } else if etherType == 0x0800 {
            readIPv4(&cursor)
        } else if etherType == 0x86dd {
            readIPv6(&cursor)
        }
    }

    private mutating func fail(_ reason: ParsedFrame.Shortfall) {
        tuple.form = NILO_FORM_TRUNCATED
        shortfall = reason
    }

    /// RFC 791.
    private mutating func readIPv4(_ cursor: inout ByteCursor) {
        let start = cursor.position
        guard let first = cursor.peek(0), first >> 4 == 4, first & 15 >= 5, let header = cursor.take(Int(first & 15) * 4) else {
            return fail(.network)
        }
        facts = ParsedFrame.NetworkFacts(dscp: header[1] >> 2, ecn: header[1] & 3, timeToLive: header[8])
        tuple.source.replaceSubrange(0..<4, with: header[12..<16])
        tuple.destination.replaceSubrange(0..<4, with: header[16..<20])
        tuple.protocolNumber = header[9]
        let total = Int(header[2]) << 8 | Int(header[3])
        end = total == 0 ? nil : start + total
        let fragmentation = UInt16(header[6]) << 8 | UInt16(header[7])
        let offset = fragmentation & 0x1fff
        if offset != 0 || fragmentation & 0x2000 != 0 {
            fragment = identity(UInt32(header[4]) << 8 | UInt32(header[5]), isFirst: offset == 0)
        }
        if offset != 0 {
            tuple.form = NILO_FORM_FRAGMENT
        } else {
            readTransport(&cursor)
        }
    }

    /// RFC 8200, with the extension headers whose length is known from themselves.
    private mutating func readIPv6(_ cursor: inout ByteCursor) {
        guard let first = cursor.peek(0), first >> 4 == 6, let header = cursor.take(40) else { return fail(.network) }
        let trafficClass = header[0] << 4 | header[1] >> 4
        facts = ParsedFrame.NetworkFacts(dscp: trafficClass >> 2, ecn: trafficClass & 3, timeToLive: header[7])
        tuple.source = Array(header[8..<24])
        tuple.destination = Array(header[24..<40])
        tuple.protocolNumber = header[6]
        let payload = Int(header[4]) << 8 | Int(header[5])
        end = payload == 0 ? nil : cursor.position + payload
        var followed = 0
        while let kind = ExtensionKind(rawValue: tuple.protocolNumber) {
            if followed == 8 { return fail(.tooManyExtensions) }
            followed += 1
            guard let length = kind.length(at: cursor), let content = cursor.take(length) else { return fail(.transport) }
            tuple.protocolNumber = content[0]
            guard kind == .fragment else { continue }
            let field = UInt16(content[2]) << 8 | UInt16(content[3])
            if field & ~6 == 0 { continue }  // An atomic fragment (RFC 6946) is whole.
            let identification = content[4..<8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            fragment = identity(identification, isFirst: field >> 3 == 0)
            if field >> 3 != 0 {
                tuple.form = NILO_FORM_FRAGMENT
                return
            }
        }
        readTransport(&cursor)
    }

    private func identity(_ identification: UInt32, isFirst: Bool) -> ParsedFrame.FragmentIdentity {
        ParsedFrame.FragmentIdentity(
            source: tuple.source, destination: tuple.destination, identification: identification, protocolNumber: tuple.protocolNumber,
            isFirst: isFirst)
    }

    private mutating func readTransport(_ cursor: inout ByteCursor) {
        switch tuple.protocolNumber {
        case IPProtocol.tcp:
            readTCP(&cursor)
        case IPProtocol.udp, IPProtocol.udpLite:
            readPorts(&cursor, headerLength: 8)
        case IPProtocol.sctp:
            readPorts(&cursor, headerLength: 12)
        case IPProtocol.dccp:
            // The rest of the header, by its data offset, is of no interest to the key (RFC 4340 section 5.1).
            let words = Int(cursor.peek(4) ?? 0)
            readPorts(&cursor, headerLength: 12)
            if shortfall == nil { _ = cursor.take(min(max(0, words * 4 - 12), cursor.remaining)) }
        case IPProtocol.icmp, IPProtocol.icmpv6:
            guard let header = cursor.take(8) else { return fail(.transport) }
            tuple.form = NILO_FORM_ICMP
            let identified: Set<UInt8> = tuple.protocolNumber == IPProtocol.icmp ? [0, 8, 13, 14] : [128, 129]
            tuple.sourcePort = identified.contains(header[0]) ? UInt16(header[4]) << 8 | UInt16(header[5]) : 0
            tuple.destinationPort = UInt16(header[0]) << 8 | UInt16(header[1])
        default:
            tuple.form = NILO_FORM_NONE
        }
    }

    private mutating func readPorts(_ cursor: inout ByteCursor, headerLength: Int) {
        guard let header = cursor.take(headerLength) else { return fail(.transport) }
        setPorts(header)
    }

    private mutating func setPorts(_ header: [UInt8]) {
        tuple.form = NILO_FORM_PORTS
        tuple.sourcePort = UInt16(header[0]) << 8 | UInt16(header[1])
        tuple.destinationPort = UInt16(header[2]) << 8 | UInt16(header[3])
    }

    /// RFC 9293. Options that are cut off cost nothing: the key does not need them.
    private mutating func readTCP(_ cursor: inout ByteCursor) {
        let start = cursor.position
        guard let header = cursor.lookahead(20), header[12] >> 4 >= 5 else { return fail(.transport) }
        setPorts(header)
        let length = Int(header[12] >> 4) * 4
        _ = cursor.take(min(length, cursor.remaining))
        let packetEnd = min(end ?? cursor.count, cursor.count)
        tcp = ParsedFrame.TCPFacts(
            flags: TCPHeader.Flags(rawValue: UInt16(header[12] & 1) << 8 | UInt16(header[13])),
            sequence: header[4..<8].reduce(0) { $0 << 8 | UInt32($1) },
            acknowledgement: header[8..<12].reduce(0) { $0 << 8 | UInt32($1) },
            window: UInt16(header[14]) << 8 | UInt16(header[15]),
            payloadLength: max(0, packetEnd - start - length))
    }
}

/// The extension headers that are followed.
private enum ExtensionKind: UInt8 {
    case hopByHop = 0
    case routing = 43
    case fragment = 44
    case authentication = 51
    case destination = 60
    case mobility = 135

    /// The header's length by its own account; nil when not even that is in the frame.
    func length(at cursor: ByteCursor) -> Int? {
        switch self {
        case .fragment: 8
        case .authentication: cursor.peek(1).map { (Int($0) + 2) * 4 }
        default: cursor.peek(1).map { (Int($0) + 1) * 8 }
        }
    }
}

/// A position in bytes that cannot leave them.
private struct ByteCursor {
    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var count: Int { bytes.count }
    var remaining: Int { bytes.count - position }

    func peek(_ offset: Int) -> UInt8? { offset < remaining ? bytes[position + offset] : nil }

    func lookahead(_ length: Int) -> [UInt8]? { length <= remaining ? Array(bytes[position..<position + length]) : nil }

    mutating func take(_ length: Int) -> [UInt8]? {
        guard let taken = lookahead(length) else { return nil }
        position += length
        return taken
    }
}
