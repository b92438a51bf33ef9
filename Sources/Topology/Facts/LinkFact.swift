import NetworkTypes

/// An interface as the topology needs it (RTM_NEWLINK, rtnetlink(7)): a line of `ip -d link show`, without counters.
public struct LinkFact: Sendable, Hashable {
    /// Its number in its namespace.
    public var index: Int32
    public var name: String
    /// The link type: `veth`, `bridge`, `vxlan`, …; empty for hardware and the loopback.
    public var kind: String
    public var mtu: UInt32
    /// nil where it has none, or one that is not of Ethernet.
    public var mac: MACAddress?
    /// The bridge, bond or VRF that it belongs to.
    public var master: Int32?
    /// The other end of a veth, the device under a VLAN, macvlan or tunnel.
    public var peer: Int32?
    /// The cookie of the namespace that ``peer`` is in; nil when it is in this one.
    public var peerNamespace: UInt64?
    /// Set up by the administrator (IFF_UP).
    public var isUp: Bool
    /// IFF_LOWER_UP.
    public var hasCarrier: Bool
    public var isLoopback: Bool
    public var vxlan: VXLAN?
    /// Of a tunnel of another kind.
    public var tunnel: Tunnel?
    /// Of a VLAN device.
    public var vlan: UInt16?
    /// Of a VRF: the routing table that its ports' packets go by.
    public var vrfTable: UInt32?
    /// Bits a second; nil when unknown.
    public var speed: UInt64?
    /// `ip link set dev NAME alias TEXT`.
    public var alias: String

    /// What makes a VXLAN interface (RFC 7348).
    public struct VXLAN: Sendable, Hashable {
        /// nil where VNI and remote come with each packet (`external`).
        public var vni: UInt32?
        public var local: IPAddress?
        /// The remote VTEP, or a multicast group.
        public var remote: IPAddress?
        /// UDP.
        public var port: UInt16
        /// The device under it, in the namespace that it was made in.
        public var underlay: Int32?

        public init(
            vni: UInt32?, local: IPAddress? = nil, remote: IPAddress? = nil, port: UInt16 = 4789, underlay: Int32? = nil
        ) {
            self.vni = vni
            self.local = local
            self.remote = remote
            self.port = port
            self.underlay = underlay
        }
    }

    /// What makes a tunnel other than VXLAN: GRE, IP in IP, SIT, VTI, GENEVE.
    public struct Tunnel: Sendable, Hashable {
        /// nil: chosen by the route to the remote end.
        public var local: IPAddress?
        /// nil: any, or told with each packet.
        public var remote: IPAddress?
        /// What tells apart the tunnels between two ends: GRE's key, GENEVE's VNI.
        public var key: UInt32?

        public init(local: IPAddress? = nil, remote: IPAddress? = nil, key: UInt32? = nil) {
            self.local = local
            self.remote = remote
            self.key = key
        }
    }

    public init(
        index: Int32, name: String, kind: String = "", mtu: UInt32 = 1500, mac: MACAddress? = nil, master: Int32? = nil, peer: Int32? = nil,
        peerNamespace: UInt64? = nil, isUp: Bool = true, hasCarrier: Bool = true, isLoopback: Bool = false, vxlan: VXLAN? = nil,
        tunnel: Tunnel? = nil, vlan: UInt16? = nil, vrfTable: UInt32? = nil, speed: UInt64? = nil, alias: String = ""
    ) {
        self.index = index
        self.name = name
        self.kind = kind
        self.mtu = mtu
        self.mac = mac
        self.master = master
        self.peer = peer
        self.peerNamespace = peerNamespace
        self.isUp = isUp
        self.hasCarrier = hasCarrier
        self.isLoopback = isLoopback
        self.vxlan = vxlan
        self.tunnel = tunnel
        self.vlan = vlan
        self.vrfTable = vrfTable
        self.speed = speed
        self.alias = alias
    }
}
