import Netlink
import Topology

/// Which routes of a namespace are alike but for what they do. The kernel keeps them in an order, and what it announces of one of them does not
/// tell which it is: there only a dump does.
struct RouteSiblings {
    /// How many there are, by the hash of what they share. Two of one hash are read where that was not needed, no more.
    private var counts: [Int: UInt32] = [:]

    /// The routes of a dump, in its order.
    mutating func numbered(_ dump: [Route]) -> [Route] {
        counts = Dictionary(minimumCapacity: dump.count)
        return dump.map { route in
            let hash = hash(route)
            let before = counts[hash, default: 0]
            counts[hash] = before + 1
            guard before > 0 else { return route }
            var route = route
            route.sibling = before
            return route
        }
    }

    /// Whether the route that came is the only one of its kind, with nothing else gone for it.
    mutating func isClear(_ route: Route, _ arrival: RouteArrival) -> Bool {
        let isV4 = route.destination.address.isV4
        let most: UInt32? =
            switch arrival {
            // None were there, the kernel says, and says so of `ip route prepend` too.
            case .added: 0
            // Of IPv6 it may be one onto another link.
            case .replaced: isV4 ? 1 : nil
            // IPv4 keeps both. Of IPv6 it is all nexthops together, in another order than that of a dump.
            case .appended: nil
            }
        guard let most, counts[hash(route), default: 0] <= most else { return false }
        counts[hash(route)] = 1
        return true
    }

    /// Whether the route that went was the only one of its kind, and went as a whole.
    mutating func isClear(gone route: Route) -> Bool {
        // Of IPv6 it may have been one of several nexthops.
        guard route.destination.address.isV4 || route.linkInterface != nil else { return false }
        let hash = hash(route)
        guard counts[hash, default: 0] <= 1 else { return false }
        counts[hash] = nil
        return true
    }

    private func hash(_ route: Route) -> Int { Fact.route(route).identity.hashValue }
}
