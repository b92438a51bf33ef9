import Flows
import NetworkTypes
import Topology

/// A host with a bridge, a VXLAN device in it, and two namespaces on it that talk: what its agent would observe.
///
///     init: eth0 192.0.2.1/24 (10 Gb/s), br0 with vx100 (to 192.0.2.2), v-blue, v-red      blue: eth0 10.0.0.11/24      red: eth0 10.0.0.12/24
public struct SmallNetwork {
    public private(set) var builder = TopologyBuilder()
    /// Since 1970.
    private var second: Int64

    public static let cookies: [String: UInt64] = ["init": 1, "blue": 2, "red": 3]

    /// - Parameter start: seconds since 1970 before the first commit.
    public init(at start: Int64 = 1_700_000_000) {
        second = start
        builder.observe(.host(name: "web1", HostState(kernel: "6.12")))
        for (name, cookie) in Self.cookies.sorted(by: { $0.value < $1.value }) {
            builder.observe(.namespace(NamespaceFact(cookie: cookie, name: name, owner: name == "init" ? "" : "netns \(name)")))
            let loopback = LinkFact(index: 1, name: "lo", mtu: 65_536, isLoopback: true)
            let address = InterfaceAddress(interface: 1, address: IPAddress("127.0.0.1")!, prefixLength: 8, scope: .host)
            tell([.link(loopback), .address(address)], in: name)
        }
        let tunnel = LinkFact.VXLAN(vni: 100, local: IPAddress("192.0.2.1"), remote: IPAddress("192.0.2.2"), underlay: 2)
        tell(
            [
                .link(LinkFact(index: 2, name: "eth0", mac: mac(2), speed: 10_000_000_000)), address("192.0.2.1", on: 2),
                .link(LinkFact(index: 3, name: "br0", kind: "bridge", mac: mac(3))),
                .link(LinkFact(index: 4, name: "vx100", kind: "vxlan", mac: mac(4), master: 3, vxlan: tunnel)),
                .link(
                    LinkFact(
                        index: 5, name: "v-blue", kind: "veth", mac: mac(5), master: 3, peer: 2, peerNamespace: 2, speed: 10_000_000_000)),
                .link(LinkFact(index: 6, name: "v-red", kind: "veth", mac: mac(6), master: 3, peer: 2, peerNamespace: 3)),
                route("0.0.0.0/0", via: "192.0.2.254", on: 2),
            ], in: "init")
        plug("blue", port: 5, "10.0.0.11")
        plug("red", port: 6, "10.0.0.12")
    }

    private func mac(_ number: UInt64) -> MACAddress { MACAddress(rawValue: 0x5254_0000_0000 | number) }

    private func address(_ text: String, on interface: Int32) -> Fact {
        .address(InterfaceAddress(interface: interface, address: IPAddress(text)!, prefixLength: 24))
    }

    private func route(_ prefix: String, via gateway: String?, on interface: Int32) -> Fact {
        let nexthop = Nexthop(interface: interface, gateway: gateway.flatMap { IPAddress($0) })
        return .route(Route(destination: IPPrefix(prefix)!, origin: gateway == nil ? 2 : 4, nexthops: [nexthop]))
    }

    public mutating func tell(_ facts: [Fact], in namespace: String) {
        for fact in facts { builder.observe(.appeared(fact, in: Self.cookies[namespace]!)) }
    }

    private mutating func plug(_ namespace: String, port: Int32, _ text: String) {
        let link = LinkFact(
            index: 2, name: "eth0", kind: "veth", mac: mac(UInt64(port) + 16), peer: port, peerNamespace: 1, speed: 10_000_000_000)
        tell([.link(link), address(text, on: 2), route("10.0.0.0/24", via: nil, on: 2)], in: namespace)
    }

    /// The interface in `red` with another state or address.
    public mutating func red(isUp: Bool) {
        let link = LinkFact(
            index: 2, name: "eth0", kind: "veth", mac: mac(22), peer: 6, peerNamespace: 1, isUp: isUp, hasCarrier: isUp,
            speed: 10_000_000_000)
        tell([.link(link)], in: "red")
    }

    public mutating func unplugRed() {
        builder.observe(.namespaceGone(cookie: 3))
        builder.observe(.vanished(.link(6), in: 1))
    }

    public mutating func observe(_ observation: Observation) { builder.observe(observation) }

    /// Nothing is seen for so many seconds.
    public mutating func wait(_ seconds: Int64) { second += seconds }

    /// A second later.
    public mutating func commit() -> Snapshot {
        second += 1
        return builder.commit(at: Timestamp(nanoseconds: second * 1_000_000_000))
    }

    /// PostgreSQL between blue and red for a second, as blue's interface counts it: so many bytes there, and ten times back.
    public mutating func talk(bytes: UInt64, application: String? = "postgres") {
        builder.observe(.counted(InterfaceID(rawValue: 7), interface: 2, in: 2))
        // The two halves of the handshake make a round trip of 600 µs.
        func delta(_ a: (String, UInt16), _ b: (String, UInt16), _ direction: Direction, _ bytes: UInt64) -> FlowDelta {
            let tuple = FlowTuple(
                source: IPAddress(a.0), destination: IPAddress(b.0), sourcePort: a.1, destinationPort: b.1, protocol: .tcp, form: .ports,
                etherType: .ipv4)
            let start = Timestamp(nanoseconds: second * 1_000_000_000)
            let traits = FlowTraits(
                first: start, last: start, handshakeMicroseconds: 300, tcpFlags: [.syn, .ack])
            return FlowDelta(
                key: FlowKey(outer: tuple, interface: InterfaceID(rawValue: 7), direction: direction),
                totals: Totals(wirePackets: bytes / 1000, wireBytes: bytes), traits: traits)
        }
        let (client, server): ((String, UInt16), (String, UInt16)) = (("10.0.0.11", 40_000), ("10.0.0.12", 5432))
        let flows = [delta(client, server, .egress, bytes), delta(server, client, .ingress, bytes * 10)]
        builder.observe(.traffic(flows))
        if let application { builder.observe(.verdict(FlowVerdict(key: flows[0].key, application: application))) }
    }

    /// Nothing was said for a second.
    public mutating func silence() { builder.observe(.traffic([])) }
}

extension Snapshot {
    /// What has a key, which is there.
    public func existing(_ text: String) -> NodeID {
        guard let key = NodeKey(text), let node = id(of: key) else { fatalError("no \(text)") }
        return node
    }
}
