import NetworkTypes
import Topology

/// Makes of a snapshot the network that packets are led through: what the snapshot has as nodes and links becomes again what netlink said.
///
/// What a snapshot does not keep is filled in:
///
///   * interfaces get numbers by the order of their names, the loopback interface 1;
///   * nexthop objects are in the routes already;
///   * the table of a VRF of which none is kept is that of the local routes out of its interfaces;
///   * ports of bridges are in the forwarding state, flood and learn, and know the address of what stands at the other end of their wire;
///   * a VXLAN device floods to every VTEP that it has a tunnel to;
///   * sysctls are those of ``NamespaceSettings``.
struct SnapshotReader {
    let snapshot: Snapshot
    private(set) var state = PathComputation.NetworkState()
    /// Where each interface of the snapshot is.
    private(set) var places: [NodeID: LinkPlace] = [:]
    /// The namespace that has the address of an endpoint; the first by name where several do.
    private(set) var residences: [NodeID: String] = [:]
    /// Namespaces of whose sysctls nothing was told, rising.
    private(set) var supposed: [String] = []
    private var names: [NamespaceKey: String] = [:]
    private var nodes = Nodes()

    private struct Nodes {
        var namespaces: [NamespaceKey] = []
        var interfaces: [(namespace: NamespaceKey, name: String, id: NodeID, state: InterfaceState)] = []
        var routes: [(namespace: NamespaceKey, identity: RouteIdentity, id: NodeID)] = []
        var rules: [(namespace: NamespaceKey, identity: RuleIdentity, id: NodeID)] = []
    }

    /// - Parameter settings: by the names that the namespaces have in the result.
    init(_ snapshot: Snapshot, settings: [String: NamespaceSettings]) {
        self.snapshot = snapshot
        collect()
        nameNamespaces()
        readInterfaces()
        readRoutes()
        readRules()
        // What joins interfaces needs all of them.
        for (node, place) in places.sorted(by: { $0.value < $1.value }) { readLinks(of: node, at: place) }
        for name in Array(state.namespaces.keys) { finish(name, settings[name]) }
        supposed = state.namespaces.keys.filter { settings[$0] == nil }.sorted()
    }

    private mutating func collect() {
        var nodes = Nodes()
        snapshot.forEachNode { id, key in
            switch key {
            case .namespace(let key): nodes.namespaces.append(key)
            case .interface(let key, let name):
                if case .interface(let state) = snapshot.state(of: id) { nodes.interfaces.append((key, name, id, state)) }
            case .route(let key, let identity): nodes.routes.append((key, identity, id))
            case .rule(let key, let identity): nodes.rules.append((key, identity, id))
            default: break
            }
        }
        nodes.interfaces.sort {
            ($0.namespace.host, $0.namespace.name, $0.state.isLoopback ? 0 : 1, $0.name)
                < ($1.namespace.host, $1.namespace.name, $1.state.isLoopback ? 0 : 1, $1.name)
        }
        nodes.routes.sort {
            let (a, b) = ($0.identity, $1.identity)
            return (a.table, a.destination, a.metric, a.tos, a.source?.length ?? -1, a.sibling)
                < (b.table, b.destination, b.metric, b.tos, b.source?.length ?? -1, b.sibling)
        }
        nodes.rules.sort { ($0.identity.priority, $0.identity.digest) < ($1.identity.priority, $1.identity.digest) }
        self.nodes = nodes
    }

    /// By the name alone where only one host has it, with the host's before it elsewhere.
    private mutating func nameNamespaces() {
        let counts = Dictionary(grouping: nodes.namespaces, by: \.name).mapValues(\.count)
        for key in nodes.namespaces {
            let name = counts[key.name] == 1 ? key.name : "\(key.host)/\(key.name)"
            names[key] = name
            state.namespaces[name] = NamespaceState(name: name)
        }
    }

    private mutating func readInterfaces() {
        for (key, name, id, interface) in nodes.interfaces {
            guard let namespace = names[key] else { continue }
            let used = state.namespaces[namespace]?.links.count ?? 0
            // 1 stays free for a loopback interface that is not known.
            let index = interface.isLoopback ? 1 : Int32(used + (state.namespaces[namespace]?.links[1] == nil ? 2 : 1))
            let kind: LinkKind =
                switch interface.kind {
                case _ where interface.isLoopback: .loopback
                case "": .physical
                case "veth": .veth(peer: nil)
                case "bridge": .bridge
                case "vlan": .vlan(parent: 0, id: interface.vlan ?? 0)
                case "vxlan":
                    .vxlan(
                        VXLANParameters(
                            vni: interface.vni, local: interface.local, remote: interface.remote, port: interface.port ?? 4789))
                case "dummy": .dummy
                case "vrf": .vrf(table: interface.table ?? 0)
                case let other: .other(other)
                }
            state.namespaces[namespace]?.links[index] = LinkState(
                index: index, name: name, kind: kind, isUp: interface.isUp, hasCarrier: interface.hasCarrier, mtu: Int(interface.mtu),
                mac: interface.mac, capacity: interface.speed.map { BitRate(bitsPerSecond: Double($0)) })
            places[id] = LinkPlace(namespace: namespace, interface: index)
        }
    }

    private mutating func readRoutes() {
        var numbers: [String: [String: Int32]] = [:]
        for (name, namespace) in state.namespaces {
            numbers[name] = Dictionary(namespace.links.values.map { ($0.name, $0.index) }, uniquingKeysWith: { first, _ in first })
        }
        for (key, identity, id) in nodes.routes {
            guard let namespace = names[key], case .route(let known) = snapshot.state(of: id) else { continue }
            let nexthops = known.nexthops.map {
                Nexthop(interface: numbers[namespace]?[$0.interface], gateway: $0.gateway, weight: $0.weight, isDead: $0.isDead)
            }
            let route = Route(
                table: identity.table, destination: identity.destination, source: identity.source, tos: identity.tos,
                metric: identity.metric, kind: known.kind, origin: known.origin, scope: known.scope,
                preferredSource: known.preferredSource, nexthops: nexthops, sibling: identity.sibling)
            state.namespaces[namespace]?.routes.append(route)
        }
    }

    private mutating func readRules() {
        var told: [String: [RoutingRule]] = [:]
        for (key, _, id) in nodes.rules {
            guard let namespace = names[key], case .rule(let rule) = snapshot.state(of: id) else { continue }
            told[namespace, default: []].append(rule)
        }
        // A namespace whose rules were not told has those that every namespace begins with.
        for (namespace, rules) in told { state.namespaces[namespace]?.rules = rules }
    }

    // MARK: What joins interfaces

    private mutating func readLinks(of node: NodeID, at place: LinkPlace) {
        var lower: LinkPlace?
        var vtep: NodeID?
        for (link, kind, other) in snapshot.links(of: node) {
            let isFirst = snapshot.ends(of: link).a == node
            switch kind {
            case .veth:
                let peer = places[other]
                state.update(place) { $0.kind = .veth(peer: peer) }
            case .port where isFirst:
                let master = places[other]?.interface
                state.update(place) { $0.master = master }
            case .stacked where isFirst: lower = places[other]
            case .terminates where isFirst: vtep = other
            case .attached where !isFirst: readAddress(link, other, place)
            case .neighbour where isFirst: readNeighbour(link, other, place)
            case .forwards where isFirst: readStation(link, place)
            default: break
            }
        }
        guard let link = state.link(place) else { return }
        switch link.kind {
        case .vlan(_, let id):
            // One whose lower device is in another namespace is not modelled.
            if let lower {
                let isHere = lower.namespace == place.namespace
                state.update(place) { $0.kind = isHere ? .vlan(parent: lower.interface, id: id) : .other("vlan") }
            }
        case .vxlan(let parameters): readTunnel(parameters, at: place, lower: lower, vtep: vtep)
        default: break
        }
    }

    private mutating func readAddress(_ link: LinkID, _ endpoint: NodeID, _ place: LinkPlace) {
        guard case .attachment(let attachment) = snapshot.state(of: link), case .endpoint(_, let address) = snapshot.key(of: endpoint)
        else { return }
        residences[endpoint] = min(residences[endpoint] ?? place.namespace, place.namespace)
        state.namespaces[place.namespace]?.addresses
            .append(
                InterfaceAddress(
                    interface: place.interface, address: address, prefixLength: Int(attachment.prefixLength), peer: attachment.peer,
                    scope: attachment.scope, isUsable: attachment.isUsable))
    }

    private mutating func readNeighbour(_ link: LinkID, _ endpoint: NodeID, _ place: LinkPlace) {
        guard case .station(let station) = snapshot.state(of: link), case .endpoint(_, let address) = snapshot.key(of: endpoint) else {
            return
        }
        state.namespaces[place.namespace]?.neighbours
            .append(
                Neighbour(
                    interface: place.interface, address: address, mac: station.mac,
                    state: station.isPermanent ? .permanent : .reachable))
    }

    /// The bridge comes in ``finish(_:_:)``.
    private mutating func readStation(_ link: LinkID, _ port: LinkPlace) {
        guard case .station(let station) = snapshot.state(of: link), let mac = station.mac else { return }
        state.namespaces[port.namespace]?.forwardingEntries
            .append(
                ForwardingEntry(
                    interface: port.interface, mac: mac, vlan: station.vlan, bridge: -1, isPermanent: station.isPermanent))
    }

    private mutating func readTunnel(_ parameters: VXLANParameters, at place: LinkPlace, lower: LinkPlace?, vtep: NodeID?) {
        var parameters = parameters
        if let lower {
            parameters.underlay = lower.interface
            if lower.namespace != place.namespace { parameters.underlayNamespace = lower.namespace }
        }
        if let vtep, case .endpoint(_, let address) = snapshot.key(of: vtep) {
            parameters.local = parameters.local ?? address
            if lower == nil, let home = namespaces(of: vtep).first, !namespaces(of: vtep).contains(place.namespace) {
                parameters.underlayNamespace = home
            }
            for entry in tunnelEntries(of: vtep, parameters.vni, on: place) {
                state.namespaces[place.namespace]?.forwardingEntries.append(entry)
            }
        }
        state.update(place) { $0.kind = .vxlan(parameters) }
    }

    /// Where the endpoint's address is an interface's own.
    private func namespaces(of endpoint: NodeID) -> [String] {
        snapshot.links(of: endpoint).filter { $0.kind == .attached }.compactMap { places[$0.other]?.namespace }.sorted()
    }

    private func tunnelEntries(of vtep: NodeID, _ vni: UInt32?, on place: LinkPlace) -> [ForwardingEntry] {
        guard let vni else { return [] }
        var entries: [ForwardingEntry] = []
        for (tunnel, kind, far) in snapshot.links(of: vtep) where kind == .tunnel {
            guard snapshot.key(of: tunnel).qualifier == .vni(vni), case .endpoint(_, let address) = snapshot.key(of: far),
                !address.isMulticast
            else { continue }
            entries.append(
                ForwardingEntry(interface: place.interface, mac: MACAddress(rawValue: 0), vtep: address, isPermanent: true))
            for (link, kind, _) in snapshot.links(of: far)
            where kind == .forwards && snapshot.ends(of: link).a == far && snapshot.key(of: link).qualifier == .vni(vni) {
                guard case .station(let station) = snapshot.state(of: link), let mac = station.mac else { continue }
                entries.append(
                    ForwardingEntry(interface: place.interface, mac: mac, vtep: address, isPermanent: station.isPermanent))
            }
        }
        return entries
    }

    // MARK: What is settled last

    private mutating func finish(_ name: String, _ settings: NamespaceSettings?) {
        guard var namespace = state.namespaces[name] else { return }
        var entries: [ForwardingEntry] = []
        for var entry in namespace.forwardingEntries {
            if entry.bridge == -1 {
                guard let master = namespace.links[entry.interface]?.master else { continue }
                entry.bridge = master
            }
            entries.append(entry)
        }
        namespace.forwardingEntries = entries + wired(namespace, besides: entries)
        namespace.forwardingEntries.sort {
            ($0.interface, $0.mac.rawValue, $0.vtep ?? .v4(0)) < ($1.interface, $1.mac.rawValue, $1.vtep ?? .v4(0))
        }
        namespace.neighbours.sort { ($0.interface, $0.address) < ($1.interface, $1.address) }
        namespace.addresses.sort {
            ($0.interface, $0.address.isV4 ? 0 : 1, $0.address) < ($1.interface, $1.address.isV4 ? 0 : 1, $1.address)
        }
        for (index, link) in namespace.links {
            guard case .vrf(table: 0) = link.kind else { continue }
            let table = table(of: index, namespace)
            namespace.links[index]?.kind = .vrf(table: table)
        }
        apply(settings ?? NamespaceSettings(), to: &namespace)
        state.namespaces[name] = namespace
    }

    /// Ports know what is at the other end of their wire, if that is no bridge's port itself.
    private func wired(_ namespace: NamespaceState, besides known: [ForwardingEntry]) -> [ForwardingEntry] {
        let taken = Set(known.filter { $0.bridge != nil }.map { Station(bridge: $0.bridge ?? 0, mac: $0.mac) })
        return namespace.links.values.compactMap { port in
            guard let master = port.master, namespace.links[master]?.kind == .bridge, case .veth(let peer?) = port.kind,
                let far = state.link(peer), far.master == nil, let mac = far.mac, !taken.contains(Station(bridge: master, mac: mac))
            else { return nil }
            return ForwardingEntry(interface: port.index, mac: mac, bridge: master)
        }
    }

    private struct Station: Hashable {
        var bridge: Int32
        var mac: MACAddress
    }

    private func table(of vrf: Int32, _ namespace: NamespaceState) -> UInt32 {
        let members = Set(namespace.links.values.filter { $0.master == vrf }.map(\.index))
        let route = namespace.routes.first { route in
            route.table != 255 && route.kind == .local && route.nexthops.contains { $0.interface.map(members.contains) ?? false }
        }
        return route?.table ?? 0
    }

    private func apply(_ settings: NamespaceSettings, to namespace: inout NamespaceState) {
        namespace.forwardsIPv4 = settings.forwardsIPv4
        namespace.forwardsIPv6 = settings.forwardsIPv6
        namespace.defaultTTL = settings.defaultTTL
        namespace.keepsIPv6AddressesOnDown = settings.keepsIPv6AddressesOnDown
        namespace.promotesSecondaries = settings.promotesSecondaries
        for (index, link) in namespace.links {
            guard let one = settings.interfaces[link.name] else { continue }
            namespace.links[index]?.forwards = one.forwardsIPv4
            namespace.links[index]?.ignoresIPv4RoutesWithLinkDown = one.ignoresIPv4RoutesWithLinkDown
            namespace.links[index]?.ignoresIPv6RoutesWithLinkDown = one.ignoresIPv6RoutesWithLinkDown
            namespace.links[index]?.reversePathFilter = one.reversePathFilter
        }
    }
}

extension PathComputation.NetworkState {
    /// The network of a snapshot, with namespaces under the snapshot's names (those of several hosts that share one: `HOST/NAME`).
    ///
    /// - Parameter settings: by those names; see ``NamespaceSettings`` for namespaces that are not in it.
    public init(_ snapshot: Snapshot, settings: [String: NamespaceSettings] = [:]) {
        self = SnapshotReader(snapshot, settings: settings).state
    }
}
