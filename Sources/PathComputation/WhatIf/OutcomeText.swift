import NetworkTypes
import Topology

extension WalkOutcome {
    /// In words.
    func text(_ state: NetworkState) -> String {
        switch self {
        case .delivered(let namespace): "delivered in \(namespace)"
        case .left(let place): "leaves the known network by \(state.text(of: place))"
        case .lost(let reason): reason.text(state)
        case .ignored(let place): "not for \(state.text(of: place)), which drops it"
        case .answered(let mac): "answered by \(mac)"
        }
    }
}

extension LossReason {
    /// In words.
    func text(_ state: NetworkState) -> String {
        switch self {
        case .lookup(let failure, let namespace): failure.text(namespace)
        case .linkDown(let place): "\(state.text(of: place)) is down"
        case .noCarrier(let place): "\(state.text(of: place)) has no carrier"
        case .noNeighbour(let address, let place): "nobody answers for \(address) on \(state.text(of: place))"
        case .ttlExceeded(let namespace): "the time to live ends in \(namespace): a loop, or too many hops"
        case .portBlocked(let place): "spanning tree blocks \(state.text(of: place))"
        case .noVTEP(let place): "\(state.text(of: place)) knows no VTEP for it"
        case .noTunnelEnd(let namespace): "\(namespace) has no end of that tunnel"
        case .discarded(let place): "\(state.text(of: place)) discards everything"
        case .noSuchNamespace(let namespace): "\(namespace) is not there"
        case .loop: "goes in circles"
        }
    }
}

extension WalkNote {
    /// In words.
    func text(_ state: NetworkState) -> String {
        switch self {
        case .exceedsMTU(let place, let size, let mtu): "packets of \(size) bytes exceed the MTU of \(state.text(of: place)), \(mtu)"
        case .flooded(let place): "\(state.text(of: place)) does not know the address and floods"
        case .asked(let address, let place): "\(address) is not in the neighbour table of \(state.text(of: place))"
        }
    }
}

extension Consequence {
    /// In words.
    /// - Parameter state: the network before, which has the names of what goes.
    func text(_ state: NetworkState) -> String {
        switch self {
        case .linkUp(let place): "\(state.text(of: place)) comes up"
        case .linkDown(let place): "\(state.text(of: place)) goes down"
        case .carrierGained(let place): "\(state.text(of: place)) gets a carrier"
        case .carrierLost(let place): "\(state.text(of: place)) loses its carrier"
        case .linkRemoved(let place, let name): "\(place.namespace):\(name) ceases to be"
        case .routeAdded(let namespace, let route): "\(namespace) gets \(route.text(in: namespace, of: state))"
        case .routeRemoved(let namespace, let route): "\(namespace) loses \(route.text(in: namespace, of: state, showingDead: false))"
        case .routeChanged(let namespace, let route): "\(namespace) has now \(route.text(in: namespace, of: state))"
        case .addressAdded(let namespace, let address):
            "\(state.text(of: LinkPlace(namespace: namespace, interface: address.interface))) gets \(address.address)"
        case .addressRemoved(let namespace, let address):
            "\(state.text(of: LinkPlace(namespace: namespace, interface: address.interface))) loses \(address.address)"
        case .nexthopObjectRemoved(let namespace, let id): "\(namespace) loses nexthop object \(id)"
        case .neighbourRemoved(let namespace, let neighbour):
            "\(state.text(of: LinkPlace(namespace: namespace, interface: neighbour.interface))) forgets its neighbour \(neighbour.address)"
        case .forwardingEntryRemoved(let namespace, let entry):
            "\(state.text(of: LinkPlace(namespace: namespace, interface: entry.interface))) forgets the station \(entry.mac)"
        case .nodeRemoved(let namespace): "\(namespace) ceases to be"
        }
    }
}

extension Route {
    /// As ip-route(8) has it, with the names of interfaces.
    /// - Parameter showingDead: say which nexthops are; of a route that goes they all are.
    fileprivate func text(in namespace: String, of state: NetworkState, showingDead: Bool = true) -> String {
        var text = "route " + (kind == .unicast ? "" : "\(kind) ") + (destination.length == 0 ? "default" : destination.description)
        if let source { text += " from \(source)" }
        for nexthop in nexthops {
            if nexthops.count > 1 { text += " nexthop" }
            if let gateway = nexthop.gateway { text += " via \(gateway)" }
            if let interface = nexthop.interface {
                text += " dev \(state.link(LinkPlace(namespace: namespace, interface: interface))?.name ?? String(interface))"
            }
            if nexthops.count > 1 { text += " weight \(nexthop.weight)" }
            if nexthop.isDead, showingDead { text += " dead" }
        }
        if table != 254 { text += " table \(table == 255 ? "local" : table == 253 ? "default" : String(table))" }
        if metric != 0 { text += " metric \(metric)" }
        return text
    }
}

extension LookupFailure {
    /// In words.
    func text(_ namespace: String) -> String {
        switch self {
        case .noRoute: "\(namespace) has no route to it"
        case .unreachable: "a route of \(namespace) says unreachable"
        case .prohibited: "a route or rule of \(namespace) prohibits it"
        case .blackhole: "a route or rule of \(namespace) discards it"
        case .sourceNotLocal: "the source is no address of \(namespace)"
        case .martian: "\(namespace) does not take such addresses from outside"
        case .reversePath: "the reverse path filter of \(namespace) drops it"
        case .notForwarding: "\(namespace) does not forward"
        case .noInterface: "\(namespace) has not got the interface"
        case .interfaceDown: "the interface of \(namespace) that it has to take is down"
        }
    }
}
