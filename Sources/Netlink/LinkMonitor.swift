import CNetlink

/// A subscription to a namespace's link and default-route changes (rtnetlink(7) multicast): `ip monitor link route`.
///
/// It tells that something changed; what the state is now comes from a fresh dump by ``NetlinkSocket``, so a lost message costs a dump and
/// never a wrong view. For one thread; its socket keeps the namespace alive.
public final class LinkMonitor {
    /// What ``drain()`` found.
    public struct Changes: Sendable, Equatable {
        /// A link appeared, changed or vanished: dump links (and qdiscs).
        public var links = false
        /// A default route of the main table, or a nexthop object, changed: dump default routes.
        public var defaultRoutes = false
        /// Messages were lost (ENOBUFS): dump everything. Sets the two above.
        public var isOverrun = false
        /// A qdisc or class appeared, changed or vanished, or a filter was removed. Not in `isEmpty`: it is of interest only to who keeps
        /// rules.
        public var qdiscs = false
        /// An entry of the ARP or NDP table changed, or messages were lost; only while ``LinkMonitor/watchesNeighbours``. Not in `isEmpty`
        /// either.
        public var neighbours = false
        /// How many messages were read, with those that changed nothing of interest.
        public var messages = 0

        public var isEmpty: Bool { !links && !defaultRoutes }
        public init() {}
    }

    private let socket: MulticastSocket
    /// Readable when there is something to ``drain()``: for epoll(7), level-triggered.
    public var descriptor: Int32 { socket.descriptor }

    /// - Parameters:
    ///   - namespace: nil for the calling thread's own.
    ///   - receiveBuffer: bytes asked for; without CAP_NET_ADMIN the kernel caps it at `net.core.rmem_max`.
    public init(in namespace: NetworkNamespace? = nil, receiveBuffer: Int32 = 1 << 20) throws(NetlinkError) {
        socket = try MulticastSocket(
            "links", in: namespace, family: NETLINK_ROUTE,
            groups: [RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_NEXTHOP, RTNLGRP_TC].map(\.rawValue),
            receiveBuffer: receiveBuffer)
    }

    /// Also neighbours' changes are told: of interest only to who sends to one of them.
    public private(set) var watchesNeighbours = false

    public func watchNeighbours(_ watches: Bool) throws(NetlinkError) {
        guard watches != watchesNeighbours else { return }
        try socket.set(RTNLGRP_NEIGH.rawValue, isMember: watches)
        watchesNeighbours = watches
    }

    /// Reads what is waiting, without blocking. After an overrun the socket is as good as new: dump and go on.
    public func drain() throws(NetlinkError) -> Changes {
        var changes = Changes()
        if try !socket.drain({ changes.note($0) }) {
            changes.overrun()
            changes.neighbours = watchesNeighbours
        }
        return changes
    }
}

extension LinkMonitor.Changes {
    mutating func overrun() {
        isOverrun = true
        links = true
        defaultRoutes = true
    }

    mutating func note(_ message: NetlinkMessage) {
        messages += 1
        switch message.type {
        case RTM_NEWLINK, RTM_DELLINK: links = true
        case RTM_NEWROUTE, RTM_DELROUTE: if DefaultRoute.Line(message.payload) != nil { defaultRoutes = true }
        case RTM_NEWNEXTHOP, RTM_DELNEXTHOP: defaultRoutes = true
        case RTM_NEWNEIGH, RTM_DELNEIGH: neighbours = true
        case RTM_NEWQDISC, RTM_DELQDISC, RTM_NEWTCLASS, RTM_DELTCLASS, RTM_DELTFILTER: qdiscs = true
        default: break
        }
    }
}
