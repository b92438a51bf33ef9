import NetworkTypes
import Topology

/// A network under change: does to the facts what the kernel does when a link goes down, an address goes, a node is taken away.
///
/// What was checked against the kernel stands in the tests. Sources: fib_sync_down_dev, fib_sync_down_addr and fib_sync_up
/// (net/ipv4/fib_semantics.c), fib_netdev_event (net/ipv4/fib_frontend.c), nexthop_flush_dev (net/ipv4/nexthop.c), addrconf_ifdown
/// (net/ipv6/addrconf.c), fib6_ifdown (net/ipv6/route.c), vlan_device_event (net/8021q/vlan.c), veth_open and veth_close.
struct ChangingNetwork {
    var state: NetworkState
    var consequences: [Consequence] = []
    /// So far there were no changes but of capacities.
    var changesNoWays = true

    init(_ state: NetworkState) { self.state = state }

    mutating func note(_ consequence: Consequence) { consequences.append(consequence) }

    // MARK: Links

    mutating func setDown(_ place: LinkPlace) {
        guard let link = state.link(place), link.isUp else { return }
        // VLAN devices go down with what they stand on.
        for device in vlans(on: place) { setDown(device) }
        state.update(place) {
            $0.isUp = false
            $0.hasCarrier = false
        }
        note(.linkDown(place))
        removeNexthopObjects(on: place)
        killRoutes(on: place) { !$0.isHostScope }
        dropIPv6(on: place)
        dropNeighbours(on: place, keepingPermanent: false)
        dropLearntEntries(on: place)
        if case .veth(let peer?) = link.kind { loseCarrier(peer) }
        if let master = link.master { updateBridge(LinkPlace(namespace: place.namespace, interface: master)) }
    }

    mutating func setUp(_ place: LinkPlace) throws(ChangeRefusal) {
        guard let link = state.link(place), !link.isUp else { return }
        var carrier = true
        switch link.kind {
        case .veth(let peer): carrier = peer.map { state.link($0)?.isUp ?? false } ?? true
        case .bridge: carrier = bridgeHasCarrier(place)
        case .vlan(let parent, _):
            let below = state.link(LinkPlace(namespace: place.namespace, interface: parent))
            guard below?.isUp ?? false else { throw .linkDown(state.text(of: place)) }
            carrier = below?.hasCarrier ?? false
        default: break
        }
        state.update(place) {
            $0.isUp = true
            $0.hasCarrier = carrier
            $0.port.isForwarding = true
        }
        note(.linkUp(place))
        restoreRoutes(on: place)
        if case .veth(let peer?) = link.kind, carrier { gainCarrier(peer) }
        if let master = link.master { updateBridge(LinkPlace(namespace: place.namespace, interface: master)) }
        for device in vlans(on: place) { try setUp(device) }
    }

    mutating func loseCarrier(_ place: LinkPlace) {
        guard let link = state.link(place), link.hasCarrier else { return }
        state.update(place) { $0.hasCarrier = false }
        note(.carrierLost(place))
        // Routes stay, marked; nexthop objects do not.
        removeNexthopObjects(on: place)
        dropNeighbours(on: place, keepingPermanent: true)
        dropLearntEntries(on: place)
        for device in vlans(on: place) { loseCarrier(device) }
        if let master = link.master { updateBridge(LinkPlace(namespace: place.namespace, interface: master)) }
    }

    mutating func gainCarrier(_ place: LinkPlace) {
        guard let link = state.link(place), link.isUp, !link.hasCarrier else { return }
        state.update(place) {
            $0.hasCarrier = true
            $0.port.isForwarding = true
        }
        note(.carrierGained(place))
        for device in vlans(on: place) { gainCarrier(device) }
        if let master = link.master { updateBridge(LinkPlace(namespace: place.namespace, interface: master)) }
    }

    /// A bridge has a carrier while one of its ports has.
    mutating func updateBridge(_ place: LinkPlace) {
        guard let bridge = state.link(place), bridge.kind == .bridge, bridge.isUp else { return }
        let carrier = bridgeHasCarrier(place)
        if carrier, !bridge.hasCarrier { gainCarrier(place) }
        if !carrier, bridge.hasCarrier { loseCarrier(place) }
    }

    private func bridgeHasCarrier(_ place: LinkPlace) -> Bool {
        state.namespaces[place.namespace]?.links.values
            .contains { $0.master == place.interface && $0.isUp && $0.hasCarrier && $0.port.isForwarding } ?? false
    }

    private func vlans(on place: LinkPlace) -> [LinkPlace] {
        let links = state.namespaces[place.namespace]?.links.values.filter {
            if case .vlan(place.interface, _) = $0.kind { true } else { false }
        }
        return (links ?? []).map { LinkPlace(namespace: place.namespace, interface: $0.index) }.sorted()
    }

    /// The interface ceases to be, and its peer with it.
    mutating func remove(_ place: LinkPlace) {
        guard let link = state.link(place) else { return }
        setDown(place)
        removeRoutes(in: place.namespace) { route in route.nexthops.contains { $0.interface == place.interface } }
        for address in state.namespaces[place.namespace]?.addresses ?? [] where address.interface == place.interface {
            note(.addressRemoved(namespace: place.namespace, address))
        }
        state.namespaces[place.namespace]?.addresses.removeAll { $0.interface == place.interface }
        state.namespaces[place.namespace]?.forwardingEntries.removeAll { $0.interface == place.interface }
        for device in vlans(on: place) { remove(device) }
        state.namespaces[place.namespace]?.links[place.interface] = nil
        note(.linkRemoved(place, name: link.name))
        if let master = link.master { updateBridge(LinkPlace(namespace: place.namespace, interface: master)) }
        if case .veth(let peer?) = link.kind { remove(peer) }
    }

    mutating func removeNode(_ name: String) {
        guard let node = state.namespaces[name] else { return }
        for (index, link) in node.links.sorted(by: { $0.key < $1.key }) {
            let place = LinkPlace(namespace: name, interface: index)
            // What is physical goes back to the first namespace; for what-if it is gone.
            if link.kind != .loopback { remove(place) }
        }
        // Tunnels whose outer packets went through this node.
        for (other, namespace) in state.namespaces.sorted(by: { $0.key < $1.key }) where other != name {
            for link in namespace.links.values.sorted(by: { $0.index < $1.index }) {
                if case .vxlan(let parameters) = link.kind, parameters.underlayNamespace == name {
                    remove(LinkPlace(namespace: other, interface: link.index))
                }
            }
        }
        state.namespaces[name] = nil
        note(.nodeRemoved(name))
    }

    // MARK: What hangs on a link

    /// Nexthop objects out of an interface vanish with its carrier; routes by them too, and groups that become empty.
    private mutating func removeNexthopObjects(on place: LinkPlace) {
        guard var namespace = state.namespaces[place.namespace] else { return }
        var gone: Set<UInt32> = Set(
            namespace.nexthopObjects.values.filter { !$0.isBlackhole && $0.nexthop?.interface == place.interface }.map(\.id))
        if gone.isEmpty { return }
        for (id, object) in namespace.nexthopObjects where !object.group.isEmpty {
            let left = object.group.filter { !gone.contains($0.id) }
            if left.count == object.group.count { continue }
            namespace.nexthopObjects[id]?.group = left
            if left.isEmpty { gone.insert(id) }
        }
        for id in gone.sorted() {
            namespace.nexthopObjects[id] = nil
            note(.nexthopObjectRemoved(namespace: place.namespace, id))
        }
        state.namespaces[place.namespace] = namespace
        removeRoutes(in: place.namespace) { route in route.nexthopObject.map { gone.contains($0) } ?? false }
    }

    /// Of the routes that are meant, those go that have no other nexthop; the others keep it, marked.
    mutating func killRoutes(on place: LinkPlace, where isMeant: (Route) -> Bool) {
        guard let routes = state.namespaces[place.namespace]?.routes else { return }
        var kept: [Route] = []
        kept.reserveCapacity(routes.count)
        for var route in routes {
            guard route.nexthops.contains(where: { $0.interface == place.interface && !$0.isDead }), isMeant(route) else {
                kept.append(route)
                continue
            }
            for n in route.nexthops.indices where route.nexthops[n].interface == place.interface { route.nexthops[n].isDead = true }
            if route.nexthops.allSatisfy(\.isDead) {
                note(.routeRemoved(namespace: place.namespace, route))
            } else {
                note(.routeChanged(namespace: place.namespace, route))
                kept.append(route)
            }
        }
        state.namespaces[place.namespace]?.routes = kept
    }

    private mutating func dropIPv6(on place: LinkPlace) {
        guard let namespace = state.namespaces[place.namespace] else { return }
        var kept: [InterfaceAddress] = []
        for address in namespace.addresses {
            let goes = address.interface == place.interface && !address.address.isV4
            if goes, namespace.keepsIPv6AddressesOnDown, address.scope != .link {
                var unusable = address
                unusable.isUsable = false
                kept.append(unusable)
            } else if goes {
                note(.addressRemoved(namespace: place.namespace, address))
            } else {
                kept.append(address)
            }
        }
        state.namespaces[place.namespace]?.addresses = kept
    }

    private mutating func dropNeighbours(on place: LinkPlace, keepingPermanent: Bool) {
        guard let namespace = state.namespaces[place.namespace] else { return }
        for entry in namespace.neighbours where entry.interface == place.interface {
            if keepingPermanent, entry.state.contains(.permanent) { continue }
            note(.neighbourRemoved(namespace: place.namespace, entry))
        }
        state.namespaces[place.namespace]?.neighbours.removeAll {
            $0.interface == place.interface && !(keepingPermanent && $0.state.contains(.permanent))
        }
    }

    private mutating func dropLearntEntries(on place: LinkPlace) {
        guard let namespace = state.namespaces[place.namespace] else { return }
        for entry in namespace.forwardingEntries where entry.interface == place.interface && !entry.isPermanent {
            note(.forwardingEntryRemoved(namespace: place.namespace, entry))
        }
        state.namespaces[place.namespace]?.forwardingEntries.removeAll { $0.interface == place.interface && !$0.isPermanent }
    }

    mutating func removeRoutes(in namespace: String, where condition: (Route) -> Bool) {
        guard let routes = state.namespaces[namespace]?.routes, routes.contains(where: condition) else { return }
        for route in routes where condition(route) { note(.routeRemoved(namespace: namespace, route)) }
        state.namespaces[namespace]?.routes.removeAll(where: condition)
    }

    mutating func add(_ route: Route, in namespace: String) {
        state.namespaces[namespace]?.routes.append(route)
        note(.routeAdded(namespace: namespace, route))
    }
}

extension Route {
    /// An IPv4 address of the namespace itself: it stays while the interface is down.
    fileprivate var isHostScope: Bool { destination.address.isV4 && scope == .host && kind == .local }
}
