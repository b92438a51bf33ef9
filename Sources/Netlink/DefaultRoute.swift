import CNetlink
import Glibc

/// A default route of the main table (RTM_NEWROUTE), one value for each interface that it uses: a line of `ip route show default`.
public struct DefaultRoute: Sendable, Hashable {
    public enum Family: UInt8, Sendable, Hashable, CaseIterable {
        case ipv4 = 2
        case ipv6 = 10
    }
    public var family: Family
    public var interface: Int32
    /// Lower is preferred.
    public var metric: UInt32

    /// The outgoing interfaces of a route message, or the nexthop object that names them; nil when the message is not a default route of
    /// the main table: other tables, local, blackhole, unreachable and cached routes are not.
    struct Line {
        var family: Family
        var metric: UInt32 = 0
        var interfaces: [Int32] = []
        var nexthop: UInt32?

        init?(_ payload: UnsafeRawBufferPointer) {
            guard let header = payload.value(rtmsg.self), let family = Family(rawValue: header.rtm_family),
                header.rtm_dst_len == 0, Int(header.rtm_type) == RTN_UNICAST, header.rtm_flags & UInt32(RTM_F_CLONED) == 0
            else { return nil }
            self.family = family
            var table = UInt32(header.rtm_table)
            for (type, value) in NetlinkAttributes(payload, after: MemoryLayout<rtmsg>.size) {
                switch type {
                case Int(RTA_TABLE.rawValue): table = value.value() ?? table
                case Int(RTA_PRIORITY.rawValue): metric = value.value() ?? 0
                case Int(RTA_OIF.rawValue): if let interface: Int32 = value.value() { interfaces.append(interface) }
                case Int(RTA_MULTIPATH.rawValue): interfaces += Self.multipath(value)
                case Int(RTA_NH_ID.rawValue): nexthop = value.value()
                default: break
                }
            }
            if table != UInt32(RT_TABLE_MAIN.rawValue) { return nil }
        }

        /// The interfaces of RTA_MULTIPATH's `struct rtnexthop` records.
        static func multipath(_ bytes: UnsafeRawBufferPointer) -> [Int32] {
            var found: [Int32] = []
            var rest = bytes
            while let hop = rest.value(rtnexthop.self), hop.rtnh_len >= MemoryLayout<rtnexthop>.size, Int(hop.rtnh_len) <= rest.count {
                found.append(hop.rtnh_ifindex)
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(netlinkAligned(Int(hop.rtnh_len))))
            }
            return found
        }
    }
}

extension NetlinkSocket {
    /// `ip route show default; ip -6 route show default`: the default routes of the main table, every metric, best first in each family.
    /// The dump covers the whole table (the kernel cannot select by prefix).
    public func defaultRoutes() throws(NetlinkError) -> [DefaultRoute] {
        var routes: Set<DefaultRoute> = []
        for family in DefaultRoute.Family.allCases {
            var header = rtmsg()
            header.rtm_family = family.rawValue
            let lines = try dump(RTM_GETROUTE, header, "dump \(family) routes") { message in
                message.type == RTM_NEWROUTE ? DefaultRoute.Line(message.payload) : nil
            }
            for line in lines where line.family == family {
                var interfaces = line.interfaces
                // With net.ipv4.nexthop_compat_mode off the route names only its nexthop object.
                if interfaces.isEmpty, let nexthop = line.nexthop { interfaces = try self.interfaces(ofNexthop: nexthop, depth: 0) }
                for interface in interfaces { routes.insert(DefaultRoute(family: family, interface: interface, metric: line.metric)) }
            }
        }
        return routes.sorted { ($0.family.rawValue, $0.metric, $0.interface) < ($1.family.rawValue, $1.metric, $1.interface) }
    }

    /// The interfaces that carry a default route, by rising number.
    public func defaultRouteInterfaces() throws(NetlinkError) -> [Int32] { Set(try defaultRoutes().map(\.interface)).sorted() }

    /// `ip nexthop show id N`: the outgoing interfaces of a nexthop object, or of a group's members (a group of groups does not exist).
    func interfaces(ofNexthop id: UInt32, depth: Int) throws(NetlinkError) -> [Int32] {
        var found: [Int32] = []
        var members: [UInt32] = []
        let wanted = withUnsafeBytes(of: id) { Array($0) }
        do throws(NetlinkError) {
            try request(RTM_GETNEXTHOP, nhmsg(), [(NHA_ID, wanted)], "read nexthop \(id)") { message in
                guard message.type == RTM_NEWNEXTHOP else { return }
                for (type, value) in NetlinkAttributes(message.payload, after: MemoryLayout<nhmsg>.size) {
                    if type == NHA_OIF, let interface: Int32 = value.value() { found.append(interface) }
                    guard type == NHA_GROUP else { continue }
                    for offset in stride(from: 0, to: value.count, by: MemoryLayout<nexthop_grp>.size) {
                        if let member = value.value(nexthop_grp.self, at: offset) { members.append(member.id) }
                    }
                }
            }
        } catch  where error.code == ENOENT { return [] }  // deleted since the dump
        if depth == 0 { for member in members { found += try interfaces(ofNexthop: member, depth: 1) } }
        return found
    }
}
