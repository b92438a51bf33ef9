import Flows
import NetworkTypes
import Topology

/// Three hosts as namespaces over one wire bridge, two virtual networks over VXLAN, a bridge each, and endpoints in namespaces of their
/// own: what a machine would tell of them.
struct TopologyLab {
    static let machine = "lab"
    var facts: [UInt64: [Fact]] = [:]
    var namespaces: [NamespaceFact] = []
    /// By namespace name.
    var cookies: [String: UInt64] = [:]
    private var nextIndex: [UInt64: Int32] = [:]
    private var nextMAC: UInt64 = 0x5254_0000_0001

    static func address(_ text: String) -> IPAddress { IPAddress(text)! }
    static func prefix(_ text: String) -> IPPrefix { IPPrefix(text)! }

    mutating func namespace(_ name: String) -> UInt64 {
        if let known = cookies[name] { return known }
        let cookie = UInt64(cookies.count + 1)
        cookies[name] = cookie
        namespaces.append(NamespaceFact(cookie: cookie, name: name, owner: "test"))
        add(.link(LinkFact(index: 1, name: "lo", mtu: 65_536, isLoopback: true)), to: cookie)
        add(.address(InterfaceAddress(interface: 1, address: Self.address("127.0.0.1"), prefixLength: 8, scope: .host)), to: cookie)
        nextIndex[cookie] = 2
        return cookie
    }

    mutating func add(_ fact: Fact, to cookie: UInt64) { facts[cookie, default: []].append(fact) }

    mutating func mac() -> MACAddress {
        nextMAC += 1
        return MACAddress(rawValue: nextMAC)
    }

    mutating func index(in cookie: UInt64) -> Int32 {
        defer { nextIndex[cookie]! += 1 }
        return nextIndex[cookie]!
    }

    mutating func device(_ name: String, _ kind: String, in cookie: UInt64, master: Int32? = nil, vxlan: LinkFact.VXLAN? = nil) -> Int32 {
        let index = index(in: cookie)
        add(.link(LinkFact(index: index, name: name, kind: kind, mac: mac(), master: master, vxlan: vxlan)), to: cookie)
        return index
    }

    @discardableResult mutating func pair(
        _ a: (UInt64, String, master: Int32?), _ b: (UInt64, String, master: Int32?)
    ) -> (Int32, Int32) {
        let (x, y) = (index(in: a.0), index(in: b.0))
        add(.link(LinkFact(index: x, name: a.1, kind: "veth", mac: mac(), master: a.master, peer: y, peerNamespace: b.0)), to: a.0)
        add(.link(LinkFact(index: y, name: b.1, kind: "veth", mac: mac(), master: b.master, peer: x, peerNamespace: a.0)), to: b.0)
        return (x, y)
    }

    mutating func address(_ text: String, _ length: Int, on interface: Int32, in cookie: UInt64) {
        let address = Self.address(text)
        add(.address(InterfaceAddress(interface: interface, address: address, prefixLength: length)), to: cookie)
        let route = Route(
            destination: IPPrefix(address, length: length)!, origin: 2, scope: .link, preferredSource: address,
            nexthops: [Nexthop(interface: interface)])
        add(.route(route), to: cookie)
    }

    init(hosts: Int = 3, endpointsPerNetwork: Int = 3) {
        let wire = namespace("wire")
        let bridge = device("br-wire", "bridge", in: wire)
        for host in 1...hosts {
            let cookie = namespace("h\(host)")
            let (_, uplink) = pair((wire, "w\(host)", master: bridge), (cookie, "eth0", master: nil))
            address("192.0.2.\(host)", 24, on: uplink, in: cookie)
            for vni in [100, 200] {
                let bridge = device("br\(vni)", "bridge", in: cookie)
                let vxlan = LinkFact.VXLAN(vni: UInt32(vni), local: Self.address("192.0.2.\(host)"), underlay: uplink)
                let tunnel = device("vx\(vni)", "vxlan", in: cookie, master: bridge, vxlan: vxlan)
                for other in 1...hosts where other != host {
                    let entry = ForwardingEntry(
                        interface: tunnel, mac: MACAddress(rawValue: 0), vtep: Self.address("192.0.2.\(other)"), isPermanent: true)
                    add(.forwarding(entry), to: cookie)
                }
                for number in 1...endpointsPerNetwork {
                    let end = namespace("h\(host)-n\(vni)-\(number)")
                    let (_, eth) = pair((cookie, "v\(vni)-\(number)", master: bridge), (end, "eth0", master: nil))
                    // Both networks have the same addresses: the virtual network tells them apart.
                    address("10.0.0.\(host * 10 + number)", 24, on: eth, in: end)
                    let gateway = Nexthop(interface: eth, gateway: Self.address("10.0.0.254"))
                    add(.route(Route(destination: Self.prefix("0.0.0.0/0"), origin: 3, nexthops: [gateway])), to: end)
                }
            }
        }
    }

    var observations: [Observation] {
        var found: [Observation] = [.host(name: Self.machine, HostState(kernel: "6.12"))]
        found += namespaces.map { .namespace($0) }
        found += namespaces.map { .resynchronised(facts[$0.cookie] ?? [], in: $0.cookie) }
        return found
    }

    func link(_ name: String, in namespace: String) -> LinkFact {
        for case .link(let link) in facts[cookies[namespace]!]! where link.name == name { return link }
        fatalError("no link \(name) in \(namespace)")
    }
}

extension Snapshot {
    /// Keys of all nodes that the kernel did not make.
    func keys(_ kind: NodeKind) -> [String] {
        var found: [String] = []
        forEachNode { id, key in if key.kind == kind, !isKernelMade(id) { found.append(key.description) } }
        return found.sorted()
    }

    func linkKeys(_ kind: LinkKind) -> [String] {
        var found: [String] = []
        forEachLink { id, other, _, _ in if other == kind, !isKernelMade(id) { found.append(key(of: id).description) } }
        return found.sorted()
    }

    var table: [String: [UInt8]] { Dictionary(uniqueKeysWithValues: entities.map { ($0.key, $0.state!) }) }
}

/// A moment of a test's clock: seconds.
func second(_ number: Int64) -> Timestamp { Timestamp(nanoseconds: number * 1_000_000_000) }

/// Flows as a datapath would report them.
struct TestFlow {
    var source: String
    var destination: String
    var sourcePort: UInt16 = 0
    var destinationPort: UInt16 = 0
    var transport = IPProtocol.tcp
    var flags: TCPFlags = [.syn, .ack]
    var packets: UInt64 = 10
    var bytes: UInt64 = 1000
    var first: Int64 = 1
    var handshake: UInt32 = 0

    private var tuple: FlowTuple {
        FlowTuple(
            source: IPAddress(source), destination: IPAddress(destination), sourcePort: sourcePort, destinationPort: destinationPort,
            protocol: transport, form: transport == .icmp ? .icmp : .ports,
            etherType: IPAddress(source)!.isV4 ? .ipv4 : .ipv6)
    }

    func seen(at interface: UInt32, _ direction: Direction, vni: UInt32? = nil, between vteps: (String, String)? = nil) -> FlowDelta {
        var key = FlowKey(outer: tuple, interface: InterfaceID(rawValue: interface), direction: direction)
        if let vni, let vteps {
            let outer = FlowTuple(
                source: IPAddress(vteps.0), destination: IPAddress(vteps.1), sourcePort: 50_000 + sourcePort % 1000, destinationPort: 4789,
                protocol: .udp, form: .ports, etherType: .ipv4)
            key = FlowKey(outer: outer, interface: InterfaceID(rawValue: interface), direction: direction, vxlan: (vni, tuple))
        }
        let traits = FlowTraits(
            first: Timestamp(nanoseconds: first), last: Timestamp(nanoseconds: first + 1000), handshakeMicroseconds: handshake,
            tcpFlags: transport == .tcp ? flags : [])
        return FlowDelta(key: key, totals: Totals(wirePackets: packets, wireBytes: bytes), traits: traits)
    }

    /// The answer.
    func reversed(packets: UInt64 = 8, bytes: UInt64 = 4000, first: Int64? = nil) -> TestFlow {
        var flow = self
        (flow.source, flow.destination) = (destination, source)
        (flow.sourcePort, flow.destinationPort) = (destinationPort, sourcePort)
        (flow.packets, flow.bytes) = (packets, bytes)
        flow.first = first ?? self.first + 1
        return flow
    }
}
