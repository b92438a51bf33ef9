import CNetlink
import NetworkTypes
import Topology

extension NexthopObject {
    /// From the payload of RTM_NEWNEXTHOP or RTM_DELNEXTHOP (which may tell the number alone); nil when it is cut short or has no number.
    package init?(netlink payload: UnsafeRawBufferPointer) {
        guard let header = payload.value(nhmsg.self) else { return nil }
        var hop = Nexthop(interface: nil, isDead: header.nh_flags & UInt32(RTNH_F_DEAD) != 0)
        var id: UInt32?
        var isGroup = false
        self.init(id: 0)
        for (type, value) in NetlinkAttributes(payload, after: MemoryLayout<nhmsg>.size) {
            switch type {
            case NHA_ID: id = value.value()
            case NHA_OIF: hop.interface = value.value()
            case NHA_GATEWAY: hop.gateway = IPAddress(networkOrder: value)
            case NHA_BLACKHOLE: isBlackhole = true
            case NHA_FDB: isForwarding = true
            case NHA_GROUP:
                isGroup = true
                group = Self.members(value)
            default: break
            }
        }
        guard let id else { return nil }
        self.id = id
        if !isGroup, !isBlackhole { nexthop = hop }
    }

    /// NHA_GROUP's `struct nexthop_grp` records.
    private static func members(_ bytes: UnsafeRawBufferPointer) -> [Member] {
        stride(from: 0, to: bytes.count, by: MemoryLayout<nexthop_grp>.size).compactMap { offset in
            // Number, weight - 1, and its high bits: those came with kernel 6.12, in a byte that was 0 before.
            guard let id = bytes.value(UInt32.self, at: offset), let weight = bytes.value(UInt16.self, at: offset + 4) else { return nil }
            return Member(id: id, weight: UInt16(littleEndian: weight) &+ 1)
        }
    }
}

extension NetlinkSocket {
    /// `ip nexthop show`: every nexthop object of the namespace, by rising number.
    public func nexthopObjects() throws(NetlinkError) -> [NexthopObject] {
        try dump(RTM_GETNEXTHOP, nhmsg(), "dump nexthop objects") { message in
            message.type == RTM_NEWNEXTHOP ? NexthopObject(netlink: message.payload) : nil
        }.sorted { $0.id < $1.id }
    }
}
