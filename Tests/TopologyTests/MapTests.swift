import Flows
import NetworkTypes
import TestSupport
import Testing

@testable import Topology

struct MapTests {
    @Test func theLabIsFoundAsItIs() {
        let lab = TopologyLab()
        var builder = TopologyBuilder()
        builder.observe(lab.observations)
        let snapshot = builder.commit(at: second(1))
        let virtual = snapshot.keys(.network)
        #expect(virtual == ["bridge/lab/wire/br-wire", "vni/100", "vni/200"])
        #expect(snapshot.keys(.namespace).count == 1 + 3 + 18)
        let overlay = (1...3).flatMap { host in (1...3).map { "10.0.0.\(host * 10 + $0)" } } + ["10.0.0.254"]
        let expected = ["vni/100", "vni/200"].flatMap { network in overlay.map { "\(network)/ip/\($0)" } }
        #expect(
            snapshot.keys(.endpoint)
                == (expected + (1...3).map { "bridge/lab/wire/br-wire/ip/192.0.2.\($0)" }).sorted())
        // Per VNI a tunnel for each pair of hosts.
        #expect(snapshot.linkKeys(.tunnel).count == 6)
        #expect(
            snapshot.linkKeys(.tunnel).contains("bridge/lab/wire/br-wire/ip/192.0.2.1~tunnel:100~bridge/lab/wire/br-wire/ip/192.0.2.2"))
        #expect(snapshot.linkKeys(.veth).count == 3 + 18)
        #expect(snapshot.linkKeys(.terminates).count == 6)
        #expect(snapshot.linkKeys(.stacked).count == 6)
        // Ports: three of the wire, and of six bridges the VXLAN device and three endpoints each.
        #expect(snapshot.linkKeys(.port).count == 3 + 6 * 4)
        #expect(snapshot.linkKeys(.gateway).count == 18)
    }

    /// As the kernel announces a new pair: its first end before it has the second.
    @Test func aPairIsKnownByOneOfItsEnds() throws {
        var lab = TopologyLab()
        let (host, wire) = (try #require(lab.cookies["h1"]), try #require(lab.cookies["wire"]))
        let (near, far) = lab.pair((host, "late0", nil), (wire, "late1", nil))
        var builder = TopologyBuilder()
        builder.observe(lab.observations)
        let whole = builder.commit(at: second(1))
        builder.observe(
            .appeared(.link(LinkFact(index: far, name: "late1", kind: "veth", mac: lab.link("late1", in: "wire").mac)), in: wire))
        #expect(builder.commit(at: second(2)).linkKeys(.veth) == whole.linkKeys(.veth))
        #expect(whole.linkKeys(.veth).contains("host/lab/ns/h1/if/late0~veth~host/lab/ns/wire/if/late1"))
        // Whose end names another is none.
        builder.observe(.appeared(.link(LinkFact(index: far, name: "late1", kind: "veth", peer: near + 1, peerNamespace: host)), in: wire))
        #expect(builder.commit(at: second(3)).linkKeys(.veth).count == whole.linkKeys(.veth).count - 1)
    }

    @Test func whatIsPulledOutIsGoneAndBackAgain() throws {
        let lab = TopologyLab()
        var builder = TopologyBuilder()
        builder.observe(lab.observations)
        let before = builder.commit(at: second(1))
        let cookie = try #require(lab.cookies["h1"])
        let link = lab.link("vx100", in: "h1")
        builder.observe(.vanished(.link(link.index), in: cookie))
        let without = builder.commit(at: second(2))
        let changes = without.changes(since: before)
        #expect(changes.contains { $0.key == "host/lab/ns/h1/if/vx100" && $0.state == nil })
        // The endpoints of that bridge have no VNI any more.
        #expect(without.keys(.network).contains("bridge/lab/h1/br100"))
        #expect(without.keys(.endpoint).contains("bridge/lab/h1/br100/ip/10.0.0.11"))
        for fact in lab.facts[cookie]! {
            switch fact {
            case .link(let other) where other.index == link.index: builder.observe(.appeared(fact, in: cookie))
            case .forwarding(let entry) where entry.interface == link.index: builder.observe(.appeared(fact, in: cookie))
            default: break
            }
        }
        #expect(builder.commit(at: second(3)).table == before.table)
    }

    /// Who announces itself is a host beside the interface, whether the interface is known before or after, for as long as it says so.
    @Test func neighboursAreHostsBesideTheInterface() throws {
        let lab = TopologyLab()
        let uplink = InterfaceID(rawValue: 7)
        let link = lab.link("eth0", in: "h1")
        let switches = [
            LinkNeighbour(system: "core 1", port: "ge-0/0/1", mac: MACAddress(rawValue: 5)), .init(system: "lab", port: "eth0"),
        ]
        for isEarly in [true, false] {
            var builder = TopologyBuilder()
            if isEarly { builder.observe(.announced(switches, on: uplink)) }
            builder.observe(lab.observations)
            builder.observe(.counted(uplink, interface: link.index, in: lab.cookies["h1"]!))
            if !isEarly {
                _ = builder.commit(at: second(1))
                builder.observe(.announced(switches, on: uplink))
            }
            let snapshot = builder.commit(at: second(2))
            // Not the own host, however it is announced.
            #expect(snapshot.keys(.host).count == 2)
            let there = NodeKey.interface(NamespaceKey(host: "core 1", name: "init"), "ge-0/0/1")
            let key = LinkKey(.neighbour, .interface(NamespaceKey(host: "lab", name: "h1"), "eth0"), there)
            #expect(snapshot.linkKeys(.neighbour).contains(key.description), "\(snapshot.linkKeys(.neighbour))")
            let hosts = snapshot.keys(.host)
            builder.observe(.announced(switches, on: uplink))
            #expect(builder.commit(at: second(3)).changes(since: snapshot).isEmpty)
            let end = isEarly ? Observation.announced([], on: uplink) : .uncounted(uplink)
            builder.observe(end)
            let after = builder.commit(at: second(4))
            #expect(after.keys(.host).count == 1 && hosts.count == 2 && !after.linkKeys(.neighbour).contains(key.description))
        }
    }

    /// Those that a namespace has once a module of tunnels is loaded, with the networks that they are alone in.
    @Test func fallbackTunnelsAreTheKernels() throws {
        var lab = TopologyLab()
        let cookie = lab.cookies["h1"]!
        for name in ["gre0", "gretap0", "tunl0", "gre1"] { _ = lab.device(name, "gre", in: cookie) }
        var builder = TopologyBuilder()
        builder.observe(lab.observations)
        let snapshot = builder.commit(at: second(1))
        let told = snapshot.keys(.interface) + snapshot.keys(.network)
        #expect(told.filter { $0.contains("/gre") || $0.contains("/tunl") } == ["host/lab/ns/h1/if/gre1", "link/lab/h1/gre1"])
    }

    @Test func aLinkThatGoesDownIsOneAttribute() throws {
        let lab = TopologyLab()
        var builder = TopologyBuilder()
        builder.observe(lab.observations)
        let before = builder.commit(at: second(1))
        var link = lab.link("eth0", in: "h1")
        link.hasCarrier = false
        builder.observe(.appeared(.link(link), in: lab.cookies["h1"]!))
        let difference = builder.commit(at: second(2)).difference(from: before)
        let change = try #require(difference.changes.first)
        #expect(difference.changes.count == 1)
        #expect(change.key.description == "host/lab/ns/h1/if/eth0")
        #expect(change.attributes == [.init(name: "state", before: "up", after: "no carrier")])
        let names = builder.commit(at: second(3)).changes(since: builder.snapshot)
        #expect(names.isEmpty)
    }

    @Test func forwardingEntriesLeadToWhoeverHasTheAddress() throws {
        var lab = TopologyLab(hosts: 2, endpointsPerNetwork: 1)
        let (near, far) = (lab.cookies["h1"]!, lab.link("eth0", in: "h2-n100-1"))
        let tunnel = lab.link("vx100", in: "h1")
        // A station of the lab, by the tunnel and on the bridge; and one that nobody knows until a neighbour table has it.
        let unknown = MACAddress(rawValue: 0x0200_0000_00AA)
        for mac in [far.mac!, unknown] {
            lab.add(.forwarding(ForwardingEntry(interface: tunnel.index, mac: mac, vtep: TopologyLab.address("192.0.2.2"))), to: near)
            lab.add(.forwarding(ForwardingEntry(interface: tunnel.index, mac: mac, bridge: tunnel.master)), to: near)
        }
        var builder = TopologyBuilder()
        builder.observe(lab.observations)
        let first = builder.commit(at: second(1))
        let vtep = "bridge/lab/wire/br-wire/ip/192.0.2.2"
        #expect(first.linkKeys(.forwards).contains("\(vtep)~fdb:100~host/lab/ns/h2-n100-1/if/eth0"))
        #expect(first.linkKeys(.forwards).contains("host/lab/ns/h1/if/vx100~fdb~host/lab/ns/h2-n100-1/if/eth0"))
        #expect(first.linkKeys(.forwards).contains("\(vtep)~fdb:100~vni/100/mac/02:00:00:00:00:aa"))
        let end = lab.cookies["h1-n100-1"]!
        let neighbour = Neighbour(
            interface: lab.link("eth0", in: "h1-n100-1").index, address: TopologyLab.address("10.0.0.99"), mac: unknown, state: .stale)
        builder.observe(.appeared(.neighbour(neighbour), in: end))
        let later = builder.commit(at: second(2))
        #expect(later.linkKeys(.forwards).contains("\(vtep)~fdb:100~vni/100/ip/10.0.0.99"))
        #expect(later.keys(.station).isEmpty)
        // Reachable, stale, delay: nothing that history wants.
        var probed = neighbour
        probed.state = .probe
        builder.observe(.appeared(.neighbour(probed), in: end))
        #expect(builder.commit(at: second(3)).changes(since: later).isEmpty)
    }

    /// The kernel says where a station is now, not that it is no longer where it was.
    @Test func aStationThatMovesIsInOnePlace() throws {
        var lab = TopologyLab(hosts: 3, endpointsPerNetwork: 2)
        let (near, mac) = (lab.cookies["h1"]!, MACAddress(rawValue: 0x0200_0000_00AA))
        let (tunnel, port) = (lab.link("vx100", in: "h1"), lab.link("v100-1", in: "h1"))
        lab.add(.forwarding(ForwardingEntry(interface: port.index, mac: mac, bridge: port.master)), to: near)
        lab.add(.forwarding(ForwardingEntry(interface: tunnel.index, mac: mac, vtep: TopologyLab.address("192.0.2.2"))), to: near)
        var builder = TopologyBuilder()
        builder.observe(lab.observations)
        let (station, wire) = ("vni/100/mac/02:00:00:00:00:aa", "bridge/lab/wire/br-wire/ip")
        #expect(
            builder.commit(at: second(1)).linkKeys(.forwards)
                == ["\(wire)/192.0.2.2~fdb:100~\(station)", "host/lab/ns/h1/if/v100-1~fdb~\(station)"])
        let tunnels = builder.snapshot.linkKeys(.tunnel)
        let moved = ForwardingEntry(interface: tunnel.index, mac: mac, bridge: port.master)
        builder.observe(.appeared(.forwarding(moved), in: near))
        let far = ForwardingEntry(interface: tunnel.index, mac: mac, vtep: TopologyLab.address("192.0.2.3"))
        builder.observe(.appeared(.forwarding(far), in: near))
        #expect(
            builder.commit(at: second(2)).linkKeys(.forwards)
                == ["\(wire)/192.0.2.3~fdb:100~\(station)", "host/lab/ns/h1/if/vx100~fdb~\(station)"])
        #expect(builder.snapshot.linkKeys(.tunnel) == tunnels)
        builder.observe([moved, far].map { .vanished(Fact.forwarding($0).identity, in: near) })
        #expect(builder.commit(at: second(3)).linkKeys(.forwards).isEmpty)
    }

    /// A bridge speaks with the address of one of its ports, and of another one when that goes.
    @Test func theAddressOfAPortIsItsBridge() throws {
        var lab = TopologyLab(hosts: 2, endpointsPerNetwork: 1)
        let (near, tunnel) = (lab.cookies["h1"]!, lab.link("vx100", in: "h1"))
        for name in ["vx100", "v100-1", "br100"] {
            let entry = ForwardingEntry(interface: tunnel.index, mac: lab.link(name, in: "h2").mac!, bridge: tunnel.master)
            lab.add(.forwarding(entry), to: near)
        }
        var builder = TopologyBuilder()
        builder.observe(lab.observations)
        #expect(builder.commit(at: second(1)).linkKeys(.forwards) == ["host/lab/ns/h1/if/vx100~fdb~host/lab/ns/h2/if/br100"])
        // Without a bridge the device is its own station.
        var alone = lab.link("vx100", in: "h2")
        alone.master = nil
        builder.observe(.appeared(.link(alone), in: lab.cookies["h2"]!))
        #expect(builder.commit(at: second(2)).linkKeys(.forwards).contains("host/lab/ns/h1/if/vx100~fdb~host/lab/ns/h2/if/vx100"))
    }

    /// Whoever talks to all hosts of a subnet talks to nobody in particular.
    @Test func aSubnetsBroadcastAddressIsTheKernels() {
        let lab = TopologyLab()
        var builder = TopologyBuilder()
        builder.observe(lab.observations)
        builder.observe(.counted(InterfaceID(rawValue: 1), interface: lab.link("v100-1", in: "h1").index, in: lab.cookies["h1"]!))
        let cry = TestFlow(source: "10.0.0.11", destination: "10.0.0.255", sourcePort: 137, destinationPort: 137, transport: .udp)
        let before = builder.commit(at: second(1))
        builder.observe(.traffic([cry.seen(at: 1, .ingress)]))
        for epoch in 2..<8 { _ = builder.commit(at: second(Int64(epoch))) }
        #expect(builder.snapshot.id(of: NodeKey("vni/100/ip/10.0.0.255")!) != nil)
        #expect(builder.snapshot.keys(.endpoint) == before.keys(.endpoint) && builder.snapshot.linkKeys(.talks).isEmpty)
        #expect(builder.snapshot.keys(.service).isEmpty && builder.snapshot.linkKeys(.serves).isEmpty)
    }

    @Test func declaredNetworksAndZonesOverride() {
        var builder = TopologyBuilder()
        builder.observe(TopologyLab().observations)
        let before = builder.commit(at: second(1))
        let declarations = Declarations(
            networks: [.init(name: "wire", prefixes: [TopologyLab.prefix("192.0.2.0/24")])],
            zones: [.init(name: "tenant", networks: [.vni(100)]), .init(name: "edge", prefixes: [TopologyLab.prefix("192.0.2.0/30")])])
        builder.observe(.configured(declarations))
        let snapshot = builder.commit(at: second(2))
        #expect(snapshot.keys(.endpoint).filter { $0.hasPrefix("net/wire/") }.count == 3)
        #expect(snapshot.linkKeys(.tunnel).allSatisfy { $0.hasPrefix("net/wire/ip/") })
        let edge = snapshot.id(of: .zone("edge"))!
        #expect(snapshot.members(of: edge).map { snapshot.key(of: $0).description } == (1...3).map { "net/wire/ip/192.0.2.\($0)" })
        builder.observe(.configured(Declarations()))
        #expect(builder.commit(at: second(3)).table == before.table)
    }

    @Test func namesThatAreSharedStayApart() {
        var builder = TopologyBuilder()
        builder.observe(.host(name: "a", HostState()))
        builder.observe([9, 4].map { .namespace(NamespaceFact(cookie: $0, name: "x")) })
        let snapshot = builder.commit(at: second(1))
        #expect(snapshot.keys(.namespace) == ["host/a/ns/x", "host/a/ns/x@9"])
    }

    @Test func shortNamesAreEnough() throws {
        var builder = TopologyBuilder()
        builder.observe(TopologyLab().observations)
        let snapshot = builder.commit(at: second(1))
        let wanted = try #require(snapshot.id(of: .interface(NamespaceKey(host: "lab", name: "h2"), "vx100")))
        #expect(snapshot.find("h2/vx100") == .found(wanted))
        #expect(snapshot.find("h2/if/vx100") == .found(wanted))
        #expect(snapshot.find("nobody") == .nothing)
        guard case .ambiguous(let keys) = snapshot.find("vx100") else { return #expect(Bool(false), "vx100 is in three namespaces") }
        #expect(keys.count == 3)
        guard case .ambiguous(let both) = snapshot.find("10.0.0.11") else { return #expect(Bool(false), "10.0.0.11 is in two networks") }
        #expect(both.map(\.description) == ["vni/100/ip/10.0.0.11", "vni/200/ip/10.0.0.11"])
    }
}
