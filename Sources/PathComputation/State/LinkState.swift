import NetworkTypes

/// An interface and how it passes frames on: a line of `ip -d link show`.
public struct LinkState: Sendable, Hashable {
    /// Its number in its namespace.
    public var index: Int32
    public var name: String
    public var kind: LinkKind
    /// IFF_UP: somebody set it up.
    public var isUp: Bool
    /// IFF_LOWER_UP: something is at the other end.
    public var hasCarrier: Bool
    /// Largest layer-3 packet, bytes.
    public var mtu: Int
    /// nil for links without addresses (tun).
    public var mac: MACAddress?
    /// The bridge, bond or VRF that it belongs to.
    public var master: Int32?
    /// What it can carry in each direction; nil when not known.
    public var capacity: BitRate?
    /// As port of a bridge.
    public var port: BridgePort
    /// `net.ipv4.conf.X.ignore_routes_with_linkdown`, or that of `all`.
    public var ignoresIPv4RoutesWithLinkDown: Bool
    /// `net.ipv6.conf.X.ignore_routes_with_linkdown`, or that of `all`.
    public var ignoresIPv6RoutesWithLinkDown: Bool
    /// The greater of `net.ipv4.conf.{all,X}.rp_filter`: 0 off, 1 strict, 2 loose (RFC 3704).
    public var reversePathFilter: UInt8
    /// `net.ipv4.conf.X.forwarding` where it differs from the namespace's.
    public var forwards: Bool?
    /// Makes itself a link-local IPv6 address when it comes up (`addrgenmode` is not `none`).
    public var generatesLinkLocal: Bool

    public init(
        index: Int32, name: String, kind: LinkKind, isUp: Bool = true, hasCarrier: Bool = true, mtu: Int = 1500, mac: MACAddress? = nil,
        master: Int32? = nil, capacity: BitRate? = nil
    ) {
        self.index = index
        self.name = name
        self.kind = kind
        self.isUp = isUp
        self.hasCarrier = hasCarrier
        self.mtu = mtu
        self.mac = mac
        self.master = master
        self.capacity = capacity
        port = BridgePort()
        ignoresIPv4RoutesWithLinkDown = false
        ignoresIPv6RoutesWithLinkDown = false
        reversePathFilter = 0
        forwards = nil
        generatesLinkLocal = true
    }
}

/// How a port of a bridge passes frames on (bridge(8), `bridge -d link show`).
public struct BridgePort: Sendable, Hashable {
    /// The spanning tree's state is forwarding.
    public var isForwarding = true
    /// Frames for unknown addresses go out here.
    public var floods = true
    /// Broadcasts go out here.
    public var floodsBroadcasts = true
    /// Frames may go out where they came in.
    public var isHairpin = false
    /// Source addresses of frames that come in are remembered.
    public var learns = true
    /// Isolated ports speak only with those that are not.
    public var isIsolated = false
    /// `neigh_suppress`: the bridge answers ARP and neighbour solicitations for what it knows behind this port, and does not pass them on.
    public var suppressesNeighbours = false

    public init() {}
}

/// What kind of interface, with what decides where its frames go.
public enum LinkKind: Sendable, Hashable {
    case loopback
    /// Frames that leave here leave the known network, and so do those of kinds that are not modelled.
    case physical
    /// nil where the other end is in a namespace that is not known.
    case veth(peer: LinkPlace?)
    case bridge
    /// 802.1Q on top of an interface of the same namespace.
    case vlan(parent: Int32, id: UInt16)
    case vxlan(VXLANParameters)
    /// Its interfaces look in this routing table.
    case vrf(table: UInt32)
    case dummy
    /// The kernel's word for it (IFLA_INFO_KIND).
    case other(String)
}

/// A VXLAN device (RFC 7348; `ip -d link show type vxlan`).
public struct VXLANParameters: Sendable, Hashable {
    /// nil: collect metadata (`external`), so that what sends through it says where to; not modelled.
    public var vni: UInt32?
    public var local: IPAddress?
    /// The default destination: a VTEP or a multicast group; nil: none, only what the FDB says.
    public var remote: IPAddress?
    public var port: UInt16
    /// The interface that outer packets have to use.
    public var underlay: Int32?
    /// The namespace in which outer packets are sent and received: where the device was made. nil: its own.
    public var underlayNamespace: String?
    /// Of outer packets; 0 stands for the namespace's default.
    public var ttl: Int
    /// Remembers behind which VTEP an address was seen.
    public var learns: Bool

    public init(
        vni: UInt32?, local: IPAddress? = nil, remote: IPAddress? = nil, port: UInt16 = 4789, underlay: Int32? = nil,
        underlayNamespace: String? = nil, ttl: Int = 0, learns: Bool = true
    ) {
        self.vni = vni
        self.local = local
        self.remote = remote
        self.port = port
        self.underlay = underlay
        self.underlayNamespace = underlayNamespace
        self.ttl = ttl
        self.learns = learns
    }
}
