import CNetlink
import Topology

/// A subscription to everything that rtnetlink(7) announces in a namespace, decoded: `ip monitor all`, with `bridge monitor fdb`.
///
/// Events alone do not keep a copy of the tables right: messages get lost when the reader is slow, and the kernel drops some things without
/// a word (see ``Changes/stale``). What it names is to be dumped again by ``NetlinkSocket``; events read later may then be older than the
/// dump, and repeat or undo it for a moment, but the last one about a thing is its latest state. For one thread; its socket keeps the
/// namespace alive.
public final class TopologyMonitor {
    /// Kinds of facts that a copy has to be made of afresh.
    public struct Stale: OptionSet, Sendable, Hashable {
        public let rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        public static let links = Stale(rawValue: 1 << 0)
        public static let addresses = Stale(rawValue: 1 << 1)
        public static let ipv4Routes = Stale(rawValue: 1 << 2)
        public static let ipv6Routes = Stale(rawValue: 1 << 3)
        public static let rules = Stale(rawValue: 1 << 4)
        public static let nexthops = Stale(rawValue: 1 << 5)
        public static let neighbours = Stale(rawValue: 1 << 6)
        public static let forwarding = Stale(rawValue: 1 << 7)
        public static let qdiscs = Stale(rawValue: 1 << 8)
        public static let namespaceNumbers = Stale(rawValue: 1 << 9)
        public static let everything = Stale(rawValue: 1 << 10 - 1)
        public static let routes: Stale = [.ipv4Routes, .ipv6Routes]
    }

    /// What ``drain()`` read.
    public struct Changes: Sendable, Equatable {
        /// In the kernel's order.
        public var events: [TopologyEvent] = []
        /// What cannot be told from the events. Without an overrun that is:
        /// - routes, nexthop objects and qdiscs, after a link went up or down (carrier too) or away: IPv4 loses the routes through it in
        ///   silence, and so do both families the nexthops of a multipath route; a nexthop object goes with its device;
        /// - routes of a family, after an address of it went: those that named it as their source go or change;
        /// - routes, after a nexthop object went: those that used it go.
        public var stale: Stale = []
        /// Messages were lost (ENOBUFS): ``stale`` is everything.
        public var isOverrun = false
        /// Messages read, with those that are no events.
        public var messages = 0

        public var isEmpty: Bool { events.isEmpty && stale.isEmpty }
        public init() {}
    }

    private let socket: MulticastSocket
    /// What was last heard of each link's ability to carry packets.
    private var states: [Int32: LinkFlags] = [:]
    /// Readable when there is something to ``drain()``: for epoll(7), level-triggered.
    public var descriptor: Int32 { socket.descriptor }

    private static let groups = [
        RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_TC, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_IFADDR,
        RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE, RTNLGRP_NSID, RTNLGRP_NEXTHOP,
    ]

    /// Listens from now on: make it first, then dump, then drain, and nothing falls between.
    /// - Parameters:
    ///   - namespace: nil for the calling thread's own.
    ///   - receiveBuffer: bytes asked for; without CAP_NET_ADMIN the kernel caps it at `net.core.rmem_max`. 4 MiB
    ///     hold about 10,000 announced routes.
    public init(in namespace: NetworkNamespace? = nil, receiveBuffer: Int32 = 4 << 20) throws(NetlinkError) {
        socket = try MulticastSocket(
            "topology", in: namespace, family: NETLINK_ROUTE, groups: Self.groups.map(\.rawValue), receiveBuffer: receiveBuffer)
    }

    /// Reads what is waiting, without blocking and at most ``MulticastSocket/datagramsPerDrain`` datagrams; the descriptor stays readable
    /// when there is more. After an overrun the socket is as good as new: dump and go on.
    public func drain() throws(NetlinkError) -> Changes {
        var changes = Changes()
        let isWhole = try socket.drain { message in
            changes.messages += 1
            guard let event = TopologyEvent(message) else { return }
            changes.events.append(event)
            changes.stale.formUnion(consequences(event, message))
        }
        if !isWhole {
            changes.isOverrun = true
            changes.stale = .everything
            states = [:]
        }
        return changes
    }

    private func consequences(_ event: TopologyEvent, _ message: NetlinkMessage) -> Stale {
        switch event {
        case .link(let link):
            let state = link.flags.intersection([.up, .running, .lowerUp])
            let before = states.updateValue(state, forKey: link.index)
            // All ones: the link is new, and nothing leads through it yet.
            let isNew = message.payload.value(ifinfomsg.self)?.ifi_change == .max
            return before.map { $0 != state } ?? !isNew ? [.routes, .nexthops, .qdiscs] : []
        case .linkGone(let index):
            states[index] = nil
            return [.routes, .nexthops]
        case .addressGone(let gone): return gone.address.isV4 ? .ipv4Routes : .ipv6Routes
        case .nexthopGone: return .routes
        default: return []
        }
    }
}
