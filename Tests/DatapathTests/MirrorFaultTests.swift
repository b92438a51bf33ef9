import Datapath
import Flows
import NetworkTypes
import Policy
import TestSupport
import Testing

/// Whatever happens to the target, the original packets pass as if there were no mirror, and every failure has its reason.
@Suite(.requires(.root, .clsact, .command("ethtool"))) struct MirrorFaultTests {
    /// Sends datagrams from a to b over TCP and UDP, and checks that all of them arrive.
    private func expectUnharmed(_ lab: MirrorLab, _ count: Int = 50, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let receiver = try await UDPReceiver(in: lab.pair.b)
        try await lab.pair.a.sendUDP(count, size: 1400, to: Pair.addressB, port: receiver.port)
        #expect(try await receiver.settled(at: count) == count, sourceLocation: sourceLocation)
        #expect(receiver.bytes == count * 1400, sourceLocation: sourceLocation)
        let transfer = try await TCPTransfer.run(1_000_000, from: lab.pair.a, to: lab.pair.b, Pair.addressB)
        #expect(transfer.received == 1_000_000, sourceLocation: sourceLocation)
    }

    @Test(arguments: AttachMode.both) func theTargetGoesDownAndAway(mode: AttachMode) async throws {
        let lab = try await MirrorLab(mode)
        try await lab.start(lab.toInterface())
        try await lab.pair.a.sh("ip link set ta down")
        try await expectUnharmed(lab)
        let down = try await lab.counts()
        // A device that is down drops by its queue; only the agent knows why, and says so by an obstacle.
        #expect(down.closes && down.failed[.refused] == down.matched.skbs && down.matched.skbs > 50, "\(down)")
        try await lab.probe.perform(in: lab.pair.a) { try MirrorTables(maps: $0.maps).set(.targetDown, at: 0) }
        try await lab.pair.a.send(MirrorTests.udp(10), times: 4, on: "va")
        #expect(try await lab.counts().failed[.targetDown] == 4)
        try await lab.probe.perform(in: lab.pair.a) { try MirrorTables(maps: $0.maps).set(nil, at: 0) }
        try await lab.pair.a.sh("ip link set ta up")
        try await lab.pair.a.waitForCarrier()
        try await expectUnharmed(lab)
        let up = try await lab.counts()
        #expect(up.closes && up.failed == [.refused: down.matched.skbs, .targetDown: 4])
        #expect(up.sent.skbs == up.matched.skbs - down.matched.skbs - 4)
        try await lab.pair.a.sh("ip link del ta")
        try await expectUnharmed(lab)
        let gone = try await lab.counts()
        #expect(gone.closes && gone.failed[.targetGone] == gone.matched.skbs - up.matched.skbs)
    }

    @Test func theOtherEndIsGoneOrSlow() async throws {
        let lab = try await MirrorLab()
        try await lab.start(lab.toInterface())
        // Without carrier the kernel drops what the device is given.
        try await lab.t.sh("ip link set tb down")
        try await expectUnharmed(lab)
        let counts = try await lab.counts()
        #expect(counts.closes && counts.sent.skbs + counts.failedTotal == counts.matched.skbs, "\(counts)")
    }

    @Test func theMirrorPortIsTakenAway() async throws {
        let lab = try await MirrorLab()
        try await lab.start(lab.toCollector())
        try await lab.pair.a.sh("ip link del nilo-m0")
        try await expectUnharmed(lab)
        let counts = try await lab.counts()
        #expect(counts.closes && counts.failed[.targetGone] == counts.matched.skbs && counts.matched.skbs > 50, "\(counts)")
    }

    @Test func aCollectorThatCannotBeReached() async throws {
        let lab = try await MirrorLab()
        let session = lab.toCollector { $0.obstacle = .noRoute }
        try await lab.start(session)
        try await expectUnharmed(lab)
        let blocked = try await lab.counts()
        #expect(blocked.closes && blocked.failed[.noRoute] == blocked.matched.skbs)
        // A neighbour that nobody answers for: the kernel keeps a few copies and drops the rest.
        try await lab.pair.a.sh("ip neigh del 192.0.2.2 dev ta; ip link set ta arp on")
        try await lab.probe.perform(in: lab.pair.a) { try MirrorTables(maps: $0.maps).set(nil, at: 0) }
        try await expectUnharmed(lab)
        let open = try await lab.settled()
        #expect(open.closes && open.failed == blocked.failed && open.sent.skbs + open.queued.skbs > 50)
    }

    /// The kernel's super-packets, whole or as the packets of the wire: the same bytes.
    @Test(arguments: [MirrorRule.Segmentation.wire, .superPacket], [false, true])
    func aStreamArrivesWhole(segmentation: MirrorRule.Segmentation, isTunnel: Bool) async throws {
        let lab = try await MirrorLab(offloads: .on, targetMTU: 1600)
        func adapt(_ session: inout MirrorSession) { session.segmentation = segmentation }
        try await lab.start(isTunnel ? lab.toCollector(mtu: 1600, adapt) : lab.toInterface(mtu: 1600, adapt))
        let bytes = 3_000_000
        let transfer = try await TCPTransfer.run(bytes, from: lab.pair.a, to: lab.pair.b, Pair.addressB)
        #expect(transfer.received == bytes)
        let counts = try await lab.settled()
        let frames = try await lab.arrived(Int(counts.mirroredPackets)).map { isTunnel ? Array($0[50...]) : $0 }
        #expect(counts.closes && counts.failed.isEmpty && counts.truncated == 0, "\(counts)")
        #expect(counts.mirroredPackets == UInt64(frames.count) && counts.mirroredBytes == UInt64(frames.map(\.count).reduce(0, +)))
        let parts = frames.compactMap { frame -> (sequence: UInt32, bytes: Int)? in
            guard frame.count > 54, frame[12] == 8 else { return nil }
            let header = 14 + Int(frame[14] & 15) * 4
            let payload = frame.count - header - Int(frame[header + 12] >> 4) * 4
            return (frame[header + 4..<header + 8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }, payload)
        }.filter { $0.bytes > 0 }
        // In the stream's order: a veth has a queue for each CPU, so that a sender that moves from one to another overtakes itself.
        let first = try #require(parts.first).sequence
        var stream = 0
        var next: UInt32?
        for part in parts.sorted(by: { Int32(bitPattern: $0.sequence &- first) < Int32(bitPattern: $1.sequence &- first) }) {
            // Sent again is there twice: in the stream only once.
            if let next, Int32(bitPattern: part.sequence &- next) < 0 { continue }
            #expect(next == nil || part.sequence == next)
            next = part.sequence &+ UInt32(part.bytes)
            stream += part.bytes
        }
        #expect(stream == bytes)
        if segmentation == .wire {
            #expect(counts.segmented > 0 && frames.allSatisfy { $0.count <= 1514 })
        } else {
            #expect(counts.segmented == 0 && frames.contains { $0.count > 1514 } && counts.queued.isZero)
        }
    }

    @Test func tunnelsCutSuperPacketsWithoutLosingBytes() async throws {
        // A path as narrow as the source: whole packets and their headers do not fit.
        let lab = try await MirrorLab(offloads: .on)
        try await lab.start(lab.toCollector())
        try await lab.t.sh("ethtool -K tb gro off")
        try await lab.pair.a.sh("ethtool -K ta tso off gso off tx-udp_tnl-segmentation off tx off >/dev/null 2>&1 || true")
        let transfer = try await TCPTransfer.run(2_000_000, from: lab.pair.a, to: lab.pair.b, Pair.addressB)
        #expect(transfer.received == 2_000_000)
        let counts = try await lab.settled()
        var frames = try await lab.arrived(1400)
        try await Task.sleep(for: .milliseconds(300))
        frames += try await lab.arrived(0)
        #expect(frames.allSatisfy { $0.count <= 1514 }, "nothing is longer than the path takes")
        // A packet that was sent whole and alone, as a resent one is, cannot shrink by smaller segments: it is cut.
        let cut = frames.count { $0[62] == 8 && Int($0[66]) << 8 | Int($0[67]) + 14 > $0.count - 50 }
        #expect(counts.closes && counts.failed.isEmpty && counts.truncated == UInt64(cut), "\(counts)")
    }

    @Test func userSpaceGetsCopiesByTheRing() async throws {
        let lab = try await MirrorLab()
        try await lab.start(
            lab.toInterface {
                $0.target = .ring; $0.snapLength = 80
            })
        let frames = [MirrorTests.udp(20).bytes, MirrorTests.udp(200).bytes]
        try await lab.pair.a.send(frames, times: 3, on: "va")
        let (sessions, copies) = try await lab.probe.perform(in: lab.pair.a) { datapath in
            var sessions: [Int?] = []
            var copies: [[UInt8]] = []
            try SampleRing(maps: datapath.maps).drain { sample in
                sessions.append(sample.captureSession)
                copies.append(Array(sample.header))
            }
            return (sessions, copies)
        }
        #expect(sessions == [0, 0, 0, 0, 0, 0])
        let expected = frames.map { Array($0.prefix(80)) }
        #expect(copies.count == 6 && copies.filter { $0 == expected[0] }.count == 3 && copies.filter { $0 == expected[1] }.count == 3)
        let counts = try await lab.counts()
        #expect(counts.closes && counts.sent.skbs == 6 && counts.truncated == 3)
    }
}
