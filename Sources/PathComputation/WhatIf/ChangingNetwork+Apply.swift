import NetworkTypes
import Topology

extension NetworkState {
    /// The network after a change, and what the change brought with it.
    ///
    /// - Parameter home: the namespace that names without one mean, where it has such an interface.
    /// - Throws: where the kernel would refuse, or a name is unknown; then nothing changed.
    public func applying(_ change: Change, home: String? = nil) throws(ChangeRefusal) -> (NetworkState, [Consequence]) {
        var network = ChangingNetwork(self)
        try network.apply(change, home: home)
        return (network.state, network.consequences)
    }
}

extension ChangingNetwork {
    mutating func apply(_ change: Change, home: String?) throws(ChangeRefusal) {
        switch change {
        case .setLink(let name, let isUp):
            let place = try find(name, home)
            if isUp { try setUp(place) } else { setDown(place) }
        case .setMTU(let name, let mtu):
            let place = try find(name, home)
            guard (68...65_536).contains(mtu) else { throw .refused("mtu \(mtu): from 68 to 65536") }
            state.update(place) { $0.mtu = mtu }
        case .setCapacity(let name, let rate):
            let place = try find(name, home)
            state.update(place) { $0.capacity = rate }
        case .setMaster(let name, let master): try setMaster(try find(name, home), master)
        case .addRoute(let text): try addRoute(text, home, replacing: false)
        case .replaceRoute(let text): try addRoute(text, home, replacing: true)
        case .deleteRoute(let text): try deleteRoute(text, home)
        case .addRule(let text): try addRule(text, home)
        case .deleteRule(let text): try deleteRule(text, home)
        case .addAddress(let name, let text): try addAddress(text, to: try find(name, home))
        case .deleteAddress(let name, let text): try deleteAddress(text, from: try find(name, home))
        case .setForwarding(let node, let isV4, let isOn):
            let name = try namespace(node, home)
            if isV4 {
                state.namespaces[name]?.forwardsIPv4 = isOn
                // The kernel writes it through to every interface.
                for index in state.namespaces[name]?.links.keys.sorted() ?? [] {
                    state.update(LinkPlace(namespace: name, interface: index)) { $0.forwards = nil }
                }
            } else {
                state.namespaces[name]?.forwardsIPv6 = isOn
            }
        case .removeNode(let name): removeNode(try namespace(name, home))
        case .adjustDemands: break
        }
    }

    func find(_ name: LinkName, _ home: String?) throws(ChangeRefusal) -> LinkPlace {
        if let node = name.namespace {
            let node = try namespace(node, home)
            if let link = state.namespaces[node]?.link(named: name.name) { return LinkPlace(namespace: node, interface: link.index) }
            let known = state.namespaces[node]?.links.values.map(\.name).sorted() ?? []
            throw .unknownLink(name.description, suggestion: Suggestion.nearest(to: name.name, among: known).map { "\(node):\($0)" })
        }
        let found = state.namespaces.values.compactMap { node in
            node.link(named: name.name).map { LinkPlace(namespace: node.name, interface: $0.index) }
        }
        if found.count == 1 { return found[0] }
        if let own = found.first(where: { $0.namespace == home }) { return own }
        if found.count > 1 { throw .ambiguousLink(name.name, candidates: found.map { state.text(of: $0) }.sorted()) }
        let known = Set(state.namespaces.values.flatMap { $0.links.values.map(\.name) }).sorted()
        throw .unknownLink(name.name, suggestion: Suggestion.nearest(to: name.name, among: known))
    }

    func namespace(_ name: String?, _ home: String?) throws(ChangeRefusal) -> String {
        if let name {
            if state.namespaces[name] != nil { return name }
            throw .unknownNode(name, suggestion: Suggestion.nearest(to: name, among: state.namespaces.keys.sorted()))
        }
        if let home, state.namespaces[home] != nil { return home }
        guard state.namespaces.count == 1, let only = state.namespaces.keys.first else { throw .namespaceMissing }
        return only
    }

    private mutating func setMaster(_ place: LinkPlace, _ master: String?) throws(ChangeRefusal) {
        let old = state.link(place)?.master
        var new: LinkPlace?
        if let master {
            let found = try find(LinkName(namespace: place.namespace, name: master), nil)
            // br_add_if: a bridge as a port of a bridge, and with it every circle, is ELOOP.
            if isBridge(place) || found == place { throw .refused("a bridge cannot be a port") }
            switch state.link(found)?.kind {
            case .bridge?, .vrf?, .other?: break
            default: throw .refused("\(master) has no ports")
            }
            new = found
        }
        state.namespaces[place.namespace]?.forwardingEntries.removeAll { $0.interface == place.interface && $0.bridge != nil }
        state.update(place) {
            $0.master = new?.interface
            $0.port = BridgePort()
        }
        if let old { updateBridge(LinkPlace(namespace: place.namespace, interface: old)) }
        if let new { updateBridge(new) }
    }

    private func isBridge(_ place: LinkPlace) -> Bool {
        if case .bridge? = state.link(place)?.kind { return true }
        return false
    }

    // MARK: Routes

    private func namespace(of text: RouteText, _ home: String?) throws(ChangeRefusal) -> String {
        if text.namespace == nil, let device = text.ways.lazy.compactMap(\.device).first {
            return try find(LinkName(name: device), home).namespace
        }
        return try namespace(text.namespace, home)
    }

    private mutating func addRoute(_ text: RouteText, _ home: String?, replacing: Bool) throws(ChangeRefusal) {
        let name = try namespace(of: text, home)
        let route = try resolve(text, in: name)
        let twin = state.namespaces[name]?.routes.firstIndex {
            $0.table == route.table && $0.destination == route.destination && $0.source == route.source && $0.tos == route.tos
                && $0.metric == route.metric
        }
        if let twin {
            guard replacing, let old = state.namespaces[name]?.routes[twin] else { throw .exists("route \(route.destination)") }
            state.namespaces[name]?.routes[twin] = route
            note(.routeRemoved(namespace: name, old))
            note(.routeAdded(namespace: name, route))
        } else {
            add(route, in: name)
        }
    }

    private func resolve(_ text: RouteText, in name: String) throws(ChangeRefusal) -> Route {
        let isV4 = text.destination.address.isV4
        var route = Route(destination: text.destination, source: text.source, tos: text.tos, kind: text.kind, origin: 3)
        route.table = text.table ?? (text.kind == .local || text.kind == .broadcast ? 255 : 254)
        route.metric = text.metric ?? (isV4 ? 0 : 1024)
        route.preferredSource = text.preferredSource
        route.nexthopObject = text.nexthopObject
        if let id = text.nexthopObject, state.namespaces[name]?.nexthopObjects[id] == nil { throw .notFound("nexthop object \(id)") }
        if let source = text.preferredSource, !RoutingTables(state.namespaces[name] ?? NamespaceState(name: name)).isLocal(source) {
            throw .refused("\(source): not an address of \(name)")
        }
        switch text.kind {
        case .blackhole, .unreachable, .prohibit, .throw: return route
        default: break
        }
        if text.ways.isEmpty, text.nexthopObject == nil {
            throw .refused("route \(text.destination): a gateway (via) or an interface (dev) is needed")
        }
        for way in text.ways { route.nexthops.append(try resolve(way, text, in: name)) }
        if isV4 {
            let direct = text.nexthopObject == nil && route.nexthops.allSatisfy { $0.gateway == nil }
            route.scope = text.kind == .local ? .host : direct ? .link : .global
        }
        return route
    }

    private func resolve(_ way: RouteText.Way, _ text: RouteText, in name: String) throws(ChangeRefusal) -> Nexthop {
        var interface: Int32?
        if let device = way.device {
            let place = try find(LinkName(namespace: name, name: device), nil)
            guard state.link(place)?.isUp ?? false else { throw .linkDown(state.text(of: place)) }
            interface = place.interface
        }
        if let gateway = way.gateway, !text.isOnLink, let node = state.namespaces[name] {
            let query = RouteQuery(destination: gateway, outputInterface: interface)
            let found = try? RoutingTables(node).lookUp(query)
            // A gateway is reached directly, not by another gateway.
            guard let found, found.kind == .unicast, let route = found.route, route.nexthopObject == nil,
                let choice = found.choices.first, choice.gateway == nil
            else { throw .gatewayUnreachable(gateway.description) }
            interface = choice.interface
        }
        return Nexthop(interface: interface, gateway: way.gateway, weight: way.weight)
    }

    private mutating func deleteRoute(_ text: RouteText, _ home: String?) throws(ChangeRefusal) {
        let name = try namespace(of: text, home)
        guard let node = state.namespaces[name] else { return }
        let table = text.table ?? (text.kind == .local || text.kind == .broadcast ? 255 : 254)
        let position = node.routes.firstIndex { route in
            guard route.table == table, route.destination == text.destination, route.tos == text.tos else { return false }
            if let metric = text.metric, metric != route.metric { return false }
            if text.source != nil, text.source != route.source { return false }
            if text.kind != .unicast, text.kind != route.kind { return false }
            if let id = text.nexthopObject, id != route.nexthopObject { return false }
            return text.ways.allSatisfy { way in
                route.nexthops.contains { nexthop in
                    (way.gateway == nil || way.gateway == nexthop.gateway)
                        && (way.device == nil || way.device == nexthop.interface.flatMap { node.links[$0]?.name })
                }
            }
        }
        guard let position else { throw .notFound("route \(text.destination)") }
        let route = node.routes[position]
        state.namespaces[name]?.routes.remove(at: position)
        note(.routeRemoved(namespace: name, route))
    }

    // MARK: Rules

    private mutating func addRule(_ text: RuleText, _ home: String?) throws(ChangeRefusal) {
        let name = try namespace(text.namespace, home)
        guard let node = state.namespaces[name] else { return }
        var rule = text.rule
        if !text.hasPriority {
            let priorities = node.rules.filter { $0.family == rule.family }.map(\.priority).sorted()
            // One before the second rule: the first is the local table's (fib_default_rule_pref).
            rule.priority = priorities.count > 1 && priorities[1] > 0 ? priorities[1] - 1 : 0
        }
        if node.rules.contains(rule) { throw .exists("rule \(rule.priority)") }
        if rule.action == .goto, (rule.target ?? 0) <= rule.priority { throw .refused("goto only goes forward") }
        state.namespaces[name]?.rules.append(rule)
        if rule.family == .ipv4 { state.namespaces[name]?.mergesLocalTable = false }
    }

    private mutating func deleteRule(_ text: RuleText, _ home: String?) throws(ChangeRefusal) {
        let name = try namespace(text.namespace, home)
        let wanted = text.rule
        let position = state.namespaces[name]?.rules.firstIndex { rule in
            var rule = rule
            if !text.hasPriority { rule.priority = wanted.priority }
            rule.origin = wanted.origin
            if wanted.action == .table, wanted.table == 0 {
                rule.action = .table
                rule.table = 0
                rule.target = nil
            }
            return rule == wanted
        }
        guard let position else { throw .notFound("rule") }
        state.namespaces[name]?.rules.remove(at: position)
        if wanted.family == .ipv4 { state.namespaces[name]?.mergesLocalTable = false }
    }
}
