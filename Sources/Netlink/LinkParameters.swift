import CNetlink
import NetworkTypes

/// What makes a VLAN interface (IEEE 802.1Q): `ip -d link show type vlan`.
public struct VLANParameters: Sendable, Equatable {
    /// 0...4095.
    public var id: UInt16 = 0
    /// The tag's type: 0x8100 (802.1Q) or 0x88A8 (802.1ad).
    public var tag = EtherType(rawValue: 0x8100)

    /// From IFLA_INFO_DATA of a `vlan` link.
    init(_ nest: UnsafeRawBufferPointer) {
        for (type, value) in NetlinkAttributes(nest) {
            switch type {
            case IFLA_VLAN_ID: id = value.value() ?? 0
            case IFLA_VLAN_PROTOCOL: if let number: UInt16 = value.value() { tag = EtherType(rawValue: UInt16(bigEndian: number)) }
            default: break
            }
        }
    }
}

/// What a bridge does with tags: `ip -d link show type bridge`.
public struct BridgeParameters: Sendable, Equatable {
    /// Forwards by VLAN and MAC address, not by MAC address alone (`vlan_filtering`).
    public var isVLANAware = false
    /// Seconds after which an entry that was learned and not seen again goes; 0 for at once.
    public var ageing: Double = 0

    /// From IFLA_INFO_DATA of a `bridge` link.
    init(_ nest: UnsafeRawBufferPointer) {
        for (type, value) in NetlinkAttributes(nest) {
            switch type {
            case IFLA_BR_VLAN_FILTERING: isVLANAware = value.value(UInt8.self) ?? 0 != 0
            // In USER_HZ, which is 100 on every architecture of today.
            case IFLA_BR_AGEING_TIME: ageing = Double(value.value(UInt32.self) ?? 0) / 100
            default: break
            }
        }
    }
}

/// What a bond does with its ports: `ip -d link show type bond`.
public struct BondParameters: Sendable, Equatable {
    /// BOND_MODE_*: 0 round-robin, 1 active-backup, 2 xor, 3 broadcast, 4 802.3ad, 5 and 6 adaptive.
    public var mode: UInt8 = 0
    /// The port in use, of the modes that use one at a time.
    public var activePort: Int32?

    /// From IFLA_INFO_DATA of a `bond` link.
    init(_ nest: UnsafeRawBufferPointer) {
        for (type, value) in NetlinkAttributes(nest) {
            switch type {
            case IFLA_BOND_MODE: mode = value.value() ?? 0
            case IFLA_BOND_ACTIVE_SLAVE: activePort = value.value()
            default: break
            }
        }
    }
}
