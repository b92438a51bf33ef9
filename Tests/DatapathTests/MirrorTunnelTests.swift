import CDatapath
import Flows
import Glibc
import NetworkTypes
import Policy
import TestSupport
import Testing

@testable import Datapath

/// Copies to a collector: what arrives, what it takes to fit, and that nothing comes round.
@Suite(.requires(.root, .clsact, .command("ethtool"), .command("tshark"))) struct MirrorTunnelTests {
    private static let nobody = "02:00:00:00:00:77"
    private static func udp(_ payload: Int) -> Frame { MirrorTests.udp(payload) }

    /// The inner frames of what arrived, by tshark, and whether it complains of the outer headers.
    private static func inner(_ frames: [[UInt8]], headers: Int) -> [[UInt8]] { frames.map { Array($0[headers...]) } }

    @Test(arguments: AttachMode.both, [false, true]) func everyShapeArrivesInVXLAN(mode: AttachMode, ipv6: Bool) async throws {
        let lab = try await MirrorLab(mode, ipv6: ipv6, targetMTU: 2000)
        try await lab.start(lab.toCollector(ipv6: ipv6, mtu: 2000))
        let frames = FrameCatalogue.all.map(\.frame.bytes).filter { $0.count <= 1514 }
        try await lab.pair.a.send(frames, on: "va")
        let headers = ipv6 ? 70 : 50
        let arrived = try await lab.arrived(frames.count)
        // Frames that the kernel must read anew take a way around and may come later.
        func sorted(_ frames: [[UInt8]]) -> [[UInt8]] { frames.sorted { $0.lexicographicallyPrecedes($1) } }
        #expect(sorted(Self.inner(arrived, headers: headers)) == sorted(frames))
        let counts = try await lab.settled()
        #expect(counts.closes && counts.failed.isEmpty && counts.truncated == 0 && counts.missing == 0)
        #expect(counts.mirroredPackets == UInt64(frames.count))
        #expect(counts.mirroredBytes == UInt64(frames.map(\.count).reduce(0, +)))
        for frame in arrived { Self.expectOuterHeaders(frame, ipv6: ipv6) }
    }

    private static func expectOuterHeaders(_ frame: [UInt8], ipv6: Bool) {
        func word(_ at: Int) -> Int { Int(frame[at]) << 8 | Int(frame[at + 1]) }
        let ip = 14
        let udp = ipv6 ? 54 : 34
        if ipv6 {
            #expect(frame[ip] == 0x60 && word(ip + 4) == frame.count - 54 && frame[ip + 6] == 17)
        } else {
            #expect(frame[ip] == 0x45 && word(ip + 2) == frame.count - 14 && word(ip + 6) == 0x4000)
            #expect(internetChecksum(Array(frame[ip..<ip + 20])) == 0)
        }
        #expect(word(udp) >= 0xc000 && word(udp + 2) == 4789 && word(udp + 4) == frame.count - udp && word(udp + 6) == 0)
        #expect(Array(frame[udp + 8..<udp + 16]) == [8, 0, 0, 0, 0xff, 0, 1, 0])
        #expect(Array(frame[0..<12]) == macBytes("02:00:00:00:09:02") + macBytes("02:00:00:00:09:01"))
    }

    @Test func taggedFramesKeepTheirTags() async throws {
        let lab = try await MirrorLab(targetMTU: 2000)
        try await lab.start(lab.toCollector(mtu: 2000), at: [.ingress])
        let inside: [any PacketLayer] = [IPv4Header(), UDPHeader(), RawBytes(count: 40)]
        let frames = [
            Frame(layers: [EthernetHeader(), VLANTag(5)] + inside).bytes,
            Frame(layers: [EthernetHeader(), VLANTag.service(7), VLANTag(5)] + inside).bytes,
        ]
        try await lab.pair.b.send(frames, on: "vb")
        #expect(Self.inner(try await lab.arrived(2), headers: 50) == frames)
    }

    @Test func whatDoesNotFitIsCutNeverFragmented() async throws {
        let lab = try await MirrorLab()
        try await lab.start(lab.toCollector())
        let frames = [Self.udp(1500 - 28).bytes, Self.udp(1500 - 28 - 36).bytes, Self.udp(1500 - 28 - 35).bytes, Self.udp(100).bytes]
        try await lab.pair.a.send(frames, on: "va")
        let arrived = try await lab.arrived(4)
        #expect(arrived.map(\.count).max() == 1514)
        // 1,500 bytes of path, 36 of them headers.
        let expected = frames.map { Array($0.prefix(1464)) }
        #expect(Set(Self.inner(arrived, headers: 50)) == Set(expected) && arrived.count == 4)
        let counts = try await lab.settled()
        #expect(counts.closes && counts.truncated == 3 && counts.mirroredPackets == 4)
    }

    @Test func tsharkReadsIt() async throws {
        let lab = try await MirrorLab(targetMTU: 1600)
        try await lab.start(lab.toCollector(mtu: 1600))
        let file = "/tmp/nilo-mirror-\(lab.cookie).pcap"
        try await lab.pair.a.send(Self.udp(64), times: 3, on: "va")
        let frames = try await lab.arrived(3)
        try write(pcap(frames), to: file)
        let text = try await lab.t.sh(
            "tshark -r \(file) -T fields -e vxlan.vni -e udp.dstport -e ip.src -e ip.checksum.status -o ip.check_checksum:TRUE 2>/dev/null; rm \(file)"
        )
        let line = "16711681\t4789,9\t192.0.2.1,10.0.0.1\t1,1"
        #expect(text.split(separator: "\n").map(String.init) == [line, line, line])
    }

    @Test func erspanCarriesEveryFrameInOrder() async throws {
        let lab = try await MirrorLab(targetMTU: 2000)
        try await lab.start(lab.toCollector(.erspan(session: 77), mtu: 2000) { $0.snapLength = 600 })
        let frames = [Self.udp(30).bytes, Self.udp(500).bytes, Self.udp(1000).bytes, Frame(EthernetHeader(), ARPMessage()).bytes]
        for frame in frames {
            try await lab.pair.a.send([frame], on: "va")
            _ = try await lab.settled()
        }
        let arrived = try await lab.arrived(4)
        #expect(Self.inner(arrived, headers: 50) == frames.map { Array($0.prefix(600)) })
        let sequence = arrived.map { $0[41] }
        #expect(sequence == [0, 1, 2, 3] && arrived.allSatisfy { $0[23] == 47 && $0[34..<38] == [0x10, 0, 0x88, 0xbe] })
        // Session 77, and the third frame says that it was cut.
        #expect(arrived.map { Array($0[44..<46]) } == [[0x18, 77], [0x18, 77], [0x1c, 77], [0x18, 77]])
    }

    /// Two hosts that mirror all their traffic at each other, over one wire.
    @Test(arguments: AttachMode.both, [true, false]) func hostsThatMirrorAtEachOther(mode: AttachMode, isVXLAN: Bool) async throws {
        let lab = try await MirrorLab(mode, targetMTU: 2000)
        // Host t mirrors its end of the wire back to a; a mirrors both `va` and its end of the wire to t.
        let wireAtT = try await lab.probe.attach("tb", in: lab.t)
        let wireAtA = try await lab.probe.attach("ta", in: lab.pair.a)
        let other = try await lab.t.cookie()
        let index = try await lab.t.index(of: "tb")
        try await lab.t.sh("ip addr add 192.0.2.2/24 dev tb; ip neigh replace 192.0.2.1 lladdr 02:00:00:00:09:01 dev tb nud permanent")
        let port = try await lab.makePort(in: lab.t)
        let tunnel = MirrorTunnel(.vxlan(vni: MirrorLab.vni, port: 4789), from: MirrorLab.collector, to: MirrorLab.own)
        let back = MirrorSession(
            namespaceCookie: other,
            target: isVXLAN
                ? .collector(tunnel, MirrorPath(interface: index, nexthop: MirrorLab.own, mtu: 2000)) : .interface(index, mtu: 2000),
            port: port)
        try await lab.start(isVXLAN ? lab.toCollector(mtu: 2000) : lab.toInterface(), back, at: [.ingress, .egress])
        try await lab.probe.perform(in: lab.pair.a) { datapath in
            try datapath.setRules(wireAtT, at: [.ingress, .egress])
            try datapath.setRules(wireAtA, at: [.ingress, .egress])
        }
        // Somebody listens, or the hosts would say that nobody does.
        let listeners = [try await UDPReceiver(in: lab.t, port: 4789), try await UDPReceiver(in: lab.pair.a, port: 4789)]
        try await lab.pair.a.send(Self.udp(50), times: 10, on: "va")
        _ = try await eventually(within: .seconds(2)) { try await lab.counts(0).sent.skbs >= 10 }
        try await Task.sleep(for: .milliseconds(100))
        #expect(try await lab.counts(0).matched.skbs == 10)
        #expect(try await lab.counts(1).matched.isZero)
        #expect(try await lab.probe.books(wireAtT, .ingress).seen.skbs == 10)
        #expect(try await lab.probe.books(wireAtT, .egress).seen.isZero)
        #expect(listeners.map(\.datagrams) == [isVXLAN ? 10 : 0, 0])
    }

    /// What another host's mirror sends here lost its tag on the way; it is known by its VNI or protocol type.
    @Test func copiesFromElsewhereAreKnown() async throws {
        let lab = try await MirrorLab()
        try await lab.start(lab.toInterface(), at: [.ingress, .egress])
        let tenant = Frame(EthernetHeader(), IPv4Header(), UDPHeader())
        let copies = [
            Frame(
                layers: Frame(EthernetHeader(to: Self.nobody), IPv4Header(), UDPHeader(from: 50000, to: 4789)).layers
                    + [RawBytes([8, 0, 0, 0, 0xff, 0x12, 0x34, 0])] + tenant.layers),
            Frame(
                EthernetHeader(to: Self.nobody), IPv4Header(),
                RawBytes([0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 1, 0, 0, 0, 0] + tenant.bytes, protocolNumber: IPProtocol.gre)),
        ]
        let plain = [
            Frame(
                layers: Frame(EthernetHeader(to: Self.nobody), IPv4Header(), UDPHeader(from: 50000, to: 4789)).layers
                    + [RawBytes([8, 0, 0, 0, 0xfe, 0xff, 0xff, 0])] + tenant.layers),
            Frame(EthernetHeader(to: Self.nobody), IPv4Header(), GREHeader(), IPv4Header(), UDPHeader()),
        ]
        try await lab.pair.b.send(copies.map(\.bytes), times: 4, on: "vb")
        try await lab.pair.a.send(copies.map(\.bytes), times: 4, on: "va")
        try await lab.pair.b.send(plain.map(\.bytes), on: "vb")
        #expect(try await lab.arrived(2) == plain.map(\.bytes))
        #expect(try await lab.counts().matched.skbs == 2)
    }

    /// A collector that does not listen answers every copy; a copy of the answer would be answered again.
    @Test func errorsAboutCopiesAreNotCopied() async throws {
        let lab = try await MirrorLab()
        try await lab.start(lab.toInterface(), at: [.ingress, .egress])
        let tenant = Frame(EthernetHeader(), IPv4Header(), UDPHeader())
        func error(_ vni: UInt32, quoting count: Int) -> [UInt8] {
            Frame(
                EthernetHeader(to: Self.nobody), IPv4Header(), ICMPMessage.unreachable(),
                ICMPMessage.quote(tenant.inVXLAN(vni: vni), atMost: count)
            ).bytes
        }
        func error6(_ vni: UInt32) -> [UInt8] {
            let quoted = tenant.inVXLAN(vni: vni, from: "fd31::1", to: "fd31::2")
            return Frame(EthernetHeader(to: Self.nobody), IPv6Header(), ICMPv6Message.unreachable(), ICMPMessage.quote(quoted, atMost: 200))
                .bytes
        }
        let ours = [error(0xff_0001, quoting: 200), error(0xff_ffff, quoting: 28), error6(0xff_0001)]
        let plain = [
            error(0xfe_ffff, quoting: 200), error6(7),
            Frame(EthernetHeader(to: Self.nobody), IPv4Header(), ICMPMessage.unreachable(), ICMPMessage.quote(tenant)).bytes,
            Frame(EthernetHeader(to: Self.nobody), IPv4Header(), ICMPMessage.echoRequest(7), RawBytes(count: 60)).bytes,
        ]
        try await lab.pair.b.send(ours, times: 4, on: "vb")
        try await lab.pair.b.send(plain, on: "vb")
        #expect(try await lab.arrived(plain.count) == plain)
        #expect(try await lab.counts().matched.skbs == UInt64(plain.count))
    }

    /// A capture file as tshark reads it (the classic format, microseconds, Ethernet).
    private func pcap(_ frames: [[UInt8]]) -> [UInt8] {
        func word(_ value: Int) -> [UInt8] { withUnsafeBytes(of: UInt32(value)) { Array($0) } }
        return word(0xa1b2_c3d4) + [2, 0, 4, 0] + word(0) + word(0) + word(65535) + word(1)
            + frames.flatMap { word(0) + word(0) + word($0.count) + word($0.count) + $0 }
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        let file = Glibc.open(path, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
        guard file >= 0, Glibc.write(file, bytes, bytes.count) == bytes.count else { throw SystemError("write \(path)") }
        close(file)
    }
}
