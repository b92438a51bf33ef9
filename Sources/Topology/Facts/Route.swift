import NetworkTypes

/// A route of a routing table (RTM_NEWROUTE, rtnetlink(7)): one line of `ip route show table all`, with all of its nexthops.
public struct Route: Sendable, Hashable {
    /// 254 is main, 255 local, 253 default.
    public var table: UInt32
    public var destination: IPPrefix
    /// Source-specific routing (IPv6 subtrees); nil for any source.
    public var source: IPPrefix?
    /// DSCP and ECN field that the packet must have (IPv4); 0 for any.
    public var tos: UInt8
    /// Lower is preferred. 0 where none is given (IPv4); IPv6's default is 1024.
    public var metric: UInt32
    public var kind: RouteKind
    /// Who made it (RTPROT_*): 2 kernel, 3 boot, 4 static, …
    public var origin: UInt8
    public var scope: AddressScope
    /// The address that a socket without one of its own takes.
    public var preferredSource: IPAddress?
    /// More than one: multipath. Empty for blackhole and the like, and where ``nexthopObject`` says it.
    public var nexthops: [Nexthop]
    /// `nhid`: the nexthops come from that object of the namespace.
    public var nexthopObject: UInt32?
    /// How many that are like it but for what they do come before it in its table (`ip route append`, routers that announce themselves to one
    /// interface): of IPv4 only the first is used.
    public var sibling: UInt32

    public init(
        table: UInt32 = 254, destination: IPPrefix, source: IPPrefix? = nil, tos: UInt8 = 0, metric: UInt32 = 0, kind: RouteKind = .unicast,
        origin: UInt8 = 0, scope: AddressScope = .global, preferredSource: IPAddress? = nil, nexthops: [Nexthop] = [],
        nexthopObject: UInt32? = nil, sibling: UInt32 = 0
    ) {
        self.table = table
        self.destination = destination
        self.source = source
        self.tos = tos
        self.metric = metric
        self.kind = kind
        self.origin = origin
        self.scope = scope
        self.preferredSource = preferredSource
        self.nexthops = nexthops
        self.nexthopObject = nexthopObject
        self.sibling = sibling
    }

    /// The interface that tells an IPv6 route onto a link (`fe80::/64 dev eth0`) from those onto others: they are no paths of one route, as
    /// routes by gateways are (rt6_qualify_for_ecmp).
    public var linkInterface: Int32? {
        guard !destination.address.isV4, nexthopObject == nil, nexthops.count == 1, nexthops[0].gateway == nil else { return nil }
        return nexthops[0].interface
    }
}

/// What a route does with a packet (RTN_*, rtnetlink(7)).
public enum RouteKind: UInt8, Sendable, Hashable, CaseIterable {
    case unicast = 1
    case local = 2
    case broadcast = 3
    case anycast = 4
    case multicast = 5
    case blackhole = 6
    case unreachable = 7
    case prohibit = 8
    case `throw` = 9
    case nat = 10
}

/// One way on of a route: out of an interface, to a gateway or straight to the destination.
public struct Nexthop: Sendable, Hashable {
    public var interface: Int32?
    /// nil: the destination is on the link.
    public var gateway: IPAddress?
    /// 1...256, relative to its siblings (the kernel's `rtnh_hops` + 1).
    public var weight: UInt16
    /// The kernel does not use it now: link down without `ignore_routes_with_linkdown` off, or dead.
    public var isDead: Bool

    public init(interface: Int32?, gateway: IPAddress? = nil, weight: UInt16 = 1, isDead: Bool = false) {
        self.interface = interface
        self.gateway = gateway
        self.weight = weight
        self.isDead = isDead
    }
}

/// A nexthop object (RTM_NEWNEXTHOP): a line of `ip nexthop show`.
public struct NexthopObject: Sendable, Hashable {
    public var id: UInt32
    /// Of a single nexthop; nil for a group.
    public var nexthop: Nexthop?
    /// Members of a group with their weights (1...256).
    public var group: [Member]
    public var isBlackhole: Bool
    /// Forwards at layer 2 (`fdb`): belongs to a VXLAN device, not to routes.
    public var isForwarding: Bool

    public struct Member: Sendable, Hashable {
        public var id: UInt32
        public var weight: UInt16
        public init(id: UInt32, weight: UInt16) {
            self.id = id
            self.weight = weight
        }
    }

    public init(id: UInt32, nexthop: Nexthop? = nil, group: [Member] = [], isBlackhole: Bool = false, isForwarding: Bool = false) {
        self.id = id
        self.nexthop = nexthop
        self.group = group
        self.isBlackhole = isBlackhole
        self.isForwarding = isForwarding
    }
}
