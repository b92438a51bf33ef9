import NetworkTypes
import Topology

/// A route of a trie and the first of its ways that will do.
struct FoundRoute {
    var route: Route
    var nexthops: [ResolvedNexthop]
    /// The way that made the route match: the one to take where no hash decides.
    var first: Int
}

extension RoutingTables {
    /// A packet that is made here (ip_route_output_key_hash_rcu, net/ipv4/route.c).
    func outputV4(_ query: RouteQuery) throws(LookupFailure) -> RouteDecision {
        if let source = query.source {
            guard !source.isMulticast, !source.isLimitedBroadcast, !source.isZeroNetwork, isLocal(source) else { throw .sourceNotLocal }
        }
        if let bound = query.outputInterface {
            guard let link = namespace.links[bound] else { throw .noInterface }
            guard link.isUp else { throw .interfaceDown }
        }
        let flow = ruledFlow(query)
        let found: FoundRoute
        let rule: UInt32?
        do {
            (found, rule) = try findV4(flow)
        } catch {
            // Bound to an interface that no route leads to: the destination is taken to be on that link.
            guard let bound = query.outputInterface, flow.vrf == nil || query.destination.isMulticast else { throw error }
            let source = query.source ?? selectAddress(on: bound, towards: nil, scope: .link)
            let choice = RouteChoice(interface: bound, gateway: nil, source: source, share: 1)
            return RouteDecision(kind: query.destination.kindV4 ?? .unicast, route: nil, rule: nil, choices: [choice])
        }
        let route = found.route
        if route.kind == .local {
            let source = query.source ?? route.preferredSource ?? query.destination
            let interface = namespace.vrf(of: found.nexthops[found.first].interface)?.index ?? loopback
            let choice = RouteChoice(interface: interface, gateway: nil, source: source, share: 1)
            return RouteDecision(kind: .local, route: route, rule: rule, choices: [choice])
        }
        let shares = query.outputInterface != nil ? [(found.first, 1.0)] : sharesV4(found, source: query.source)
        let choices = shares.map { index, share in
            let nexthop = found.nexthops[index]
            let source =
                query.source ?? route.preferredSource ?? selectAddress(on: nexthop.interface, towards: nexthop.gateway, scope: route.scope)
            return RouteChoice(interface: nexthop.interface, gateway: nexthop.gateway, source: source, share: share)
        }
        return RouteDecision(kind: query.destination.kindV4 ?? route.kind, route: route, rule: rule, choices: choices)
    }

    /// A packet that came in (ip_route_input_slow, net/ipv4/route.c).
    func inputV4(_ query: RouteQuery) throws(LookupFailure) -> RouteDecision {
        let input = query.inputInterface ?? loopback
        guard let link = namespace.links[input] else { throw .noInterface }
        let source = query.source ?? .v4(0)
        let isBroadcast = query.destination.isLimitedBroadcast || (source.isZeroNetwork && query.destination == .v4(0))
        if source.isMulticast || source.isLimitedBroadcast { throw .martian }
        func delivered(_ kind: RouteKind, _ route: Route?, _ rule: UInt32?) -> RouteDecision {
            let choice = RouteChoice(interface: loopback, gateway: nil, source: query.source, share: 1)
            return RouteDecision(kind: kind, route: route, rule: rule, choices: [choice])
        }
        if isBroadcast {
            if !source.isZeroNetwork { try validateSource(query, goingOut: 0, link) }
            return delivered(.broadcast, nil, nil)
        }
        if source.isZeroNetwork || query.destination.isZeroNetwork { throw .martian }
        if link.kind != .loopback, source.isLoopback || query.destination.isLoopback { throw .martian }
        let found: FoundRoute
        let rule: UInt32?
        do {
            (found, rule) = try findV4(ruledFlow(query))
        } catch {
            throw forwards(input, isV4: true) ? error : .notForwarding
        }
        switch found.route.kind {
        case .local, .broadcast:
            try validateSource(query, goingOut: 0, link)
            return delivered(found.route.kind, found.route, rule)
        case .unicast:
            guard forwards(input, isV4: true) else { throw .notForwarding }
            var choices: [RouteChoice] = []
            for (index, share) in sharesV4(found, source: nil) {
                let nexthop = found.nexthops[index]
                try validateSource(query, goingOut: nexthop.interface, link)
                choices.append(RouteChoice(interface: nexthop.interface, gateway: nexthop.gateway, source: query.source, share: share))
            }
            return RouteDecision(kind: .unicast, route: found.route, rule: rule, choices: choices)
        default:
            throw .martian
        }
    }

    /// fib_lookup (include/net/ip_fib.h).
    private func findV4(_ flow: RuledFlow) throws(LookupFailure) -> (FoundRoute, rule: UInt32?) {
        guard let mergedTrie else {
            let (found, rule) = try followRules(flow) { table in
                trie(isV4: true, table: table).map { search($0, flow) } ?? .next
            }
            return (found, rule)
        }
        var failure = LookupFailure.noRoute
        // As long as nobody touched the rules: local and main at once, then default, whatever the first one said.
        switch search(mergedTrie, flow) {
        case .found(let found, _): return (found, nil)
        case .failed(let reason): failure = reason
        case .next: break
        }
        guard let last = trie(isV4: true, table: 253) else { throw failure }
        switch search(last, flow) {
        case .found(let found, _): return (found, nil)
        case .failed(let reason): throw reason
        case .next: throw .noRoute
        }
    }

    /// fib_table_lookup (net/ipv4/fib_trie.c): the first route, longest prefix first, that has a nexthop to use.
    ///
    /// Where that fails for a route by nexthop object, the kernel leaves the trie's leaf: other routes of the same prefix are then passed
    /// over, and so are shorter prefixes of the same address (10.0.0.0/8 after 10.0.0.0/16, but not after 10.1.0.0/16).
    private func search(_ trie: PrefixTrie, _ flow: RuledFlow) -> TableOutcome<FoundRoute> {
        var match = trie.longestMatch(of: flow.query.destination)
        var leftLeaf: IPAddress?
        while let here = match {
            for index in trie.values(of: here) {
                let route = namespace.routes[Int(index)]
                if route.destination.address == leftLeaf { break }
                if route.tos != 0, route.tos != flow.query.tos & 0x1C { continue }
                switch route.kind {
                case .unreachable: return .failed(.unreachable)
                case .prohibit: return .failed(.prohibited)
                case .blackhole, .nat: return .failed(.blackhole)
                case .throw: return .next
                default: break
                }
                if isBlackhole(route) { return .failed(.blackhole) }
                let ways = nexthops(of: route)
                let first = ways.firstIndex { $0.isUsable && (flow.output == 0 || flow.output == $0.interface) }
                if let first { return .found(FoundRoute(route: route, nexthops: ways, first: first), prefixLength: here.length) }
                if route.nexthopObject != nil { leftLeaf = route.destination.address }
            }
            match = trie.shorter(than: here)
        }
        return .next
    }

    private func sharesV4(_ found: FoundRoute, source: IPAddress?) -> [(Int, Double)] {
        if found.nexthops.count == 1 { return [(found.first, 1)] }
        if found.route.nexthopObject != nil {
            return MultipathShares.ofGroup(found.nexthops.map { (Int($0.weight), $0.isUsable && isNeighbourValid($0)) })
        }
        let weights = found.nexthops.map { $0.isUsable ? Int($0.weight) : 0 }
        let fits = found.nexthops.map { nexthop in
            source != nil && selectAddress(on: nexthop.interface, towards: nexthop.gateway, scope: found.route.scope) == source
        }
        return MultipathShares.ofRoute(weights: weights, fits: fits, prefersFit: source != nil)
    }

    /// fib_validate_source (net/ipv4/fib_frontend.c): is it plausible that a packet from there comes in here?
    private func validateSource(_ query: RouteQuery, goingOut: Int32, _ link: LinkState) throws(LookupFailure) {
        guard let source = query.source else { return }
        let filter = link.reversePathFilter
        if filter == 0, link.index != goingOut {
            if mergedTrie != nil, !hasCustomLocalRoutes {
                if namespace.addresses.contains(where: { $0.address == source }) { throw .martian }
                return
            }
        }
        var back = RouteQuery(
            destination: source, source: query.destination, mark: 0, tos: query.tos, transport: query.transport,
            sourcePort: query.sourcePort, destinationPort: query.destinationPort, user: query.user)
        back.inputInterface = goingOut == 0 ? loopback : goingOut
        var flow = ruledFlow(back)
        flow.vrf = namespace.vrf(of: link.index)
        guard let found = try? findV4(flow).0 else {
            if filter != 0 { throw .reversePath }
            return
        }
        guard found.route.kind == .unicast else { throw .martian }
        if found.nexthops.contains(where: { $0.interface == link.index }) { return }
        if addresses(on: link.index).allSatisfy({ !$0.address.isV4 }) {
            if filter != 0 { throw .reversePath }
            return
        }
        if filter == 1 { throw .reversePath }
    }
}

extension IPAddress {
    var isMulticast: Bool {
        switch self {
        case .v4(let a): a >> 28 == 0xE
        case .v6(let high, _): high >> 56 == 0xFF
        }
    }
    var isLimitedBroadcast: Bool { self == .v4(0xFFFF_FFFF) }
    /// 0.0.0.0/8 (RFC 791, 3.2).
    var isZeroNetwork: Bool { if case .v4(let a) = self { a >> 24 == 0 } else { false } }
    var isLoopback: Bool {
        switch self {
        case .v4(let a): a >> 24 == 127
        case .v6(let high, let low): high == 0 && low == 1
        }
    }
    /// fe80::/10.
    var isLinkLocal: Bool { if case .v6(let high, _) = self { high >> 54 == 0x3FA } else { false } }
    /// What the address itself makes of a packet, whatever the route's kind.
    var kindV4: RouteKind? { isLimitedBroadcast ? .broadcast : isMulticast ? .multicast : nil }
}
