import NetworkTypes

/// Which network an address belongs to. This is the one place where that is decided.
///
/// An interface is in the network of its segment (``Wiring``): everything joined by veth pairs, bridge and bond ports and macvlans. The
/// segment's network is `vni/N` with the least VNI of its VXLAN devices; without one `bridge/…` after its first bridge; without one
/// `vlan/…` after its first VLAN device; else `link/…` after its first interface. First is by key. Inner packets of VNI n are seen in the
/// network that a VXLAN device of VNI n is in, `vni/n` where none is known.
///
/// An address that is seen in a network B (on an interface of B, or in a tunnel) belongs to
///
/// 1. the declared network with the longest prefix that has it;
/// 2. B, when it means something only there: multicast, broadcast, link-local, loopback, unspecified;
/// 3. B, when a prefix connected to an interface in B has it;
/// 4. another network with a connected prefix that has it, if the host routes to it from B: first those that share a namespace with an
///    address in both, then those that are joined over more namespaces; the longest prefix of these, then the least key;
/// 5. B, when no prefix of B is known at all: nothing says that the address is elsewhere;
/// 6. `external`: beyond a gateway.
public struct AddressResolution: Sendable, Hashable {
    /// A prefix, and the networks with an interface that is connected to it.
    var connected: [IPPrefix: [NetworkKey]] = [:]
    /// The lengths of ``connected``, longest first, by family.
    var lengths: [[Int]] = [[], []]
    var declared: [IPPrefix: String] = [:]
    var declaredLengths: [[Int]] = [[], []]
    /// The namespaces that have an address in a network.
    var namespaces: [NetworkKey: Set<UInt64>] = [:]
    /// Networks that are joined by namespaces have the same number.
    var components: [NetworkKey: Int] = [:]
    /// The network that packets inside a VNI are seen in.
    var tunnels: [UInt32: NetworkKey] = [:]

    init() {}

    /// - Parameter declarations: the configuration's networks.
    /// - Parameter prefixes: connected prefixes, with the network and the namespace of their interface.
    init(declarations: Declarations, prefixes: [(IPPrefix, NetworkKey, namespace: UInt64)], tunnels: [UInt32: NetworkKey]) {
        self.tunnels = tunnels
        for network in declarations.networks {
            for prefix in network.prefixes { declared[prefix] = min(declared[prefix] ?? network.name, network.name) }
        }
        var inNamespace: [UInt64: [NetworkKey]] = [:]
        for (prefix, network, namespace) in prefixes {
            if connected[prefix]?.contains(network) != true { connected[prefix, default: []].append(network) }
            if namespaces[network, default: []].insert(namespace).inserted { inNamespace[namespace, default: []].append(network) }
        }
        for prefix in connected.keys where connected[prefix]!.count > 1 { connected[prefix]!.sort { $0.description < $1.description } }
        var sets = DisjointSets<NetworkKey>()
        for networks in inNamespace.values { for network in networks { sets.join(networks[0], network) } }
        // The least key stands for a component, so that the numbers do not depend on the order of anything.
        let roots = sets.groups().map { $0.map(\.description).min()! }.sorted()
        let numbers = Dictionary(uniqueKeysWithValues: roots.enumerated().map { ($1, $0) })
        for group in sets.groups() {
            let number = numbers[group.map(\.description).min()!]!
            for network in group { components[network] = number }
        }
        lengths = Self.lengths(of: connected.keys)
        declaredLengths = Self.lengths(of: declared.keys)
    }

    private static func lengths(of prefixes: some Sequence<IPPrefix>) -> [[Int]] {
        var found: [Set<Int>] = [[], []]
        for prefix in prefixes { found[prefix.address.isV4 ? 0 : 1].insert(prefix.length) }
        return found.map { $0.sorted(by: >) }
    }

    /// The declared network with the longest prefix that has the address.
    public func declaredNetwork(of address: IPAddress) -> NetworkKey? {
        for length in declaredLengths[address.isV4 ? 0 : 1] {
            if let name = IPPrefix(address, length: length).flatMap({ declared[$0] }) { return .declared(name) }
        }
        return nil
    }

    /// - Parameter network: the network that the address was seen in.
    public func network(of address: IPAddress, seenIn network: NetworkKey) -> NetworkKey {
        if let declared = declaredNetwork(of: address) { return declared }
        if address.isSpecial { return network }
        var adjacent: NetworkKey?
        var joined: NetworkKey?
        let mine = namespaces[network] ?? []
        for length in lengths[address.isV4 ? 0 : 1] {
            guard let prefix = IPPrefix(address, length: length), let candidates = connected[prefix] else { continue }
            if candidates.contains(network) { return network }
            for candidate in candidates {
                if adjacent == nil, let others = namespaces[candidate], !others.isDisjoint(with: mine) { adjacent = candidate }
                if joined == nil, let component = components[candidate], component == components[network] { joined = candidate }
            }
        }
        if let found = adjacent ?? joined { return found }
        return mine.isEmpty ? network : .external
    }

    /// The network of an address that a namespace knows of, wherever it was seen.
    func network(of address: IPAddress, from namespace: UInt64) -> NetworkKey {
        if let declared = declaredNetwork(of: address) { return declared }
        for length in lengths[address.isV4 ? 0 : 1] {
            guard let prefix = IPPrefix(address, length: length), let candidates = connected[prefix] else { continue }
            if let found = candidates.first(where: { namespaces[$0]?.contains(namespace) == true }) { return found }
        }
        return .external
    }

    /// The networks in which the address can be an endpoint.
    func candidates(for address: IPAddress) -> [NetworkKey] {
        var found: Set<NetworkKey> = [.external]
        if let declared = declaredNetwork(of: address) { found.insert(declared) }
        for length in lengths[address.isV4 ? 0 : 1] {
            found.formUnion(IPPrefix(address, length: length).flatMap { connected[$0] } ?? [])
        }
        return Array(found)
    }

    /// Whether the address means all hosts of a subnet that is connected to the network.
    func isBroadcast(_ address: IPAddress, in network: NetworkKey) -> Bool {
        guard address.isV4 else { return false }
        return lengths[0].contains { length in
            guard let prefix = IPPrefix(address, length: length), prefix.broadcast == address else { return false }
            return connected[prefix]?.contains(network) == true
        }
    }

    func network(ofVNI vni: UInt32) -> NetworkKey { tunnels[vni] ?? .vni(vni) }
}

extension IPAddress {
    /// Multicast (RFC 5771, RFC 4291).
    public var isMulticast: Bool {
        switch self {
        case .v4(let a): a >> 28 == 0xE
        case .v6(let high, _): high >> 56 == 0xFF
        }
    }
    /// 169.254/16 (RFC 3927), fe80::/10 (RFC 4291).
    public var isLinkLocal: Bool {
        switch self {
        case .v4(let a): a >> 16 == 0xA9FE
        case .v6(let high, _): high >> 54 == 0x3FA
        }
    }
    /// 127/8, ::1.
    public var isLoopback: Bool {
        switch self {
        case .v4(let a): a >> 24 == 127
        case .v6(let high, let low): high == 0 && low == 1
        }
    }
    /// Means something only where it is seen: no host elsewhere has it.
    public var isSpecial: Bool {
        if isMulticast || isLinkLocal || isLoopback { return true }
        switch self {
        case .v4(let a): return a == 0 || a == .max
        case .v6(let high, let low): return high | low == 0
        }
    }
}

extension IPPrefix {
    /// The address that means all hosts of an IPv4 subnet (RFC 919); nil where there is none: IPv6, and subnets of two addresses or one
    /// (RFC 3021).
    var broadcast: IPAddress? {
        guard case .v4(let first) = address, length < 31 else { return nil }
        return .v4(first | .max >> UInt32(length))
    }
}

/// Union-find.
struct DisjointSets<Element: Hashable> {
    private var parents: [Element: Element] = [:]

    mutating func find(_ element: Element) -> Element {
        var root = element
        while let parent = parents[root], parent != root { root = parent }
        var walk = element
        while let parent = parents[walk], parent != root {
            parents[walk] = root
            walk = parent
        }
        if parents[element] == nil { parents[element] = root }
        return root
    }

    mutating func join(_ a: Element, _ b: Element) {
        let (x, y) = (find(a), find(b))
        if x != y { parents[y] = x }
    }

    /// In no order that means anything.
    mutating func groups() -> [[Element]] {
        var groups: [Element: [Element]] = [:]
        for element in Array(parents.keys) { groups[find(element), default: []].append(element) }
        return Array(groups.values)
    }
}
