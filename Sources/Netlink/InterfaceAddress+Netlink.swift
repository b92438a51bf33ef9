import CNetlink
import NetworkTypes
import Topology

extension InterfaceAddress {
    /// From the payload of RTM_NEWADDR or RTM_DELADDR; nil when it is cut short or not of IPv4 or IPv6.
    package init?(netlink payload: UnsafeRawBufferPointer) {
        guard let header = payload.value(ifaddrmsg.self), isInternet(header.ifa_family) else { return nil }
        var (local, other): (IPAddress?, IPAddress?)
        var flags = UInt32(header.ifa_flags)
        for (type, value) in NetlinkAttributes(payload, after: MemoryLayout<ifaddrmsg>.size) {
            switch type {
            case IFA_LOCAL: local = IPAddress(wire: value)
            case IFA_ADDRESS: other = IPAddress(wire: value)
            // The header's field has room for the first eight flags only.
            case IFA_FLAGS: flags = value.value() ?? flags
            default: break
            }
        }
        // On a point-to-point link IFA_ADDRESS is the other end; IPv6 leaves IFA_LOCAL out on any other.
        guard let address = local ?? other, isOf(header.ifa_family, address), Int(header.ifa_prefixlen) <= address.bitWidth else {
            return nil
        }
        let isTentative = flags & UInt32(IFA_F_TENTATIVE) != 0 && flags & UInt32(IFA_F_OPTIMISTIC) == 0
        self.init(
            interface: Int32(bitPattern: header.ifa_index), address: address, prefixLength: Int(header.ifa_prefixlen),
            peer: other == address ? nil : other, scope: AddressScope(rawValue: header.ifa_scope),
            isUsable: !isTentative && flags & UInt32(IFA_F_DADFAILED | IFA_F_DEPRECATED) == 0)
    }
}

/// AF_INET or AF_INET6.
func isInternet(_ family: UInt8) -> Bool { family == 2 || family == 10 }

/// The address is of that family.
func isOf(_ family: UInt8, _ address: IPAddress) -> Bool { address.isV4 == (family == 2) }

extension NetlinkSocket {
    /// `ip address show`: every IPv4 and IPv6 address of every interface, by interface and in the kernel's order.
    public func addresses() throws(NetlinkError) -> [InterfaceAddress] {
        var found: [InterfaceAddress] = []
        for family in RoutingRule.Family.allCases {
            var header = ifaddrmsg()
            header.ifa_family = family.rawValue
            found += try dump(RTM_GETADDR, header, "dump addresses") { message in
                message.type == RTM_NEWADDR ? InterfaceAddress(netlink: message.payload) : nil
            }
        }
        return found
    }
}
