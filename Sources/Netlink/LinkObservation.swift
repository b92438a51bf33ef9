import CNetlink
import Glibc
import NetworkTypes

/// A network interface as the kernel shows it (RTM_NEWLINK, rtnetlink(7)): one line of `ip -s -d link show`.
public struct LinkObservation: Sendable, Equatable {
    /// The interface's number in its namespace; repeats across namespaces and is reused.
    public var index: Int32
    public var name = ""
    /// `ip link set dev NAME alias TEXT`; empty when unset.
    public var alias = ""
    /// The link type: `"veth"`, `"bridge"`, `"vxlan"`, …; empty for hardware and the loopback.
    public var kind = ""
    /// ARPHRD_*: 1 Ethernet, 772 loopback, 65534 none (TUN).
    public var hardwareType: UInt16
    public var flags: LinkFlags
    /// Bytes.
    public var mtu: UInt32 = 0
    /// Most segments of a super-packet (`gso_max_segs`); 0 when the kernel does not tell.
    public var segmentLimit: UInt32 = 0
    /// The MAC address, or whatever the type has for one; empty when it has none.
    public var address: [UInt8] = []
    /// The bridge, bond or VRF that it belongs to.
    public var master: Int32?
    /// The other end of a veth, the device under a VLAN, macvlan or tunnel.
    public var peer: Int32?
    /// The namespace of ``peer`` as this namespace numbers it (`ip netns list-id`); nil when the peer is in this namespace.
    /// -1: the peer is in a namespace that has no number here.
    public var peerNamespace: Int32?
    public var vxlan: VXLANParameters?
    /// Of a tunnel of another kind.
    public var tunnel: TunnelParameters?
    public var vlan: VLANParameters?
    public var bridge: BridgeParameters?
    public var bond: BondParameters?
    /// The routing table of a VRF device.
    public var vrfTable: UInt32?
    /// The kind of ``master``: `"bridge"`, `"bond"`, `"vrf"`, …; empty without one, and for masters that tell no more than that they are.
    public var portKind = ""
    /// A port of a bond that carries its traffic now, and does not stand by; nil for other links.
    public var isActivePort: Bool?
    /// The operational state (IF_OPER_*, RFC 2863): 6 up, 2 down, 0 unknown (as of `lo` and TUN), 5 dormant, 3 the link below is down.
    public var operationalState: UInt8 = 0
    /// The hardware's place on its bus, `0000:01:00.0`; empty for software.
    public var parentDevice = ""
    /// The XDP program attached in driver, generic or hardware mode: packets that it takes are not seen at tc ingress.
    public var xdpProgram: UInt32?
    public var counters = LinkCounters()

    /// Frames have no Ethernet header: at the tc hooks the packet starts with its network header.
    public var isLayer3: Bool { hardwareType != UInt16(ARPHRD_ETHER) && hardwareType != UInt16(ARPHRD_LOOPBACK) }

    /// From the payload of RTM_NEWLINK or RTM_DELLINK; nil when it is shorter than its fixed header.
    package init?(_ payload: UnsafeRawBufferPointer) {
        guard let header = payload.value(ifinfomsg.self) else { return nil }
        index = header.ifi_index
        hardwareType = header.ifi_type
        flags = LinkFlags(rawValue: header.ifi_flags)
        for (type, value) in NetlinkAttributes(payload, after: MemoryLayout<ifinfomsg>.size) {
            switch type {
            case IFLA_IFNAME: name = value.text
            case IFLA_IFALIAS: alias = value.text
            case IFLA_MTU: mtu = value.value() ?? 0
            case IFLA_GSO_MAX_SEGS: segmentLimit = value.value() ?? 0
            case IFLA_ADDRESS: address = Array(value)
            case IFLA_MASTER: master = value.value()
            case IFLA_LINK: peer = value.value().flatMap { $0 == 0 ? nil : $0 }
            case IFLA_LINK_NETNSID: peerNamespace = value.value()
            case IFLA_STATS64: counters = LinkCounters(value)
            case IFLA_LINKINFO: readKind(value)
            case IFLA_OPERSTATE: operationalState = value.value() ?? 0
            case IFLA_PARENT_DEV_NAME: parentDevice = value.text
            case IFLA_XDP:
                for (type, value) in NetlinkAttributes(value) where type == IFLA_XDP_PROG_ID { xdpProgram = value.value() }
            default: break
            }
        }
    }

    private mutating func readKind(_ nest: UnsafeRawBufferPointer) {
        var data = UnsafeRawBufferPointer(rebasing: nest[..<0])
        var portData = data
        for (type, value) in NetlinkAttributes(nest) {
            switch type {
            case IFLA_INFO_KIND: kind = value.text
            case IFLA_INFO_DATA: data = value
            case IFLA_INFO_SLAVE_KIND: portKind = value.text
            case IFLA_INFO_SLAVE_DATA: portData = value
            default: break
            }
        }
        switch kind {
        case "vxlan": vxlan = VXLANParameters(data)
        case "vlan": vlan = VLANParameters(data)
        case "bridge": bridge = BridgeParameters(data)
        case "bond": bond = BondParameters(data)
        case "vrf": for (type, value) in NetlinkAttributes(data) where type == IFLA_VRF_TABLE { vrfTable = value.value() }
        default: tunnel = TunnelParameters(kind, data)
        }
        guard portKind == "bond" else { return }
        for (type, value) in NetlinkAttributes(portData)
        where type == IFLA_BOND_SLAVE_STATE {
            isActivePort = value.value(UInt8.self) == 0
        }
    }
}

/// An interface's flags (IFF_*, netdevice(7)).
public struct LinkFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// Set up by the administrator.
    public static let up = LinkFlags(rawValue: 1 << 0)
    public static let loopback = LinkFlags(rawValue: 1 << 3)
    /// Operational: up and, where it can tell, with carrier.
    public static let running = LinkFlags(rawValue: 1 << 6)
    public static let promiscuous = LinkFlags(rawValue: 1 << 8)
    /// Carrier.
    public static let lowerUp = LinkFlags(rawValue: 1 << 16)
}

/// An interface's counters (`struct rtnl_link_stats64`), from when it was made: `ip -s -s link show`.
public struct LinkCounters: Sendable, Equatable {
    public var rxPackets: UInt64 = 0
    public var rxBytes: UInt64 = 0
    public var rxErrors: UInt64 = 0
    public var rxDropped: UInt64 = 0
    /// Lost by the hardware for want of buffers; not part of ``rxDropped``.
    public var rxMissed: UInt64 = 0
    /// Dropped by the kernel because no protocol wanted them.
    public var rxNoHandler: UInt64 = 0
    /// Of ``rxPackets``, those to a group address, as far as the driver counts them.
    public var rxMulticast: UInt64 = 0
    public var txPackets: UInt64 = 0
    public var txBytes: UInt64 = 0
    public var txErrors: UInt64 = 0
    public var txDropped: UInt64 = 0

    public init() {}

    /// From IFLA_STATS64; a kernel with a shorter record leaves the counters at its end 0.
    init(_ bytes: UnsafeRawBufferPointer) {
        func read(_ field: PartialKeyPath<rtnl_link_stats64>) -> UInt64 {
            MemoryLayout<rtnl_link_stats64>.offset(of: field).flatMap { bytes.value(at: $0) } ?? 0
        }
        rxPackets = read(\.rx_packets)
        rxBytes = read(\.rx_bytes)
        rxErrors = read(\.rx_errors)
        rxDropped = read(\.rx_dropped)
        rxMissed = read(\.rx_missed_errors)
        rxNoHandler = read(\.rx_nohandler)
        rxMulticast = read(\.multicast)
        txPackets = read(\.tx_packets)
        txBytes = read(\.tx_bytes)
        txErrors = read(\.tx_errors)
        txDropped = read(\.tx_dropped)
    }
}

/// What makes a VXLAN interface (RFC 7348): `ip -d link show type vxlan`.
public struct VXLANParameters: Sendable, Equatable {
    /// 0 when ``isMetadataDriven``.
    public var vni: UInt32 = 0
    public var local: IPAddress?
    /// The remote VTEP, or the multicast group.
    public var remote: IPAddress?
    /// UDP, host order.
    public var destinationPort: UInt16 = 0
    /// The device under it.
    public var underlay: Int32?
    /// `external`: VNI and remote come with each packet (collect-metadata).
    public var isMetadataDriven = false

    /// From IFLA_INFO_DATA of a `vxlan` link.
    init(_ nest: UnsafeRawBufferPointer) {
        for (type, value) in NetlinkAttributes(nest) {
            switch type {
            case IFLA_VXLAN_ID: vni = value.value() ?? 0
            case IFLA_VXLAN_LOCAL, IFLA_VXLAN_LOCAL6: local = IPAddress(networkOrder: value)
            case IFLA_VXLAN_GROUP, IFLA_VXLAN_GROUP6: remote = IPAddress(networkOrder: value)
            case IFLA_VXLAN_PORT: destinationPort = UInt16(bigEndian: value.value() ?? 0)
            case IFLA_VXLAN_LINK: underlay = value.value()
            case IFLA_VXLAN_COLLECT_METADATA: isMetadataDriven = value.value(UInt8.self) ?? 0 != 0
            default: break
            }
        }
    }
}

extension IPAddress {
    /// From an attribute of four or sixteen bytes in network order; nil for another length and for the unspecified address.
    init?(networkOrder bytes: UnsafeRawBufferPointer) {
        self.init(wire: bytes)
        if self == .v4(0) || self == .v6(high: 0, low: 0) { return nil }
    }

    /// From an attribute of four or sixteen bytes in network order, the unspecified address among them; nil for another length.
    init?(wire bytes: UnsafeRawBufferPointer) {
        if bytes.count == 4, let word = bytes.value(UInt32.self) {
            self = .v4(UInt32(bigEndian: word))
        } else if bytes.count == 16, let high = bytes.value(UInt64.self), let low = bytes.value(UInt64.self, at: 8) {
            self = .v6(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
        } else {
            return nil
        }
    }
}

extension NetlinkSocket {
    /// `ip -s -d link show`: every interface of the namespace, by rising number.
    public func links() throws(NetlinkError) -> [LinkObservation] {
        try dump(RTM_GETLINK, ifinfomsg(), "dump links") { message in
            message.type == RTM_NEWLINK ? LinkObservation(message.payload) : nil
        }.sorted { $0.index < $1.index }
    }

    /// `ip -s -d link show dev NAME`; nil when there is none of that number.
    public func link(_ index: Int32) throws(NetlinkError) -> LinkObservation? {
        var header = ifinfomsg()
        header.ifi_index = index
        var link: LinkObservation?
        do throws(NetlinkError) {
            try request(RTM_GETLINK, header, [], "read link \(index)") { if $0.type == RTM_NEWLINK { link = LinkObservation($0.payload) } }
        } catch  where error.code == ENODEV { return nil }
        return link
    }
}
