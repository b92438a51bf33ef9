import CDatapath
import TestSupport
import Testing

/// The rules of the key that are not just a header's fields, each on bytes of which the answer was worked out by hand.
@Suite struct KeyRulesTests {
    private func parse(_ name: String) -> ParsedFrame { ReferenceParser().parse(FrameCatalogue.named(name).bytes) }

    @Test func keyOfKnownBytes() {
        // A DNS query of 30 bytes as a capture shows it, tagged 5 beside the bytes.
        let bytes: [UInt8] = [
            0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1, 0x08, 0x00,
            0x45, 0xb8, 0x00, 0x1e, 0x00, 0x01, 0x40, 0x00, 0x3f, 0x11, 0x00, 0x00, 10, 1, 2, 3, 192, 0, 2, 53,
            0x9c, 0x40, 0x00, 0x35, 0x00, 0x0a, 0x00, 0x00, 0xab, 0xcd,
        ]
        let parsed = ReferenceParser().parse(bytes, tag: .init(control: 0xe005))
        var expected = [UInt8](repeating: 0, count: 96)
        expected.replaceSubrange(0..<4, with: [10, 1, 2, 3])
        expected.replaceSubrange(16..<20, with: [192, 0, 2, 53])
        expected.replaceSubrange(32..<40, with: [0x9c, 0x40, 0x00, 0x35, 17, 1, 0x00, 0x08])
        expected.replaceSubrange(40..<44, with: [9, 0, 0, 0])
        expected.replaceSubrange(48..<50, with: [0x05, 0x10])
        expected[52] = 1
        #expect(parsed.keyBytes(interface: 9, direction: NILO_EGRESS) == expected)
        #expect(parsed.length == 48 && parsed.headerLength == 46)
        #expect(parsed.network == .init(dscp: 46, ecn: 0, timeToLive: 63))
        #expect(parsed.wireBytes(segments: 1) == 48 && parsed.wireBytes(segments: 3) == 140)
    }

    @Test func tagsBesideTheBytesAreOutermost() {
        let frame = Frame(EthernetHeader(), VLANTag(7), IPv4Header(), UDPHeader())
        let both = ReferenceParser().parse(frame.bytes, tag: .init(VLANTag.service(100)))
        #expect(both.vlan == 0x1064 && both.innerVLAN == 0x1007)
        let full = Frame(EthernetHeader(), VLANTag.service(100), VLANTag(7), IPv4Header(), UDPHeader())
        let inBytes = ReferenceParser().parse(full.bytes)
        #expect(both == inBytes, "the place of a tag makes no difference, also not to lengths")
        let three = ReferenceParser().parse(full.bytes, tag: .init(VLANTag(1)))
        #expect(three.vlan == 0x1001 && three.innerVLAN == 0x1064 && three.outer.etherType == 0x8100)
        #expect(three.outer.form.rawValue == NILO_FORM_NONE.rawValue && three.outer.source.allSatisfy { $0 == 0 })
    }

    @Test(arguments: [
        ("IPv4 with version 6", 0x0800), ("IPv4 header of four words", 0x0800), ("IPv4 header past the end", 0x0800),
        ("IPv6 with version 4", 0x86dd),
        ("IPv6 announced as IPv4", 0x0800),
    ]) func malformedNetworkHeader(_ name: String, _ etherType: Int) {
        let parsed = parse(name)
        var expected = ReferenceTuple()
        expected.etherType = UInt16(etherType)
        expected.form = NILO_FORM_TRUNCATED
        #expect(parsed.outer == expected && parsed.shortfall == .network && parsed.headerLength == 14)
    }

    @Test func malformedTransportHeaderKeepsAddresses() {
        let short = parse("TCP header of four words")
        #expect(short.outer.form.rawValue == NILO_FORM_TRUNCATED.rawValue && short.outer.protocolNumber == 6 && short.tcp == nil)
        #expect(short.outer.source.prefix(4) == [10, 0, 0, 1] && short.outer.sourcePort == 0)
        let cut = parse("first fragment that cuts the TCP header")
        #expect(cut.outer.form.rawValue == NILO_FORM_TRUNCATED.rawValue && cut.fragment?.isFirst == true)
        let options = parse("TCP options past the end")
        #expect(options.outer.form.rawValue == NILO_FORM_PORTS.rawValue && options.tcp?.payloadLength == 0)
    }

    @Test func tooManyExtensionHeaders() {
        let nine = parse("nine extension headers").outer
        #expect(nine.form.rawValue == NILO_FORM_TRUNCATED.rawValue && nine.protocolNumber == IPProtocol.destination && nine.sourcePort == 0)
        let eight = parse("eight extension headers").outer
        #expect(eight.form.rawValue == NILO_FORM_PORTS.rawValue && eight.destinationPort == 53)
        let past = parse("extension header past the end").outer
        #expect(
            past.form.rawValue == NILO_FORM_TRUNCATED.rawValue && past.protocolNumber == IPProtocol.destination && past.source[0] == 0xfd)
    }

    @Test(arguments: ["GRE", "protocol 253", "AH in IPv4", "ESP", "no next header"]) func protocolsWithoutPorts(_ name: String) {
        #expect(parse(name).outer.form.rawValue == NILO_FORM_NONE.rawValue)
    }

    @Test(arguments: ["ICMPv6 in IPv4", "ICMP in IPv6"]) func protocolNumbersDecide(_ name: String) {
        let parsed = parse(name).outer
        #expect(parsed.form.rawValue == NILO_FORM_ICMP.rawValue && parsed.sourcePort == 6)
    }

    @Test func packetsWithoutEthernet() {
        let packet = Frame(IPv4Header(), UDPHeader(), RawBytes(count: 3)).bytes
        let parsed = ReferenceParser().parse(packet, layer3: 0x0800)
        #expect(parsed.outer.destinationPort == 53 && parsed.length == 31 && parsed.headerLength == 28)
    }

    @Test func tunnelNeedsItsFlagAndAWholeFrame() {
        for name in ["VXLAN: no VNI", "VXLAN: no inner frame", "VXLAN: from the port only"] {
            #expect(parse(name).tunnel == nil)
        }
        let parsed = parse("VXLAN: inner tags")
        #expect(parsed.vlan == 0 && parsed.innerVLAN == 0 && parsed.tunnel?.inner.protocolNumber == 6)
        #expect(parsed.headerLength == 14 + 20 + 8 + 8 + 14 + 8 + 20 + 20 && parsed.tcp?.payloadLength == 0)
        let nested = parse("VXLAN: VXLAN")
        #expect(nested.tunnel?.vni == 1 && nested.tunnel?.inner.destinationPort == VXLANHeader.port)
    }

    @Test func payloadFollowsTheLengthOfThePacket() {
        #expect(parse("TCP data").tcp?.payloadLength == 100)
        #expect(parse("Ethernet padding").tcp?.payloadLength == 0, "padding is no payload")
        #expect(parse("IPv4 length past the end").tcp?.payloadLength == 9, "what is not there is not counted")
        #expect(parse("IPv4 length shorter than its header").tcp?.payloadLength == 0)
        #expect(parse("IPv4 without end in its length").tcp?.payloadLength == 20)
        #expect(parse("TCP all flags").tcp?.flags.rawValue == 0x1ff)
    }

    @Test func laterFragmentsJoinTheFirst() {
        var memory = FragmentMemory()
        for family in ["", " over IPv6"] {
            let orphan = memory.resolve(parse("middle fragment" + family)).outer
            #expect(orphan.form.rawValue == NILO_FORM_FRAGMENT.rawValue && orphan.destinationPort == 0)
            let first = memory.resolve(parse("first fragment" + family)).outer
            #expect(first.form.rawValue == NILO_FORM_PORTS.rawValue && first.destinationPort == 53)
            #expect(memory.resolve(parse("middle fragment" + family)).outer == first)
            #expect(memory.resolve(parse("last fragment" + family)).outer == first)
        }
    }
}
