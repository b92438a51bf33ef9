import NetworkTypes

/// All that is known of one namespace, by identity.
struct NamespaceBook {
    /// nil: facts came before it did.
    var namespace: NamespaceFact?
    var security = ""
    var translations: [AddressTranslation] = []
    private(set) var facts: [FactIdentity: Fact] = [:]
    private(set) var links: [Int32: LinkFact] = [:]
    /// By interface.
    private(set) var addresses: [Int32: [InterfaceAddress]] = [:]
    private(set) var nexthops: [UInt32: NexthopObject] = [:]

    var looksBeyondItsLinks: Bool { !translations.isEmpty || links.values.contains { $0.vxlan != nil } }

    /// False when the fact was known already, as it is.
    mutating func put(_ fact: Fact) -> Bool {
        let identity = fact.identity
        let old = facts.updateValue(fact, forKey: identity)
        if old == fact { return false }
        switch fact {
        case .link(let link): links[link.index] = link
        case .address(let address):
            if case .address(let old) = old { forget(old) }
            addresses[address.interface, default: []].append(address)
        case .nexthop(let object): nexthops[object.id] = object
        case .route, .rule, .neighbour, .forwarding: break
        }
        return true
    }

    /// What went: nothing, the fact, or an interface with all that is on it.
    mutating func take(_ identity: FactIdentity) -> [FactIdentity] {
        guard let old = facts.removeValue(forKey: identity) else { return [] }
        var gone = [identity]
        switch old {
        case .link(let link):
            links[link.index] = nil
            for dependent in facts.values where dependent.isOn(link.index) { gone += take(dependent.identity) }
        case .address(let address): forget(address)
        case .nexthop(let object): nexthops[object.id] = nil
        case .route, .rule, .neighbour, .forwarding: break
        }
        return gone
    }

    /// The identities whose facts are not as they were.
    mutating func replace(with dump: [Fact]) -> [FactIdentity] {
        var wanted: [FactIdentity: Fact] = [:]
        for fact in dump { wanted[fact.identity] = fact }
        var changed: [FactIdentity] = []
        for identity in Array(facts.keys) where wanted[identity] == nil {
            // Only it: what else an interface would take with it is in the dump or not.
            if case .link(let link) = facts.removeValue(forKey: identity) { links[link.index] = nil }
            changed.append(identity)
        }
        addresses = [:]
        nexthops = [:]
        for (identity, fact) in wanted {
            if facts.removeValue(forKey: identity) != fact { changed.append(identity) }
            _ = put(fact)
        }
        return changed
    }

    private mutating func forget(_ address: InterfaceAddress) {
        addresses[address.interface]?.removeAll { $0.address == address.address && $0.prefixLength == address.prefixLength }
        if addresses[address.interface]?.isEmpty == true { addresses[address.interface] = nil }
    }
}

extension Fact {
    /// Whether the fact goes with an interface: it is on it, or leads out of it and nowhere else.
    func isOn(_ interface: Int32) -> Bool {
        switch self {
        case .link, .rule, .nexthop: false
        case .address(let address): address.interface == interface
        case .neighbour(let neighbour): neighbour.interface == interface
        case .forwarding(let entry): entry.interface == interface || entry.bridge == interface
        case .route(let route): !route.nexthops.isEmpty && route.nexthops.allSatisfy { $0.interface == interface }
        }
    }

    var nexthopObject: UInt32? {
        switch self {
        case .route(let route): route.nexthopObject
        case .forwarding(let entry): entry.nexthopObject
        default: nil
        }
    }
}
