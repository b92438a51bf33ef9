import NetworkTypes

/// One line of what the kernel says about a namespace.
public enum Fact: Sendable, Hashable {
    case link(LinkFact)
    case address(InterfaceAddress)
    case route(Route)
    case rule(RoutingRule)
    case nexthop(NexthopObject)
    case neighbour(Neighbour)
    case forwarding(ForwardingEntry)

    /// What makes the fact this one and no other in its namespace: a later fact of the same identity takes its place.
    public var identity: FactIdentity {
        switch self {
        case .link(let link): .link(link.index)
        case .address(let address): .address(address.interface, address.address, address.prefixLength)
        case .route(let route): .route(route.identity(), onto: route.linkInterface)
        case .rule(let rule): .rule(rule)
        case .nexthop(let object): .nexthop(object.id)
        case .neighbour(let neighbour): .neighbour(neighbour.interface, neighbour.address)
        case .forwarding(let entry): .forwarding(ForwardingIdentity(entry))
        }
    }
}

/// See ``Fact/identity``. What takes a fact away needs no more than this.
public enum FactIdentity: Sendable, Hashable {
    case link(Int32)
    case address(Int32, IPAddress, Int)
    case route(RouteIdentity, onto: Int32?)
    indirect case rule(RoutingRule)
    case nexthop(UInt32)
    case neighbour(Int32, IPAddress)
    case forwarding(ForwardingIdentity)
}

/// A station is behind one port of a bridge (in one VLAN), and behind one VTEP of a VXLAN device: when it moves, the kernel tells where it is
/// now and no more. To the zero address and to groups a VXLAN device sends by several VTEPs: each is an entry of its own.
public struct ForwardingIdentity: Sendable, Hashable {
    /// The bridge; of an entry of a device's own (`self`) the device.
    public var interface: Int32
    public var mac: MACAddress
    public var vlan: UInt16?
    /// Of the zero address and of groups.
    public var vtep: IPAddress?
    public var vni: UInt32?
    /// Of the device itself (`self`), not of its bridge (`master`).
    public var isOwn: Bool

    public init(_ entry: ForwardingEntry) {
        interface = entry.bridge ?? entry.interface
        mac = entry.mac
        vlan = entry.vlan
        vtep = entry.mac.rawValue == 0 || entry.mac.isGroup ? entry.vtep : nil
        vni = entry.vni
        isOwn = entry.bridge == nil
    }
}
