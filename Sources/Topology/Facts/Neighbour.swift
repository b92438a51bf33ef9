import NetworkTypes

/// A neighbour's link-layer address (RTM_NEWNEIGH of ARP or NDP, rtnetlink(7)): a line of `ip neighbour show`.
public struct Neighbour: Sendable, Hashable {
    public var interface: Int32
    public var address: IPAddress
    /// nil while unresolved, failed, or on a link without such addresses.
    public var mac: MACAddress?
    public var state: NeighbourState
    /// `router`: it said so (NDP).
    public var isRouter: Bool

    public init(interface: Int32, address: IPAddress, mac: MACAddress?, state: NeighbourState, isRouter: Bool = false) {
        self.interface = interface
        self.address = address
        self.mac = mac
        self.state = state
        self.isRouter = isRouter
    }
}

/// NUD_* (rtnetlink(7), linux/neighbour.h): one bit each.
public struct NeighbourState: OptionSet, Sendable, Hashable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }
    public static let incomplete = NeighbourState(rawValue: 0x01)
    public static let reachable = NeighbourState(rawValue: 0x02)
    public static let stale = NeighbourState(rawValue: 0x04)
    public static let delay = NeighbourState(rawValue: 0x08)
    public static let probe = NeighbourState(rawValue: 0x10)
    public static let failed = NeighbourState(rawValue: 0x20)
    public static let noARP = NeighbourState(rawValue: 0x40)
    public static let permanent = NeighbourState(rawValue: 0x80)
}

/// Where frames for a link-layer address are sent (RTM_NEWNEIGH of AF_BRIDGE): a line of `bridge fdb show`.
public struct ForwardingEntry: Sendable, Hashable {
    /// The bridge's port, or the VXLAN device itself.
    public var interface: Int32
    public var mac: MACAddress
    /// Of a VLAN-aware bridge.
    public var vlan: UInt16?
    /// The entry is the VXLAN device's own (`self`): frames go to this VTEP. nil for an entry of the bridge (`master`).
    public var vtep: IPAddress?
    /// Where it differs from the device's.
    public var vni: UInt32?
    /// The nexthop object (group of VTEPs) that stands in place of ``vtep``.
    public var nexthopObject: UInt32?
    /// The bridge that learned it; nil for `self` entries.
    public var bridge: Int32?
    /// Not learned: made by an administrator, or the interface's own address.
    public var isPermanent: Bool

    public init(
        interface: Int32, mac: MACAddress, vlan: UInt16? = nil, vtep: IPAddress? = nil, vni: UInt32? = nil, nexthopObject: UInt32? = nil,
        bridge: Int32? = nil, isPermanent: Bool = false
    ) {
        self.interface = interface
        self.mac = mac
        self.vlan = vlan
        self.vtep = vtep
        self.vni = vni
        self.nexthopObject = nexthopObject
        self.bridge = bridge
        self.isPermanent = isPermanent
    }
}
