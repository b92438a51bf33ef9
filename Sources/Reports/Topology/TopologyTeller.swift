import NetworkTypes
import Synchronization
import Topology

/// What an interface carries, as its own counters tell. Of both observation points of one interface, over the last interval.
public struct InterfaceRates: Hashable, Sendable {
    public var ingressBits: Double
    public var ingressPackets: Double
    public var egressBits: Double
    public var egressPackets: Double

    public init(ingressBits: Double, ingressPackets: Double, egressBits: Double, egressPackets: Double) {
        self.ingressBits = ingressBits
        self.ingressPackets = ingressPackets
        self.egressBits = egressBits
        self.egressPackets = egressPackets
    }
}

/// Tells of a snapshot's entities and links in the API's terms, one at a time. What many of them have in common is looked up once.
public final class TopologyTeller: Sendable {
    public let snapshot: Snapshot
    private let loads: [LinkKey: LoadReport]?
    private let counted: [NodeKey: InterfaceRates]
    private let interval: Duration
    private let since: @Sendable (EntityKey) -> Timestamp?
    private let known = Mutex(Known())

    private struct Known {
        var networks: [NodeID: [NetworkKey]] = [:]
        var parents: [NodeID: NodeID?] = [:]
        var tunnels: [UInt32: NetworkKey] = [:]
    }

    /// - Parameters:
    ///   - loads: what links carried, where the snapshot is of the past; nil: as the snapshot has it.
    ///   - rates: of the interfaces that are counted.
    ///   - interval: between two observations of traffic.
    ///   - since: when an entity came, as far as history tells.
    public init(
        _ snapshot: Snapshot, loads: [LinkKey: LoadReport]? = nil, rates: [NodeKey: InterfaceRates] = [:], interval: Duration = .seconds(1),
        since: @escaping @Sendable (EntityKey) -> Timestamp? = { _ in nil }
    ) {
        self.snapshot = snapshot
        self.loads = loads
        counted = rates
        self.interval = interval
        self.since = since
    }

    // MARK: Telling

    public func entity(_ node: NodeID) -> EntityReport {
        let key = snapshot.key(of: node)
        let state = snapshot.state(of: node)
        var attributes = EntityKey.node(key).attributes(state)
        if let application = application(of: node, key) { attributes["application"] = .text(application) }
        var name = key.name
        if case .endpoint(let endpoint) = state, !endpoint.name.isEmpty { name = endpoint.name }
        let networks = networks(of: node)
        return EntityReport(
            key: key.description, kind: "\(key.kind)", name: name, parent: parent(of: node).map { snapshot.key(of: $0).description },
            networks: networks.isEmpty ? nil : networks.map { NodeKey.network($0).description }, attributes: attributes,
            filter: filter(of: node, key, state), kernelMade: key.isKernelMade(state) ? true : nil,
            since: since(.node(key))?.description)
    }

    /// nil for links that are told as parents and networks of what they join.
    public func link(_ link: LinkID) -> LinkReport? {
        let key = snapshot.key(of: link)
        guard let told = key.told else { return nil }
        let networks = networks(of: link)
        let first = since(.link(key)) ?? snapshot.traffic(of: link)?.first
        return LinkReport(
            key: key.description, kind: told.word, layer: told.layer.rawValue, from: key.a.description, to: key.b.description,
            networks: networks.isEmpty ? nil : networks.map { NodeKey.network($0).description },
            attributes: EntityKey.link(key).attributes(snapshot.state(of: link)), filter: key.filter,
            kernelMade: snapshot.isKernelMade(link) ? true : nil, since: first?.description, load: load(of: link, key))
    }

    private func filter(of node: NodeID, _ key: NodeKey, _ state: EntityState) -> String? {
        if key.isKernelMade(state) { return nil }
        if let filter = key.filter { return filter }
        switch (key, state) {
        case (.interface, _):
            // By its address: it is not counted itself, or another namespace has one of the same name.
            let addresses = snapshot.neighbours(of: node, over: [.attached]).filter { !snapshot.isKernelMade($0.other) }
            return addresses.first.flatMap { snapshot.key(of: $0.other).filter }
        case (.network, .network(let network)) where (1...8).contains(network.prefixes.count):
            return network.prefixes.map { "net \($0)" }.joined(separator: " or ")
        default: return nil
        }
    }

    /// What is spoken at a service, as its servers' communication names it; of several the least.
    private func application(of node: NodeID, _ key: NodeKey) -> String? {
        guard case .service(_, let transport, let port) = key else { return nil }
        var found: Set<String> = []
        for server in snapshot.links(of: node) where server.kind == .serves {
            for talk in snapshot.links(of: server.other) where talk.kind == .talks && snapshot.ends(of: talk.link).b == server.other {
                if case .flow(transport, port: port, let application?) = snapshot.key(of: talk.link).qualifier { found.insert(application) }
            }
        }
        return found.min()
    }

    // MARK: Places

    /// What an entity is in or on: an endpoint in the namespace of the interface that has it, a service on its only server.
    public func parent(of node: NodeID) -> NodeID? {
        if let known = known.withLock({ $0.parents[node] }) { return known }
        let key = snapshot.key(of: node)
        let parent: NodeID?
        switch key {
        case .endpoint:
            let interface = snapshot.neighbours(of: node, over: [.attached]).first { snapshot.ends(of: $0.link).a == node }
            parent = interface.flatMap { snapshot.key(of: $0.other).parent }.flatMap { snapshot.id(of: $0) }
        case .service:
            let servers = snapshot.links(of: node).filter { $0.kind == .serves }
            parent = servers.count == 1 ? servers[0].other : nil
        case .network, .prefix, .station: parent = nil
        default: parent = key.parent.flatMap { snapshot.id(of: $0) }
        }
        known.withLock { $0.parents[node] = .some(parent) }
        return parent
    }

    /// The virtual networks that an entity belongs to, by rising key; none for what serves them all, or is in none.
    public func networks(of node: NodeID) -> [NetworkKey] {
        if let known = known.withLock({ $0.networks[node] }) { return known }
        let key = snapshot.key(of: node)
        var found: [NetworkKey] = []
        switch key {
        case .interface, .zone: found = memberships(of: node, key.kind)
        case .endpoint(let network, _), .prefix(let network, _), .station(let network, _), .service(let network, _, _),
            .network(let network):
            found = [network]
        case .namespace:
            // One with a foot outside of them serves all that it has.
            for part in snapshot.links(of: node) where part.kind == .part && snapshot.key(of: part.other).kind == .interface {
                if snapshot.isKernelMade(part.other) { continue }
                let networks = networks(of: part.other)
                if networks.isEmpty {
                    found = []
                    break
                }
                found += networks
            }
        case .host, .route, .rule, .security, .application: break
        }
        let sorted = Self.sorted(found)
        known.withLock { $0.networks[node] = sorted }
        return sorted
    }

    private func memberships(of node: NodeID, _ kind: NodeKind) -> [NetworkKey] {
        snapshot.links(of: node).compactMap { link in
            guard link.kind == .member, case .network(let network) = snapshot.key(of: link.other) else { return nil }
            return network
        }
    }

    private static func sorted(_ networks: [NetworkKey]) -> [NetworkKey] {
        let wanted = Set(networks.filter(\.isVirtual))
        return wanted.count < 2 ? Array(wanted) : wanted.sorted { $0.description < $1.description }
    }

    public func networks(of link: LinkID) -> [NetworkKey] {
        let (a, b) = snapshot.ends(of: link)
        switch snapshot.kind(of: link) {
        case .talks, .translates: return Self.sorted(networks(of: a) + networks(of: b))
        case .tunnel, .forwards:
            if case .vni(let vni) = snapshot.key(of: link).qualifier { return Self.sorted([network(ofVNI: vni, a, b)]) }
            return networks(of: a)
        case .serves, .attached, .veth, .port, .stacked, .neighbour, .gateway, .terminates, .member, .part: return networks(of: a)
        }
    }

    /// The network that packets inside a tunnel are in.
    private func network(ofVNI vni: UInt32, _ a: NodeID, _ b: NodeID) -> NetworkKey {
        if let known = known.withLock({ $0.tunnels[vni] }) { return known }
        var network = NetworkKey.vni(vni)
        if snapshot.id(of: .network(network)) == nil {
            // Two VNIs that are joined are one network, called after the lesser.
            let device = [a, b].lazy.flatMap { [snapshot] in snapshot.links(of: $0) }.first { [snapshot] in
                $0.kind == .terminates && snapshot.key(of: $0.link).qualifier == .vni(vni)
            }
            network = device.flatMap { memberships(of: $0.other, .interface).first } ?? network
        }
        known.withLock { $0.tunnels[vni] = network }
        return network
    }

    // MARK: Loads

    /// nil for links that carry no traffic of their own, or of which none was counted and no capacity is known.
    public func load(of link: LinkID) -> LoadReport? { load(of: link, snapshot.key(of: link)) }

    /// Rates alone: what there are a million of is looked at, and a few are told.
    func rates(of link: LinkID) -> LoadReport? {
        if loads == nil, snapshot.kind(of: link).isTraffic { return snapshot.traffic(of: link).map { current($0) } }
        return load(of: link)
    }

    private func load(of link: LinkID, _ key: LinkKey) -> LoadReport? {
        var load: LoadReport?
        if let loads {
            load = loads[key]
        } else if key.kind.isTraffic {
            load = snapshot.traffic(of: link).map { told($0) }
        } else {
            load = told(key)
        }
        guard case .wire(let wire) = snapshot.state(of: link), let capacity = wire.capacity, capacity > 0 else { return load }
        load = load ?? LoadReport()
        load?.capacityBitsPerSecond = Double(capacity)
        return load
    }

    private func current(_ traffic: TrafficSummary) -> LoadReport {
        let isCurrent = traffic.epoch == snapshot.trafficEpoch
        func packets(_ side: TrafficSummary.Side) -> Double {
            isCurrent ? PacketRate(packets: UInt64(side.packets), over: interval).packetsPerSecond : 0
        }
        func bits(_ side: KeyPath<TrafficSummary, TrafficSummary.Side>) -> Double {
            traffic.rate(side, in: snapshot.trafficEpoch, of: interval).bitsPerSecond
        }
        return LoadReport(
            bitsPerSecond: bits(\.forward), packetsPerSecond: packets(traffic.forward), reverseBitsPerSecond: bits(\.backward),
            reversePacketsPerSecond: packets(traffic.backward))
    }

    private func told(_ traffic: TrafficSummary) -> LoadReport {
        var load = current(traffic)
        if let p50 = traffic.roundTrips.quantile(0.5), let p90 = traffic.roundTrips.quantile(0.9),
            let p99 = traffic.roundTrips.quantile(0.99)
        {
            load.roundTripMicroseconds = LoadReport.RoundTrip(
                least: Double(traffic.roundTrips.leastMicroseconds), p50: Double(p50), p90: Double(p90), p99: Double(p99))
        }
        load.retransmissionRatio = traffic.retransmissionRatio.map { min(1, $0) }
        load.totals = LoadReport.Sums(
            packets: traffic.forward.totalPackets, bytes: traffic.forward.totalBytes, reversePackets: traffic.backward.totalPackets,
            reverseBytes: traffic.backward.totalBytes, flows: traffic.flows, first: "\(traffic.first)", last: "\(traffic.last)")
        return load
    }

    /// Of a link between interfaces, by the end that is counted. Out of the first end is towards the second, but for a bridge's port: what
    /// comes in by it goes on to the bridge.
    private func told(_ key: LinkKey) -> LoadReport? {
        let (near, isFirst): (InterfaceRates, Bool)
        if let rates = counted[key.a] {
            (near, isFirst) = (rates, true)
        } else if key.kind == .veth, let rates = counted[key.b] {
            (near, isFirst) = (rates, false)
        } else {
            return nil
        }
        switch key.kind {
        case .veth, .stacked, .port:
            let isOutward = isFirst && key.kind != .port
            return LoadReport(
                bitsPerSecond: isOutward ? near.egressBits : near.ingressBits,
                packetsPerSecond: isOutward ? near.egressPackets : near.ingressPackets,
                reverseBitsPerSecond: isOutward ? near.ingressBits : near.egressBits,
                reversePacketsPerSecond: isOutward ? near.ingressPackets : near.egressPackets)
        default: return nil
        }
    }

    /// The links between interfaces of which something is counted.
    var countedLinks: [LinkID] {
        counted.keys.compactMap { snapshot.id(of: $0) }.flatMap { snapshot.links(of: $0) }
            .filter { [.veth, .port, .stacked].contains($0.kind) }.map(\.link)
    }
}
