import NetworkTypes

/// What a fact says of the topology, given the wiring. Pure: the same fact and the same wiring give the same claims.
struct Derivation {
    let wiring: Wiring
    let book: NamespaceBook
    let namespace: UInt64
    /// What frames for a MAC address in a network reach.
    let station: (MACAddress, NetworkKey) -> NodeKey

    func claims(of fact: Fact) -> ClaimBook.Claims {
        guard let names = wiring.namespaces[namespace] else { return [:] }
        switch fact {
        case .link(let link): return claims(of: link)
        case .address(let address): return claims(of: address)
        case .route(let route): return claims(of: route, names.key)
        case .rule(let rule): return [.node(.rule(names.key, rule.identity)): .rule(rule)]
        case .nexthop: return [:]
        case .neighbour(let neighbour): return claims(of: neighbour)
        case .forwarding(let entry): return claims(of: entry)
        }
    }

    private func interface(_ index: Int32) -> Wiring.Interface? { wiring.interface(index, in: namespace) }

    private func claims(of link: LinkFact) -> ClaimBook.Claims {
        guard let interface = interface(link.index) else { return [:] }
        var claims: ClaimBook.Claims = [
            .node(interface.key): .interface(InterfaceState(link)),
            .node(.network(interface.network)): .network(NetworkState(isKernelMade: link.isLoopback)),
            .link(LinkKey(.member, interface.key, .network(interface.network))): .plain,
        ]
        let wire = EntityState.wire(WireState(capacity: interface.capacity))
        if let peer = interface.peer { claims[.link(LinkKey(.veth, interface.key, peer))] = wire }
        if let master = interface.master { claims[.link(LinkKey(.port, interface.key, master))] = wire }
        if let lower = interface.lower {
            let capacity = interface.master == nil ? interface.capacity : nil
            claims[.link(LinkKey(.stacked, interface.key, lower))] = .wire(WireState(capacity: capacity))
        }
        if let vxlan = link.vxlan, let vtep = interface.vtep {
            let qualifier = vxlan.vni.map(LinkQualifier.vni) ?? .none
            claims[.link(LinkKey(.terminates, interface.key, vtep, qualifier))] = .plain
            if let remote = vxlan.remote, let vni = vxlan.vni { tunnel(interface, to: remote, vni, &claims) }
        }
        return claims
    }

    /// The pair of VTEPs; returns the far one.
    @discardableResult private func tunnel(
        _ interface: Wiring.Interface, to remote: IPAddress, _ vni: UInt32, _ claims: inout ClaimBook.Claims
    ) -> NodeKey? {
        guard let vtep = interface.vtep, let underlay = interface.underlay else { return nil }
        let far = NodeKey.endpoint(wiring.resolution.network(of: remote, seenIn: underlay), remote)
        claims[.link(LinkKey(.tunnel, vtep, far, .vni(vni)))] = .plain
        return far
    }

    private func claims(of address: InterfaceAddress) -> ClaimBook.Claims {
        guard let interface = interface(address.interface) else { return [:] }
        let network = wiring.resolution.declaredNetwork(of: address.address) ?? interface.network
        let endpoint = NodeKey.endpoint(network, address.address)
        let attachment = AttachmentState(
            prefixLength: UInt8(truncatingIfNeeded: address.prefixLength), peer: address.peer, scope: address.scope,
            isUsable: address.isUsable)
        var claims: ClaimBook.Claims = [
            .node(endpoint): .endpoint(EndpointState(mac: interface.mac, isLocal: true)),
            .link(LinkKey(.attached, endpoint, interface.key)): .attachment(attachment),
        ]
        if let prefix = address.connected, !address.address.isSpecial, network == interface.network {
            claims[.node(.network(network))] = .network(NetworkState(isKernelMade: interface.isLoopback, prefixes: [prefix]))
        }
        return claims
    }

    /// On the link by definition: a declared network, or the interface's own.
    private func onLink(_ address: IPAddress, _ interface: Wiring.Interface) -> NodeKey {
        .endpoint(wiring.resolution.declaredNetwork(of: address) ?? interface.network, address)
    }

    private func claims(of route: Route, _ namespace: NamespaceKey) -> ClaimBook.Claims {
        let nexthops = route.nexthopObject.map { object($0, []) } ?? route.nexthops
        var claims: ClaimBook.Claims = [:]
        var state = RouteState(kind: route.kind, origin: route.origin, scope: route.scope, preferredSource: route.preferredSource)
        for nexthop in nexthops {
            let out = nexthop.interface.flatMap { interface($0) }
            var name = ""
            if case .interface(_, let text) = out?.key { name = text }
            state.nexthops.append(
                RouteState.Nexthop(interface: name, gateway: nexthop.gateway, weight: nexthop.weight, isDead: nexthop.isDead))
            if let out, let gateway = nexthop.gateway {
                let endpoint = onLink(gateway, out)
                claims[.node(endpoint)] = .endpoint(EndpointState(isRouter: true))
                claims[.link(LinkKey(.gateway, out.key, endpoint))] = .plain
            }
        }
        let identity = route.identity(interface: route.linkInterface == nil ? "" : state.nexthops[0].interface)
        claims[.node(.route(namespace, identity))] = .route(state)
        return claims
    }

    /// The nexthops that an object stands for; a group's weights are its members'.
    private func object(_ id: UInt32, _ visited: Set<UInt32>) -> [Nexthop] {
        guard !visited.contains(id), let object = book.nexthops[id] else { return [] }
        if let nexthop = object.nexthop { return [nexthop] }
        return object.group.flatMap { member in
            self.object(member.id, visited.union([id])).map { nexthop in
                var nexthop = nexthop
                nexthop.weight = member.weight
                return nexthop
            }
        }
    }

    private func claims(of neighbour: Neighbour) -> ClaimBook.Claims {
        // One that did not answer is no endpoint: a scan of the link leaves thousands.
        guard let interface = interface(neighbour.interface), !neighbour.state.contains(.failed), !neighbour.state.contains(.incomplete),
            neighbour.mac != nil || neighbour.state.contains(.permanent), !neighbour.state.contains(.noARP)
        else { return [:] }
        let endpoint = onLink(neighbour.address, interface)
        let station = StationState(mac: neighbour.mac, isPermanent: neighbour.state.contains(.permanent))
        return [
            .node(endpoint): .endpoint(EndpointState(mac: neighbour.mac, isRouter: neighbour.isRouter)),
            .link(LinkKey(.neighbour, interface.key, endpoint)): .station(station),
        ]
    }

    private func claims(of entry: ForwardingEntry) -> ClaimBook.Claims {
        guard let interface = interface(entry.interface) else { return [:] }
        let state = EntityState.station(StationState(mac: entry.mac, vlan: entry.vlan, isPermanent: entry.isPermanent))
        if entry.bridge != nil {
            // A permanent entry of a bridge is a port's own address.
            if entry.isPermanent || entry.mac.isGroup { return [:] }
            let target = station(entry.mac, interface.network)
            return target == interface.key ? [:] : [.link(LinkKey(.forwards, interface.key, target)): state]
        }
        let vteps = entry.vtep.map { [$0] } ?? entry.nexthopObject.map { object($0, []).compactMap(\.gateway) } ?? []
        guard let vni = entry.vni ?? interface.vni else { return [:] }
        var claims: ClaimBook.Claims = [:]
        for vtep in vteps {
            guard let far = tunnel(interface, to: vtep, vni, &claims), entry.mac.rawValue != 0, !entry.mac.isGroup else { continue }
            let target = station(entry.mac, wiring.resolution.network(ofVNI: vni))
            claims[.link(LinkKey(.forwards, far, target, .vni(vni)))] = state
        }
        return claims
    }
}
