import Glibc
import NetworkTypes
import TestSupport
import Testing
import Topology

@testable import Netlink

/// Drains as epoll would say to, until `wanted` holds of all that came or the time is over.
private func changes(
    _ monitor: TopologyMonitor, within milliseconds: Int = 3000, until wanted: (TopologyMonitor.Changes) -> Bool
) throws -> TopologyMonitor.Changes {
    var sum = TopologyMonitor.Changes()
    for _ in 0..<Int(Double(milliseconds) / 20 * patience) {
        var watched = pollfd(fd: monitor.descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&watched, 1, 20) > 0 else { continue }
        let now = try monitor.drain()
        sum.events += now.events
        sum.stale.formUnion(now.stale)
        sum.isOverrun = sum.isOverrun || now.isOverrun
        sum.messages += now.messages
        if wanted(sum) { break }
    }
    return sum
}

extension TopologyEvent {
    fileprivate var route: Route? { if case .route(let route, _) = self { route } else { nil } }
    fileprivate var routeGone: Route? { if case .routeGone(let route) = self { route } else { nil } }
}

@Suite struct TopologyMonitorTests {
    private let namespace: TestNamespace
    init() async throws { namespace = try await TestNamespace(ipv6: true) }

    /// Runs `command` and gives what was announced of it, up to the first that `last` says is the last.
    private func announced(
        _ before: String, _ command: String, until last: @escaping @Sendable (TopologyEvent) -> Bool
    ) async throws -> TopologyMonitor.Changes {
        try await namespace.run {
            let monitor = try TopologyMonitor()
            #expect(try monitor.drain() == TopologyMonitor.Changes())
            if !before.isEmpty {
                try sh(before)
                // IPv6 goes on working for a moment after a link is up.
                var watched = pollfd(fd: monitor.descriptor, events: Int16(POLLIN), revents: 0)
                while poll(&watched, 1, 150) > 0 { _ = try monitor.drain() }
            }
            try sh(command)
            return try changes(monitor) { $0.events.contains(where: last) }
        }
    }

    @Test func linksComeChangeAndGo() async throws {
        let seen = try await announced(
            "", "ip link add va type veth peer name vb; ip link set va up; ip link set va mtu 1400; ip link del va"
        ) {
            if case .linkGone = $0 { true } else { false }
        }
        let links: [LinkObservation] = seen.events.compactMap { if case .link(let link) = $0 { link } else { nil } }
        #expect(Set(links.map(\.name)) == ["va", "vb"] && links.contains { $0.name == "va" && $0.mtu == 1400 })
        #expect(seen.stale.isSuperset(of: [.routes, .nexthops, .qdiscs]) && !seen.isOverrun)
        #expect(!seen.stale.contains(.links) && !seen.stale.contains(.addresses))
    }

    @Test func aNewLinkMakesNothingStale() async throws {
        let seen = try await announced("", "ip link add va type veth peer name vb") {
            if case .link(let link) = $0 { link.name == "va" } else { false }
        }
        #expect(seen.stale == [])
    }

    /// Leaving a bridge is announced as the end of a bridge port, with the same message type as the end of a link.
    @Test(.requires(.bridge)) func aPortThatLeavesItsBridgeIsStillALink() async throws {
        let before = "ip link add br0 type bridge; ip link add va type veth peer name vb; ip link set va master br0"
        let seen = try await announced(before, "ip link set va nomaster; ip link set va alias last") {
            if case .link(let link) = $0 { link.alias == "last" } else { false }
        }
        #expect(!seen.events.contains { if case .linkGone = $0 { true } else { false } })
        #expect(seen.events.contains { if case .link(let link) = $0 { link.name == "va" && link.master == nil } else { false } })
    }

    @Test func addressesComeAndGo() async throws {
        let four = InterfaceAddress(interface: 1, address: .v4(0x0A00_0001), prefixLength: 24)
        let six = InterfaceAddress(interface: 1, address: IPAddress("fd00::1")!, prefixLength: 64)
        let come = try await announced("", "ip addr add 10.0.0.1/24 dev lo; ip -6 addr add fd00::1/64 dev lo nodad") { $0 == .address(six) }
        #expect(come.events.contains(.address(four)) && come.stale == [])
        let gone = try await announced("", "ip addr del 10.0.0.1/24 dev lo; ip -6 addr del fd00::1/64 dev lo") {
            if case .addressGone(let gone) = $0 { !gone.address.isV4 } else { false }
        }
        #expect(gone.events.contains(.addressGone(four)) && gone.events.contains(.addressGone(six)))
        #expect(gone.stale == .routes)
    }

    @Test func routesRulesAndNexthops() async throws {
        let seen = try await announced(
            FactDumpTests.pairs(1),
            """
            ip route add 192.0.2.0/24 via 10.0.1.2 table 7; ip route replace 192.0.2.0/24 via 10.0.1.3 table 7
            ip route append 192.0.2.0/24 via 10.0.1.4 table 7; ip route del 192.0.2.0/24 via 10.0.1.4 table 7
            ip nexthop add id 9 via 10.0.1.2 dev e1; ip nexthop del id 9
            ip rule add priority 5 fwmark 3 lookup 7; ip rule del priority 5
            """
        ) { if case .ruleGone = $0 { true } else { false } }
        let interface = Int32(try await namespace.index(of: "e1"))
        func route(_ gateway: UInt32) -> Route {
            Route(
                table: 7, destination: IPPrefix("192.0.2.0/24")!, origin: 3,
                nexthops: [Nexthop(interface: interface, gateway: .v4(0x0A00_0100 + gateway))])
        }
        var rule = RoutingRule(family: .ipv4, priority: 5, table: 7)
        (rule.mark, rule.markMask) = (3, .max)
        let object = NexthopObject(id: 9, nexthop: Nexthop(interface: interface, gateway: .v4(0x0A00_0102)))
        #expect(
            seen.events == [
                .route(route(2), .added), .route(route(3), .replaced), .route(route(4), .appended), .routeGone(route(4)), .nexthop(object),
                .nexthopGone(9), .rule(rule), .ruleGone(rule),
            ])
        #expect(seen.stale == .routes)
    }

    @Test(.requires(.vxlan)) func neighboursAndForwarding() async throws {
        let seen = try await announced(
            FactDumpTests.pairs(1) + "ip link add vx type vxlan id 5 dstport 4789 local 10.0.1.1; ip link set vx up",
            """
            ip neigh add 10.0.1.7 lladdr 02:00:00:00:00:07 dev e1 nud permanent; ip neigh del 10.0.1.7 dev e1
            bridge fdb add 02:00:00:00:00:01 dev vx dst 10.0.1.5 vni 7 self permanent; bridge fdb del 02:00:00:00:00:01 dev vx dst 10.0.1.5 vni 7 self
            """
        ) { if case .forwardingGone = $0 { true } else { false } }
        let (e1, vx) = (Int32(try await namespace.index(of: "e1")), Int32(try await namespace.index(of: "vx")))
        let neighbour = Neighbour(interface: e1, address: .v4(0x0A00_0107), mac: MACAddress("02:00:00:00:00:07"), state: .permanent)
        let entry = ForwardingEntry(interface: vx, mac: MACAddress("02:00:00:00:00:01")!, vtep: .v4(0x0A00_0105), vni: 7, isPermanent: true)
        #expect(seen.events.contains(.neighbour(neighbour)))
        #expect(
            seen.events.contains {
                if case .neighbourGone(let gone) = $0 { gone.address == neighbour.address && gone.interface == e1 } else { false }
            })
        #expect(seen.events.contains(.forwarding(entry)) && seen.events.contains(.forwardingGone(entry)))
    }

    @Test(.requires(.htb)) func qdiscsAndNamespaceNumbers() async throws {
        let other = try await TestNamespace()
        let path = other.path
        let seen = try await announced(
            FactDumpTests.pairs(1),
            "tc qdisc add dev e1 root handle 5: htb; tc qdisc del dev e1 root; ip link set p1 netns \(path); ip addr add 10.7.7.7/32 dev lo"
        ) { if case .address = $0 { true } else { false } }
        let interface = Int32(try await namespace.index(of: "e1"))
        func isMade(_ qdisc: QdiscObservation) -> Bool {
            qdisc.interface == interface && qdisc.kind == "htb" && qdisc.handle == 5 << 16 && qdisc.isRoot
        }
        #expect(seen.events.contains { if case .qdisc(let qdisc) = $0 { isMade(qdisc) } else { false } })
        #expect(seen.events.contains { if case .qdiscGone(let qdisc) = $0 { isMade(qdisc) } else { false } })
        let peer = try await namespace.withSocket { try $0.links() }.first { $0.name == "e1" }?.peerNamespace
        #expect(seen.events.contains(.namespaceNumber(try #require(peer))))
    }

    /// IPv4 says nothing of the routes that go with a link's state: what was announced and what is there differ, and the family is named.
    @Test func silentLossesAreNamed() async throws {
        let before =
            FactDumpTests.pairs(2)
            + "ip route add 192.0.2.0/24 via 10.0.1.2; ip nexthop add id 4 via 10.0.1.2 dev e1; ip route add 192.0.3.0/24 nhid 4\n"
        let seen = try await announced(before, "ip link set e1 down; ip rule add priority 99 lookup 9") {
            if case .rule = $0 { true } else { false }
        }
        let left = try await namespace.withSocket { try $0.routes(.ipv4) }.map(\.destination)
        let lost = ["192.0.2.0/24", "192.0.3.0/24"].map { IPPrefix($0)! }
        #expect(!left.contains { lost.contains($0) })
        #expect(!seen.events.contains { lost.contains($0.routeGone?.destination ?? IPPrefix("0.0.0.0/0")!) })
        #expect(try await namespace.withSocket { try $0.nexthopObjects() } == [])
        #expect(!seen.events.contains { if case .nexthopGone = $0 { true } else { false } })
        #expect(seen.stale.isSuperset(of: [.ipv4Routes, .nexthops]))
    }

    /// A route that takes its source from an address goes with the address; kernels before 6.6 do not announce it.
    @Test func anAddressTakesRoutesAlong() async throws {
        let before = FactDumpTests.pairs(1) + "ip addr add 10.50.0.1/32 dev e1; ip route add 192.0.2.0/24 via 10.0.1.2 src 10.50.0.1\n"
        let seen = try await announced(before, "ip addr del 10.50.0.1/32 dev e1") {
            if case .addressGone = $0 { true } else { false }
        }
        #expect(try await namespace.withSocket { try $0.routes(.ipv4) }.contains { $0.destination == IPPrefix("192.0.2.0/24") } == false)
        #expect(seen.stale == .ipv4Routes)
    }

    @Test func anOverrunMakesEverythingStale() async throws {
        try await namespace.run {
            let monitor = try TopologyMonitor(receiveBuffer: 64 << 10)
            try sh("for a in $(seq 0 39); do for b in $(seq 0 249); do echo route add blackhole 172.16.$a.$b; done; done | ip -batch -")
            let flood = try changes(monitor) { $0.isOverrun }
            #expect(flood.isOverrun && flood.stale == .everything)
            #expect(flood.events.count < 10_000)
            #expect(try NetlinkSocket().routes(.ipv4).filter { $0.kind == .blackhole }.count == 10_000)
            while try !monitor.drain().isEmpty {}
            try sh("ip route add blackhole 172.17.0.0/16")
            let after = try changes(monitor) { !$0.events.isEmpty }
            #expect(after.events.compactMap(\.route?.destination) == [IPPrefix("172.17.0.0/16")!] && !after.isOverrun && after.stale == [])
        }
    }

    /// A buffer large enough loses none, and one drain does not take them all.
    @Test func tenThousandRoutesFit() async throws {
        try await namespace.run {
            let monitor = try TopologyMonitor(receiveBuffer: 16 << 20)
            try sh("for a in $(seq 0 39); do for b in $(seq 0 249); do echo route add blackhole 172.16.$a.$b; done; done | ip -batch -")
            let first = try monitor.drain()
            #expect(first.messages <= MulticastSocket.datagramsPerDrain)
            let rest = try changes(monitor) { first.events.count + $0.events.count == 10_000 }
            let seen = (first.events + rest.events).compactMap(\.route)
            #expect(Set(seen).count == 10_000 && !first.isOverrun && !rest.isOverrun)
        }
    }
}
