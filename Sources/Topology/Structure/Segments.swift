import NetworkTypes

/// The layer-2 segments: which interfaces see each other's frames, and what the network of a segment is called (``AddressResolution`` has
/// the rule in words).
struct Segments {
    private let keys: [UInt64: NamespaceKey]
    private let books: [UInt64: NamespaceBook]
    private var sets = DisjointSets<InterfacePlace>()

    /// Masters that pass frames between their ports. A VRF's are apart.
    static let switches: Set<String> = ["bridge", "bond", "team", "openvswitch"]
    /// Devices that share the segment of the one under them.
    private static let sharers: Set<String> = ["macvlan", "macvtap", "ipvlan", "ipvtap"]

    init(_ keys: [UInt64: NamespaceKey], _ books: [UInt64: NamespaceBook]) {
        self.keys = keys
        self.books = books
        for cookie in keys.keys {
            for link in books[cookie]?.links.values ?? [:].values {
                let place = InterfacePlace(namespace: cookie, index: link.index)
                _ = sets.find(place)
                if let master = link.master, let device = books[cookie]?.links[master], Self.switches.contains(device.kind) {
                    sets.join(place, InterfacePlace(namespace: cookie, index: master))
                }
                guard let far = link.far(in: cookie), let other = books[far.namespace]?.links[far.index], keys[far.namespace] != nil else {
                    continue
                }
                let isPair = link.kind == "veth" && other.isPeer(of: place, in: far.namespace)
                if isPair || Self.sharers.contains(link.kind) { sets.join(place, far) }
            }
        }
    }

    /// The network of every interface, and the network that each VNI is in.
    mutating func networks() -> (interfaces: [InterfacePlace: NetworkKey], tunnels: [UInt32: NetworkKey]) {
        var interfaces: [InterfacePlace: NetworkKey] = [:]
        var tunnels: [UInt32: NetworkKey] = [:]
        for segment in sets.groups() {
            let links = segment.compactMap { place in books[place.namespace]?.links[place.index].map { (place, $0) } }
            let vnis = links.compactMap { $0.1.vxlan?.vni }
            let network = vnis.min().map(NetworkKey.vni) ?? name(links)
            for place in segment { interfaces[place] = network }
            for vni in vnis {
                // The same VNI in two segments that are named differently: the least name, whatever order they come in.
                let known = tunnels[vni]
                if known == nil || network.description < known!.description { tunnels[vni] = network }
            }
        }
        return (interfaces, tunnels)
    }

    private func name(_ links: [(InterfacePlace, LinkFact)]) -> NetworkKey {
        let named = links.compactMap { place, link in keys[place.namespace].map { ($0, link) } }
        func first(_ kind: String?) -> (NamespaceKey, LinkFact)? {
            named.filter { kind == nil || $0.1.kind == kind }.min { Self.precedes($0, $1) }
        }
        if let (namespace, link) = first("bridge") { return .bridge(namespace, KeyText.kept(link.name)) }
        if let (namespace, link) = first("vlan") { return .vlan(link.vlan ?? 0, namespace, KeyText.kept(link.name)) }
        guard let (namespace, link) = first(nil) else { preconditionFailure("a segment of \(links)") }
        return .link(namespace, KeyText.kept(link.name))
    }

    private static func precedes(_ a: (NamespaceKey, LinkFact), _ b: (NamespaceKey, LinkFact)) -> Bool {
        (a.0.host, a.0.name, a.1.name) < (b.0.host, b.0.name, b.1.name)
    }
}
