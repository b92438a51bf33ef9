import TestSupport
import Testing

@Suite(.requires(.root)) struct TopologyTests {
    @Test(.requires(.bridge)) func bridgedHostsReachEachOtherAndNobodyElse() async throws {
        let bridged = try await BridgedHosts(hosts: 4, ipv6: true)
        let receiver4 = try await UDPReceiver(in: bridged.hosts[2])
        let receiver6 = try await UDPReceiver(in: bridged.hosts[2], ipv6: true)
        try await bridged.hosts[0].sendUDP(10, size: 10, to: BridgedHosts.address(3), port: receiver4.port)
        try await bridged.hosts[1].sendUDP(10, size: 10, to: BridgedHosts.address6(3), port: receiver6.port)
        #expect(try await receiver4.settled(at: 10) == 10)
        #expect(try await receiver6.settled(at: 10) == 10)
        #expect(try await bridged.hosts[3].counters(of: "eth0") == InterfaceCounters(), "nothing is flooded")
        #expect(try await bridged.bridge.counters(of: "p3").sent.packets == 20)
    }

    @Test(.requires(.vxlan, .bridge), arguments: [false, true]) func tenantsMeetOverTheUnderlay(ipv6: Bool) async throws {
        let fabric = try await Fabric(ipv6: ipv6)
        let capture = try await FrameCapture(on: "p2", in: fabric.wire)
        for (from, to) in [(0, 1), (1, 2), (2, 0)] {
            let receiver = try await UDPReceiver(in: fabric.tenants[to], ipv6: ipv6)
            let address = ipv6 ? Fabric.tenantAddress6(to + 1) : Fabric.tenantAddress(to + 1)
            try await fabric.tenants[from].sendUDP(10, size: 200, to: address, port: receiver.port, from: 5555)
            #expect(try await receiver.settled(at: 10) == 10, "tenant \(from + 1) to \(to + 1)")
        }
        // Host 2's port saw what came from 1 (outgoing, to it) and what went to 3, each in its tunnel.
        let frames = try capture.take().map { ($0.isOutgoing, ReferenceParser().parse($0.bytes)) }
        #expect(frames.count == 20 && frames.filter(\.0).count == 10)
        for (_, frame) in frames {
            #expect(frame.tunnel?.vni == UInt32(Fabric.vni))
            #expect(frame.tunnel?.inner.sourcePort == 5555)
            #expect(frame.length == 14 + 20 + 8 + 8 + 14 + (ipv6 ? 40 : 20) + 8 + 200)
        }
    }

    @Test(.requires(.vxlan, .bridge)) func tenantsTransfer() async throws {
        let fabric = try await Fabric()
        let transfer = try await TCPTransfer.run(500_000, from: fabric.tenants[0], to: fabric.tenants[2], Fabric.tenantAddress(3))
        #expect(transfer.received == 500_000)
    }

    @Test(.requires(.command("ethtool"))) func offloadsAreSwitched() async throws {
        let pair = try await Pair(offloads: .off)
        func shown() async throws -> String { try await pair.b.sh("ethtool -k vb") }
        var features = try await shown()
        #expect(features.contains("generic-segmentation-offload: off") && features.contains("generic-receive-offload: off"))
        try await pair.set(.on)
        features = try await shown()
        #expect(features.contains("tcp-segmentation-offload: on") && features.contains("generic-receive-offload: on"))
    }
}
