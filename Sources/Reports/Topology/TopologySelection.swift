import Topology

/// What of a snapshot is told: of a network or another place, of a layer, and the busiest communication. Every link's ends and every entity's
/// parents are among the nodes.
public struct TopologySelection: Sendable {
    /// By rising key.
    public var nodes: [NodeID] = []
    public var links: [LinkID] = []
    /// Communication links that were left out.
    public var omitted = 0

    /// - Parameters:
    ///   - place: a network with what belongs to it; or a host, namespace, zone or anything else with what is in it. nil: everything.
    ///   - top: the most communication links.
    public init(_ teller: TopologyTeller, in place: NodeID? = nil, layer: TopologyLayer? = nil, top: Int) {
        let snapshot = teller.snapshot
        let scope = place.map { Scope(teller, $0) }
        var chosen: [LinkID] = []
        var busy: [(link: LinkID, bits: Double)] = []
        snapshot.forEachLink { link, kind, a, b in
            guard let told = snapshot.told(link), layer == nil || told.layer == layer, scope?.has(link, a, b) ?? true else { return }
            if kind == .talks {
                busy.append((link, teller.rates(of: link)?.bothBitsPerSecond ?? 0))
            } else {
                chosen.append(link)
            }
        }
        if busy.count > top { busy.sort { $0.bits != $1.bits ? $0.bits > $1.bits : $0.link < $1.link } }
        chosen += busy.prefix(top).map(\.link)
        omitted = max(0, busy.count - top)

        var found = Set<NodeID>()
        func add(_ node: NodeID) {
            var next: NodeID? = node
            while let one = next, found.insert(one).inserted { next = teller.parent(of: one) }
        }
        for link in chosen {
            let ends = snapshot.ends(of: link)
            add(ends.a)
            add(ends.b)
        }
        snapshot.forEachNode { node, key in
            guard scope?.nodes.contains(node) ?? true else { return }
            switch layer {
            // An endpoint that only talks, of which no link is told, is not told either.
            case nil: if key.kind != .endpoint || omitted == 0 { add(node) }
            case .physical: if key.kind.isPhysical { add(node) }
            default: break
            }
        }
        nodes = Self.sorted(found) { snapshot.key(of: $0).description }
        links = Self.sorted(chosen) { snapshot.key(of: $0).description }
    }

    private static func sorted<ID: Hashable>(_ ids: some Collection<ID>, by text: (ID) -> String) -> [ID] {
        ids.map { ($0, text($0)) }.sorted { $0.1 < $1.1 }.map(\.0)
    }

    /// What belongs to a place.
    private struct Scope {
        let teller: TopologyTeller
        var nodes: Set<NodeID>
        /// When the place is a network.
        var network: NetworkKey?

        init(_ teller: TopologyTeller, _ place: NodeID) {
            self.teller = teller
            let snapshot = teller.snapshot
            if case .network(let key) = snapshot.key(of: place) { network = key }
            var found: Set<NodeID> = [place]
            var rest = [place]
            while let next = rest.popLast() {
                var inside = snapshot.members(of: next)
                if snapshot.key(of: next).kind == .interface, network == nil {
                    inside += snapshot.links(of: next).filter { $0.kind == .attached }.map(\.other)
                }
                for member in inside where found.insert(member).inserted { rest.append(member) }
            }
            nodes = found
        }

        func has(_ link: LinkID, _ a: NodeID, _ b: NodeID) -> Bool {
            if let network, network.isVirtual { return teller.networks(of: link).contains(network) }
            return nodes.contains(a) || nodes.contains(b)
        }
    }
}
