import CDatapath

@testable import TestSupport

/// What a well-formed frame's key must be, told from its layers without looking at a byte: what the builder and the
/// reference parser are held against together.
struct StructuralKey {
    private(set) var outer = ReferenceTuple()
    private(set) var tags: [VLANTag] = []
    private(set) var vni: UInt32?
    private(set) var inner: ReferenceTuple?
    private(set) var headerLength = 0

    init(_ frame: Frame) {
        var layers = frame.layers[...]
        outer = Self.tuple(&layers, &tags)
        if outer.protocolNumber == IPProtocol.udp, outer.destinationPort == VXLANHeader.port, let vxlan = layers.first as? VXLANHeader,
            vxlan.flags & 8 != 0, layers.count > 1, layers[layers.startIndex + 1] is EthernetHeader
        {
            layers.removeFirst()
            vni = vxlan.vni
            var innerTags: [VLANTag] = []
            inner = Self.tuple(&layers, &innerTags)
        }
        headerLength = frame.bytes.count - frame.bytes(from: layers.startIndex).count
    }

    /// Consumes Ethernet and all layers that the tuple was made of.
    private static func tuple(_ layers: inout ArraySlice<any PacketLayer>, _ tags: inout [VLANTag]) -> ReferenceTuple {
        var tuple = ReferenceTuple()
        let ethernet = layers.removeFirst() as! EthernetHeader
        while tags.count < 2, let tag = layers.first as? VLANTag {
            tags.append(tag)
            layers.removeFirst()
        }
        tuple.etherType = layers.first is LLCHeader ? 4 : layers.first?.etherType ?? ethernet.type ?? 0x88b5
        if let header = layers.first as? IPv4Header {
            layers.removeFirst()
            tuple.source.replaceSubrange(0..<4, with: header.source)
            tuple.destination.replaceSubrange(0..<4, with: header.destination)
            tuple.protocolNumber = header.announcedProtocol ?? layers.first?.protocolNumber ?? IPProtocol.none
            if header.fragmentOffset > 0 { tuple.form = NILO_FORM_FRAGMENT } else { transport(&layers, &tuple) }
        } else if let header = layers.first as? IPv6Header {
            layers.removeFirst()
            tuple.source = header.source
            tuple.destination = header.destination
            extensions(&layers, &tuple, header)
        }
        return tuple
    }

    private static func extensions(_ layers: inout ArraySlice<any PacketLayer>, _ tuple: inout ReferenceTuple, _ header: IPv6Header) {
        tuple.protocolNumber = layers.first?.protocolNumber ?? IPProtocol.none
        var followed = 0
        while let layer = layers.first, layer is IPv6Extension || layer is FragmentHeader || layer is AuthenticationHeader {
            if followed == 8 {
                tuple.form = NILO_FORM_TRUNCATED
                return
            }
            followed += 1
            layers.removeFirst()
            let fragment = layer as? FragmentHeader
            tuple.protocolNumber = fragment?.next ?? layers.first?.protocolNumber ?? IPProtocol.none
            if let fragment, fragment.offset > 0 {
                tuple.form = NILO_FORM_FRAGMENT
                return
            }
        }
        transport(&layers, &tuple)
    }

    private static func transport(_ layers: inout ArraySlice<any PacketLayer>, _ tuple: inout ReferenceTuple) {
        tuple.form = NILO_FORM_PORTS
        switch layers.first {
        case let header as TCPHeader: (tuple.sourcePort, tuple.destinationPort) = (header.source, header.destination)
        case let header as UDPHeader: (tuple.sourcePort, tuple.destinationPort) = (header.source, header.destination)
        case let header as SCTPHeader: (tuple.sourcePort, tuple.destinationPort) = (header.source, header.destination)
        case let header as DCCPHeader: (tuple.sourcePort, tuple.destinationPort) = (header.source, header.destination)
        case let message as ICMPMessage: icmp(&tuple, message.type, message.code, message.rest, [0, 8, 13, 14])
        case let message as ICMPv6Message: icmp(&tuple, message.type, message.code, message.rest, [128, 129])
        case let raw as RawBytes where raw.protocolNumber == nil && tuple.protocolNumber != IPProtocol.none:
            firstFragment(&layers, &tuple, raw.bytes)
            return
        default:
            tuple.form = NILO_FORM_NONE
            return
        }
        layers.removeFirst()
    }

    private static func icmp(_ tuple: inout ReferenceTuple, _ type: UInt8, _ code: UInt8, _ rest: UInt32, _ identified: [UInt8]) {
        tuple.form = NILO_FORM_ICMP
        tuple.sourcePort = identified.contains(type) ? UInt16(rest >> 16) : 0
        tuple.destinationPort = UInt16(type) << 8 | UInt16(code)
    }

    /// A first fragment's transport header is in raw bytes. It is whole when it fits; its length is then the header's least one,
    /// which for TCP with options the tests do not look at.
    private static func firstFragment(_ layers: inout ArraySlice<any PacketLayer>, _ tuple: inout ReferenceTuple, _ bytes: [UInt8]) {
        let least: [UInt8: Int] = [
            IPProtocol.tcp: 20, IPProtocol.udp: 8, IPProtocol.udpLite: 8, IPProtocol.sctp: 12, IPProtocol.dccp: 12, IPProtocol.icmp: 8,
            IPProtocol.icmpv6: 8,
        ]
        guard let length = least[tuple.protocolNumber] else {
            tuple.form = NILO_FORM_NONE
            return
        }
        guard bytes.count >= length else {
            tuple.form = NILO_FORM_TRUNCATED
            return
        }
        let ports = (UInt16(bytes[0]) << 8 | UInt16(bytes[1]), UInt16(bytes[2]) << 8 | UInt16(bytes[3]))
        if tuple.protocolNumber == IPProtocol.icmp || tuple.protocolNumber == IPProtocol.icmpv6 {
            let rest = UInt32(bytes[4]) << 24 | UInt32(bytes[5]) << 16
            icmp(&tuple, bytes[0], bytes[1], rest, tuple.protocolNumber == IPProtocol.icmp ? [0, 8, 13, 14] : [128, 129])
        } else {
            (tuple.sourcePort, tuple.destinationPort) = ports
        }
        layers.removeFirst()
        layers = [RawBytes(Array(bytes[length...]))] + layers
    }
}
