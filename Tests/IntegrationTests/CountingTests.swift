import Flows
import NetworkTypes
import TestSupport
import Testing

/// The agent on a veth with real peers: what it tells equals `ip -s -j link`, to the packet and the byte.
@Suite(.requires(.root, .clsact, .command("iperf3"), .command("ethtool"))) struct CountingTests {
    /// Everything at once: UDP, TCP by iperf3, IPv6, ping, tagged frames, ARP.
    @Test(arguments: Hooks.all) func flowsAddUpToTheDevice(mode: String) async throws {
        let pair = try await Pair(ipv6: true, offloads: .on)
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va", mode: mode)
        let device = try await CountedDevice("va", in: pair.a)
        let agent = try await site.start()
        let receivers = [try await UDPReceiver(in: pair.b), try await UDPReceiver(in: pair.b, ipv6: true)]
        try await pair.a.sendUDP(1234, size: 100, to: Pair.addressB, port: receivers[0].port, from: 5000)
        try await pair.a.sendUDP(567, size: 100, to: Pair.addressB6, port: receivers[1].port, from: 5000)
        try await pair.a.sendUDP(10, size: 10_000, to: Pair.addressB, port: receivers[0].port, from: 5001, segment: 1000)
        #expect(try await receivers[0].settled(at: 1334) == 1334)
        #expect(try await receivers[1].settled(at: 567) == 567)
        try await transfer(pair, "-n 4M")
        try await transfer(pair, "-n 4M -R")
        try await transfer(pair, "-n 2M -6", Pair.addressB6)
        try await pair.a.sh("ping -q -n -i 0.002 -c 7 \(Pair.addressB)\nping -q -n -i 0.002 -c 5 \(Pair.addressB6)")
        let payload: [any PacketLayer] = [IPv4Header(), UDPHeader(), RawBytes(count: 30)]
        for tags in [[VLANTag(5)], [VLANTag.service(100), VLANTag(7)]] {
            let frame = Frame(layers: [EthernetHeader()] + tags + payload)
            try await pair.a.send(frame, times: 11, on: "va")
            try await pair.b.send(
                Frame(layers: [EthernetHeader(from: Pair.macB, to: Pair.macA)] + tags + payload), times: 13, on: "vb")
        }
        try await pair.b.send(Frame(EthernetHeader(from: Pair.macB, to: Pair.macA), ARPMessage()), times: 4, on: "vb")
        try await device.expectAgreement(of: site)
        func one(_ filter: String) async throws -> Totals {
            let flows = try await site.flows(filter)
            #expect(flows.count == 1, "\(filter): \(flows)")
            return flows.first?.totals.totals ?? Totals()
        }
        #expect(try await one("udp and port 5000 and ip") == Totals(plain: 1234, bytes: 1234 * 142))
        #expect(try await one("udp and port 5000 and ip6") == Totals(plain: 567, bytes: 567 * 162))
        #expect(
            try await one("udp and port 5001")
                == Totals(skbs: 10, skbBytes: 10 * 10_042, wirePackets: 100, wireBytes: 100 * 1042))
        #expect(try await one("vlan 5 and egress") == Totals(plain: 11, bytes: 11 * 76))
        #expect(try await one("vlan 100 and ingress") == Totals(plain: 13, bytes: 13 * 80))
        #expect(try await one("arp and ingress") == Totals(plain: 4, bytes: 4 * 42))
        #expect(try await one("icmp and egress") == Totals(plain: 7, bytes: 7 * 98))
        #expect(try await one("icmp6 and ingress") == Totals(plain: 5, bytes: 5 * 118))
        let tcp = try await site.flows("tcp and egress").map(\.totals.totals).reduce(Totals(), +)
        #expect(tcp.skbs < tcp.wirePackets, "there were super-packets")
        try await site.stop(agent, keep: false)
    }

    private func transfer(_ pair: Pair, _ options: String, _ address: String = Pair.addressB) async throws {
        let server = try await BackgroundProcess.start(["iperf3", "-s", "-1", "--forceflush"], in: pair.b)
        try await server.waitFor(output: "listening")
        try await pair.a.sh("iperf3 -c \(address) \(options)")
        _ = try await eventually(within: .seconds(5)) { server.hasEnded }
        try server.stop()
    }

    /// Segmentation and GRO off on both sides: what the agent calls wire totals is what the receiver's device counts.
    @Test(arguments: Hooks.all) func wireTotalsAreWhatTheReceiverCounts(mode: String) async throws {
        let pair = try await Pair(offloads: .off)
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va", mode: mode)
        let device = try await CountedDevice("va", in: pair.a)
        let receiver = try await CountedDevice("vb", in: pair.b)
        let agent = try await site.start()
        try await transfer(pair, "-n 4M")
        try await transfer(pair, "-n 4M -R")
        // TCP makes super-packets all the same (since Linux 4.17), which are cut behind the hook: both devices count what is on the wire.
        try await device.expectAgreement(of: site, onTheWire: [.egress])
        let seen = try await site.interface("va")
        #expect(seen.egress.seen.skbs < seen.egress.seen.wirePackets, "there were super-packets")
        let other = try await receiver.counts()
        #expect(seen.egress.seen.totals.counted(onTheWire: true) == other.received)
        #expect(seen.ingress.seen.totals.counted(onTheWire: true) == other.sent)
        try await site.stop(agent, keep: false)
    }

    /// Tenant port, VXLAN device and underlay of a host at once, each by its own device's lights.
    @Test(.requires(.vxlan, .bridge), arguments: Hooks.all) func everyPointOfAFabricAgreesWithItsDevice(mode: String) async throws {
        let fabric = try await Fabric(hosts: 2)
        let host = fabric.hosts[0]
        let site = try AgentSite(in: host)
        try site.configure(interfaces: "v1, vx100, up0", mode: mode)
        let devices = [try await CountedDevice("v1", in: host), try await CountedDevice("up0", in: host)]
        let agent = try await site.start()
        let receiver = try await UDPReceiver(in: fabric.tenants[1])
        try await fabric.tenants[0].sendUDP(100, size: 200, to: Fabric.tenantAddress(2), port: receiver.port, from: 5555)
        #expect(try await receiver.settled(at: 100) == 100)
        let transfer = try await TCPTransfer.run(1_000_001, from: fabric.tenants[0], to: fabric.tenants[1], Fabric.tenantAddress(2))
        #expect(transfer.received == 1_000_001)
        for device in devices { try await device.expectAgreement(of: site) }
        try await site.interface("vx100").expectClosed()
        let underlay = try await site.flows("vni 100 and udp and port 5555 and egress")
        #expect(underlay.map(\.interface) == ["up0"] && underlay.map(\.totals.totals) == [Totals(plain: 100, bytes: 100 * 292)])
        try await site.stop(agent, keep: false)
    }
}
