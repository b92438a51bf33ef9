import Glibc
import NetworkTypes
import TestSupport
import Testing
import Topology

@testable import Netlink

/// A copy of the routing tables kept by what ``TopologyMonitor`` tells, as its documentation says one can be.
private struct RouteCopy {
    private(set) var routes: Set<Route> = []
    /// An IPv4 route took the place of one of several.
    private(set) var isUnsure = false

    /// Whether a way is in use changes without a word, and the order of an IPv6 route's ways is the order of their arrival.
    static func identity(_ route: Route) -> Route {
        var route = route
        for index in route.nexthops.indices { route.nexthops[index].isDead = false }
        if !route.destination.address.isV4 { route.nexthops.sort { "\($0)" < "\($1)" } }
        return route
    }

    mutating func take(_ dump: [Route], ipv4: Bool) {
        routes = routes.filter { $0.destination.address.isV4 != ipv4 }.union(dump.map(Self.identity))
        if ipv4 { isUnsure = false }
    }

    mutating func apply(_ event: TopologyEvent) {
        switch event {
        case .route(let route, let arrival):
            let route = Self.identity(route)
            let rivals = routes.filter { Self.isRival($0, route) }
            switch arrival {
            case .added: break
            case .replaced: if rivals.count > 1 { isUnsure = true } else if let only = rivals.first { routes.remove(only) }
            case .appended:
                for rival in rivals where !route.destination.address.isV4 && Set(rival.nexthops).isSubset(of: route.nexthops) {
                    routes.remove(rival)
                }
            }
            routes.insert(route)
        case .routeGone(let route):
            let route = Self.identity(route)
            if routes.remove(route) != nil || route.destination.address.isV4 { return }
            for rival in routes where Self.isRival(rival, route) && Set(route.nexthops).isSubset(of: rival.nexthops) {
                var rest = rival
                rest.nexthops.removeAll { route.nexthops.contains($0) }
                routes.remove(rival)
                routes.insert(Self.identity(rest))
            }
        default: break
        }
    }

    private static func isRival(_ a: Route, _ b: Route) -> Bool {
        a.table == b.table && a.destination == b.destination && a.source == b.source && a.tos == b.tos && a.metric == b.metric
    }
}

@Suite struct RouteCopyTests {
    /// One `ip` command on a route, a link or an address; many of them are refused, which changes nothing.
    private static func command(_ random: inout SplitMix64) -> String {
        let (e, hop, net) = (
            Int.random(in: 1...3, using: &random), Int.random(in: 2...4, using: &random), Int.random(in: 0...3, using: &random)
        )
        let table = ["main", "7", "1000"].randomElement(using: &random)!
        let verb = ["add", "add", "append", "replace", "del"].randomElement(using: &random)!
        let other = e % 3 + 1
        switch Int.random(in: 0..<18, using: &random) {
        case 0...4: return "route \(verb) 192.0.\(net).0/24 via 10.0.\(e).\(hop) table \(table)"
        case 5...6:
            return "route \(verb) 192.0.\(net).0/24 table \(table) nexthop via 10.0.\(e).\(hop) nexthop via 10.0.\(other).2 weight 3"
        case 7: return "route \(verb) blackhole 192.0.\(net).0/24 table \(table) metric \(hop)"
        case 8...11: return "-6 route \(verb) 2001:db8:\(net)::/48 via fd00:\(e)::\(hop) dev e\(e) table \(table)"
        case 12...13:
            return
                "-6 route \(verb) 2001:db8:\(net)::/48 table \(table) nexthop via fd00:\(e)::\(hop) dev e\(e) nexthop via fd00:\(other)::2 dev e\(other)"
        case 14: return "route \(verb) 192.0.\(net).0/24 via 10.0.\(e).2 src 10.\(50 + e).0.1 table \(table)"
        case 15: return "addr \(Bool.random(using: &random) ? "add" : "del") 10.\(50 + e).0.1/32 dev e\(e)"
        case 16: return "nexthop \(Bool.random(using: &random) ? "add" : "del") id \(e) via 10.0.\(e).2 dev e\(e)"
        default:
            switch Int.random(in: 0...3, using: &random) {
            case 0: return "link set e\(e) \(Int.random(in: 0...2, using: &random) == 0 ? "down" : "up")"
            case 1: return "link set p\(e) \(Int.random(in: 0...2, using: &random) == 0 ? "down" : "up")"
            default: return "route \(verb) 198.51.\(net).0/24 nhid \(e)"
            }
        }
    }

    @Test(arguments: [UInt64(1), 2, 3]) func eventsAndStaleTogetherKeepACopyRight(seed: UInt64) async throws {
        let namespace = try await TestNamespace(ipv6: true)
        try await namespace.sh(FactDumpTests.pairs(3))
        try await namespace.run {
            var random = SplitMix64(seed: seed)
            let (monitor, socket) = (try TopologyMonitor(), try NetlinkSocket())
            var copy = RouteCopy()
            copy.take(try socket.routes(.ipv4), ipv4: true)
            copy.take(try socket.routes(.ipv6), ipv4: false)
            var (byEventsAlone, events) = (0, 0)
            for _ in 0..<60 {
                let commands = (0..<12).map { _ in Self.command(&random) }
                try sh("ip -force -batch - <<'END' >/dev/null 2>&1 || true\n\(commands.joined(separator: "\n"))\nEND")
                var stale: TopologyMonitor.Stale = []
                var watched = pollfd(fd: monitor.descriptor, events: Int16(POLLIN), revents: 0)
                // IPv6 works on after a link has changed: until nothing more comes.
                while poll(&watched, 1, commands.contains { $0.hasPrefix("link") } ? 300 : 10) > 0 {
                    let changes = try monitor.drain()
                    #expect(!changes.isOverrun)
                    for event in changes.events { copy.apply(event) }
                    events += changes.events.count
                    stale.formUnion(changes.stale)
                }
                let (four, six) = (try socket.routes(.ipv4), try socket.routes(.ipv6))
                if copy.isUnsure { stale.insert(.ipv4Routes) }
                if stale.contains(.ipv4Routes) { copy.take(four, ipv4: true) }
                if stale.contains(.ipv6Routes) { copy.take(six, ipv4: false) }
                if stale.isDisjoint(with: .routes) { byEventsAlone += 1 }
                let there = Set((four + six).map(RouteCopy.identity))
                #expect(copy.routes.subtracting(there) == [], "\(commands)")
                #expect(there.subtracting(copy.routes) == [], "\(commands)")
                if copy.routes != there { return }
            }
            #expect(byEventsAlone > 10 && events > 100, "\(byEventsAlone) \(events)")
        }
    }
}
