import Flows
import NetworkTypes
import Reports
import TestSupport
import Testing

/// Interfaces, namespaces and default routes that come and go while the agent runs.
@Suite(.requires(.root, .clsact)) struct FollowingTests {
    /// The names of what is counted now.
    private func counted(_ site: AgentSite) async throws -> [String] { try await site.interfaces().map(\.name).sorted() }

    private func becomes(
        _ site: AgentSite, _ names: [String], within limit: Duration = .seconds(1), sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let inTime = try await eventually(within: limit) { try await counted(site) == names }
        let now = try await counted(site)
        #expect(inTime, "\(now), not \(names), after \(limit.stretched)", sourceLocation: sourceLocation)
    }

    @Test(arguments: Hooks.all) func anInterfaceThatComesBackIsAnother(mode: String) async throws {
        let a = try await NetworkNamespace()
        let b = try await NetworkNamespace()
        let site = try AgentSite(in: a)
        try site.configure(interfaces: "\"v*\"", mode: mode)
        let agent = try await site.start()
        try await becomes(site, [])
        func plug() async throws {
            try await a.sh("ip link add v1 type veth peer name far netns \(b.path)\nip link set v1 up")
            try await b.sh("ip link set far up")
            try await a.waitForCarrier()
        }
        let frame = Frame(EthernetHeader(), IPv4Header(), UDPHeader(), RawBytes(count: 18))
        var earlier: [UInt32] = []
        for round in 1...3 {
            try await plug()
            try await becomes(site, ["v1"])
            let device = try await site.interface("v1")
            #expect(!earlier.contains(device.id))
            earlier.append(device.id)
            try await a.send(frame, times: 10 * round, on: "v1")
            let seen = try await site.interface("v1")
            #expect(seen.egress.seen.totals == Totals(plain: 10 * round, bytes: 600 * round))
            seen.expectClosed()
            try await b.sh("ip link del far")
            try await becomes(site, [])
        }
        // The books of those that are gone are kept, each with its own count.
        let closed = try await site.interfaces(closed: true).filter { $0.closedAt != nil }
        #expect(closed.map(\.egress.seen.skbs).sorted() == [10, 20, 30] && Set(closed.map(\.id)).count == 3)
        try await site.stop(agent, keep: false)
    }

    /// It is the same interface under another name, and leaves when the name is none that was asked for.
    @Test func aRenamedInterfaceGoesByItsNewName() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "\"v*\"")
        let agent = try await site.start()
        try await becomes(site, ["va"])
        let id = try await site.interface("va").id
        try await pair.a.sendUDP(10, size: 10, to: Pair.addressB, port: 9)
        try await pair.a.sh(
            "ip link set va down\nip link set va name vnew up\nip neigh replace \(Pair.addressB) lladdr \(Pair.macB) dev vnew nud permanent"
        )
        try await becomes(site, ["vnew"])
        #expect(try await site.interface("vnew").id == id)
        try await pair.a.waitForCarrier()
        try await pair.a.sendUDP(5, size: 10, to: Pair.addressB, port: 9)
        let seen = try await site.interface("vnew")
        #expect(seen.egress.seen.totals == Totals(plain: 15, bytes: 15 * 52))
        seen.expectClosed()
        #expect(try await site.flows("interface vnew and udp").isEmpty == false)
        try await pair.a.sh("ip link set vnew down\nip link set vnew name other up")
        try await becomes(site, [])
        try await site.stop(agent, keep: false)
    }

    /// Found within a second of its name's appearing, let go when it is deleted.
    @Test(arguments: Hooks.all) func aNamedNamespaceIsFollowed(mode: String) async throws {
        let name = "nilo-test-\(UInt32.random(in: 0...UInt32.max))"
        let home = try await NetworkNamespace()
        let site = try AgentSite(in: home)
        try site.configure(interfaces: "all-but-loopback", namespaces: "\"\(name)*\"", mode: mode)
        let agent = try await site.start()
        try await becomes(site, [])
        try await home.sh("ip netns add \(name)")
        do {
            try await home.sh(
                """
                ip link add n1 type veth peer name n2 netns \(name)
                ip -n \(name) link set n2 up
                ip link set n1 up
                """)
            try await becomes(site, ["n2"])
            let found = try await site.interface("n2")
            #expect(found.namespace?.contains(name) == true, "\(found.namespace ?? "nil")")
            try await home.waitForCarrier()
            try await home.send(Frame(EthernetHeader(), IPv4Header(), UDPHeader(), RawBytes(count: 18)), times: 21, on: "n1")
            let inTime = try await eventually(within: .seconds(2)) {
                try await site.flows("udp and ingress").map(\.totals.totals) == [Totals(plain: 21, bytes: 21 * 60)]
            }
            #expect(inTime)
        } catch {
            try await home.sh("ip netns del \(name)")
            throw error
        }
        try await home.sh("ip netns del \(name)")
        try await becomes(site, [], within: .seconds(2))
        try await site.stop(agent, keep: false)
    }

    @Test func theDefaultRouteIsFollowed() async throws {
        let host = try await NetworkNamespace()
        let site = try AgentSite(in: host)
        try site.configure(interfaces: "default-route")
        try await host.sh(
            """
            for i in 1 2; do
              ip link add up$i type veth peer name far$i
              ip addr add 192.0.2.$i/24 dev up$i
              ip link set far$i up
              ip link set up$i up
            done
            """)
        let agent = try await site.start()
        try await becomes(site, [])
        try await host.sh("ip route add default dev up1")
        try await becomes(site, ["up1"])
        try await host.sh("ip route replace default dev up2")
        try await becomes(site, ["up2"])
        try await host.sh("ip route add default dev up1 metric 100")
        try await becomes(site, ["up1", "up2"])
        try await host.sh("ip route del default dev up1\nip route del default dev up2")
        try await becomes(site, [])
        try await site.stop(agent, keep: false)
        // Only what carried the route was ever counted.
        let audit = try contents(of: site.auditLog)
        #expect(audit.contains("up1") && !audit.contains("far"), "\(audit)")
    }
}
