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
    /// The ends of our mirror port: copies pass there and nothing else, so they are no part of the network that is told of.
    private var mirrorPort: Set<Int32> = []
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
        let all = try socket.links()
        mirrorPort = Set(all.filter(\.isMirrorPortEnd).map(\.index))
        let links = all.filter { !mirrorPort.contains($0.index) }
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
        return facts.filter { !$0.isOnly(of: mirrorPort) }
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
            if link.isMirrorPortEnd { return mirrorPort.insert(link.index).inserted ? .vanished(.link(link.index), in: cookie) : nil }
            // Somebody else's after all, of which nothing was told so far.
            if mirrorPort.remove(link.index) != nil { isStale = true }
            // A number that is not known yet.
            if let number = link.peerNamespace, numbers[number] == nil, !foreign.contains(number) { isStale = true }
            return .appeared(.link(fact(of: link)), in: cookie)
        case .linkGone(let index):
            mirrorPort.remove(index)
            return .vanished(.link(index), in: cookie)
        case .address(let address): return appeared(.address(address))
        case .addressGone(let address): return .vanished(Fact.address(address).identity, in: cookie)
        case .route(let route, let arrival):
            // IPv4 keeps both; which of them is used is what a dump tells first.
            if arrival == .appended, route.destination.address.isV4 { isStale = true }
            return appeared(.route(route))
        case .routeGone(let route):
            // Of IPv6 it may have been one of several nexthops.
            if !route.destination.address.isV4 { isStale = true }
            return .vanished(Fact.route(route).identity, in: cookie)
        case .rule(let rule): return .appeared(.rule(rule), in: cookie)
        case .ruleGone(let rule): return .vanished(Fact.rule(rule).identity, in: cookie)
        case .nexthop(let object): return .appeared(.nexthop(object), in: cookie)
        case .nexthopGone(let id): return .vanished(.nexthop(id), in: cookie)
        case .neighbour(let neighbour): return appeared(.neighbour(neighbour))
        case .neighbourGone(let neighbour): return .vanished(Fact.neighbour(neighbour).identity, in: cookie)
        case .forwarding(let entry): return appeared(.forwarding(entry))
        case .forwardingGone(let entry): return .vanished(Fact.forwarding(entry).identity, in: cookie)
        case .namespaceNumber, .namespaceNumberGone:
            isStale = true
            return nil
        case .qdisc, .qdiscGone: return nil
        }
    }

    private func appeared(_ fact: Fact) -> Observation? { fact.isOnly(of: mirrorPort) ? nil : .appeared(fact, in: cookie) }
}

extension Fact {
    /// It is about these interfaces and no other.
    func isOnly(of interfaces: Set<Int32>) -> Bool {
        switch self {
        case .link(let link): interfaces.contains(link.index)
        case .address(let address): interfaces.contains(address.interface)
        case .neighbour(let neighbour): interfaces.contains(neighbour.interface)
        case .forwarding(let entry): interfaces.contains(entry.interface)
        case .route(let route):
            !route.nexthops.isEmpty && route.nexthops.allSatisfy { $0.interface.map(interfaces.contains) ?? false }
        case .rule, .nexthop: false
        }
    }
}
