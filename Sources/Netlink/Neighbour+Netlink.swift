import CNetlink
import Glibc
import NetworkTypes
import Topology

extension Neighbour {
    /// From the payload of RTM_NEWNEIGH or RTM_DELNEIGH of ARP or NDP; nil for another family, a proxy entry, and when it is cut short.
    package init?(netlink payload: UnsafeRawBufferPointer) {
        guard let header = payload.value(ndmsg.self), isInternet(header.ndm_family), Int32(header.ndm_flags) & NTF_PROXY == 0
        else { return nil }
        var address: IPAddress?
        var mac: MACAddress?
        for (type, value) in NetlinkAttributes(payload, after: MemoryLayout<ndmsg>.size) {
            switch type {
            case NDA_DST: address = IPAddress(wire: value)
            case NDA_LLADDR: mac = MACAddress(wire: value)
            default: break
            }
        }
        guard let address, isOf(header.ndm_family, address) else { return nil }
        self.init(
            interface: header.ndm_ifindex, address: address, mac: mac, state: NeighbourState(rawValue: header.ndm_state),
            isRouter: Int32(header.ndm_flags) & NTF_ROUTER != 0)
    }
}

extension ForwardingEntry {
    /// From the payload of RTM_NEWNEIGH or RTM_DELNEIGH of AF_BRIDGE; nil when it is cut short, and for the entries of an ordinary device's
    /// receive filter, which `bridge fdb` lists too though nothing is forwarded by them.
    package init?(netlink payload: UnsafeRawBufferPointer) {
        guard let header = payload.value(ndmsg.self), Int32(header.ndm_family) == AF_BRIDGE else { return nil }
        var mac: MACAddress?
        var isTimed = false
        self.init(
            interface: header.ndm_ifindex, mac: MACAddress(rawValue: 0),
            isPermanent: Int32(header.ndm_state) & (NUD_PERMANENT | NUD_NOARP) != 0)
        for (type, value) in NetlinkAttributes(payload, after: MemoryLayout<ndmsg>.size) {
            switch type {
            case NDA_LLADDR: mac = MACAddress(wire: value)
            case NDA_VLAN: vlan = value.value()
            case NDA_DST: vtep = IPAddress(networkOrder: value)
            case NDA_VNI: vni = value.value()
            case NDA_NH_ID: nexthopObject = value.value()
            case NDA_MASTER: bridge = value.value()
            case NDA_CACHEINFO: isTimed = true
            default: break
            }
        }
        // Bridges and VXLAN devices tell how old an entry is; a receive filter knows no age.
        guard let mac, isTimed else { return nil }
        self.mac = mac
    }
}

extension MACAddress {
    /// From an attribute; nil unless it has six bytes.
    init?(wire bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 6 else { return nil }
        self.init(rawValue: bytes.reduce(0) { $0 << 8 | UInt64($1) })
    }
}

extension NetlinkSocket {
    /// `ip neighbour show nud all`: every entry of the ARP and NDP tables, also those that need no resolution (`noarp`).
    public func neighbours() throws(NetlinkError) -> [Neighbour] {
        try dump(RTM_GETNEIGH, ndmsg(), "dump neighbours") { message in
            message.type == RTM_NEWNEIGH ? Neighbour(netlink: message.payload) : nil
        }
    }

    /// `bridge fdb show`: the forwarding entries of every bridge and VXLAN device; one for each VTEP where an address has several.
    public func forwardingEntries() throws(NetlinkError) -> [ForwardingEntry] {
        var header = ndmsg()
        header.ndm_family = UInt8(AF_BRIDGE)
        return try dump(RTM_GETNEIGH, header, "dump forwarding entries") { message in
            message.type == RTM_NEWNEIGH ? ForwardingEntry(netlink: message.payload) : nil
        }
    }
}
