import Flows
import NetworkTypes

/// Makes the topology: observations in, one immutable snapshot a commit out. It does no I/O and has no clock; one writer.
///
///     var builder = TopologyBuilder()
///     builder.observe(.host(name: "web1", HostState()))
///     builder.observe(.resynchronised(facts, in: cookie))
///     let snapshot = builder.commit(at: now)
///     store(snapshot.changes(since: previous))
///
/// Facts become claims (``Derivation``), claims become entities (``ClaimBook``), and both depend on nothing but what holds now: however the
/// present came about, the structure is the same as after a resynchronisation from nothing. Traffic (``TrafficBook``) has a memory.
public struct TopologyBuilder {
    public let limits: TopologyLimits
    /// The latest commit's.
    public private(set) var snapshot = Snapshot.empty

    private var host: (name: String, state: HostState)?
    private var declarations = Declarations()
    private var books: [UInt64: NamespaceBook] = [:]
    private var counted: [InterfaceID: InterfacePlace] = [:]
    private var announced: [InterfaceID: [LinkNeighbour]] = [:]
    private var wiring = Wiring()
    private var claims = ClaimBook()
    private var stations = StationBook()
    private var names: NameBook
    private var traffic: TrafficBook
    private var graph = Graph()

    // What has to be looked at again at the next commit.
    private var isWiringStale = true
    private var areDeclarationsStale = false
    private var arePlacesStale = false
    private var staleAnnouncements: Set<InterfaceID> = []
    private var staleFacts: [UInt64: Set<FactIdentity>] = [:]
    private var staleNamespaces: Set<UInt64> = []
    private var deltas: [[FlowDelta]] = []
    private var verdicts: [FlowVerdict] = []

    /// - Parameter epoch: that the snapshots count on from: where the kept history ends.
    public init(limits: TopologyLimits = TopologyLimits(), after epoch: UInt64 = 0) {
        self.limits = limits
        snapshot = Snapshot(epoch: epoch, time: Timestamp(nanoseconds: 0), graph: graph)
        traffic = TrafficBook(limits: limits)
        names = NameBook(limit: limits.names)
    }

    /// What an interface of a namespace is called, as of the latest commit.
    public func interface(_ index: Int32, in cookie: UInt64) -> NodeKey? { wiring.interface(index, in: cookie)?.key }

    /// What a namespace is called, likewise.
    public func namespace(_ cookie: UInt64) -> NamespaceKey? { wiring.namespaces[cookie]?.key }

    // MARK: observing

    public mutating func observe(_ observations: some Sequence<Observation>) {
        for observation in observations { observe(observation) }
    }

    public mutating func observe(_ observation: Observation) {
        switch observation {
        case .host(let name, let state):
            host = (name, state)
            isWiringStale = true
        case .namespace(let namespace):
            books[namespace.cookie, default: NamespaceBook()].namespace = namespace
            isWiringStale = true
            staleNamespaces.insert(namespace.cookie)
        case .namespaceGone(let cookie):
            guard let book = books.removeValue(forKey: cookie) else { return }
            staleFacts[cookie, default: []].formUnion(book.facts.keys)
            staleNamespaces.insert(cookie)
            isWiringStale = true
        case .appeared(let fact, let cookie):
            if books[cookie, default: NamespaceBook()].put(fact) { stale([fact.identity], in: cookie) }
        case .vanished(let identity, let cookie):
            stale(books[cookie]?.take(identity) ?? [], in: cookie)
        case .resynchronised(let dump, let cookie):
            stale(books[cookie, default: NamespaceBook()].replace(with: dump), in: cookie)
        case .security(let text, let cookie):
            books[cookie, default: NamespaceBook()].security = String(text.prefix(limits.securityText))
            staleNamespaces.insert(cookie)
        case .translations(let translations, let cookie):
            books[cookie, default: NamespaceBook()].translations = translations
            staleNamespaces.insert(cookie)
        case .counted(let interface, let index, let cookie):
            counted[interface] = InterfacePlace(namespace: cookie, index: index)
            arePlacesStale = true
        case .uncounted(let interface):
            counted[interface] = nil
            if announced.removeValue(forKey: interface) != nil { staleAnnouncements.insert(interface) }
            arePlacesStale = true
        case .announced(let neighbours, let interface):
            let kept = neighbours.isEmpty ? nil : neighbours
            guard announced[interface] != kept else { return }
            announced[interface] = kept
            staleAnnouncements.insert(interface)
        case .traffic(let flows): deltas.append(flows)
        case .verdict(let verdict): verdicts.append(verdict)
        case .named(let address, let name):
            names.set(name, of: address, in: nil)
        case .configured(let declarations):
            guard declarations != self.declarations else { return }
            self.declarations = declarations
            areDeclarationsStale = true
            isWiringStale = true
        }
    }

    private mutating func stale(_ identities: [FactIdentity], in cookie: UInt64) {
        for identity in identities {
            staleFacts[cookie, default: []].insert(identity)
            switch identity {
            case .link, .address: isWiringStale = true
            case .nexthop:
                let dependents = books[cookie]?.facts.filter { $0.value.nexthopObject != nil }.keys
                staleFacts[cookie, default: []].formUnion(dependents.map(Array.init) ?? [])
            case .route, .rule, .neighbour, .forwarding: break
            }
        }
    }

    // MARK: committing

    /// Everything observed since the last commit becomes the next snapshot.
    public mutating func commit(at time: Timestamp) -> Snapshot {
        let epoch = snapshot.epoch + 1
        if isWiringStale { rewire() }
        derive()
        apply()
        let isSecond = traffic.begin(epoch: epoch, at: time)
        let trafficEpoch = deltas.isEmpty ? snapshot.trafficEpoch : epoch
        for flows in deltas { for delta in flows { traffic.merge(delta, epoch: epoch, graph: &graph) } }
        deltas = []
        traffic.settle(epoch: epoch, graph: &graph)
        for verdict in verdicts {
            guard let (network, address) = traffic.apply(verdict, epoch: epoch, graph: &graph), !verdict.server.isEmpty else { continue }
            names.set(verdict.server, of: address, in: network)
        }
        verdicts = []
        if isSecond { traffic.expire(graph: &graph) { [claims] in claims.isClaimed(.link($0)) } }
        applyNames()
        let active = Set(traffic.active.filter { graph.isLive($0) }).sorted()
        traffic.active = []
        snapshot = Snapshot(epoch: epoch, time: time, graph: graph, folded: traffic.counters, active: active, trafficEpoch: trafficEpoch)
        return snapshot
    }

    private mutating func rewire() {
        let old = wiring
        wiring = Wiring(host: host?.name ?? "", books: books, declarations: declarations)
        let isElsewhere = old.resolution != wiring.resolution
        for cookie in Set(old.namespaces.keys).union(wiring.namespaces.keys) {
            // Addresses beyond the own links are resolved for tunnels and translations only.
            let looksFar = isElsewhere && books[cookie]?.looksBeyondItsLinks == true
            if areDeclarationsStale || looksFar || old.namespaces[cookie] != wiring.namespaces[cookie] {
                staleNamespaces.insert(cookie)
                staleFacts[cookie, default: []].formUnion(books[cookie]?.facts.keys.map { $0 } ?? [])
            }
        }
        stations.rewired(from: old, to: wiring)
        claims.set(hostClaims(), of: .host)
        claims.set(declarationClaims(), of: .declarations)
        isWiringStale = false
        areDeclarationsStale = false
        arePlacesStale = true
    }

    private mutating func derive() {
        for cookie in staleNamespaces { claims.set(namespaceClaims(cookie), of: .namespace(cookie)) }
        // Forwarding entries last: what they lead to is known from the neighbours.
        var forwarding: Set<FactReference> = []
        for (cookie, identities) in staleFacts {
            for identity in identities {
                if case .forwarding = identity {
                    forwarding.insert(FactReference(namespace: cookie, identity: identity))
                } else {
                    derive(identity, in: cookie)
                }
            }
        }
        for reference in forwarding {
            stations.setForwarding(reference, isThere: books[reference.namespace]?.facts[reference.identity] != nil)
        }
        forwarding.formUnion(stations.takeStale())
        for reference in forwarding { derive(reference.identity, in: reference.namespace) }
        staleFacts = [:]
        staleNamespaces = []
        if arePlacesStale { staleAnnouncements.formUnion(announced.keys) }
        for interface in staleAnnouncements { claims.set(announcementClaims(interface), of: .announcement(interface)) }
        staleAnnouncements = []
        guard arePlacesStale else { return }
        traffic.rewire(wiring.resolution, places(), graph: &graph)
        arePlacesStale = false
    }

    private mutating func derive(_ identity: FactIdentity, in cookie: UInt64) {
        let source = ClaimBook.Source.fact(cookie, identity)
        guard let book = books[cookie], let fact = book.facts[identity] else {
            stations.setNeighbour(FactReference(namespace: cookie, identity: identity), nil)
            claims.set([:], of: source)
            return
        }
        let derivation = Derivation(wiring: wiring, book: book, namespace: cookie) { [stations, wiring] in
            stations.target($0, in: $1, wiring)
        }
        let found = derivation.claims(of: fact)
        if case .neighbour(let neighbour) = fact {
            var station: StationBook.Sighting?
            if let mac = neighbour.mac, let interface = wiring.interface(neighbour.interface, in: cookie) {
                let node = found.keys.lazy.compactMap { if case .node(let node) = $0 { node } else { nil } }.first
                station = node.map { StationBook.Sighting(mac: mac, network: interface.network, node: $0) }
            }
            stations.setNeighbour(FactReference(namespace: cookie, identity: identity), station)
        }
        claims.set(found, of: source)
    }

    /// Claims become nodes and links.
    private mutating func apply() {
        for key in claims.takeTouched() {
            let state = claims.state(of: key)
            switch key {
            case .node(let node):
                if let state {
                    graph.claim(node, state: names.named(state, node).encoded)
                } else if let id = graph.node(node) {
                    graph.disclaim(id)
                    if graph.isLive(id) { graph.setState(id, names.named(.plain, node).encoded) }
                }
            case .link(let link):
                if let state {
                    let (a, b) = (graph.ensure(link.a), graph.ensure(link.b))
                    graph.setLink(link.kind, a, b, graph.packed(link.qualifier), state: state.encoded)
                } else if let a = graph.node(link.a), let b = graph.node(link.b) {
                    let qualifier = graph.packed(link.qualifier)
                    if let id = graph.link(link.kind, a, b, qualifier) { graph.removeLink(id) }
                }
            }
        }
    }

    /// Names of endpoints that came with traffic, and names that came for endpoints that are there.
    private mutating func applyNames() {
        var nodes = traffic.made.filter { graph.isLive($0) }
        traffic.made = []
        for (address, network) in names.takeFresh() {
            let networks = network.map { [$0] } ?? wiring.resolution.candidates(for: address)
            nodes += networks.compactMap { graph.node(.endpoint($0, address)) }
        }
        for node in nodes {
            let key = graph.nodes[Int(node.rawValue)].key
            var state = claims.state(of: .node(key)) ?? .plain
            if case .endpoint(let network, let address) = key, wiring.resolution.isBroadcast(address, in: network), state == .plain {
                state = .endpoint(EndpointState(isBroadcast: true))
            }
            graph.setState(node, names.named(state, key).encoded)
        }
    }

    // MARK: what is told as a whole

    private func hostClaims() -> ClaimBook.Claims {
        guard let host else { return [:] }
        return [.node(.host(KeyText.kept(host.name))): .host(host.state)]
    }

    private func declarationClaims() -> ClaimBook.Claims {
        var found: ClaimBook.Claims = [:]
        for network in declarations.networks {
            let key = EntityKey.node(.network(.declared(KeyText.kept(network.name))))
            found[key] = .network(NetworkState(prefixes: Set(network.prefixes).sorted()))
        }
        for zone in declarations.zones {
            let node = NodeKey.zone(KeyText.kept(zone.name))
            found[.node(node)] = .zone(Set(zone.prefixes).sorted())
            for network in zone.networks { found[.link(LinkKey(.member, .network(network), node))] = .plain }
        }
        return found
    }

    private func namespaceClaims(_ cookie: UInt64) -> ClaimBook.Claims {
        guard let names = wiring.namespaces[cookie], let book = books[cookie] else { return [:] }
        var found: ClaimBook.Claims = [.node(.namespace(names.key)): .namespace(owner: book.namespace?.owner ?? "")]
        if !book.security.isEmpty { found[.node(.security(names.key))] = .security(book.security) }
        for translation in book.translations {
            let ends = [translation.address, translation.actual].map {
                NodeKey.endpoint(wiring.resolution.network(of: $0, from: cookie), $0)
            }
            let qualifier = LinkQualifier.flow(translation.transport, port: translation.port, application: nil)
            found[.link(LinkKey(.translates, ends[0], ends[1], qualifier))] = .plain
        }
        return found
    }

    /// Each neighbour is a host with an interface, which the own interface is a neighbour of. The own host is known better.
    private func announcementClaims(_ interface: InterfaceID) -> ClaimBook.Claims {
        guard let neighbours = announced[interface], let place = counted[interface],
            let own = wiring.interface(place.index, in: place.namespace)
        else { return [:] }
        var found: ClaimBook.Claims = [:]
        for neighbour in neighbours where !neighbour.system.isEmpty && !neighbour.port.isEmpty && neighbour.system != host?.name {
            let namespace = NamespaceKey(host: KeyText.kept(neighbour.system), name: "init")
            let port = NodeKey.interface(namespace, KeyText.kept(neighbour.port))
            found[.node(.host(namespace.host))] = .host(HostState())
            found[.node(.namespace(namespace))] = .namespace(owner: "")
            found[.node(port)] = .plain
            found[.link(LinkKey(.neighbour, own.key, port))] = .station(StationState(mac: neighbour.mac))
        }
        return found
    }

    /// Where the counted interfaces are.
    private func places() -> [InterfaceID: ObservationRule.Place] {
        var found: [InterfaceID: ObservationRule.Place] = [:]
        for (id, place) in counted {
            guard let interface = wiring.interface(place.index, in: place.namespace), let book = books[place.namespace] else { continue }
            var peers: [InterfaceAddress] = []
            if interface.peer != nil, let far = book.links[place.index]?.far(in: place.namespace) {
                peers = books[far.namespace]?.addresses[far.index] ?? []
            }
            found[id] = ObservationRule.Place(
                namespace: place.namespace, index: place.index, network: interface.network,
                addresses: Set((book.addresses[place.index] ?? []).map(\.address)), peerAddresses: Set(peers.map(\.address)))
        }
        return found
    }
}
