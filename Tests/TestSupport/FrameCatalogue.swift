/// A frame with a name that a failing test shows.
public struct NamedFrame: Sendable, CustomStringConvertible {
    public var name: String
    public var frame: Frame

    public init(name: String, frame: Frame) {
        self.name = name
        self.frame = frame
    }

    public var description: String { name }
}

/// One frame of every shape that the datapath tells apart, from the pair's host a to its host b.
public enum FrameCatalogue {
    public static let all: [NamedFrame] =
        linkShapes + ipv4Shapes + ipv6Shapes + fragments + taggedShapes + tunnelShapes + malformed

    public static func named(_ name: String) -> Frame {
        guard let found = all.first(where: { $0.name == name }) else { preconditionFailure("no frame named \(name)") }
        return found.frame
    }

    private static func shape(_ name: String, _ layers: any PacketLayer...) -> NamedFrame {
        NamedFrame(name: name, frame: Frame(layers: layers))
    }
    private static func over4(_ name: String, _ layers: any PacketLayer...) -> NamedFrame {
        NamedFrame(name: name, frame: Frame(layers: [EthernetHeader(), IPv4Header()] + layers))
    }
    private static func over6(_ name: String, _ layers: any PacketLayer...) -> NamedFrame {
        NamedFrame(name: name, frame: Frame(layers: [EthernetHeader(), IPv6Header()] + layers))
    }

    static let linkShapes = [
        shape("ARP request", EthernetHeader(to: "ff:ff:ff:ff:ff:ff"), ARPMessage()),
        shape("ARP reply", EthernetHeader(), ARPMessage(.reply)),
        shape("LLC", EthernetHeader(to: "01:80:c2:00:00:00"), LLCHeader(), RawBytes(count: 35)),
        shape("LLDP", EthernetHeader(to: "01:80:c2:00:00:0e"), RawBytes([2, 2, 7, 0x61, 0, 0], etherType: 0x88cc)),
        shape("MPLS", EthernetHeader(), RawBytes([0, 0, 0x11, 0x40] + [UInt8](repeating: 0, count: 30), etherType: 0x8847)),
        shape("empty Ethernet", EthernetHeader(type: 0x88b5)),
    ]

    static let ipv4Shapes = [
        over4("UDP", UDPHeader(), RawBytes(count: 32)),
        over4("UDP without payload", UDPHeader()),
        over4("UDP without checksum", UDPHeader(checksum: 0), RawBytes(count: 9)),
        over4("UDP-Lite", UDPHeader(lite: true), RawBytes(count: 12)),
        over4("TCP SYN", TCPHeader(.syn) { $0.options = TCPHeader.openingOptions }),
        over4("TCP SYN-ACK with ECN", TCPHeader(from: 80, to: 40000, [.syn, .ack, .ece]) { $0.options = TCPHeader.openingOptions }),
        over4("TCP data", TCPHeader([.ack, .psh]) { $0.options = TCPHeader.timestamps() }, RawBytes(count: 100)),
        over4("TCP FIN", TCPHeader([.fin, .ack])),
        over4("TCP all flags", TCPHeader(TCPHeader.Flags(rawValue: 0x1ff)), RawBytes(count: 3)),
        over4("TCP zero window", TCPHeader(.ack) { $0.window = 0 }),
        over4("SCTP", SCTPHeader(), SCTPHeader.heartbeat()),
        over4("DCCP", DCCPHeader(), RawBytes(count: 8)),
        over4("ICMP echo request", ICMPMessage.echoRequest(77), RawBytes(count: 24)),
        over4("ICMP echo reply", ICMPMessage.echoReply(77), RawBytes(count: 24)),
        over4("ICMP timestamp", ICMPMessage(type: 13, rest: 77 << 16 | 1), RawBytes(count: 12)),
        over4("ICMP unreachable", ICMPMessage.unreachable(), ICMPMessage.quote(Frame(IPv4Header(), UDPHeader(), RawBytes(count: 5)))),
        over4("ICMP time exceeded", ICMPMessage.timeExceeded(), ICMPMessage.quote(Frame(IPv4Header(), TCPHeader()))),
        over4("GRE", GREHeader(), IPv4Header(from: "192.0.2.1", to: "192.0.2.2"), UDPHeader()),
        over4("ESP", ESPHeader(), RawBytes(count: 40)),
        over4("IPv4 in IPv4", IPv4Header(from: "192.0.2.1", to: "192.0.2.2"), UDPHeader()),
        over4("protocol 253", RawBytes(count: 10, protocolNumber: 253)),
        over4("AH in IPv4", AuthenticationHeader(), UDPHeader()),
        over4("no next header in IPv4", RawBytes(count: 4, protocolNumber: IPProtocol.none)),
        shape("IPv4 options", EthernetHeader(), IPv4Header { $0.options = [7, 7, 4, 0, 0, 0, 0] }, UDPHeader(), RawBytes(count: 4)),
        shape("IPv4 forty bytes of options", EthernetHeader(), IPv4Header { $0.options = [UInt8](repeating: 1, count: 40) }, TCPHeader()),
        shape(
            "DSCP, ECN and TTL", EthernetHeader(),
            IPv4Header {
                $0.dscp = 46
                $0.ecn = 3
                $0.timeToLive = 1
            }, UDPHeader(), RawBytes(count: 8)),
        shape("IPv4 without end in its length", EthernetHeader(), IPv4Header { $0.totalLength = 0 }, TCPHeader(), RawBytes(count: 20)),
        shape("Ethernet padding", EthernetHeader(), IPv4Header { $0.totalLength = 40 }, TCPHeader(), RawBytes(count: 6)),
    ]

    static let ipv6Shapes = [
        over6("UDP over IPv6", UDPHeader(), RawBytes(count: 32)),
        over6("TCP over IPv6", TCPHeader([.ack, .psh]) { $0.options = TCPHeader.timestamps() }, RawBytes(count: 77)),
        over6("SCTP over IPv6", SCTPHeader(), SCTPHeader.heartbeat()),
        over6("ICMPv6 echo request", ICMPv6Message.echoRequest(99), RawBytes(count: 16)),
        over6("ICMPv6 echo reply", ICMPv6Message.echoReply(99), RawBytes(count: 16)),
        over6("ICMPv6 too big", ICMPv6Message.packetTooBig(mtu: 1280), ICMPMessage.quote(Frame(IPv6Header(), UDPHeader()), atMost: 48)),
        over6("neighbour solicitation", ICMPv6Message(type: 135), RawBytes(addressBytes("fd00::2"))),
        over6("hop-by-hop", IPv6Extension.hopByHop, UDPHeader(), RawBytes(count: 4)),
        over6("routing", IPv6Extension.routing, TCPHeader(), RawBytes(count: 4)),
        over6("destination options", IPv6Extension(.destination, content: [UInt8](repeating: 0, count: 30)), UDPHeader()),
        over6("mobility", IPv6Extension(.mobility, content: [5, 0, 0, 0, 0, 0]), RawBytes([])),
        over6("AH", AuthenticationHeader(), TCPHeader(.syn)),
        over6("AH with a long check", AuthenticationHeader(check: [UInt8](repeating: 1, count: 32)), UDPHeader()),
        over6(
            "every extension header", IPv6Extension.hopByHop, IPv6Extension.destination, IPv6Extension.routing, FragmentHeader(),
            AuthenticationHeader(), IPv6Extension.destination, UDPHeader(), RawBytes(count: 5)),
        over6(
            "eight extension headers", IPv6Extension.hopByHop, IPv6Extension.destination, IPv6Extension.destination,
            IPv6Extension.destination,
            IPv6Extension.destination, IPv6Extension.destination, IPv6Extension.destination, IPv6Extension.destination, UDPHeader()),
        over6(
            "nine extension headers", IPv6Extension.hopByHop, IPv6Extension.destination, IPv6Extension.destination,
            IPv6Extension.destination,
            IPv6Extension.destination, IPv6Extension.destination, IPv6Extension.destination, IPv6Extension.destination,
            IPv6Extension.destination,
            UDPHeader()),
        over6("ESP over IPv6", ESPHeader(), RawBytes(count: 40)),
        over6("no next header", RawBytes([])),
        over6("extension header before nothing", IPv6Extension.destination),
        over6("protocol 253 over IPv6", RawBytes(count: 10, protocolNumber: 253)),
        shape(
            "traffic class and hop limit", EthernetHeader(),
            IPv6Header {
                $0.dscp = 10
                $0.ecn = 1
                $0.hopLimit = 255
                $0.flowLabel = 0xabcde
            }, TCPHeader([.ack, .cwr]), RawBytes(count: 8)),
    ]

    static let fragments: [NamedFrame] = {
        let udp4 = Frame(EthernetHeader(), IPv4Header(), UDPHeader(), RawBytes(count: 60))
        let udp6 = Frame(EthernetHeader(), IPv6Header(), IPv6Extension.hopByHop, UDPHeader(), RawBytes(count: 60))
        let tcp4 = Frame(EthernetHeader(), IPv4Header(), TCPHeader(), RawBytes(count: 20))
        let parts4 = udp4.fragments(of: 32, identification: 7)
        let parts6 = udp6.fragments(of: 32, identification: 7, cutting: 3)
        return [
            NamedFrame(name: "first fragment", frame: parts4[0]),
            NamedFrame(name: "middle fragment", frame: parts4[1]),
            NamedFrame(name: "last fragment", frame: parts4[2]),
            NamedFrame(name: "first fragment that cuts the TCP header", frame: tcp4.fragments(of: 8, identification: 8)[0]),
            NamedFrame(name: "first fragment over IPv6", frame: parts6[0]),
            NamedFrame(name: "middle fragment over IPv6", frame: parts6[1]),
            NamedFrame(name: "last fragment over IPv6", frame: parts6[2]),
            over6("atomic fragment", FragmentHeader(), UDPHeader(), RawBytes(count: 4)),
            over6("later fragment of options", FragmentHeader(offset: 4, next: IPProtocol.destination), RawBytes(count: 8)),
        ]
    }()

    static let taggedShapes = [
        shape("VLAN", EthernetHeader(), VLANTag(5), IPv4Header(), UDPHeader(), RawBytes(count: 8)),
        shape("VLAN with priority", EthernetHeader(), VLANTag(4095, priority: 7, dropEligible: true), IPv6Header(), TCPHeader()),
        shape("priority tag", EthernetHeader(), VLANTag(0, priority: 5), IPv4Header(), UDPHeader()),
        shape("QinQ", EthernetHeader(), VLANTag.service(100), VLANTag(7), IPv4Header(), TCPHeader(.syn)),
        shape("QinQ with 0x9100", EthernetHeader(), VLANTag(100, protocolIdentifier: 0x9100), VLANTag(7), IPv6Header(), UDPHeader()),
        shape("two customer tags", EthernetHeader(), VLANTag(1), VLANTag(2), IPv4Header(), ICMPMessage.echoRequest(5)),
        shape("three tags", EthernetHeader(), VLANTag.service(1), VLANTag(2), VLANTag(3), IPv4Header(), UDPHeader()),
        shape("ARP in a VLAN", EthernetHeader(), VLANTag(9), ARPMessage()),
        shape("LLC in a VLAN", EthernetHeader(), VLANTag(9), LLCHeader(), RawBytes(count: 20)),
    ]

    static let tunnelShapes: [NamedFrame] = {
        let udp = Frame(EthernetHeader(), IPv4Header(), UDPHeader(), RawBytes(count: 8))
        let tcp6 = Frame(EthernetHeader(), IPv6Header(), TCPHeader([.ack, .psh]), RawBytes(count: 50))
        let tagged = Frame(EthernetHeader(), VLANTag.service(3), VLANTag(4), IPv4Header(), TCPHeader())
        func named(_ name: String, _ frame: Frame) -> NamedFrame { NamedFrame(name: "VXLAN: \(name)", frame: frame) }
        func outer(_ vxlan: [any PacketLayer]) -> Frame {
            Frame(layers: [EthernetHeader(), IPv4Header(), UDPHeader(to: VXLANHeader.port)] + vxlan)
        }
        return [
            named("UDP", udp.inVXLAN(vni: 0xabcdef)),
            named("TCP over IPv6", tcp6.inVXLAN()),
            named("IPv6 underlay", udp.inVXLAN(from: "fd31::1", to: "fd31::2")),
            named("tagged underlay", udp.inVXLAN(tag: VLANTag(31))),
            named("inner tags", tagged.inVXLAN()),
            named("ARP", Frame(EthernetHeader(), ARPMessage()).inVXLAN()),
            named("LLC", Frame(EthernetHeader(), LLCHeader(), RawBytes(count: 20)).inVXLAN()),
            named("ICMP", Frame(EthernetHeader(), IPv4Header(), ICMPMessage.echoRequest(3)).inVXLAN(vni: 0)),
            named(
                "inner fragment",
                Frame(EthernetHeader(), IPv4Header(), UDPHeader(), RawBytes(count: 30)).fragments(of: 16, identification: 4)[1].inVXLAN()),
            named("VXLAN", udp.inVXLAN(vni: 2).inVXLAN(vni: 1)),
            named("no VNI", outer([VXLANHeader(vni: 5, flags: 0)] + udp.layers)),
            named("all flags", outer([VXLANHeader(vni: 5, flags: 0xff)] + udp.layers)),
            named("no inner frame", outer([VXLANHeader(vni: 5), RawBytes(count: 13)])),
            named(
                "from the port only", Frame(EthernetHeader(), IPv4Header(), UDPHeader(from: VXLANHeader.port, to: 9), RawBytes(count: 40))),
        ]
    }()

    static let malformed = [
        shape("IPv4 with version 6", EthernetHeader(), IPv4Header { $0.version = 6 }, UDPHeader()),
        shape("IPv4 header of four words", EthernetHeader(), IPv4Header { $0.headerWords = 4 }, UDPHeader()),
        shape("IPv4 header past the end", EthernetHeader(), IPv4Header { $0.headerWords = 15 }, UDPHeader()),
        shape("IPv4 length shorter than its header", EthernetHeader(), IPv4Header { $0.totalLength = 12 }, TCPHeader(), RawBytes(count: 9)),
        shape("IPv4 length past the end", EthernetHeader(), IPv4Header { $0.totalLength = 9000 }, TCPHeader(), RawBytes(count: 9)),
        shape("IPv6 with version 4", EthernetHeader(), IPv6Header { $0.version = 4 }, UDPHeader()),
        shape("IPv6 length past the end", EthernetHeader(), IPv6Header { $0.payloadLength = 9000 }, TCPHeader(), RawBytes(count: 9)),
        over6("extension header past the end", IPv6Extension(.destination, units: 20), UDPHeader()),
        over4("TCP header of four words", TCPHeader { $0.headerWords = 4 }, RawBytes(count: 9)),
        over4("TCP options past the end", TCPHeader { $0.headerWords = 15 }, RawBytes(count: 9)),
        over4("ICMPv6 in IPv4", ICMPv6Message.echoRequest(6)),
        over6("ICMP in IPv6", ICMPMessage.echoRequest(6)),
        shape("IPv6 announced as IPv4", EthernetHeader(type: 0x0800), IPv6Header(), UDPHeader()),
    ]
}
