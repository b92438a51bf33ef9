import NetworkTypes
import PathComputation
import TestSupport
import Testing
import Topology

/// A network made in memory.
struct ModelNetwork {
    var state = NetworkState()

    mutating func node(_ name: String, forwards: Bool = true) {
        state.namespaces[name] = NamespaceState(
            name: name, links: [LinkState(index: 1, name: "lo", kind: .loopback, mtu: 65_536)], forwardsIPv4: forwards)
    }

    @discardableResult mutating func link(_ node: String, _ name: String, _ kind: LinkKind, master: Int32? = nil) -> LinkPlace {
        let index = Int32(state.namespaces[node]!.links.count + 1)
        let number = UInt64(state.namespaces.keys.sorted().firstIndex(of: node)!)
        state.namespaces[node]?.links[index] = LinkState(
            index: index, name: name, kind: kind, mac: MACAddress(rawValue: 0x0200_0000_0000 | number << 8 | UInt64(index)), master: master)
        return LinkPlace(namespace: node, interface: index)
    }

    mutating func join(_ a: String, _ nameA: String, _ b: String, _ nameB: String) -> (LinkPlace, LinkPlace) {
        let first = link(a, nameA, .veth(peer: nil))
        let second = link(b, nameB, .veth(peer: first))
        state.namespaces[a]?.links[first.interface]?.kind = .veth(peer: second)
        return (first, second)
    }

    mutating func address(_ place: LinkPlace, _ text: String) throws {
        let link = state.text(of: place)
        state = try state.applying(ChangeParser.parse("add address \(text) dev \(link)")).0
    }

    mutating func apply(_ changes: String...) throws {
        for change in changes { state = try state.applying(ChangeParser.parse(change)).0 }
    }

    func walk(_ from: String, _ destination: String, size: Int = 1000, ttl: Int? = nil) -> Walk {
        ForwardingPlane(state).walk(Packet(destination: IPAddress(destination)!, ttl: ttl, size: size), from: from)
    }
}

@Suite struct WalkTests {
    /// a ─ r ─ b.
    private func line() throws -> ModelNetwork {
        var network = ModelNetwork()
        for name in ["a", "r", "b"] { network.node(name) }
        let (a, ra) = network.join("a", "e", "r", "a")
        let (b, rb) = network.join("b", "e", "r", "b")
        try network.address(a, "10.0.0.2/24")
        try network.address(ra, "10.0.0.1/24")
        try network.address(b, "10.1.0.2/24")
        try network.address(rb, "10.1.0.1/24")
        try network.apply("add route in a default via 10.0.0.1", "add route in b default via 10.1.0.1")
        return network
    }

    private func only(_ walk: Walk) throws -> Branch {
        #expect(walk.branches.count == 1)
        return try #require(walk.branches.first)
    }

    @Test func overARouter() throws {
        let branch = try only(line().walk("a", "10.1.0.2"))
        #expect(branch.outcome == .delivered(namespace: "b"))
        #expect(branch.hops.map(\.name) == ["e", "a", "b", "e"])
        #expect(branch.hops.map(\.direction) == [.egress, .ingress, .egress, .ingress])
        #expect(branch.hops.allSatisfy { $0.frameBytes == 1014 && $0.share == 1 })
    }

    /// Each reason for which a packet goes no further.
    @Test func reasons() throws {
        func outcome(_ changes: [String], ttl: Int? = nil, to: String = "10.1.0.2") throws -> WalkOutcome {
            var network = try line()
            for change in changes { try network.apply(change) }
            return try only(network.walk("a", to, ttl: ttl)).outcome
        }
        let network = try line()
        func place(_ node: String, _ name: String) -> LinkPlace {
            LinkPlace(namespace: node, interface: network.state.namespaces[node]!.link(named: name)!.index)
        }
        #expect(try outcome(["del route in a default"]) == .lost(.lookup(.noRoute, namespace: "a")))
        #expect(try outcome(["add route in a blackhole 10.1.0.2"]) == .lost(.lookup(.blackhole, namespace: "a")))
        #expect(try outcome(["add route in r prohibit 10.1.0.2"]) == .lost(.lookup(.prohibited, namespace: "r")))
        #expect(try outcome(["link down b:e"]) == .lost(.noCarrier(place("r", "b"))))
        #expect(try outcome(["link down r:b"]) == .lost(.lookup(.noRoute, namespace: "r")))
        #expect(try outcome(["forwarding off in r"]) == .lost(.lookup(.notForwarding, namespace: "r")))
        #expect(try outcome([], to: "10.1.0.9") == .lost(.noNeighbour(IPAddress("10.1.0.9")!, on: place("r", "b"))))
        #expect(try outcome([], ttl: 1) == .lost(.ttlExceeded(namespace: "r")))
        #expect(try outcome([], ttl: 2) == .delivered(namespace: "b"))
        #expect(try outcome([], to: "10.0.0.2") == .delivered(namespace: "a"))
        #expect(try outcome(["remove node b"]) == .lost(.lookup(.noRoute, namespace: "r")))
        // Two routers that send to each other.
        let loop = try outcome(["add route in r 10.9.0.0/16 via 10.1.0.2", "add route in b 10.9.0.0/16 via 10.1.0.1"], to: "10.9.0.1")
        #expect(loop == .lost(.ttlExceeded(namespace: "b")) || loop == .lost(.ttlExceeded(namespace: "r")))
    }

    @Test func tooBigIsNoted() throws {
        var network = try line()
        try network.apply("mtu r:b 900")
        let branch = try only(network.walk("a", "10.1.0.2"))
        #expect(branch.outcome == .delivered(namespace: "b"))
        #expect(branch.notes.contains { if case .exceedsMTU(let place, 1000, 900) = $0 { place.namespace == "r" } else { false } })
    }

    /// Three hosts on a bridge, without any entry: the address is asked for, the answer teaches the bridge.
    @Test func bridge() throws {
        var network = ModelNetwork()
        for name in ["h1", "h2", "h3", "sw"] { network.node(name, forwards: false) }
        let bridge = network.link("sw", "br", .bridge)
        for n in 1...3 {
            let (host, port) = network.join("h\(n)", "e", "sw", "p\(n)")
            network.state.namespaces["sw"]?.links[port.interface]?.master = bridge.interface
            try network.address(host, "10.0.0.\(n)/24")
        }
        var branch = try only(network.walk("h1", "10.0.0.2"))
        #expect(branch.outcome == .delivered(namespace: "h2"))
        #expect(branch.hops.map(\.name) == ["e", "p1", "p2", "e"])
        #expect(branch.notes.contains { if case .asked = $0 { true } else { false } })
        // With a neighbour entry nobody asks, and the bridge floods.
        let mac = network.state.namespaces["h2"]!.link(named: "e")!.mac
        network.state.namespaces["h1"]?.neighbours = [
            Neighbour(interface: 2, address: IPAddress("10.0.0.2")!, mac: mac, state: .permanent)
        ]
        let walk = network.walk("h1", "10.0.0.2")
        branch = try only(walk)
        #expect(branch.outcome == .delivered(namespace: "h2"))
        #expect(branch.notes == [.flooded(bridge)])
        #expect(walk.passages.contains { $0.place.namespace == "h3" && $0.direction == .ingress })
        // Two ports of which neither may speak with the other.
        for port in ["p1", "p2"] {
            let index = network.state.namespaces["sw"]!.link(named: port)!.index
            network.state.namespaces["sw"]?.links[index]?.port.isIsolated = true
        }
        #expect(network.walk("h1", "10.0.0.2").deliveredShare == 0)
    }

    /// VLAN devices on both ends of a wire.
    @Test func vlan() throws {
        var network = ModelNetwork()
        for name in ["a", "b"] { network.node(name) }
        let (a, b) = network.join("a", "e", "b", "e")
        let first = network.link("a", "e.7", .vlan(parent: a.interface, id: 7))
        let second = network.link("b", "e.7", .vlan(parent: b.interface, id: 7))
        try network.address(first, "10.7.0.1/24")
        try network.address(second, "10.7.0.2/24")
        let branch = try only(network.walk("a", "10.7.0.2"))
        #expect(branch.outcome == .delivered(namespace: "b"))
        #expect(branch.hops.map(\.name) == ["e.7", "e", "e", "e.7"])
        #expect(branch.hops.map(\.frameBytes) == [1014, 1018, 1018, 1014])
        network.state.namespaces["b"]?.links[second.interface]?.kind = .vlan(parent: b.interface, id: 8)
        #expect(network.walk("a", "10.7.0.2").deliveredShare == 0)
        try network.apply("link down a:e")
        #expect(network.state.link(first)?.isUp == false)
    }

    /// A tunnel whose underlay goes through the tunnel itself does not hang.
    @Test func tunnelInItself() throws {
        var network = ModelNetwork()
        network.node("a")
        let tunnel = network.link("a", "vx", .vxlan(VXLANParameters(vni: 5, local: IPAddress("10.0.0.1"), remote: IPAddress("10.0.0.2"))))
        try network.address(tunnel, "10.0.0.1/24")
        network.state.namespaces["a"]?.neighbours = [
            Neighbour(interface: tunnel.interface, address: IPAddress("10.0.0.2")!, mac: MACAddress(rawValue: 1), state: .permanent)
        ]
        #expect(try only(network.walk("a", "10.0.0.2")).outcome == .lost(.loop))
    }

    /// Random routes in a mesh: shares add up, ways are joined, loops end.
    @Test(arguments: 1...40) func invariants(seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed))
        var network = ModelNetwork()
        let names = (0..<6).map { "n\($0)" }
        for name in names { network.node(name) }
        for a in 0..<6 {
            for b in (a + 1)..<6 {
                let (x, y) = network.join(names[a], "to\(b)", names[b], "to\(a)")
                try network.address(x, "10.\(a).\(b).1/24")
                try network.address(y, "10.\(a).\(b).2/24")
            }
        }
        for a in 0..<6 {
            for target in 0..<4 {
                var words = "add route in n\(a) 172.16.\(target).0/24"
                for b in 0..<6 where b != a && random.once(in: 3) {
                    let gateway = a < b ? "10.\(a).\(b).2" : "10.\(b).\(a).1"
                    words += " nexthop via \(gateway) weight \(UInt8.random(in: 1...4, using: &random))"
                }
                if words.contains("via") { try network.apply(words) }
            }
        }
        try network.address(LinkPlace(namespace: "n5", interface: 2), "172.16.0.1/32")
        if random.once(in: 2) { try network.apply("link down n0:to5") }
        for target in 0..<4 {
            for ttl in [1, 4, 8] {
                let walk = network.walk("n0", "172.16.\(target).1", ttl: ttl)
                #expect(abs(walk.branches.reduce(0) { $0 + $1.share } - 1) < 1e-6, "seed \(seed)")
                for branch in walk.branches { check(branch, network, ttl, seed) }
                let last = walk.branches.reduce(0) { $0 + ($1.hops.isEmpty ? 0 : $1.share) }
                let first = walk.passages.filter { $0.place.namespace == "n0" && $0.direction == .egress }.reduce(0) { $0 + $1.share }
                #expect(first >= last - 1e-6)
            }
        }
    }

    private func check(_ branch: Branch, _ network: ModelNetwork, _ ttl: Int, _ seed: Int) {
        #expect(branch.hops.count <= 2 * ttl, "seed \(seed)")
        for (out, into) in zip(branch.hops, branch.hops.dropFirst()) where out.direction == .egress {
            #expect(into.direction == .ingress)
            #expect(network.state.link(out.place)?.kind == .veth(peer: into.place))
        }
        for (into, out) in zip(branch.hops, branch.hops.dropFirst()) where into.direction == .ingress {
            #expect(into.place.namespace == out.place.namespace)
        }
        if case .delivered(let node) = branch.outcome { #expect(node == "n5" || branch.hops.isEmpty) }
    }
}
