import TestSupport
import Testing

/// The sources send what they say, the builder's frames are taken by a real network stack, and the counters see them.
@Suite(.requires(.root)) struct TrafficTests {
    @Test(arguments: [false, true]) func everyDatagramArrivesAndIsCounted(ipv6: Bool) async throws {
        let pair = try await Pair(ipv6: ipv6)
        let receiver = try await UDPReceiver(in: pair.b, ipv6: ipv6)
        let before = (try await pair.a.counters(of: "va"), try await pair.b.counters(of: "vb"))
        try await pair.a.sendUDP(23, size: 100, to: ipv6 ? Pair.addressB6 : Pair.addressB, port: receiver.port)
        #expect(try await receiver.settled(at: 23) == 23)
        #expect(receiver.bytes == 2300)
        let sent = try await pair.a.counters(of: "va") - before.0
        let received = try await pair.b.counters(of: "vb") - before.1
        let size = UInt64(14 + (ipv6 ? 40 : 20) + 8 + 100)
        #expect(sent == InterfaceCounters(sent: .init(packets: 23, bytes: 23 * size)))
        #expect(received == InterfaceCounters(received: .init(packets: 23, bytes: 23 * size)))
    }

    @Test(arguments: [false, true]) func namespacesAreQuiet(ipv6: Bool) async throws {
        let pair = try await Pair(ipv6: ipv6)
        // Longer than router solicitations, listener reports and duplicate detection would wait.
        try await Task.sleep(for: .milliseconds(1500))
        #expect(try await pair.a.counters(of: "va") == InterfaceCounters())
        #expect(try await pair.b.counters(of: "vb") == InterfaceCounters())
    }

    /// A checksum that is wrong would be dropped by the receiving stack.
    @Test(arguments: [false, true]) func handmadeDatagramsAreTaken(ipv6: Bool) async throws {
        let pair = try await Pair(ipv6: ipv6)
        let receiver = try await UDPReceiver(in: pair.b, ipv6: ipv6)
        let ip: any PacketLayer = ipv6 ? IPv6Header() : IPv4Header { $0.options = [1, 1, 1, 0] }
        var frames: [[UInt8]] = []
        for size in 0..<40 {
            frames.append(Frame(EthernetHeader(), ip, UDPHeader(to: receiver.port), RawBytes(count: size)).bytes)
        }
        let bad = Frame(EthernetHeader(), ip, UDPHeader(to: receiver.port, checksum: 0x1234), RawBytes(count: 8)).bytes
        try await pair.a.send(frames + [bad], times: 2, on: "va")
        #expect(try await receiver.settled(at: 80) == 80)
        #expect(receiver.bytes == 2 * (0..<40).reduce(0, +))
    }

    @Test func handmadeExtensionsAndFragmentsAreTaken() async throws {
        let pair = try await Pair(ipv6: true)
        let receiver4 = try await UDPReceiver(in: pair.b)
        let receiver6 = try await UDPReceiver(in: pair.b, ipv6: true)
        let chain = Frame(
            EthernetHeader(), IPv6Header(), IPv6Extension.hopByHop, IPv6Extension.destination, UDPHeader(to: receiver6.port),
            RawBytes(count: 33))
        try await pair.a.send(chain, times: 3, on: "va")
        #expect(try await receiver6.settled(at: 3) == 3)
        let whole4 = Frame(EthernetHeader(), IPv4Header(), UDPHeader(to: receiver4.port), RawBytes(count: 1000))
        let whole6 = Frame(EthernetHeader(), IPv6Header(), UDPHeader(to: receiver6.port), RawBytes(count: 1000))
        for identification: UInt32 in [1, 2] {
            try await pair.a.send(whole4.fragments(of: 400, identification: identification).map(\.bytes), on: "va")
            try await pair.a.send(whole6.fragments(of: 400, identification: identification).map(\.bytes), on: "va")
        }
        #expect(try await receiver4.settled(at: 2) == 2)
        #expect(try await receiver6.settled(at: 5) == 5)
        #expect(receiver4.bytes == 2000 && receiver6.bytes == 99 + 2000)
    }

    @Test(arguments: [false, true]) func handmadeEchoesAreAnswered(ipv6: Bool) async throws {
        let pair = try await Pair(ipv6: ipv6)
        let capture = try await FrameCapture(on: "va", in: pair.a)
        let request =
            ipv6
            ? Frame(EthernetHeader(), IPv6Header(), ICMPv6Message.echoRequest(321, sequence: 4), RawBytes(count: 10))
            : Frame(EthernetHeader(), IPv4Header(), ICMPMessage.echoRequest(321, sequence: 4), RawBytes(count: 10))
        try await pair.a.send(request, on: "va")
        var answers: [[UInt8]] = []
        _ = try await eventually(within: .seconds(5)) {
            answers += try capture.take().filter { !$0.isOutgoing }.map(\.bytes)
            return !answers.isEmpty
        }
        let answer = ReferenceParser().parse(try #require(answers.first))
        #expect(answers.count == 1)
        #expect(answer.outer.sourcePort == 321 && answer.outer.destinationPort == (ipv6 ? 129 << 8 : 0))
        #expect(answer.outer.source.prefix(4) == (ipv6 ? [0xfd, 0, 0, 0] : [10, 0, 0, 2]))
    }

    /// A SYN of ours is answered with SYN-ACK where a socket listens, and with RST where none does: TCP's checksum is right.
    @Test func handmadeSYNsAreAnswered() async throws {
        let pair = try await Pair()
        let capture = try await FrameCapture(on: "va", in: pair.a)
        try await pair.a.send(
            Frame(EthernetHeader(), IPv4Header(), TCPHeader(to: 81, .syn) { $0.options = TCPHeader.openingOptions }), on: "va")
        var answers: [ParsedFrame] = []
        _ = try await eventually(within: .seconds(5)) {
            answers += try capture.take().filter { !$0.isOutgoing }.map { ReferenceParser().parse($0.bytes) }
            return !answers.isEmpty
        }
        #expect(answers.first?.tcp?.flags == [.rst, .ack] && answers.first?.tcp?.acknowledgement == 2)
    }

    @Test func framesArriveAsBuilt() async throws {
        let pair = try await Pair(mtu: 9000)
        let capture = try await FrameCapture(on: "vb", in: pair.b)
        let frames = FrameCatalogue.all.map(\.frame.bytes).filter { $0.count > 14 }
        try await pair.a.send(frames, on: "va")
        var arrived: [[UInt8]] = []
        _ = try await eventually(within: .seconds(5)) {
            arrived += try capture.take().filter { !$0.isOutgoing }.map(\.bytes)
            return arrived.count >= frames.count
        }
        #expect(arrived == frames, "tags of every kind included, in order")
        let counted = try await pair.b.counters(of: "vb").received
        #expect(counted.packets == UInt64(frames.count))
    }

    @Test func qdiscCanBeBypassed() async throws {
        let pair = try await Pair()
        let receiver = try await UDPReceiver(in: pair.b)
        let frame = Frame(EthernetHeader(), IPv4Header(), UDPHeader(to: receiver.port), RawBytes(count: 5))
        try await pair.a.send(frame, times: 1000, on: "va", bypassingQdisc: true)
        #expect(try await receiver.settled(at: 1000) == 1000)
        #expect(try await pair.a.counters(of: "va").sent == .init(packets: 1000, bytes: 47_000))
    }

    @Test func superPacketsAreOneForTheDeviceAndManyForTheReceiver() async throws {
        let pair = try await Pair(offloads: .on)
        let receiver = try await UDPReceiver(in: pair.b)
        try await pair.a.sendUDP(3, size: 5000, to: Pair.addressB, port: receiver.port, segment: 1000)
        #expect(try await receiver.settled(at: 15) == 15)
        let sent = try await pair.a.counters(of: "va").sent
        #expect(sent.packets < 15 && receiver.bytes == 15_000)
        // The same by hand; 1480 bytes of payload per segment.
        let payload = 4 * 1400
        let frame = Frame(
            EthernetHeader(), IPv4Header(), UDPHeader(to: receiver.port), RawBytes(count: payload))
        let how = RawSegmentation(.udp, size: 1400, headerLength: 42, transportOffset: 34)
        let before = try await pair.a.counters(of: "va")
        try await pair.a.send([frame.bytes], on: "va", segmentation: how)
        let after = try await pair.a.counters(of: "va")
        #expect((after - before).sent == .init(packets: 1, bytes: UInt64(frame.bytes.count)))
    }

    @Test(arguments: [Offloads.on, Offloads.off]) func transfersAreExact(_ offloads: Offloads) async throws {
        let pair = try await Pair(offloads: offloads)
        let segments = try await pair.a.tcpSegmentsSent()
        let transfer = try await TCPTransfer.run(3_000_001, from: pair.a, to: pair.b, Pair.addressB)
        #expect(transfer.received == 3_000_001 && transfer.clientPort != 0 && transfer.serverPort != 0)
        let packets = try await pair.a.counters(of: "va").sent.packets
        let sent = try await pair.a.tcpSegmentsSent() - segments
        let again = try await pair.a.snmp("Tcp", "RetransSegs")
        // 1448 bytes of payload at the most in each; SYN, ACKs and FIN beside them.
        #expect(sent >= 3_000_001 / 1448 + 3)
        if offloads.segmentation == true {
            #expect(packets < sent / 4, "super-packets: \(packets) for \(sent) segments")
        } else {
            #expect(packets == sent + again, "each segment on its own")
        }
    }

    @Test func transfersWorkOverIPv6() async throws {
        let pair = try await Pair(ipv6: true)
        #expect(
            try await TCPTransfer.run(100_000, from: pair.b, to: pair.a, Pair.addressA6, write: 1000, noDelay: true).received == 100_000)
    }
}
