import CNetlink
import NetworkTypes

/// The ends of a tunnel other than VXLAN (GRE, IP in IP, SIT, VTI, GENEVE): `ip -d link show type gre`.
public struct TunnelParameters: Sendable, Equatable {
    /// nil: chosen by the route to the remote end.
    public var local: IPAddress?
    /// nil: any, or told with each packet.
    public var remote: IPAddress?
    /// What is sent to tell apart the tunnels between two ends: GRE's key, GENEVE's network identifier.
    public var key: UInt32?
    /// The device under it, where it is bound to one.
    public var underlay: Int32?
    /// `external`: the ends come with each packet (collect-metadata).
    public var isMetadataDriven = false

    /// From IFLA_INFO_DATA of a link of that kind; nil for other kinds.
    init?(_ kind: String, _ nest: UnsafeRawBufferPointer) {
        switch kind {
        case "gre", "gretap", "ip6gre", "ip6gretap": readGRE(nest)
        case "ipip", "sit", "ip6tnl": readIP(nest)
        case "vti", "vti6": readVTI(nest)
        case "geneve": readGENEVE(nest)
        default: return nil
        }
    }

    private mutating func readGRE(_ nest: UnsafeRawBufferPointer) {
        var isKeyed = false
        for (type, value) in NetlinkAttributes(nest) {
            switch type {
            case IFLA_GRE_LINK: underlay = device(value)
            // GRE_KEY of the flags (RFC 2890), in network order as on the wire.
            case IFLA_GRE_OFLAGS: isKeyed = (value.bigEndian(UInt16.self) ?? 0) & 0x2000 != 0
            case IFLA_GRE_OKEY: key = value.bigEndian()
            case IFLA_GRE_LOCAL: local = IPAddress(networkOrder: value)
            case IFLA_GRE_REMOTE: remote = IPAddress(networkOrder: value)
            case IFLA_GRE_COLLECT_METADATA: isMetadataDriven = true
            default: break
            }
        }
        if !isKeyed { key = nil }
    }

    private mutating func readIP(_ nest: UnsafeRawBufferPointer) {
        for (type, value) in NetlinkAttributes(nest) {
            switch type {
            case IFLA_IPTUN_LINK: underlay = device(value)
            case IFLA_IPTUN_LOCAL: local = IPAddress(networkOrder: value)
            case IFLA_IPTUN_REMOTE: remote = IPAddress(networkOrder: value)
            case IFLA_IPTUN_COLLECT_METADATA: isMetadataDriven = true
            default: break
            }
        }
    }

    private mutating func readVTI(_ nest: UnsafeRawBufferPointer) {
        for (type, value) in NetlinkAttributes(nest) {
            switch type {
            case IFLA_VTI_LINK: underlay = device(value)
            case IFLA_VTI_OKEY: key = value.bigEndian()
            case IFLA_VTI_LOCAL: local = IPAddress(networkOrder: value)
            case IFLA_VTI_REMOTE: remote = IPAddress(networkOrder: value)
            default: break
            }
        }
    }

    private mutating func readGENEVE(_ nest: UnsafeRawBufferPointer) {
        for (type, value) in NetlinkAttributes(nest) {
            switch type {
            case IFLA_GENEVE_ID: key = value.value()
            case IFLA_GENEVE_REMOTE, IFLA_GENEVE_REMOTE6: remote = IPAddress(networkOrder: value)
            case IFLA_GENEVE_COLLECT_METADATA: isMetadataDriven = true
            default: break
            }
        }
    }

    private func device(_ value: UnsafeRawBufferPointer) -> Int32? { value.value(Int32.self).flatMap { $0 == 0 ? nil : $0 } }
}
