import CNetlink
import Glibc
import NetworkTypes
import Topology

extension Route {
    /// From the payload of RTM_NEWROUTE or RTM_DELROUTE; nil when it is cut short, not of IPv4 or IPv6, no entry of a table (a cached
    /// exception: path MTU, redirect), or of a kind that routes no packets.
    package init?(netlink payload: UnsafeRawBufferPointer) {
        guard let header = payload.value(rtmsg.self), isInternet(header.rtm_family), header.rtm_flags & UInt32(RTM_F_CLONED) == 0,
            let kind = RouteKind(rawValue: header.rtm_type)
        else { return nil }
        let any: IPAddress = header.rtm_family == 2 ? .v4(0) : .v6(high: 0, low: 0)
        var (destination, source) = (any, any)
        var hop = Nexthop(interface: nil, isDead: header.rtm_flags & UInt32(RTNH_F_DEAD) != 0)
        var hops: [Nexthop]?
        self.init(table: UInt32(header.rtm_table), destination: Self.everything, tos: header.rtm_tos, kind: kind)
        for (type, value) in NetlinkAttributes(payload, after: MemoryLayout<rtmsg>.size) {
            switch type {
            case Int(RTA_DST.rawValue): destination = IPAddress(wire: value) ?? destination
            case Int(RTA_SRC.rawValue): source = IPAddress(wire: value) ?? source
            case Int(RTA_TABLE.rawValue): table = value.value() ?? table
            case Int(RTA_PRIORITY.rawValue): metric = value.value() ?? 0
            case Int(RTA_PREFSRC.rawValue): preferredSource = IPAddress(wire: value)
            case Int(RTA_OIF.rawValue): hop.interface = value.value()
            case Int(RTA_GATEWAY.rawValue), Int(RTA_VIA.rawValue): hop.gateway = .gateway(type, value)
            case Int(RTA_MULTIPATH.rawValue): hops = Nexthop.multipath(value)
            case Int(RTA_NH_ID.rawValue): nexthopObject = value.value()
            default: break
            }
        }
        guard isOf(header.rtm_family, destination), let prefix = IPPrefix(destination, length: Int(header.rtm_dst_len)) else { return nil }
        self.destination = prefix
        if header.rtm_src_len > 0 {
            guard isOf(header.rtm_family, source), let prefix = IPPrefix(source, length: Int(header.rtm_src_len)) else { return nil }
            self.source = prefix
        }
        origin = header.rtm_protocol
        scope = AddressScope(rawValue: header.rtm_scope)
        // With `nexthop_compat_mode` the kernel repeats what the object says; IPv6 lets what refuses packets go out of `lo`.
        if nexthopObject == nil, !kind.refuses { nexthops = hops ?? (hop.interface == nil && hop.gateway == nil ? [] : [hop]) }
    }

    private static let everything = IPPrefix(.v4(0), length: 0)!
}

extension RouteKind {
    /// Packets end here: there is no way on.
    var refuses: Bool {
        switch self {
        case .blackhole, .unreachable, .prohibit, .throw: true
        case .unicast, .local, .broadcast, .anycast, .multicast, .nat: false
        }
    }
}

extension Nexthop {
    /// RTA_MULTIPATH: `struct rtnexthop` records, each followed by its attributes. A record that claims more than is left ends them.
    static func multipath(_ bytes: UnsafeRawBufferPointer) -> [Nexthop] {
        var hops: [Nexthop] = []
        var rest = bytes
        let size = MemoryLayout<rtnexthop>.size
        while let record = rest.value(rtnexthop.self), record.rtnh_len >= size, Int(record.rtnh_len) <= rest.count {
            var hop = Nexthop(
                interface: record.rtnh_ifindex, weight: UInt16(record.rtnh_hops) + 1,
                isDead: Int32(record.rtnh_flags) & RTNH_F_DEAD != 0)
            for (type, value) in NetlinkAttributes(UnsafeRawBufferPointer(rebasing: rest[size..<Int(record.rtnh_len)]))
            where type == Int(RTA_GATEWAY.rawValue) || type == Int(RTA_VIA.rawValue) {
                hop.gateway = .gateway(type, value)
            }
            hops.append(hop)
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(netlinkAligned(Int(record.rtnh_len))))
        }
        return hops
    }
}

extension IPAddress {
    /// RTA_GATEWAY; or RTA_VIA, a gateway of the other family: its family, then the address (`struct rtvia`).
    static func gateway(_ type: Int, _ value: UnsafeRawBufferPointer) -> IPAddress? {
        IPAddress(networkOrder: type == Int(RTA_VIA.rawValue) ? UnsafeRawBufferPointer(rebasing: value.dropFirst(2)) : value)
    }
}

extension NetlinkSocket {
    /// `ip route show table all; ip -6 route show table all`: the entries of every table, `local` among them, in the kernel's order.
    /// - Parameter family: only that one's; nil for both.
    public func routes(_ family: RoutingRule.Family? = nil) throws(NetlinkError) -> [Route] {
        var found: [Route] = []
        for family in family.map({ [$0] }) ?? RoutingRule.Family.allCases { found += try dumpRoutes(family) }
        return found
    }

    /// The entries of one table, which the kernel picks out (`NETLINK_GET_STRICT_CHK`): what others have many of costs nothing.
    func routes(_ family: RoutingRule.Family, table: UInt32) throws(NetlinkError) -> [Route] {
        try setStrict(true)
        let found = Result { () throws(NetlinkError) in
            try dumpRoutes(
                family, [(type: Int(RTA_TABLE.rawValue), value: withUnsafeBytes(of: table) { Array($0) })], "dump routes of table \(table)")
        }
        try setStrict(false)
        do throws(NetlinkError) { return try found.get() } catch  where error.code == ENOENT { return [] }  // No such table.
    }

    private func dumpRoutes(
        _ family: RoutingRule.Family, _ attributes: [(type: Int, value: [UInt8])] = [], _ operation: String = "dump routes"
    ) throws(NetlinkError) -> [Route] {
        var header = rtmsg()
        header.rtm_family = family.rawValue
        return try dump(RTM_GETROUTE, header, operation, attributes: attributes) { message in
            message.type == RTM_NEWROUTE ? Route(netlink: message.payload) : nil
        }
    }

    private func setStrict(_ isStrict: Bool) throws(NetlinkError) {
        var value: Int32 = isStrict ? 1 : 0
        guard setsockopt(descriptor, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
            throw NetlinkError("ask for one table's routes", code: errno)
        }
    }
}
