import Flows
import NetworkTypes
import PathComputation
import Topology

/// Tells a topology what netlink and the datapath would say of a network, and hands out its snapshots.
struct ObservedNetwork {
    private var builder = TopologyBuilder()
    private let cookies: [String: UInt64]
    private let state: NetworkState
    private var second: Int64 = 0

    init(_ state: NetworkState) {
        self.state = state
        let names = state.namespaces.keys.sorted()
        cookies = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, UInt64($0 + 1)) })
        builder.observe(.host(name: "lab", HostState()))
        for name in names {
            builder.observe(.namespace(NamespaceFact(cookie: cookies[name]!, name: name)))
            builder.observe(.resynchronised(facts(of: state.namespaces[name]!), in: cookies[name]!))
        }
    }

    /// What a snapshot does not tell.
    var settings: [String: NamespaceSettings] {
        state.namespaces.mapValues { namespace in
            NamespaceSettings(
                forwardsIPv4: namespace.forwardsIPv4, forwardsIPv6: namespace.forwardsIPv6, defaultTTL: namespace.defaultTTL,
                interfaces: Dictionary(
                    uniqueKeysWithValues: namespace.links.values.map {
                        ($0.name, NamespaceSettings.Interface(forwardsIPv4: $0.forwards, reversePathFilter: $0.reversePathFilter))
                    }))
        }
    }

    /// The datapath counts an interface.
    mutating func count(_ node: String, _ link: String, as number: UInt32) {
        let index = state.namespaces[node]!.link(named: link)!.index
        builder.observe(.counted(InterfaceID(rawValue: number), interface: index, in: cookies[node]!))
    }

    struct Stream {
        var source: IPAddress
        var destination: IPAddress
        var ports: (UInt16, UInt16)
        var transport = IPProtocol.udp
        /// Counted interface, and which way.
        var interface: UInt32
        var direction = Direction.egress
        /// A second.
        var packets: UInt64
        /// Of IP, each.
        var size: UInt64
        var application: String?
    }

    /// A second passes in which these streams flow.
    mutating func pass(_ streams: [Stream] = []) -> Snapshot {
        second += 1
        for stream in streams {
            let tuple = FlowTuple(
                source: stream.source, destination: stream.destination, sourcePort: stream.ports.0, destinationPort: stream.ports.1,
                protocol: stream.transport, form: .ports, etherType: stream.source.isV4 ? .ipv4 : .ipv6)
            let key = FlowKey(outer: tuple, interface: InterfaceID(rawValue: stream.interface), direction: stream.direction)
            let totals = Totals(wirePackets: stream.packets, wireBytes: stream.packets * (stream.size + 14))
            let traits = FlowTraits(
                first: Timestamp(nanoseconds: stream.ports.0 > stream.ports.1 ? 1 : 2), last: Timestamp(nanoseconds: second * 1_000_000_000)
            )
            builder.observe(.traffic([FlowDelta(key: key, totals: totals, traits: traits)]))
            if let application = stream.application { builder.observe(.verdict(FlowVerdict(key: key, application: application))) }
        }
        return builder.commit(at: Timestamp(nanoseconds: second * 1_000_000_000))
    }

    // MARK: facts

    private func facts(of namespace: NamespaceState) -> [Fact] {
        var facts = namespace.links.values.map { Fact.link(fact(of: $0)) }
        facts += namespace.addresses.map(Fact.address)
        facts += namespace.routes.map(Fact.route)
        // The kernel's own say that they are.
        facts += namespace.rules.map { rule in
            var rule = rule
            rule.origin = 2
            return Fact.rule(rule)
        }
        facts += namespace.nexthopObjects.values.map(Fact.nexthop)
        facts += namespace.neighbours.map(Fact.neighbour)
        facts += namespace.forwardingEntries.map(Fact.forwarding)
        return facts
    }

    private func fact(of link: LinkState) -> LinkFact {
        var fact = LinkFact(
            index: link.index, name: link.name, mtu: UInt32(link.mtu), mac: link.mac, master: link.master, isUp: link.isUp,
            hasCarrier: link.hasCarrier, speed: link.capacity.map { UInt64($0.bitsPerSecond) })
        switch link.kind {
        case .loopback: fact.isLoopback = true
        case .physical: break
        case .veth(let peer):
            fact.kind = "veth"
            fact.peer = peer?.interface
            fact.peerNamespace = peer.flatMap { cookies[$0.namespace] }
        case .bridge: fact.kind = "bridge"
        case .vlan(let parent, let id):
            fact.kind = "vlan"
            (fact.peer, fact.vlan) = (parent, id)
        case .vxlan(let vxlan):
            fact.kind = "vxlan"
            fact.peerNamespace = vxlan.underlayNamespace.flatMap { cookies[$0] }
            fact.vxlan = LinkFact.VXLAN(
                vni: vxlan.vni, local: vxlan.local, remote: vxlan.remote, port: vxlan.port, underlay: vxlan.underlay)
        case .vrf(let table): (fact.kind, fact.vrfTable) = ("vrf", table)
        case .dummy: fact.kind = "dummy"
        case .other(let kind): fact.kind = kind
        }
        return fact
    }
}
