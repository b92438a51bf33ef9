import NetworkTypes
import Topology

/// One nexthop of one route, as the IPv6 tables hold them.
private struct Candidate {
    var route: Int
    var nexthop: Int
    var interface: Int32
}

/// What an IPv6 table yields.
struct FoundRouteV6 {
    var route: Route
    var nexthops: [ResolvedNexthop]
    var shares: [(Int, Double)]
}

extension RoutingTables {
    /// A packet that is made here or came in (ip6_pol_route, net/ipv6/route.c).
    func decideV6(_ query: RouteQuery) throws(LookupFailure) -> RouteDecision {
        if let bound = query.outputInterface, namespace.links[bound] == nil { throw .noInterface }
        let flow = ruledFlow(query)
        let onLinkOnly = query.destination.isMulticast || query.destination.isLinkLocal
        // Look-ups by interface are strict for link-local destinations, and for a bound socket that has no address yet.
        let isStrict = onLinkOnly || (query.inputInterface == nil && query.outputInterface != nil && query.source == nil)
        let wanted = query.inputInterface ?? query.outputInterface ?? 0
        let (found, rule) = try followRules(flow) { table in
            guard let trie = trie(isV4: false, table: table) else { return TableOutcome<FoundRouteV6>.next }
            return search(trie, query, wanted: wanted, isStrict: isStrict)
        }
        if found.route.kind == .local || found.route.kind == .anycast {
            let interface = found.nexthops.first?.interface ?? loopback
            let source = query.source ?? found.route.preferredSource ?? selectAddressV6(on: interface, towards: query.destination)
            let choice = RouteChoice(
                interface: namespace.vrf(of: interface)?.index ?? loopback, gateway: nil, source: source, share: 1)
            return RouteDecision(kind: found.route.kind, route: found.route, rule: rule, choices: [choice])
        }
        let choices = found.shares.map { index, share in
            let nexthop = found.nexthops[index]
            let source =
                query.source ?? found.route.preferredSource
                ?? (query.inputInterface == nil ? selectAddressV6(on: nexthop.interface, towards: query.destination) : nil)
            return RouteChoice(interface: nexthop.interface, gateway: nexthop.gateway, source: source, share: share)
        }
        return RouteDecision(kind: found.route.kind, route: found.route, rule: rule, choices: choices)
    }

    /// fib6_table_lookup: first only by gateways that are not known to be unreachable (a host, not a router), then by any.
    private func search(_ trie: PrefixTrie, _ query: RouteQuery, wanted: Int32, isStrict: Bool) -> TableOutcome<FoundRouteV6> {
        let nodes = Self.nodes(of: trie, routes: namespace.routes, query)
        for reachableOnly in namespace.forwardsIPv6 ? [false] : [true, false] {
            for node in nodes {
                guard let best = select(node.routes, wanted, isStrict, reachableOnly) else { continue }
                let route = namespace.routes[best.route]
                switch route.kind {
                case .unreachable: return .failed(.unreachable)
                case .prohibit: return .failed(.prohibited)
                case .blackhole, .nat: return .failed(.blackhole)
                case .throw: return .next
                default: break
                }
                if isBlackhole(route) { return .failed(.blackhole) }
                let ways = nexthops(of: route)
                let shares = sharesV6(route, ways, best, wanted, isStrict, reachableOnly)
                return .found(FoundRouteV6(route: route, nexthops: ways, shares: shares), prefixLength: node.length)
            }
        }
        return .next
    }

    /// The routes to try, node of the tree after node (fib6_node_lookup and fib6_backtrack, net/ipv6/ip6_fib.c).
    ///
    /// At a destination with source-specific routes those are tried first, longest source first. Where none of them fits, the first
    /// descent goes past the destination's plain routes too, and only a way back up from a longer prefix finds them: so the kernel does it
    /// (all but the default route, which stands at the root and is always found).
    ///
    /// What cannot be told: where a destination had plain and source-specific routes and the plain ones were deleted, the kernel (6.18) no
    /// longer finds the others from most addresses in it, for the node then has a leaf of a longer prefix (fib6_repair_tree).
    private static func nodes(of trie: PrefixTrie, routes: [Route], _ query: RouteQuery) -> [(routes: [Int], length: Int)] {
        var result: [(routes: [Int], length: Int)] = []
        var match = trie.longestMatch(of: query.destination)
        let source = query.source ?? .v6(high: 0, low: 0)
        while let here = match {
            let all = trie.values(of: here).map { Int($0) }
            let specific = all.filter { routes[$0].source.map { $0.length > 0 } ?? false }
            let fitting = specific.filter { routes[$0].source?.contains(source) ?? false }
            let plain = all.filter { routes[$0].source.map { $0.length == 0 } ?? true }
            // `all` is sorted by the length of the source.
            var rest = fitting[...]
            while let first = rest.first {
                let end = rest.firstIndex { routes[$0].source?.length != routes[first].source?.length } ?? rest.endIndex
                result.append((Array(rest[..<end]), here.length))
                rest = rest[end...]
            }
            if !plain.isEmpty, specific.isEmpty || !result.isEmpty || here.length == 0 { result.append((plain, here.length)) }
            match = trie.shorter(than: here)
        }
        return result
    }

    /// find_rr_leaf: the best of the lowest metric; where none of it will do, the best of all the others.
    private func select(_ routes: [Int], _ wanted: Int32, _ isStrict: Bool, _ reachableOnly: Bool) -> Candidate? {
        guard let lowest = routes.first.map({ namespace.routes[$0].metric }) else { return nil }
        let group = routes.prefix { namespace.routes[$0].metric == lowest }
        return best(of: group, wanted, isStrict, reachableOnly) ?? best(of: routes.dropFirst(group.count), wanted, isStrict, reachableOnly)
    }

    private func best(of routes: ArraySlice<Int>, _ wanted: Int32, _ isStrict: Bool, _ reachableOnly: Bool) -> Candidate? {
        var best: Candidate?
        var bestScore = -1
        for index in routes {
            let route = namespace.routes[index]
            // A nexthop object that swallows everything ends the search, whatever was found before (__find_rr_leaf).
            if isBlackhole(route) { return Candidate(route: index, nexthop: 0, interface: loopback) }
            var ways = nexthops(of: route)
            // What leads nowhere hangs on the loopback interface.
            if ways.isEmpty { ways = [ResolvedNexthop(interface: loopback, gateway: nil, weight: 1, isUsable: true)] }
            for (n, way) in ways.enumerated() {
                guard let score = score(way, wanted, isStrict, reachableOnly), score > bestScore else { continue }
                best = Candidate(route: index, nexthop: n, interface: way.interface)
                bestScore = score
            }
        }
        return best
    }

    /// rt6_score_route; nil: not to be used.
    private func score(_ way: ResolvedNexthop, _ wanted: Int32, _ isStrict: Bool, _ reachableOnly: Bool) -> Int? {
        guard way.isUsable else { return nil }
        let fits = wanted == 0 || wanted == way.interface
        if isStrict, !fits { return nil }
        if reachableOnly, let gateway = way.gateway, let entry = neighbour(of: gateway, on: way.interface), entry.state.contains(.failed) {
            return nil
        }
        return fits ? 2 : 0
    }

    private func sharesV6(
        _ route: Route, _ ways: [ResolvedNexthop], _ best: Candidate, _ wanted: Int32, _ isStrict: Bool, _ reachableOnly: Bool
    ) -> [(Int, Double)] {
        if ways.count <= 1 { return [(best.nexthop, 1)] }
        if route.nexthopObject != nil {
            return MultipathShares.ofGroup(ways.map { (Int($0.weight), $0.isUsable && isNeighbourValid($0)) })
        }
        let total = ways.reduce(0) { $0 + ($1.isUsable ? Int($1.weight) : 0) }
        guard total > 0 else { return [(best.nexthop, 1)] }
        var shares = [Double](repeating: 0, count: ways.count)
        for (n, way) in ways.enumerated() where way.isUsable {
            // A hash that falls to a sibling which will not do leaves the choice as it was.
            let chosen = score(way, wanted, isStrict, reachableOnly) != nil ? n : best.nexthop
            shares[chosen] += Double(way.weight) / Double(total)
        }
        return shares.enumerated().filter { $0.element > 0 }.map { ($0.offset, $0.element) }
    }
}
