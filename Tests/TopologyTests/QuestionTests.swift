import NetworkTypes
import Testing

@testable import Topology

struct QuestionTests {
    private func map(_ change: (inout TopologyLab) -> Void = { _ in }) -> Snapshot {
        var lab = TopologyLab()
        change(&lab)
        var builder = TopologyBuilder()
        builder.observe(lab.observations)
        return builder.commit(at: second(1))
    }

    private func node(_ text: String, in snapshot: Snapshot) throws -> NodeID {
        let key = try #require(NodeKey(text))
        return try #require(snapshot.id(of: key), "\(text)")
    }

    private func names(_ path: TopologyPath, _ snapshot: Snapshot) -> [String] { path.steps.map { snapshot.key(of: $0.node).description } }

    /// As answers call it.
    @Test func anInterfaceIsFoundWithItsNamespace() throws {
        let snapshot = map()
        #expect(snapshot.find("h1-n100-1:eth0") == .found(try node("host/lab/ns/h1-n100-1/if/eth0", in: snapshot)))
        #expect(snapshot.find("h1:vx100") == .found(try node("host/lab/ns/h1/if/vx100", in: snapshot)))
        #expect(snapshot.find("h1:nothing") == .nothing && snapshot.find(":eth0") == .nothing && snapshot.find("h1:") == .nothing)
        var builder = TopologyBuilder()
        builder.observe(.host(name: "web1", HostState()))
        builder.observe(.namespace(NamespaceFact(cookie: 7, name: "init", owner: "")))
        builder.observe(.resynchronised([.link(LinkFact(index: 2, name: "eth0", kind: "", mtu: 1500))], in: 7))
        let own = builder.commit(at: second(1))
        let eth0 = try node("host/web1/ns/init/if/eth0", in: own)
        #expect(own.find("web1:eth0") == .found(eth0) && own.find("host:eth0") == .found(eth0) && own.find("init:eth0") == .nothing)
    }

    /// Routes onto a link end with its name, and networks that are out of sight have the same addresses.
    @Test func whatIsHereIsMeant() throws {
        var builder = TopologyBuilder()
        let eth0: Int32 = 2
        builder.observe(.host(name: "web1", HostState()))
        builder.observe(.namespace(NamespaceFact(cookie: 7, name: "init", owner: "")))
        let onto = Route(destination: TopologyLab.prefix("fd00::/64"), nexthops: [Nexthop(interface: eth0)])
        let address = InterfaceAddress(interface: eth0, address: IPAddress("10.0.0.1")!, prefixLength: 24)
        builder.observe(
            .resynchronised(
                [.link(LinkFact(index: eth0, name: "eth0", kind: "", mtu: 1500)), .route(onto), .address(address)], in: 7))
        builder.observe(.counted(InterfaceID(rawValue: 1), interface: eth0, in: 7))
        let inside = TestFlow(source: "10.0.0.1", destination: "10.0.0.9", sourcePort: 1, destinationPort: 2)
        let vteps = ("192.0.2.1", "192.0.2.2")
        builder.observe(
            .traffic([
                inside.seen(at: 1, .ingress, vni: 5, between: vteps),
                inside.reversed().seen(at: 1, .egress, vni: 5, between: (vteps.1, vteps.0)),
            ]))
        let snapshot = builder.commit(at: second(1))
        #expect(snapshot.id(of: NodeKey("vni/5/ip/10.0.0.1")!) != nil)
        #expect(snapshot.id(of: NodeKey("host/web1/ns/init/route/main/fd00::/64/dev/eth0")!) != nil)
        guard case .ambiguous(let eth0s) = snapshot.find("eth0") else { return #expect(Bool(false), "an interface and its network") }
        #expect(eth0s.map(\.kind) == [.interface, .network])
        #expect(snapshot.find("10.0.0.1") == .found(try node("link/web1/init/eth0/ip/10.0.0.1", in: snapshot)))
        #expect(snapshot.find("dev/eth0") == .found(try node("host/web1/ns/init/route/main/fd00::/64/dev/eth0", in: snapshot)))
    }

    @Test func theWayThroughATunnel() throws {
        let snapshot = map()
        let path = snapshot.path(from: try node("vni/100/ip/10.0.0.11", in: snapshot), to: try node("vni/100/ip/10.0.0.32", in: snapshot))
        #expect(path.end == .arrived)
        #expect(
            names(path, snapshot) == [
                "vni/100/ip/10.0.0.11", "host/lab/ns/h1-n100-1/if/eth0", "host/lab/ns/h1/if/v100-1", "host/lab/ns/h1/if/br100",
                "host/lab/ns/h1/if/vx100", "bridge/lab/wire/br-wire/ip/192.0.2.1", "bridge/lab/wire/br-wire/ip/192.0.2.3",
                "host/lab/ns/h3/if/vx100", "host/lab/ns/h3/if/br100", "host/lab/ns/h3/if/v100-2", "host/lab/ns/h3-n100-2/if/eth0",
                "vni/100/ip/10.0.0.32",
            ])
        #expect(path.steps[1].route.map { snapshot.key(of: $0).description } == "host/lab/ns/h1-n100-1/route/main/10.0.0.0/24")
    }

    @Test func networksWithTheSameAddressesAreNotJoined() throws {
        let snapshot = map()
        // The route says that 10.0.0.32 is on the link; but not that of the other network.
        let path = snapshot.path(from: try node("vni/100/ip/10.0.0.11", in: snapshot), to: try node("vni/200/ip/10.0.0.32", in: snapshot))
        #expect(path.end != .arrived)
    }

    @Test func aGatewayThatNobodyHasIsWhereItLeaves() throws {
        let snapshot = map()
        let path = snapshot.path(
            from: try node("vni/100/ip/10.0.0.11", in: snapshot), to: try node("bridge/lab/wire/br-wire/ip/192.0.2.3", in: snapshot))
        #expect(path.end == .leaves(by: try node("vni/100/ip/10.0.0.254", in: snapshot)))
    }

    /// As far as the routes lead.
    @Test func anAddressThatNobodyHasIsLookedForAsWell() throws {
        let snapshot = map()
        let from = try node("vni/100/ip/10.0.0.11", in: snapshot)
        let path = snapshot.path(from: from, to: IPAddress("198.51.100.7")!)
        #expect(path.end == .leaves(by: try node("vni/100/ip/10.0.0.254", in: snapshot)))
        #expect(path.steps.count > 1 && path.steps[1].route != nil)
        #expect(snapshot.path(from: from, to: IPAddress("fd00::7")!).end == .noRoute(in: try node("host/lab/ns/h1-n100-1", in: snapshot)))
    }

    @Test func theWayOverARouter() throws {
        let snapshot = map { lab in
            let router = lab.cookies["h2"]!
            for (vni, address) in [(100, "10.0.0.254")] {
                lab.address(address, 24, on: lab.link("br\(vni)", in: "h2").index, in: router)
            }
        }
        let target = try node("bridge/lab/wire/br-wire/ip/192.0.2.3", in: snapshot)
        let path = snapshot.path(from: try node("vni/100/ip/10.0.0.21", in: snapshot), to: target)
        #expect(path.end == .arrived)
        #expect(names(path, snapshot).contains("host/lab/ns/h2/if/br100"))
        #expect(names(path, snapshot).suffix(2) == ["host/lab/ns/h3/if/eth0", "bridge/lab/wire/br-wire/ip/192.0.2.3"])
    }

    @Test func aBlackholeRefuses() throws {
        let snapshot = map { lab in
            let end = lab.cookies["h1-n100-1"]!
            lab.add(.route(Route(destination: TopologyLab.prefix("192.0.2.0/24"), kind: .blackhole)), to: end)
        }
        let path = snapshot.path(
            from: try node("vni/100/ip/10.0.0.11", in: snapshot), to: try node("bridge/lab/wire/br-wire/ip/192.0.2.3", in: snapshot))
        #expect(path.end == .refused(by: try node("host/lab/ns/h1-n100-1/route/main/192.0.2.0/24", in: snapshot)))
    }

    @Test func rulesChooseTheTable() throws {
        let snapshot = map { lab in
            let end = lab.cookies["h1-n100-1"]!
            var rule = RoutingRule(family: .ipv4, priority: 100, action: .prohibit)
            rule.source = TopologyLab.prefix("10.0.0.11/32")
            lab.add(.rule(rule), to: end)
            lab.add(.rule(RoutingRule(family: .ipv4, priority: 32_766, table: 254)), to: end)
        }
        let path = snapshot.path(from: try node("vni/100/ip/10.0.0.11", in: snapshot), to: try node("vni/100/ip/10.0.0.12", in: snapshot))
        guard case .refused(let by) = path.end else { return #expect(Bool(false), "\(path.end)") }
        #expect(snapshot.key(of: by).kind == .rule)
    }

    /// What is sent from a port of a VRF, or comes in by one, goes by its table; nobody else does.
    @Test func aVRFHasATableOfItsOwn() throws {
        var lab = TopologyLab()
        let router = lab.cookies["h2"]!
        let vrf = lab.index(in: router)
        lab.add(.link(LinkFact(index: vrf, name: "red", kind: "vrf", vrfTable: 1042)), to: router)
        var link = lab.link("br100", in: "h2")
        link.master = vrf
        lab.add(.link(link), to: router)
        lab.address("10.0.0.254", 24, on: link.index, in: router)
        for (priority, table) in [(0, 255), (32_766, 254)] as [(UInt32, UInt32)] {
            lab.add(.rule(RoutingRule(family: .ipv4, priority: priority, table: table)), to: router)
        }
        var rule = RoutingRule(family: .ipv4, priority: 1000)
        rule.followsVRF = true
        lab.add(.rule(rule), to: router)
        let target = TopologyLab.prefix("192.0.2.0/24")
        lab.add(.route(Route(table: 1042, destination: target, kind: .blackhole)), to: router)
        var builder = TopologyBuilder()
        builder.observe(lab.observations)
        let snapshot = builder.commit(at: second(1))
        let wire = try node("bridge/lab/wire/br-wire/ip/192.0.2.3", in: snapshot)
        let refused = try node("host/lab/ns/h2/route/1042/192.0.2.0/24", in: snapshot)
        #expect(snapshot.path(from: try node("vni/100/ip/10.0.0.21", in: snapshot), to: wire).end == .refused(by: refused))
        #expect(snapshot.path(from: try node("vni/100/ip/10.0.0.254", in: snapshot), to: wire).end == .refused(by: refused))
        // h2 itself, by the wire.
        #expect(snapshot.path(from: try node("bridge/lab/wire/br-wire/ip/192.0.2.2", in: snapshot), to: wire).end == .arrived)
    }

    @Test func aLinkThatIsDownIsNotPassed() throws {
        var lab = TopologyLab()
        let cookie = lab.cookies["h1"]!
        var link = lab.link("br100", in: "h1")
        link.isUp = false
        lab.add(.link(link), to: cookie)
        var builder = TopologyBuilder()
        builder.observe(lab.observations)
        let snapshot = builder.commit(at: second(1))
        let path = snapshot.path(from: try node("vni/100/ip/10.0.0.11", in: snapshot), to: try node("vni/100/ip/10.0.0.12", in: snapshot))
        guard case .notJoined = path.end else { return #expect(Bool(false), "\(path.end)") }
    }

    @Test func behindABridgeAndBehindAPort() throws {
        let snapshot = map()
        let bridge = snapshot.behind(try node("host/lab/ns/h1/if/br100", in: snapshot)).map { snapshot.key(of: $0).description }
        for number in 1...3 { #expect(bridge.contains("vni/100/ip/10.0.0.1\(number)")) }
        #expect(bridge.contains("bridge/lab/wire/br-wire/ip/192.0.2.2"))
        #expect(!bridge.contains("host/lab/ns/h1/if/br200"))
        let port = snapshot.behind(try node("host/lab/ns/h1/if/v100-2", in: snapshot)).map { snapshot.key(of: $0).description }
        #expect(port == ["host/lab/ns/h1-n100-2/if/eth0", "vni/100/ip/10.0.0.12"])
    }

    @Test func behindAVTEPIsWhatForwardingSendsThere() throws {
        let snapshot = map { lab in
            let far = lab.link("eth0", in: "h2-n100-1")
            let entry = ForwardingEntry(
                interface: lab.link("vx100", in: "h1").index, mac: far.mac!, vtep: TopologyLab.address("192.0.2.2"))
            lab.add(.forwarding(entry), to: lab.cookies["h1"]!)
        }
        let behind = snapshot.behind(try node("bridge/lab/wire/br-wire/ip/192.0.2.2", in: snapshot))
        #expect(behind.map { snapshot.key(of: $0).description } == ["host/lab/ns/h2-n100-1/if/eth0", "vni/100/ip/10.0.0.21"])
    }

    /// A VTEP that has both networks: behind a device is what is in its own.
    @Test func behindATunnelIsOneNetwork() throws {
        let snapshot = map { lab in
            for vni in [100, 200] {
                let far = lab.link("eth0", in: "h2-n\(vni)-1")
                let entry = ForwardingEntry(
                    interface: lab.link("vx\(vni)", in: "h1").index, mac: far.mac!, vtep: TopologyLab.address("192.0.2.2"))
                lab.add(.forwarding(entry), to: lab.cookies["h1"]!)
            }
        }
        let behind = snapshot.behind(try node("host/lab/ns/h1/if/vx200", in: snapshot)).map { snapshot.key(of: $0).description }
        #expect(behind.contains("vni/200/ip/10.0.0.21") && behind.contains("host/lab/ns/h2-n200-1/if/eth0"), "\(behind)")
        #expect(!behind.contains { $0.contains("vni/100/") || $0.contains("n100") }, "\(behind)")
    }

    @Test func twoNetworksOfOneMakeAreAlike() throws {
        let snapshot = map()
        let comparison = snapshot.compare(try node("vni/100", in: snapshot), with: try node("vni/200", in: snapshot))
        #expect(comparison.isAlike, "\(comparison)")
        #expect(comparison.alike.count == 1 + 10 + 3 * (2 + 3 * 2))
        for pair in comparison.alike { #expect(snapshot.key(of: pair.first).kind == snapshot.key(of: pair.second).kind) }
    }

    @Test func whatIsMissingAndWhatDiffersIsTold() throws {
        let snapshot = map { lab in
            let cookie = lab.cookies["h2-n200-1"]!
            // One end without an address, and one with another MTU.
            lab.facts[cookie]!.removeAll { if case .address(let address) = $0 { address.interface != 1 } else { false } }
            let other = lab.cookies["h3-n200-2"]!
            var link = lab.link("eth0", in: "h3-n200-2")
            link.mtu = 9000
            lab.add(.link(link), to: other)
        }
        let comparison = snapshot.compare(try node("vni/100", in: snapshot), with: try node("vni/200", in: snapshot))
        #expect(!comparison.isAlike)
        #expect(comparison.onlyInFirst.map { snapshot.key(of: $0).kind } == [.endpoint])
        #expect(comparison.onlyInSecond.isEmpty)
        let changed = comparison.differing.flatMap(\.attributes)
        #expect(changed == [.init(name: "mtu", before: "1500", after: "9000")])
    }
}
