/// An endless run of frames of all shapes, determined by its seed.
///
/// Addresses and ports come from small sets, so that flows repeat. All frames are well-formed; only what
/// `damaged` makes is not.
public struct RandomFrames: Sequence, IteratorProtocol, Sendable {
    public var random: SplitMix64
    /// How many addresses there are on either side.
    public var hosts: Int
    /// How many ports.
    public var ports: Int

    public init(seed: UInt64, hosts: Int = 4, ports: Int = 4) {
        random = SplitMix64(seed: seed)
        self.hosts = hosts
        self.ports = ports
    }

    public mutating func next() -> Frame? { frame() }

    /// The next frame; one in eight is inside VXLAN.
    public mutating func frame() -> Frame {
        let inner = plain()
        guard random.once(in: 8) else { return inner }
        let ipv6 = random.once(in: 4)
        let n = number(1...hosts)
        return inner.inVXLAN(
            vni: UInt32(number(0...3)), from: ipv6 ? "fd31::\(n)" : "172.31.0.\(n)", to: ipv6 ? "fd31::99" : "172.31.0.99",
            sourcePort: port(), tag: random.once(in: 4) ? tag() : nil)
    }

    /// The bytes of a frame, one in `n` of them cut anywhere after the Ethernet header and one in `n` with a byte after the addresses changed.
    /// Some are too short for `ProgramTestRun`: see its `leastLength`.
    public mutating func damaged(oneIn n: UInt64 = 3) -> [UInt8] {
        var bytes = frame().bytes
        if random.once(in: n) { bytes = Array(bytes.prefix(number(14...bytes.count))) }
        if random.once(in: n) { bytes[number(12..<bytes.count)] = UInt8(number(0...255)) }
        return bytes
    }

    private mutating func plain() -> Frame {
        var layers: [any PacketLayer] = [EthernetHeader()]
        let tags = random.pick([0, 0, 0, 0, 1, 1, 2, 3])
        for _ in 0..<tags { layers.append(tag()) }
        switch number(0..<16) {
        case 0: layers.append(ARPMessage(random.pick([.request, .reply])))
        case 1: layers += [LLCHeader(), RawBytes(count: number(0...60))] as [any PacketLayer]
        case 2: layers.append(RawBytes(count: number(0...60), etherType: random.pick([0x88cc, 0x8847, 0x0600, 0x88b5])))
        case 3..<10: layers += ipv4()
        default: layers += ipv6()
        }
        return Frame(layers: layers)
    }

    private mutating func tag() -> VLANTag {
        VLANTag(
            UInt16(number(0...3)), protocolIdentifier: random.pick([0x8100, 0x88a8, 0x9100]), priority: UInt8(number(0...7)),
            dropEligible: random.once(in: 2))
    }

    private mutating func ipv4() -> [any PacketLayer] {
        var header = IPv4Header(from: "10.0.0.\(number(1...hosts))", to: "10.0.1.\(number(1...hosts))")
        header.dscp = UInt8(number(0...63))
        header.ecn = UInt8(number(0...3))
        header.timeToLive = UInt8(number(1...255))
        header.identification = UInt16(number(0...9))
        header.doNotFragment = random.once(in: 2)
        if random.once(in: 5) { header.options = [UInt8](repeating: 1, count: number(1...40)) }
        let content = transport(
            ICMPMessage(type: random.pick([0, 3, 8, 11, 13]), code: UInt8(number(0...2)), rest: UInt32(number(0...3)) << 16))
        guard random.once(in: 8) else { return [header] + content }
        return fragment(Frame(layers: [header] + content), cutting: 1)
    }

    private mutating func ipv6() -> [any PacketLayer] {
        var header = IPv6Header(from: "fd00::\(number(1...hosts))", to: "fd01::\(number(1...hosts))")
        header.dscp = UInt8(number(0...63))
        header.ecn = UInt8(number(0...3))
        header.hopLimit = UInt8(number(1...255))
        var layers: [any PacketLayer] = [header]
        let count = random.pick([0, 0, 0, 1, 1, 2, 3, 5, 8, 9, 10])
        for _ in 0..<count { layers.append(extensionHeader()) }
        layers += transport(
            ICMPv6Message(type: random.pick([1, 2, 128, 129, 135]), code: UInt8(number(0...2)), rest: UInt32(number(0...3)) << 16))
        guard random.once(in: 8) else { return layers }
        return fragment(Frame(layers: layers), cutting: 1 + count)
    }

    private mutating func extensionHeader() -> any PacketLayer {
        switch number(0..<6) {
        case 0: IPv6Extension(.hopByHop, content: random.bytes(number(0...20)))
        case 1: IPv6Extension(.routing, content: [4, 0] + random.bytes(number(0...20)))
        case 2: IPv6Extension(.destination, content: random.bytes(number(0...60)))
        case 3: IPv6Extension(.mobility, content: random.bytes(number(0...20)))
        case 4: AuthenticationHeader(check: random.bytes(4 * number(0...8)))
        default: FragmentHeader(identification: UInt32(number(0...9)))
        }
    }

    private mutating func fragment(_ packet: Frame, cutting index: Int) -> [any PacketLayer] {
        random.pick(packet.fragments(of: 8 * number(1...4), identification: UInt32(number(0...9)), cutting: index)).layers
    }

    private mutating func transport(_ icmp: any PacketLayer) -> [any PacketLayer] {
        let payload = RawBytes(random.bytes(random.pick([0, 1, 8, 40, 200])))
        switch number(0..<12) {
        case 0..<4:
            var header = TCPHeader(from: port(), to: port(), TCPHeader.Flags(rawValue: UInt16(number(0...0x1ff))))
            header.sequence = UInt32.random(in: 0...UInt32.max, using: &random)
            header.acknowledgement = UInt32.random(in: 0...UInt32.max, using: &random)
            header.window = random.pick([0, 1, 0xffff])
            header.options = [UInt8](repeating: 1, count: number(0...40))
            return [header, payload]
        case 4..<7: return [UDPHeader(from: port(), to: port(), lite: random.once(in: 5)), payload]
        case 7: return [SCTPHeader(from: port(), to: port()), SCTPHeader.heartbeat()]
        case 8: return [DCCPHeader(from: port(), to: port()), payload]
        case 9: return [icmp, payload]
        case 10: return [ESPHeader(), payload]
        default: return [RawBytes(payload.bytes, protocolNumber: random.pick([2, 47, 89, 103, 253]))]
        }
    }

    private mutating func port() -> UInt16 { UInt16(1024 + number(0..<ports)) }
    private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
    private mutating func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &random) }
}
