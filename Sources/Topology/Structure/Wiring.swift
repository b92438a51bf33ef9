import NetworkTypes

/// An interface by its numbers: what facts call it.
struct InterfacePlace: Sendable, Hashable {
    var namespace: UInt64
    var index: Int32
}

/// How the interfaces of all namespaces hang together: what their facts mean, as far as it takes more than the fact itself.
///
/// Made anew from all links and addresses whenever one of them changes, and compared with the one before: only namespaces for which it
/// differs have their facts derived again.
struct Wiring: Sendable {
    struct Interface: Sendable, Hashable {
        var key: NodeKey
        var network: NetworkKey
        // Of the link itself, for facts that are on it.
        var mac: MACAddress?
        var vni: UInt32?
        var isLoopback: Bool
        /// Of a veth.
        var peer: NodeKey?
        /// The bridge, bond or VRF.
        var master: NodeKey?
        /// The device under a VLAN, macvlan or VXLAN device.
        var lower: NodeKey?
        /// The slower of this end and the other, where they are known.
        var capacity: UInt64?
        /// Of a VXLAN device: the VTEP that it is.
        var vtep: NodeKey?
        /// Of a VXLAN device: where its packets go.
        var underlay: NetworkKey?
    }

    struct Namespace: Sendable, Hashable {
        var key: NamespaceKey
        var interfaces: [Int32: Interface]
    }

    private(set) var namespaces: [UInt64: Namespace] = [:]
    private(set) var resolution = AddressResolution()
    /// What frames for a link-layer address reach, by network; the first by key.
    private(set) var stations: [MACAddress: [NetworkKey: NodeKey]] = [:]

    init() {}

    init(host: String, books: [UInt64: NamespaceBook], declarations: Declarations) {
        let keys = Self.names(host, books)
        var segments = Segments(keys, books)
        let networks = segments.networks()
        resolution = AddressResolution(
            declarations: declarations, prefixes: Self.prefixes(keys, books, networks.interfaces), tunnels: networks.tunnels)
        for (cookie, key) in keys {
            guard let book = books[cookie] else { continue }
            var interfaces: [Int32: Interface] = [:]
            for link in book.links.values {
                guard let network = networks.interfaces[InterfacePlace(namespace: cookie, index: link.index)] else { continue }
                var interface = Interface(
                    key: Self.node(key, link), network: network, mac: link.mac, vni: link.vxlan?.vni, isLoopback: link.isLoopback)
                join(&interface, link, cookie, keys, books, networks.interfaces)
                interfaces[link.index] = interface
                if let mac = link.mac, !link.isLoopback {
                    let receiver = Self.receiver(of: link, in: book, key)
                    let known = stations[mac]?[network]
                    if known == nil || receiver.description < known!.description { stations[mac, default: [:]][network] = receiver }
                }
            }
            namespaces[cookie] = Namespace(key: key, interfaces: interfaces)
        }
    }

    func interface(_ index: Int32, in namespace: UInt64) -> Interface? { namespaces[namespace]?.interfaces[index] }

    static func node(_ namespace: NamespaceKey, _ link: LinkFact) -> NodeKey { .interface(namespace, KeyText.kept(link.name)) }

    /// What takes in the frames for a link's address: the link, or the bridge or bond that it is a port of. A bridge answers to its ports'
    /// addresses, and takes one of them for its own: a different one when another port comes.
    private static func receiver(of link: LinkFact, in book: NamespaceBook, _ namespace: NamespaceKey) -> NodeKey {
        var link = link
        // A bond in a bridge; the kernel allows no circles, but two messages of it may make one for a moment.
        for _ in 0..<8 {
            guard let master = link.master, let device = book.links[master], Segments.switches.contains(device.kind) else { break }
            link = device
        }
        return node(namespace, link)
    }

    /// A name that two namespaces share is the older one's (the lesser cookie's); the others carry their cookie.
    private static func names(_ host: String, _ books: [UInt64: NamespaceBook]) -> [UInt64: NamespaceKey] {
        let host = KeyText.kept(host)
        var taken: Set<String> = []
        var keys: [UInt64: NamespaceKey] = [:]
        for cookie in books.keys.sorted() {
            guard let namespace = books[cookie]?.namespace else { continue }
            var name = KeyText.kept(namespace.name)
            if !taken.insert(name).inserted { name = KeyText.kept("\(name)@\(cookie)") }
            taken.insert(name)
            keys[cookie] = NamespaceKey(host: host, name: name)
        }
        return keys
    }

    private static func prefixes(
        _ keys: [UInt64: NamespaceKey], _ books: [UInt64: NamespaceBook], _ networks: [InterfacePlace: NetworkKey]
    ) -> [(IPPrefix, NetworkKey, namespace: UInt64)] {
        var found: [(IPPrefix, NetworkKey, namespace: UInt64)] = []
        for cookie in keys.keys.sorted() {
            for (index, addresses) in books[cookie]?.addresses ?? [:] {
                guard let network = networks[InterfacePlace(namespace: cookie, index: index)] else { continue }
                for address in addresses where !address.address.isSpecial {
                    if let prefix = address.connected { found.append((prefix, network, cookie)) }
                    // Of a point-to-point link the near end is no part of the connected prefix.
                    if address.peer != nil, let own = IPPrefix(address.address, length: address.address.bitWidth) {
                        found.append((own, network, cookie))
                    }
                }
            }
        }
        return found
    }

    private func join(
        _ interface: inout Interface, _ link: LinkFact, _ cookie: UInt64, _ keys: [UInt64: NamespaceKey], _ books: [UInt64: NamespaceBook],
        _ networks: [InterfacePlace: NetworkKey]
    ) {
        func known(_ place: InterfacePlace?) -> (LinkFact, NodeKey)? {
            guard let place, let key = keys[place.namespace], let link = books[place.namespace]?.links[place.index] else { return nil }
            return (link, Self.node(key, link))
        }
        func slower(_ other: LinkFact) -> UInt64? { link.speed.map { min($0, other.speed ?? $0) } ?? other.speed }
        if let (master, node) = known(link.master.map { InterfacePlace(namespace: cookie, index: $0) }) {
            interface.master = node
            // A bridge's speed is that of its ports, not another wire's.
            interface.capacity = link.speed ?? master.speed
        }
        let other = link.far(in: cookie)
        let place = InterfacePlace(namespace: cookie, index: link.index)
        if link.kind == "veth", let (peer, node) = known(other), peer.isPeer(of: place, in: other!.namespace) {
            interface.peer = node
            interface.capacity = slower(peer)
        } else if link.kind != "veth", let (lower, node) = known(other) {
            interface.lower = node
            if link.master == nil { interface.capacity = slower(lower) }
        }
        guard let vxlan = link.vxlan else { return }
        let home = link.peerNamespace ?? cookie
        let device = vxlan.underlay ?? (link.peer == 0 ? nil : link.peer)
        let under = device.map { InterfacePlace(namespace: home, index: $0) }
        if interface.lower == nil, let (_, node) = known(under) { interface.lower = node }
        let local = vxlan.local ?? Self.firstAddress(of: device, in: books[home], like: vxlan.remote)
        guard let local else { return }
        let network = under.flatMap { networks[$0] } ?? resolution.network(of: local, from: home)
        interface.underlay = network
        interface.vtep = .endpoint(resolution.network(of: local, seenIn: network), local)
    }

    /// The address that a VXLAN device without one of its own takes: the first of the device under it, of the remote's family.
    private static func firstAddress(of device: Int32?, in book: NamespaceBook?, like remote: IPAddress?) -> IPAddress? {
        guard let device, let addresses = book?.addresses[device] else { return nil }
        let isV4 = remote?.isV4 ?? true
        return addresses.map(\.address).filter { $0.isV4 == isV4 && !$0.isSpecial }.min()
    }
}

extension LinkFact {
    /// The other end of a veth, the device under another.
    func far(in namespace: UInt64) -> InterfacePlace? {
        peer.map { InterfacePlace(namespace: peerNamespace ?? namespace, index: $0) }
    }

    /// The other end of a veth. The kernel announces the first end of a new pair before it has the second, thus without naming it, and says
    /// no more of it until something about it changes.
    func isPeer(of place: InterfacePlace, in namespace: UInt64) -> Bool { kind == "veth" && (far(in: namespace) ?? place) == place }
}
