import Topology

/// What a link is about, for choosing what is to be seen.
public enum TopologyLayer: String, Codable, Hashable, Sendable, CaseIterable {
    case physical, layer2, layer3, tunnel, communication
}

extension LinkKey {
    /// As of its kind; the other end of a wire is a neighbour too, but an interface (LLDP).
    public var told: (word: String, layer: TopologyLayer)? {
        if kind == .neighbour, case .interface = b { return ("wire", .physical) }
        return kind.told
    }
}

extension Snapshot {
    func told(_ link: LinkID) -> (word: String, layer: TopologyLayer)? {
        let kind = kind(of: link)
        return kind == .neighbour ? key(of: link).told : kind.told
    }
}

extension LinkKind {
    /// The word of the API, and the layer; nil for kinds that it tells by other means: of what is part of what by `parent`, of what is in
    /// which network by `networks`.
    fileprivate var told: (word: String, layer: TopologyLayer)? {
        switch self {
        case .veth: ("veth", .layer2)
        case .port: ("port", .layer2)
        case .stacked: ("stack", .physical)
        case .forwards: ("fdb", .layer2)
        case .neighbour: ("neighbour", .layer3)
        case .gateway: ("gateway", .layer3)
        case .attached: ("attachment", .layer2)
        case .terminates: ("vtep", .tunnel)
        case .tunnel: ("tunnel", .tunnel)
        case .serves: ("serves", .communication)
        case .talks: ("talk", .communication)
        case .translates: ("translation", .communication)
        case .member, .part: nil
        }
    }
}

extension NodeKind {
    /// Every host, namespace and interface is of the physical layer, linked or not.
    var isPhysical: Bool { self == .host || self == .namespace || self == .interface }
}
