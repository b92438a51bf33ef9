import CDatapath
import Datapath
import Flows
import NetworkTypes
import TestSupport
import Testing

/// Exact traffic over a veth pair: what the programs, the devices and the sockets count is the same.
@Suite(.requires(.root, .clsact)) struct WireTests {
    @Test(arguments: AttachMode.both) func datagramsAndEchoes(mode: AttachMode) async throws {
        let counted = try await CountedPair(mode, ipv6: true)
        let pair = counted.pair
        for (ipv6, count) in [(false, 1), (false, 23), (false, 1000), (true, 23)] {
            let receiver = try await UDPReceiver(in: pair.b, ipv6: ipv6)
            try await pair.a.sendUDP(count, size: 100, to: ipv6 ? Pair.addressB6 : Pair.addressB, port: receiver.port)
            #expect(try await receiver.settled(at: count) == count)
            let expected = Totals(plain: count, bytes: count * ((ipv6 ? 62 : 42) + 100))
            for (id, direction) in [(counted.a, Direction.egress), (counted.b, .ingress)] {
                let flow = try await counted.flow(id, direction) {
                    $0.outer.protocol == .udp && $0.outer.destinationPort == receiver.port && $0.outer.etherType == (ipv6 ? .ipv6 : .ipv4)
                }
                #expect(flow.totals == expected)
                #expect(flow.traits.smallest == flow.traits.largest && flow.traits.ttlMinimum == 64)
            }
        }
        try await pair.a.sh("ping -q -c 5 -i 0.01 \(Pair.addressB); ping -q -c 5 -i 0.01 \(Pair.addressB6)")
        let answers = try await counted.flow(counted.a, .ingress) { $0.outer.protocol == .icmp }
        #expect(answers.totals == Totals(plain: 5, bytes: 5 * 98) && answers.key.outer.destinationPort == 0)
        let requests = try await counted.flow(counted.b, .ingress) { $0.outer.protocol == .icmpv6 }
        #expect(requests.totals == Totals(plain: 5, bytes: 5 * 118) && requests.key.outer.destinationPort == 128 << 8)
        try await counted.expectExact()
    }

    @Test(arguments: AttachMode.both) func fragmentsAreOfTheirFlow(mode: AttachMode) async throws {
        let counted = try await CountedPair(mode, ipv6: true)
        for ipv6 in [false, true] {
            let receiver = try await UDPReceiver(in: counted.pair.b, ipv6: ipv6)
            try await counted.pair.a.sendUDP(10, size: 3000, to: ipv6 ? Pair.addressB6 : Pair.addressB, port: receiver.port)
            #expect(try await receiver.settled(at: 10) == 10)
            // 3008 bytes of UDP in three packets.
            let expected = Totals(plain: 30, bytes: 10 * (3008 + 3 * (ipv6 ? 14 + 40 + 8 : 14 + 20)))
            for (id, direction) in [(counted.a, Direction.egress), (counted.b, .ingress)] {
                let flow = try await counted.flow(id, direction) { $0.outer.etherType == (ipv6 ? .ipv6 : .ipv4) }
                #expect(flow.totals == expected && flow.key.outer.form == .ports && flow.key.outer.destinationPort == receiver.port)
            }
        }
        try await counted.expectExact()
        #expect(try await counted.probe.books(counted.b, .ingress)[.fragmentOrphan] == 0)
    }

    /// By hand: on the way out the tags are in the data, on the way in the kernel has taken the outer one out.
    @Test(arguments: AttachMode.both) func tagsAndARPAreCountedAlikeOnBothSides(mode: AttachMode) async throws {
        let counted = try await CountedPair(mode)
        let payload: [any PacketLayer] = [IPv4Header(), UDPHeader(), RawBytes(count: 30)]
        for tags in [[VLANTag(5)], [VLANTag.service(100), VLANTag(7)], [VLANTag(0, priority: 3)]] {
            let frame = Frame(layers: [EthernetHeader()] + tags + payload)
            try await counted.pair.a.send(frame, times: 11, on: "va")
            for (id, direction) in [(counted.a, Direction.egress), (counted.b, .ingress)] {
                let flow = try await counted.flow(id, direction) {
                    $0.vlan == tags[0].identifier && $0.innerVLAN == tags.dropFirst().first?.identifier
                }
                #expect(flow.totals == Totals(plain: 11, bytes: 11 * (72 + 4 * tags.count)))
                #expect(flow.key.outer.destinationPort == UDPHeader().destination)
            }
        }
        try await counted.pair.a.send(Frame(EthernetHeader(), ARPMessage()), times: 4, on: "va")
        #expect(try await counted.flow(counted.b, .ingress) { $0.outer.etherType == .arp }.totals.skbs == 4)
        try await counted.expectExact()
    }

    /// Every shape through the real hooks, where the kernel has prepared the packet.
    @Test(arguments: AttachMode.both) func framesOnTheWireAreKeyedAsTheReferenceSays(mode: AttachMode) async throws {
        let counted = try await CountedPair(mode, mtu: 9000)
        var source = RandomFrames(seed: 77)
        var frames = FrameCatalogue.all.map(\.frame.bytes) + (0..<1000).map { i in i % 2 == 0 ? source.frame().bytes : source.damaged() }
        frames = frames.filter { $0.count > 14 && !Self.isCutTag($0) }
        try await counted.pair.a.send(frames, on: "va")
        for (id, direction) in [(counted.a, Direction.egress), (counted.b, .ingress)] {
            var memory = FragmentMemory()
            var expected: [FlowKey: Totals] = [:]
            for bytes in frames {
                let frame = memory.resolve(ReferenceParser().parse(bytes))
                let key = frame.keyBytes(interface: id.rawValue, direction: direction == .ingress ? NILO_INGRESS : NILO_EGRESS)
                expected[key.withUnsafeBytes { FlowKey(copying: $0.baseAddress!) }, default: Totals()] += Totals(
                    plain: 1, bytes: frame.length)
            }
            _ = try await eventually(within: .seconds(3)) { try await counted.probe.books(id, direction).seen.skbs >= UInt64(frames.count) }
            let found = Dictionary(uniqueKeysWithValues: try await counted.probe.flows(id, direction).map { ($0.key, $0.totals) })
            for key in Set(found.keys).union(expected.keys) where found[key] != expected[key] {
                Issue.record(
                    "\(direction) \(key): expected \(expected[key].map { "\($0)" } ?? "none"), found \(found[key].map { "\($0)" } ?? "none")"
                )
            }
        }
        try await counted.expectExact()
    }

    /// The kernel drops a frame whose tag is cut off before any program sees it.
    private static func isCutTag(_ bytes: [UInt8]) -> Bool {
        [[0x81, 0x00], [0x88, 0xa8]].contains(Array(bytes[12..<14])) && bytes.count < 20
    }
}
