import Datapath
import Flows
import NetworkTypes
import TestSupport
import Testing

/// A packet between tenants passes several interfaces of a host. Each counts it once, by what it is there.
@Suite(.requires(.root, .clsact, .vxlan, .bridge, .command("ethtool"))) struct FabricTests {
    @Test(arguments: AttachMode.both) func everyPointCountsAPacketOnce(mode: AttachMode) async throws {
        let fabric = try await Fabric(hosts: 2)
        let probe = try Probe(mode)
        let host = fabric.hosts[0]
        let port = try await probe.attach("v1", in: host)
        let device = try await probe.attach("vx100", in: host)
        let underlay = try await probe.attach("up0", in: host)
        let before = (try await host.counters(of: "v1"), try await host.counters(of: "up0"), try await host.counters(of: "vx100"))
        let receiver = try await UDPReceiver(in: fabric.tenants[1])
        try await fabric.tenants[0].sendUDP(100, size: 200, to: Fabric.tenantAddress(2), port: receiver.port, from: 5555)
        #expect(try await receiver.settled(at: 100) == 100)
        let plain = Totals(plain: 100, bytes: 100 * 242)
        for (id, direction) in [(port, Direction.ingress), (device, .egress)] {
            let flows = try await probe.flows(id, direction)
            #expect(flows.map(\.totals) == [plain] && flows.first?.key.inner == nil)
            #expect(flows.first?.key.outer.sourcePort == 5555)
            #expect(try await probe.books(id, direction).seen == plain)
        }
        let flows = try await probe.flows(underlay, .egress)
        #expect(flows.map(\.totals) == [Totals(plain: 100, bytes: 100 * 292)])
        let key = try #require(flows.first?.key)
        #expect(key.vni == 100 && key.outer.destinationPort == 4789)
        #expect(key.inner?.sourcePort == 5555 && key.inner?.destinationPort == receiver.port)
        #expect(key.outer.source == IPAddress(Fabric.underlayAddress(1)) && key.inner?.source == IPAddress(Fabric.tenantAddress(1)))
        #expect(try await probe.books(underlay, .egress).seen == flows[0].totals)
        for (id, direction) in [(port, Direction.egress), (device, .ingress), (underlay, .ingress)] {
            #expect(try await probe.books(id, direction).seen.isZero, "nothing came back")
        }
        // The devices agree, each by its own lights.
        #expect((try await host.counters(of: "v1") - before.0).received == .init(packets: 100, bytes: 100 * 242))
        #expect((try await host.counters(of: "up0") - before.1).sent == .init(packets: 100, bytes: 100 * 292))
        #expect((try await host.counters(of: "vx100") - before.2).sent.packets == 100)
    }

    /// The underlay's device cuts the super-packets after the hook; the wire's bridge port sees what was on the wire.
    @Test(arguments: AttachMode.both) func tunnelledSuperPacketsHaveBothHeadersPerSegment(mode: AttachMode) async throws {
        let fabric = try await Fabric(hosts: 2)
        try await fabric.hosts[0].sh("ethtool -K up0 tso off gso on tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off")
        let probe = try Probe(mode)
        let underlay = try await probe.attach("up0", in: fabric.hosts[0])
        let wire = try await probe.attach("p1", in: fabric.wire)
        let transfer = try await TCPTransfer.run(1_000_001, from: fabric.tenants[0], to: fabric.tenants[1], Fabric.tenantAddress(2))
        func flow(_ id: InterfaceID, _ direction: Direction) async throws -> Totals {
            try await probe.flows(id, direction).filter { $0.key.inner?.sourcePort == transfer.clientPort }.map(\.totals).reduce(
                Totals(), +)
        }
        _ = try await eventually(within: .seconds(3)) {
            try await flow(wire, .ingress).skbs == flow(underlay, .egress).wirePackets
        }
        let sent = try await flow(underlay, .egress)
        let arrived = try await flow(wire, .ingress)
        #expect(sent.skbs < sent.wirePackets / 2, "there were super-packets")
        #expect(arrived.skbs == sent.wirePackets && arrived.skbBytes == sent.wireBytes)
    }
}
