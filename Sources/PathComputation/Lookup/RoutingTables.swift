import NetworkTypes
import Topology

/// The routing policy database of one namespace, made ready to be asked.
///
/// It answers as the kernel would for the same facts: ip-rule(8), ip-route(8), and for what the manuals leave open the behaviour of
/// Linux 6.18 as seen from `ip route get` (net/core/fib_rules.c, net/ipv4/fib_trie.c and fib_semantics.c, net/ipv6/ip6_fib.c and route.c).
public struct RoutingTables: Sendable {
    public let namespace: NamespaceState
    private let tries: [TableKey: PrefixTrie]
    /// Local and main in one, where the kernel has not parted them.
    let mergedTrie: PrefixTrie?
    let rulesV4: [RoutingRule]
    let rulesV6: [RoutingRule]
    let numbers: [String: Int32]
    let loopback: Int32
    private let neighbours: [NeighbourKey: Neighbour]
    private let addressesByInterface: [Int32: [InterfaceAddress]]
    let hasCustomLocalRoutes: Bool

    private struct TableKey: Hashable {
        var isV4: Bool
        var table: UInt32
    }
    private struct NeighbourKey: Hashable {
        var interface: Int32
        var address: IPAddress
    }

    public init(_ namespace: NamespaceState) {
        self.namespace = namespace
        func sorted(_ family: RoutingRule.Family) -> [RoutingRule] {
            namespace.rules.enumerated().filter { $0.element.family == family }
                .sorted { ($0.element.priority, $0.offset) < ($1.element.priority, $1.offset) }.map(\.element)
        }
        rulesV4 = sorted(.ipv4)
        rulesV6 = sorted(.ipv6)
        numbers = Dictionary(namespace.links.values.map { ($0.name, $0.index) }, uniquingKeysWith: { first, _ in first })
        loopback = namespace.links.values.first { $0.kind == .loopback }?.index ?? 1
        neighbours = Dictionary(
            namespace.neighbours.map { (NeighbourKey(interface: $0.interface, address: $0.address), $0) }, uniquingKeysWith: { _, b in b })
        addressesByInterface = Dictionary(grouping: namespace.addresses, by: \.interface)
        // Who made the rules (RTPROT_KERNEL, or not told) says nothing about what they do.
        let plain = rulesV4.map { rule in
            var rule = rule
            rule.origin = 0
            return rule
        }
        let merges = namespace.mergesLocalTable ?? (plain == RoutingRule.initial.filter { $0.family == .ipv4 })
        hasCustomLocalRoutes = namespace.routes.contains {
            $0.table == 255 && $0.destination.address.isV4 && $0.kind == .local && $0.origin != 2
        }
        (tries, mergedTrie) = Self.compile(namespace.routes, merging: merges)
    }

    private static func compile(_ routes: [Route], merging: Bool) -> ([TableKey: PrefixTrie], PrefixTrie?) {
        var order = Array(routes.indices)
        // Within a prefix: IPv4 by falling TOS, then rising metric; IPv6 by falling length of the source, then rising metric.
        order.sort { a, b in
            let (x, y) = (routes[a], routes[b])
            let (s, t) = (x.source?.length ?? -1, y.source?.length ?? -1)
            if s != t { return s > t }
            if x.tos != y.tos { return x.tos > y.tos }
            return (x.metric, a) < (y.metric, b)
        }
        var members: [TableKey: [(prefix: IPPrefix, value: Int32)]] = [:]
        for i in order {
            members[TableKey(isV4: routes[i].destination.address.isV4, table: routes[i].table), default: []]
                .append((routes[i].destination, Int32(i)))
        }
        var merged: PrefixTrie?
        if merging {
            let both = (members[TableKey(isV4: true, table: 255)] ?? []) + (members[TableKey(isV4: true, table: 254)] ?? [])
            merged = PrefixTrie(both)
        }
        return (members.mapValues { PrefixTrie($0) }, merged)
    }

    func trie(isV4: Bool, table: UInt32) -> PrefixTrie? { tries[TableKey(isV4: isV4, table: table)] }

    /// The entry for an address on a link, whatever its state.
    public func neighbour(of address: IPAddress, on interface: Int32) -> Neighbour? {
        neighbours[NeighbourKey(interface: interface, address: address)]
    }

    func addresses(on interface: Int32) -> [InterfaceAddress] { addressesByInterface[interface] ?? [] }

    /// Whether packets to the address are the namespace's own.
    public func isLocal(_ address: IPAddress) -> Bool {
        if namespace.addresses.contains(where: { $0.address == address }) { return true }
        guard let trie = trie(isV4: address.isV4, table: 255), let match = trie.longestMatch(of: address) else { return false }
        return trie.values(of: match).contains { namespace.routes[Int($0)].kind == .local }
    }

    func forwards(_ interface: Int32, isV4: Bool) -> Bool {
        if isV4, let own = namespace.links[interface]?.forwards { return own }
        return isV4 ? namespace.forwardsIPv4 : namespace.forwardsIPv6
    }

    /// What `ip route get` would say, from all that is known.
    public func lookUp(_ query: RouteQuery) throws(LookupFailure) -> RouteDecision {
        if query.isV4 {
            return query.inputInterface == nil ? try outputV4(query) : try inputV4(query)
        }
        return try decideV6(query)
    }
}

/// A nexthop of a route, its object resolved, with what the interface's state makes of it.
struct ResolvedNexthop {
    var interface: Int32
    var gateway: IPAddress?
    var weight: UInt16
    /// Not chosen by any look-up: dead, or its link is down and that counts.
    var isUsable: Bool
}

extension RoutingTables {
    /// The ways of a route in the kernel's order; empty for what goes nowhere (blackhole and the like).
    func nexthops(of route: Route) -> [ResolvedNexthop] {
        guard let id = route.nexthopObject, let object = namespace.nexthopObjects[id] else {
            return route.nexthops.compactMap { resolve($0, weight: $0.weight, of: route) }
        }
        if object.isBlackhole { return [] }
        if let own = object.nexthop { return resolve(own, weight: 1, of: route).map { [$0] } ?? [] }
        return object.group.compactMap { member in
            namespace.nexthopObjects[member.id]?.nexthop.flatMap { resolve($0, weight: member.weight, of: route) }
        }
    }

    func isBlackhole(_ route: Route) -> Bool { route.nexthopObject.flatMap { namespace.nexthopObjects[$0] }?.isBlackhole ?? false }

    private func resolve(_ nexthop: Nexthop, weight: UInt16, of route: Route) -> ResolvedNexthop? {
        guard let interface = nexthop.interface else { return nil }
        var isUsable = !nexthop.isDead
        // The namespace's own addresses do not depend on a carrier.
        if isUsable, route.kind != .local, route.kind != .anycast, let link = namespace.links[interface], !link.hasCarrier {
            isUsable = route.destination.address.isV4 ? !link.ignoresIPv4RoutesWithLinkDown : !link.ignoresIPv6RoutesWithLinkDown
        }
        return ResolvedNexthop(interface: interface, gateway: nexthop.gateway, weight: max(weight, 1), isUsable: isUsable)
    }

    /// The neighbour is not known to be unreachable (ipv4_good_nh, include/net/nexthop.h).
    func isNeighbourValid(_ nexthop: ResolvedNexthop) -> Bool {
        guard let gateway = nexthop.gateway, let entry = neighbour(of: gateway, on: nexthop.interface) else { return true }
        return entry.state.isValid
    }
}

extension NeighbourState {
    /// NUD_VALID: the address is known, be it old.
    var isValid: Bool { !isDisjoint(with: [.permanent, .noARP, .reachable, .probe, .stale, .delay]) }
}
