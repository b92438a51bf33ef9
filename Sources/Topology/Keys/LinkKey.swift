import NetworkTypes

/// What joins two nodes. The numbers are those of the encoding.
public enum LinkKind: UInt8, Sendable, Hashable, CaseIterable {
    /// Layer 2: the two ends of a veth.
    case veth = 1
    /// Layer 2: an interface that is a port of a bridge, bond or VRF.
    case port = 2
    /// A device and the one under it: VLAN, macvlan, VXLAN over its underlay.
    case stacked = 3
    /// Layer 2: where frames for a station go: from a bridge's port or a remote VTEP.
    case forwards = 4
    /// An interface and a neighbour: an endpoint whose link-layer address it knows, or a system's port that announced itself (LLDP).
    case neighbour = 5
    /// Layer 3: an interface and a gateway that routes go by.
    case gateway = 6
    /// An endpoint and the interface that has its address.
    case attached = 7
    /// An interface in a network, a network in a zone.
    case member = 8
    /// Overlay to underlay: a VXLAN device and the VTEP that it is.
    case terminates = 9
    /// A pair of VTEPs, per VNI.
    case tunnel = 10
    /// An endpoint that serves a service.
    case serves = 11
    /// Communication: a client and a server, per protocol, port and application.
    case talks = 12
    /// Two endpoints that are one to a client: what an address was translated to (NAT).
    case translates = 13
    /// A node and what it is part of (``NodeKey/parent``). Follows from the key alone, so that it is in no history.
    case part = 14

    /// The word in keys.
    public var word: String {
        switch self {
        case .veth: "veth"
        case .port: "port"
        case .stacked: "over"
        case .forwards: "fdb"
        case .neighbour: "neighbour"
        case .gateway: "gateway"
        case .attached: "attached"
        case .member: "member"
        case .terminates: "vtep"
        case .tunnel: "tunnel"
        case .serves: "serves"
        case .talks: "talks"
        case .translates: "nat"
        case .part: "part"
        }
    }

    init?(word: some StringProtocol) {
        guard let kind = Self.allCases.first(where: { $0.word == word }) else { return nil }
        self = kind
    }

    /// Both ends are alike: the key has the lesser one first.
    var isSymmetric: Bool { self == .veth || self == .tunnel }
    /// Carries traffic counts.
    public var isTraffic: Bool { self == .talks || self == .tunnel }
}

/// What a link is called: its kind, its two ends, and what tells apart links of a kind between the same ends.
public struct LinkKey: Sendable, Hashable {
    public var kind: LinkKind
    public var a: NodeKey
    public var b: NodeKey
    public var qualifier: LinkQualifier

    public init(_ kind: LinkKind, _ a: NodeKey, _ b: NodeKey, _ qualifier: LinkQualifier = .none) {
        self.kind = kind
        self.qualifier = qualifier
        let isSwapped = kind.isSymmetric && b.description < a.description
        self.a = isSwapped ? b : a
        self.b = isSwapped ? a : b
    }

    /// With the ends in their order already.
    init(ordered kind: LinkKind, _ a: NodeKey, _ b: NodeKey, _ qualifier: LinkQualifier) {
        self.kind = kind
        self.a = a
        self.b = b
        self.qualifier = qualifier
    }
}

public enum LinkQualifier: Sendable, Hashable {
    case none
    /// Of tunnels, and of what is learned through them.
    case vni(UInt32)
    /// Of communication. Port 0: several, or none.
    case flow(IPProtocol, port: UInt16, application: String?)
}

/// What an entity of the topology is called: a node or a link.
public enum EntityKey: Sendable, Hashable {
    case node(NodeKey)
    case link(LinkKey)
}
