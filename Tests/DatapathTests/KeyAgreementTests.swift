import CDatapath
import CLibBPF
import Datapath
import Glibc
import TestSupport
import Testing

/// The property that all accounting rests on: for any bytes, the BPF programs and the reference parser give the same key,
/// and every packet is counted once under it.
@Suite(.requires(.root)) struct KeyAgreementTests {
    /// Frames of all shapes, whole, cut and damaged, by BPF_PROG_TEST_RUN.
    @Test(arguments: [1, 2, 3] as [UInt64]) func randomFramesHaveTheSameKey(seed: UInt64) throws {
        let counted = try FlowsUnderTest()
        try counted.program.setPort(nilo_port(ifindex: 1, if_id: 9, ledger: 1, flags: 0))
        var frames = RandomFrames(seed: seed, hosts: 3, ports: 3)
        var expected = ExpectedFlows(interface: 9, direction: NILO_INGRESS)
        var tried = 0
        while tried < 4000 {
            let bytes = frames.damaged(oneIn: 4)
            if bytes.count < ProgramTestRun.leastLength(of: bytes) { continue }
            let run = try ProgramTestRun(counted.program.ingress, bytes)
            #expect(run.result == -1 && run.packet == bytes, "the packet passes as it came")
            expected.count(bytes)
            tried += 1
        }
        expected.compare(with: try counted.flows(), "seed \(seed)")
    }

    /// Later fragments join the first one of their own datagram: not of one in another VLAN or tunnel, and over IPv6 also when extension
    /// headers were cut up with the rest.
    @Test func fragmentsJoinTheirOwnDatagram() throws {
        let counted = try FlowsUnderTest()
        try counted.program.setPort(nilo_port(ifindex: 1, if_id: 9, ledger: 1, flags: 0))
        var expected = ExpectedFlows(interface: 9, direction: NILO_INGRESS)
        func cut(_ outer: [any PacketLayer], _ inner: [any PacketLayer], _ port: UInt16) -> [Frame] {
            let content: [any PacketLayer] = inner + [UDPHeader(to: port), RawBytes(count: 60)]
            return Frame(layers: [EthernetHeader()] + outer + content).fragments(of: 32, identification: 7, cutting: 1 + outer.count)
        }
        func tags(_ outer: UInt16, _ inner: UInt16) -> [any PacketLayer] { [VLANTag.service(outer), VLANTag(inner), IPv4Header()] }
        let plain = cut([IPv4Header()], [], 1)
        let options = cut([IPv6Header(), IPv6Extension.hopByHop], [IPv6Extension.destination, IPv6Extension.destination], 2)
        let datagrams = [
            plain, options, cut(tags(100, 7), [], 3), cut(tags(100, 8), [], 4), cut(tags(101, 7), [], 5),
            plain.map { $0.inVXLAN(vni: 1) }, plain.map { $0.inVXLAN(vni: 2) }, options.map { $0.inVXLAN(vni: 3) },
        ]
        // The last fragments of all before any first one: orphans. Then all in order, interleaved.
        for frame in datagrams.map({ $0.last! }) + (0..<3).flatMap({ n in datagrams.compactMap { n < $0.count ? $0[n] : nil } }) {
            _ = try ProgramTestRun(counted.program.ingress, frame.bytes)
            expected.count(frame.bytes)
        }
        expected.compare(with: try counted.flows(), "fragments")
    }

    /// Super-packets count as the segments that they stand for, each with all its headers again.
    @Test(arguments: [4, 5] as [UInt64]) func superPacketsCountAsTheirSegments(seed: UInt64) throws {
        let counted = try FlowsUnderTest()
        try counted.program.setPort(nilo_port(ifindex: 1, if_id: 9, ledger: 1, flags: 0))
        var frames = RandomFrames(seed: seed, hosts: 3, ports: 3)
        var expected = ExpectedFlows(interface: 9, direction: NILO_EGRESS)
        var tried = 0
        while tried < 1000 {
            let frame = frames.frame()
            let parsed = ReferenceParser().parse(frame.bytes)
            let payload = parsed.length - parsed.headerLength
            guard parsed.isSegmentable, parsed.fragment == nil, parsed.tunnelFragment == nil, payload > 1 else { continue }
            let size = Int.random(in: 1..<payload, using: &frames.random)
            let segments = (payload + size - 1) / size
            let context = PacketContext {
                $0.segmentSize = UInt32(size)
                // Some drivers and guests leave it out.
                $0.segments = frames.random.once(in: 2) ? UInt32(segments) : 0
            }
            _ = try ProgramTestRun(counted.program.egress, frame.bytes, context: context)
            expected.count(frame.bytes, segments: segments, size: size)
            tried += 1
        }
        expected.compare(with: try counted.flows(), "seed \(seed)")
    }

    /// Every shape cut at every byte, sent over a device: on its way out with tags in the bytes, on its way in with the outer one beside them.
    @Test(.requires(.clsact), arguments: AttachMode.both) func everyCutFrameHasTheSameKeyOnBothEnds(mode: AttachMode) async throws {
        let pair = try await Pair(mtu: 9000)
        let out = try FlowsUnderTest()
        let into = try FlowsUnderTest(out.maps)
        try await out.attach(to: "va", in: pair.a, id: 5, direction: NILO_EGRESS, mode: mode)
        try await into.attach(to: "vb", in: pair.b, id: 6, direction: NILO_INGRESS, mode: mode)
        var sent = ExpectedFlows(interface: 5, direction: NILO_EGRESS)
        var received = ExpectedFlows(interface: 6, direction: NILO_INGRESS)
        var frames: [[UInt8]] = []
        for shape in FrameCatalogue.all {
            let whole = shape.frame.bytes
            for length in 14...whole.count {
                let bytes = Array(whole.prefix(length))
                // The kernel takes no tag apart that has not the next type and two bytes behind it: dropped before the hook.
                let tag = UInt16(bytes[12]) << 8 | UInt16(bytes[13])
                if tag == 0x8100 || tag == 0x88a8, length < 20 { continue }
                frames.append(bytes)
                sent.count(bytes)
                received.count(bytes)
            }
        }
        try await pair.a.send(frames, on: "va")
        let count = frames.count
        #expect(try await eventually(within: .seconds(10)) { try await pair.b.counters(of: "vb").received.packets == UInt64(count) })
        let flows = try into.flows()
        sent.compare(with: flows.filter { $0.key[40] == 5 }, "egress")
        received.compare(with: flows.filter { $0.key[40] == 6 }, "ingress")
        withExtendedLifetime(out) {}
    }
}
