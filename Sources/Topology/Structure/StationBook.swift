import NetworkTypes

/// A fact of a namespace, by name.
struct FactReference: Sendable, Hashable {
    var namespace: UInt64
    var identity: FactIdentity
}

/// What has a link-layer address in a network: forwarding entries say where its frames go, but not whose it is.
struct StationBook {
    struct Sighting: Hashable {
        var mac: MACAddress
        var network: NetworkKey
        var node: NodeKey
    }

    private struct Place: Hashable {
        var mac: MACAddress
        var network: NetworkKey
    }

    private var byFact: [FactReference: Sighting] = [:]
    private var nodes: [Place: [NodeKey]] = [:]
    private var forwarding: [MACAddress: Set<FactReference>] = [:]
    private var stale: Set<MACAddress> = []

    /// What a neighbour table says, in place of what the fact said before.
    mutating func setNeighbour(_ fact: FactReference, _ sighting: Sighting?) {
        let old = byFact[fact]
        guard old != sighting else { return }
        byFact[fact] = sighting
        if let old {
            let place = Place(mac: old.mac, network: old.network)
            if let index = nodes[place]?.firstIndex(of: old.node) { nodes[place]!.remove(at: index) }
            if nodes[place]?.isEmpty == true { nodes[place] = nil }
            stale.insert(old.mac)
        }
        if let sighting {
            nodes[Place(mac: sighting.mac, network: sighting.network), default: []].append(sighting.node)
            stale.insert(sighting.mac)
        }
    }

    mutating func setForwarding(_ fact: FactReference, isThere: Bool) {
        guard case .forwarding(let entry) = fact.identity else { return }
        if isThere {
            forwarding[entry.mac, default: []].insert(fact)
        } else {
            forwarding[entry.mac]?.remove(fact)
            if forwarding[entry.mac]?.isEmpty == true { forwarding[entry.mac] = nil }
        }
    }

    mutating func rewired(from old: Wiring, to new: Wiring) {
        for (mac, networks) in new.stations where old.stations[mac] != networks { stale.insert(mac) }
        for mac in old.stations.keys where new.stations[mac] == nil { stale.insert(mac) }
    }

    /// Forwarding entries for addresses that mean something else now.
    mutating func takeStale() -> Set<FactReference> {
        defer { stale = [] }
        return stale.reduce(into: []) { $0.formUnion(forwarding[$1] ?? []) }
    }

    /// The interface that has the address, else the first endpoint that a neighbour table names, else just the address.
    func target(_ mac: MACAddress, in network: NetworkKey, _ wiring: Wiring) -> NodeKey {
        if let interface = wiring.stations[mac]?[network] { return interface }
        let first = nodes[Place(mac: mac, network: network)]?.min { Self.order($0) < Self.order($1) }
        return first ?? .station(network, mac)
    }

    /// Addresses that a person gave before link-local ones, IPv4 before IPv6.
    private static func order(_ node: NodeKey) -> (Int, String) {
        guard case .endpoint(_, let address) = node else { return (3, node.description) }
        return ((address.isLinkLocal ? 2 : 0) + (address.isV4 ? 0 : 1), node.description)
    }
}
