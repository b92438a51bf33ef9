import Datapath
import Flows
import NetworkTypes
import TestSupport
import Testing

/// Real transfers: wire totals of super-packets against what the other side gets one by one, and against TCP's own count.
@Suite(.requires(.root, .clsact, .command("ethtool"))) struct TransferTests {
    private static let bytes = 2_000_001

    /// The sender's flow, checked against the bytes that were asked for and TCP's own counts.
    private func transfer(_ counted: CountedPair, ipv6: Bool, onTheWire: Bool = false) async throws -> (
        sent: FlowRecord, received: FlowRecord
    ) {
        let a = counted.pair.a
        let before = (try await a.tcpSegmentsSent(), try await a.snmp("Tcp", "RetransSegs"))
        let transfer = try await TCPTransfer.run(Self.bytes, from: a, to: counted.pair.b, ipv6 ? Pair.addressB6 : Pair.addressB)
        #expect(transfer.received == Self.bytes)
        try await counted.expectExact(onTheWire: onTheWire)
        let again = try await a.snmp("Tcp", "RetransSegs") - before.1
        let segments = try await a.tcpSegmentsSent() - before.0 + again
        func ours(_ key: FlowKey) -> Bool { key.outer.sourcePort == transfer.clientPort && key.outer.protocol == .tcp }
        let sent = try await counted.flow(counted.a, .egress, where: ours)
        let received = try await counted.flow(counted.b, .ingress, where: ours)
        #expect(sent.totals.wirePackets == segments)
        #expect(sent.traits.tcpFlags.isSuperset(of: [.syn, .ack, .fin]) && sent.traits.largest <= 1514)
        if again == 0 {
            // Timestamps in every segment, eight bytes of options more in the SYN.
            let headers = UInt64(ipv6 ? 86 : 66)
            #expect(sent.totals.wireBytes == UInt64(Self.bytes) + headers * segments + 8)
            #expect(sent.transport.retransmitted == 0)
        }
        return (sent, received)
    }

    @Test(arguments: AttachMode.both, [false, true]) func superPacketsCountAsTheirSegments(mode: AttachMode, ipv6: Bool) async throws {
        let counted = try await CountedPair(mode, ipv6: ipv6, offloads: .on)
        let (sent, received) = try await transfer(counted, ipv6: ipv6)
        #expect(sent.totals.skbs < sent.totals.wirePackets / 2, "there were super-packets")
        #expect(received.totals.wirePackets == sent.totals.wirePackets && received.totals.wireBytes == sent.totals.wireBytes)
    }

    /// With all offloads off the stack still makes super-packets and cuts them after the hook; both devices count single packets.
    @Test(arguments: AttachMode.both) func wireTotalsAreWhatDevicesWithoutOffloadsCount(mode: AttachMode) async throws {
        let (sent, received) = try await transfer(try await CountedPair(mode, offloads: .off), ipv6: false, onTheWire: true)
        #expect(received.totals.skbs == sent.totals.wirePackets && received.totals.skbBytes == sent.totals.wireBytes)
        #expect(received.totals.wirePackets == received.totals.skbs && received.totals.wireBytes == received.totals.skbBytes)
    }

    /// The stack makes super-packets, the device cuts them after the egress hook: the other side sees the wire.
    @Test(arguments: AttachMode.both) func whatTheHookCallsWireIsWhatTheOtherSideGets(mode: AttachMode) async throws {
        let counted = try await CountedPair(mode, offloads: Offloads(receive: false))
        try await counted.pair.a.sh("ethtool -K va tso off gso on tx-udp-segmentation off")
        let before = try await counted.pair.b.counters(of: "vb").received
        let transfer = try await TCPTransfer.run(Self.bytes, from: counted.pair.a, to: counted.pair.b, Pair.addressB)
        let receiver = try await UDPReceiver(in: counted.pair.b)
        try await counted.pair.a.sendUDP(20, size: 10_001, to: Pair.addressB, port: receiver.port, segment: 1000)
        #expect(try await receiver.settled(at: 220) == 220)
        for port in [transfer.serverPort, receiver.port] {
            func ours(_ key: FlowKey) -> Bool { key.outer.destinationPort == port }
            // The last acknowledgement may still be on its way.
            _ = try await eventually(within: .seconds(3)) {
                let sent = try await counted.flow(counted.a, .egress, where: ours).totals.wirePackets
                return try await counted.flow(counted.b, .ingress, where: ours).totals.wirePackets == sent
            }
            let sent = try await counted.flow(counted.a, .egress, where: ours)
            let received = try await counted.flow(counted.b, .ingress, where: ours)
            #expect(sent.totals.skbs < sent.totals.wirePackets / 2, "there were super-packets")
            #expect(received.totals.skbs == sent.totals.wirePackets && received.totals.skbBytes == sent.totals.wireBytes)
            #expect(received.traits.smallest == sent.traits.smallest && received.traits.largest == sent.traits.largest)
        }
        let device = try await counted.pair.b.counters(of: "vb").received
        let seen = try await counted.probe.books(counted.a, .egress).seen
        #expect(device.packets - before.packets == seen.wirePackets && device.bytes - before.bytes == seen.wireBytes)
    }
}
