import NetworkTypes

/// The way of a packet through the network: every interface that it passes, and where it ends.
public struct Walk: Sendable, Hashable {
    /// More than one where flows split over several nexthops, or where a bridge does not know the address and floods.
    public var branches: [Branch]
    /// Every passage of an interface once, also those that branches have in common, for adding up loads.
    public var passages: [Hop]

    enum Selection { case withoutIgnored }

    /// Copies that nobody wanted say something only when nobody got one.
    init(branches: [Branch], passages: [Hop], _: Selection) {
        let wanted = branches.filter { if case .ignored = $0.outcome { false } else { true } }
        self.branches = wanted.isEmpty ? branches : wanted
        self.passages = passages
    }

    /// The part of the flows that is delivered, 0...1. An expectation where flows split (see ``RouteDecision/choices``).
    public var deliveredShare: Double {
        min(1, branches.reduce(0) { if case .delivered = $1.outcome { $0 + $1.share } else { $0 } })
    }
    /// Some flows may take another way than others.
    public var isSplit: Bool { branches.contains { $0.share < 1 } }
}

/// One way of several.
public struct Branch: Sendable, Hashable {
    public var hops: [Hop]
    /// The part of the flows that is expected to go here, 0...1. Copies of a flooded frame have the whole share each.
    public var share: Double
    public var outcome: WalkOutcome
    public var notes: [WalkNote]
}

/// A passage of an interface.
public struct Hop: Sendable, Hashable {
    public enum Direction: UInt8, Sendable, Hashable {
        case egress
        case ingress
    }
    public var place: LinkPlace
    public var name: String
    public var direction: Direction
    /// 0 outside of tunnels; what a tunnel carries is one deeper per tunnel around it, so outer headers have the smaller number.
    public var depth: Int
    /// Of the frame, as the interface counts it.
    public var frameBytes: Int
    /// The part of the flows that passes here.
    public var share: Double
    /// Where the frame was handed to on this link; nil where it went to the destination itself or is merely switched.
    public var gateway: IPAddress?
}

/// How a branch ends.
public enum WalkOutcome: Sendable, Hashable {
    /// In this namespace.
    case delivered(namespace: String)
    /// Out of an interface whose other end is not known.
    case left(LinkPlace)
    case lost(LossReason)
    /// A copy of a flooded frame that reached an interface which it is not for.
    case ignored(LinkPlace)
    /// A request that was answered: the address is at this link-layer address.
    case answered(MACAddress)
}

/// Why a packet goes no further.
public enum LossReason: Sendable, Hashable {
    case lookup(LookupFailure, namespace: String)
    case linkDown(LinkPlace)
    case noCarrier(LinkPlace)
    /// Nobody on the link answers for the address.
    case noNeighbour(IPAddress, on: LinkPlace)
    case ttlExceeded(namespace: String)
    /// The bridge's port is not in the forwarding state.
    case portBlocked(LinkPlace)
    /// The tunnel knows no VTEP for the address.
    case noVTEP(LinkPlace)
    /// The outer packet came to a namespace without that tunnel.
    case noTunnelEnd(namespace: String)
    /// A dummy interface.
    case discarded(LinkPlace)
    case noSuchNamespace(String)
    /// The walk was given up: too many hops or branches.
    case loop
}

/// What is worth knowing about a way that works.
public enum WalkNote: Sendable, Hashable {
    /// The packet has to be cut up, or is dropped where that is not allowed.
    case exceedsMTU(LinkPlace, size: Int, mtu: Int)
    /// The bridge did not know where the address is.
    case flooded(LinkPlace)
    /// No neighbour entry: the address was found by asking on the link.
    case asked(IPAddress, on: LinkPlace)
}
