import CNetlink
import Glibc
import Topology

/// One change in a namespace, as the kernel announced it: a line of `ip monitor all` or `bridge monitor fdb`.
///
/// Facts that went are to be matched by what identifies them (an address by interface, address and length; a neighbour by interface and
/// address), not as a whole: the kernel fills their other fields as it finds them at the end. A link that goes takes its addresses, neighbours,
/// forwarding entries and qdiscs along; not for each of them is there an event.
public enum TopologyEvent: Sendable, Equatable {
    /// Came or changed.
    case link(LinkObservation)
    case linkGone(Int32)
    case address(InterfaceAddress)
    case addressGone(InterfaceAddress)
    case route(Route, RouteArrival)
    /// Of IPv6: these nexthops of it; when those are all, the route. nil in place of a way on counts as one.
    case routeGone(Route)
    case rule(RoutingRule)
    case ruleGone(RoutingRule)
    case nexthop(NexthopObject)
    case nexthopGone(UInt32)
    /// Came or changed; with a state of `failed` or none it is as good as gone.
    case neighbour(Neighbour)
    case neighbourGone(Neighbour)
    case forwarding(ForwardingEntry)
    case forwardingGone(ForwardingEntry)
    case qdisc(QdiscObservation)
    case qdiscGone(QdiscObservation)
    /// This namespace gave another one a number; see ``NetlinkSocket/namespacesByNumber(among:)``.
    case namespaceNumber(Int32)
    case namespaceNumberGone(Int32)
}

/// What a route that came does to those there with the same family, table, destination, source, TOS and metric.
public enum RouteArrival: Sendable, Hashable {
    /// There were none.
    case added
    /// It takes the place of one. Where there are several (IPv4) that is the first in the kernel's order, which only a dump tells.
    case replaced
    /// IPv4: it comes after them (or before, which makes no difference here). IPv6: it is them and the new nexthops, all together.
    case appended
}

extension TopologyEvent {
    /// nil for messages that tell nothing of the topology, and for malformed ones.
    init?(_ message: NetlinkMessage) {
        let isGone: Bool
        switch message.type {
        case RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_NEWRULE, RTM_NEWNEXTHOP, RTM_NEWNEIGH, RTM_NEWQDISC, RTM_NEWNSID: isGone = false
        case RTM_DELLINK, RTM_DELADDR, RTM_DELROUTE, RTM_DELRULE, RTM_DELNEXTHOP, RTM_DELNEIGH, RTM_DELQDISC, RTM_DELNSID: isGone = true
        default: return nil
        }
        guard let event = Self.event(message, isGone) else { return nil }
        self = event
    }

    private static func event(_ message: NetlinkMessage, _ isGone: Bool) -> TopologyEvent? {
        let payload = message.payload
        switch message.type {
        case RTM_NEWLINK, RTM_DELLINK:
            // A bridge tells of its ports in messages of its own family: the end of a port there is not the end of the link.
            guard payload.value(UInt8.self) == UInt8(AF_UNSPEC) else { return nil }
            return LinkObservation(payload).map { isGone ? .linkGone($0.index) : .link($0) }
        case RTM_NEWADDR, RTM_DELADDR: return InterfaceAddress(netlink: payload).map { isGone ? .addressGone($0) : .address($0) }
        case RTM_NEWROUTE, RTM_DELROUTE: return Route(netlink: payload).map { isGone ? .routeGone($0) : .route($0, RouteArrival(message)) }
        case RTM_NEWRULE, RTM_DELRULE: return RoutingRule(netlink: payload).map { isGone ? .ruleGone($0) : .rule($0) }
        case RTM_NEWNEXTHOP, RTM_DELNEXTHOP: return NexthopObject(netlink: payload).map { isGone ? .nexthopGone($0.id) : .nexthop($0) }
        case RTM_NEWNEIGH, RTM_DELNEIGH:
            if let entry = ForwardingEntry(netlink: payload) { return isGone ? .forwardingGone(entry) : .forwarding(entry) }
            return Neighbour(netlink: payload).map { isGone ? .neighbourGone($0) : .neighbour($0) }
        case RTM_NEWQDISC, RTM_DELQDISC: return QdiscObservation(payload).map { isGone ? .qdiscGone($0) : .qdisc($0) }
        default: return NetlinkSocket.namespaceNumber(payload).map { isGone ? .namespaceNumberGone($0) : .namespaceNumber($0) }
        }
    }
}

extension RouteArrival {
    fileprivate init(_ message: NetlinkMessage) {
        let flags = Int32(message.header.nlmsg_flags)
        self = flags & NLM_F_REPLACE != 0 ? .replaced : flags & NLM_F_APPEND != 0 ? .appended : .added
    }
}
