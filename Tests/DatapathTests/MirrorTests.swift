import Datapath
import Flows
import NetworkTypes
import Policy
import TestSupport
import Testing

/// Copies to an interface: which packets, how many bytes, how often, and what it does to the original (nothing).
@Suite(.requires(.root, .clsact, .command("ethtool"))) struct MirrorTests {
    /// To nobody's address on the link: no host answers it.
    static func udp(_ payload: Int, from port: UInt16 = 4000) -> Frame {
        Frame(
            EthernetHeader(to: "02:00:00:00:00:77"), IPv4Header(from: Pair.addressA, to: Pair.addressB), UDPHeader(from: port, to: 9),
            RawBytes(count: payload))
    }

    @Test(arguments: AttachMode.both) func everyShapeArrivesByteForByte(mode: AttachMode) async throws {
        let lab = try await MirrorLab(mode)
        try await lab.start(lab.toInterface())
        let frames = FrameCatalogue.all.map(\.frame.bytes).filter { $0.count <= 1514 }
        try await lab.pair.a.send(frames, on: "va")
        #expect(try await lab.arrived(frames.count) == frames)
        let counts = try await lab.counts()
        #expect(counts.closes && counts.sent.skbs == UInt64(frames.count) && counts.failed.isEmpty && counts.truncated == 0)
        #expect(counts.sent.skbBytes == UInt64(frames.map(\.count).reduce(0, +)))
    }

    @Test(arguments: AttachMode.both) func bothDirectionsAndTheDevicesOwnCounters(mode: AttachMode) async throws {
        let lab = try await MirrorLab(mode)
        try await lab.start(lab.toInterface(), at: [.ingress, .egress])
        let before = try await lab.pair.a.counters(of: "ta").sent
        let receiver = try await UDPReceiver(in: lab.pair.b)
        try await lab.pair.a.sendUDP(40, size: 100, to: Pair.addressB, port: receiver.port)
        try await lab.pair.b.send(Self.udp(30), times: 25, on: "vb")
        #expect(try await receiver.settled(at: 40) == 40)
        #expect(try await lab.arrived(65).count == 65)
        let counts = try await lab.counts()
        let device = try await lab.pair.a.counters(of: "ta").sent
        #expect(counts.closes && counts.mirroredPackets == 65)
        #expect(device.packets - before.packets == counts.mirroredPackets && device.bytes - before.bytes == counts.mirroredBytes)
        let books = [try await lab.probe.books(lab.source, .egress).seen, try await lab.probe.books(lab.source, .ingress).seen]
        #expect(counts.matched == books[0] + books[1])
    }

    @Test func framesAreCutToTheSnapLength() async throws {
        let lab = try await MirrorLab()
        try await lab.start(lab.toInterface { $0.snapLength = 64 })
        let frames = [Self.udp(22).bytes, Self.udp(23).bytes, Self.udp(1000).bytes]
        try await lab.pair.a.send(frames, on: "va")
        let arrived = try await lab.arrived(3)
        // What is cut takes the way through the mirror port.
        #expect(arrived.count == 3 && Set(arrived) == Set(frames.map { Array($0.prefix(64)) }))
        let counts = try await lab.settled()
        #expect(counts.closes && counts.sent.skbs == 1 && counts.queued.skbs == 2)
        #expect(counts.truncated == 2 && counts.arrivedPackets == 2 && counts.arrivedBytes == 128 && counts.missing == 0)
    }

    /// A datagram whose checksum the device was to compute: cut, it still carries the checksum of the whole.
    @Test func theChecksumIsThatOfTheWholePacket() async throws {
        let lab = try await MirrorLab(offloads: .on)
        try await lab.start(lab.toInterface { $0.snapLength = 64 })
        let wire = try await FrameCapture(on: "vb", in: lab.pair.b)
        try await lab.pair.b.sh("ethtool -K vb rx off >/dev/null 2>&1 || true")
        let receiver = try await UDPReceiver(in: lab.pair.b)
        try await lab.pair.a.sendUDP(1, size: 500, to: Pair.addressB, port: receiver.port)
        #expect(try await receiver.settled(at: 1) == 1)
        let copy = try #require(try await lab.arrived(1).first)
        let whole = try #require(try wire.take().first { !$0.isOutgoing }).bytes
        #expect(copy.count == 64 && Array(copy[..<40]) == Array(whole[..<40]) && Array(copy[42...]) == Array(whole[42..<64]))
        // Over a veth the original keeps its unfinished checksum; the copy has the right one.
        var segment = whole[34...]
        segment[40] = copy[40]
        segment[41] = copy[41]
        let pseudo = Array(whole[26..<34]) + [0, 17] + [UInt8(segment.count >> 8), UInt8(segment.count & 0xff)]
        #expect(internetChecksum(pseudo + Array(segment)) == 0)
    }

    @Test func aTargetWithASmallerMTUGetsWhatFits() async throws {
        let lab = try await MirrorLab(targetMTU: 1000)
        try await lab.start(lab.toInterface(mtu: 1000))
        let frames = [Self.udp(1000 - 28).bytes, Self.udp(1400).bytes]
        try await lab.pair.a.send(frames, on: "va")
        let expected = [frames[0], Array(frames[1].prefix(1014))]
        #expect(try await lab.arrived(2) == expected)
        let counts = try await lab.settled()
        #expect(counts.closes && counts.truncated == 1 && counts.sent.skbs == 1 && counts.arrivedBytes == 1014)
    }

    @Test func oneInSoManyAndTheRestIsCounted() async throws {
        let lab = try await MirrorLab()
        try await lab.start(lab.toInterface { $0.selection = .packets(oneIn: 10) })
        try await lab.pair.a.send(Self.udp(20), times: 20_000, on: "va")
        let counts = try await lab.counts()
        #expect(counts.closes && counts.matched.skbs == 20_000 && counts.sent.skbs + counts.unselected == 20_000)
        // 2,000 expected, standard deviation 42.
        #expect((1790...2210).contains(counts.sent.skbs), "\(counts)")
    }

    @Test func flowsAreKeptWholeInBothDirections() async throws {
        let lab = try await MirrorLab()
        try await lab.start(lab.toInterface { $0.selection = .flows(oneIn: 4) }, at: [.ingress, .egress])
        for port: UInt16 in 1000..<1400 {
            try await lab.pair.a.send([Self.udp(20, from: port).bytes], times: 2, on: "va")
            let back = Frame(
                EthernetHeader(to: "02:00:00:00:00:77"), IPv4Header(from: Pair.addressB, to: Pair.addressA),
                UDPHeader(from: 9, to: port), RawBytes(count: 10))
            try await lab.pair.b.send([back.bytes], times: 3, on: "vb")
        }
        _ = try await eventually(within: .seconds(3)) { try await lab.counts().matched.skbs == 2000 }
        let counts = try await lab.counts()
        let frames = try await lab.arrived(Int(counts.sent.skbs))
        var perFlow: [UInt16: [Int]] = [:]
        for frame in frames {
            let ports = [UInt16(frame[34]) << 8 | UInt16(frame[35]), UInt16(frame[36]) << 8 | UInt16(frame[37])]
            perFlow[max(ports[0], ports[1]), default: [0, 0]][ports[0] == 9 ? 1 : 0] += 1
        }
        #expect(perFlow.values.allSatisfy { $0 == [2, 3] })
        // 100 of 400 expected, standard deviation 8.7.
        #expect((60...140).contains(perFlow.count), "\(perFlow.count) of 400")
        #expect(counts.closes && counts.matched.skbs == 2000 && counts.sent.skbs == UInt64(perFlow.count) * 5)
    }

    @Test func theCapHoldsAndEveryPacketIsCounted() async throws {
        let lab = try await MirrorLab()
        try await lab.start(lab.toInterface { $0.limit = .packets(PacketRate(packets: 10_000, over: .seconds(1))) })
        let clock = ContinuousClock()
        let start = clock.now
        try await lab.pair.a.send(Self.udp(20), times: 400_000, on: "va")
        let seconds = (clock.now - start).seconds
        let counts = try await lab.counts()
        #expect(counts.closes && counts.matched.skbs == 400_000 && counts.sent.skbs + counts.capped.skbs == 400_000)
        let sent = Double(counts.sent.skbs)
        // The burst of 20 ms, and one step of the kernel's coarse clock.
        #expect(sent <= 10_000 * (seconds + 0.031) + 2, "\(sent) in \(seconds) s")
        // What the bucket does not hold is lost while the sender waits for a CPU.
        #expect(sent >= 3000 * seconds, "\(sent) in \(seconds) s")
    }

    @Test func aPacketGoesOnceToADestination() async throws {
        let lab = try await MirrorLab()
        let other = try await NetworkNamespace()
        try await lab.pair.a.sh("ip link add ua type veth peer name ub netns \(other.path); ip link set ua up")
        try await other.sh("ip link set ub up")
        try await lab.pair.a.waitForCarrier()
        let index = try await lab.pair.a.index(of: "ua")
        let elsewhere = try await FrameCapture(on: "ub", in: other)
        try await lab.start(
            lab.toInterface { $0.outrankedBy = 1 << 1 }, lab.toInterface(), lab.toInterface { $0.target = .interface(index, mtu: 1500) })
        try await lab.pair.a.send(Self.udp(20), times: 7, on: "va")
        #expect(try await lab.arrived(7).count == 7)
        #expect(try elsewhere.take().count == 7)
        let counts = [try await lab.counts(0), try await lab.counts(1), try await lab.counts(2)]
        #expect(counts.map(\.outranked) == [7, 0, 0] && counts.map(\.sent.skbs) == [0, 7, 7] && counts.allSatisfy(\.closes))
    }

    @Test func anInterfaceIsNeverItsOwnTarget() async throws {
        let lab = try await MirrorLab()
        let own = try await lab.pair.a.index(of: "va")
        try await lab.start(lab.toInterface { $0.target = .interface(own, mtu: 1500) })
        try await lab.pair.a.send(Self.udp(20), times: 3, on: "va")
        #expect(try await lab.counts().matched.isZero)
        #expect(try await lab.probe.books(lab.source, .egress).seen.skbs == 3)
    }

    /// Of another namespace's session the interface numbers mean nothing here.
    @Test func sessionsOfOtherNamespacesDoNotApply() async throws {
        let lab = try await MirrorLab()
        try await lab.start(lab.toInterface { $0.namespaceCookie += 1 })
        try await lab.pair.a.send(Self.udp(20), times: 3, on: "va")
        #expect(try await lab.counts().matched.isZero)
        #expect(try await lab.arrived(0).isEmpty)
    }
}
