import Netlink
import NetworkTypes
import Topology

/// A namespace whose facts go to the topology: its sockets, and how what they say is told. On the topology's thread.
final class WatchedNamespace {
    let namespace: NetworkNamespace
    let monitor: TopologyMonitor
    private let socket: NetlinkSocket
    private let ethtool: NetlinkSocket
    /// The cookies of the namespaces that this one knows by number.
    private var numbers: [Int32: UInt64] = [:]
    /// Numbers of namespaces that the last reading could not tell: nobody watches them.
    private var foreign: Set<Int32> = []
    private var speeds: [Int32: UInt64] = [:]
    /// The facts have to be read anew as a whole.
    var isStale = true
    /// They were read once.
    private(set) var isRead = false
    /// When they were last read, well or not; before that, when it began to be watched.
    var readAt = ContinuousClock.now

    init(_ namespace: NetworkNamespace) throws {
        self.namespace = namespace
        // Before the first dump, so that nothing falls between.
        monitor = try TopologyMonitor(in: namespace)
        socket = try NetlinkSocket(in: namespace)
        ethtool = try .generic(in: namespace)
    }

    var cookie: UInt64 { namespace.cookie }
    /// Links have peers in namespaces that are not known.
    var looksAbroad: Bool { !foreign.isEmpty }

    /// All facts as they are now.
    /// - Parameter others: the namespaces that peers may be in.
    func dump(among others: [NetworkNamespace]) throws -> [Fact] {
        let links = try socket.links()
        let found = try socket.namespacesByNumber(among: others)
        let cookies = Dictionary(others.map { ($0.id, $0.cookie) }) { $1 }
        numbers = found.compactMapValues { cookies[$0] }
        foreign = Set(links.compactMap(\.peerNamespace)).subtracting(numbers.keys)
        speeds = try ethtool.linkSpeeds(of: links)
        var facts = links.map { Fact.link(fact(of: $0)) }
        facts += try socket.addresses().map(Fact.address)
        facts += try socket.nexthopObjects().map(Fact.nexthop)
        facts += try socket.routes().map(Fact.route)
        facts += try socket.rules().map(Fact.rule)
        facts += try socket.neighbours().map(Fact.neighbour)
        facts += try socket.forwardingEntries().map(Fact.forwarding)
        (isStale, isRead) = (false, true)
        return facts
    }

    /// What the kernel announced since the last call. Sets ``isStale`` where that does not tell everything.
    func changes() throws -> [Observation] {
        let changes = try monitor.drain()
        if !changes.stale.subtracting(.qdiscs).isEmpty { isStale = true }
        return changes.events.compactMap { observation($0) }
    }

    private func fact(of link: LinkObservation) -> LinkFact {
        LinkFact(link, peerNamespace: link.peerNamespace.flatMap { numbers[$0] }, speed: speeds[link.index])
    }

    private func observation(_ event: TopologyEvent) -> Observation? {
        switch event {
        case .link(let link):
            // A number that is not known yet.
            if let number = link.peerNamespace, numbers[number] == nil, !foreign.contains(number) { isStale = true }
            return .appeared(.link(fact(of: link)), in: cookie)
        case .linkGone(let index): return .vanished(.link(index), in: cookie)
        case .address(let address): return .appeared(.address(address), in: cookie)
        case .addressGone(let address): return .vanished(Fact.address(address).identity, in: cookie)
        case .route(let route, let arrival):
            // IPv4 keeps both; which of them is used is what a dump tells first.
            if arrival == .appended, route.destination.address.isV4 { isStale = true }
            return .appeared(.route(route), in: cookie)
        case .routeGone(let route):
            // Of IPv6 it may have been one of several nexthops.
            if !route.destination.address.isV4 { isStale = true }
            return .vanished(Fact.route(route).identity, in: cookie)
        case .rule(let rule): return .appeared(.rule(rule), in: cookie)
        case .ruleGone(let rule): return .vanished(Fact.rule(rule).identity, in: cookie)
        case .nexthop(let object): return .appeared(.nexthop(object), in: cookie)
        case .nexthopGone(let id): return .vanished(.nexthop(id), in: cookie)
        case .neighbour(let neighbour): return .appeared(.neighbour(neighbour), in: cookie)
        case .neighbourGone(let neighbour): return .vanished(Fact.neighbour(neighbour).identity, in: cookie)
        case .forwarding(let entry): return .appeared(.forwarding(entry), in: cookie)
        case .forwardingGone(let entry): return .vanished(Fact.forwarding(entry).identity, in: cookie)
        case .namespaceNumber, .namespaceNumberGone:
            isStale = true
            return nil
        case .qdisc, .qdiscGone: return nil
        }
    }
}
