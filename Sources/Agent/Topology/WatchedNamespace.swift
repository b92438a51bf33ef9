import Netlink
import NetworkTypes
import PathComputation
import Topology

/// A namespace whose facts go to the topology: its sockets, and how what they say is told. On the topology's thread.
final class WatchedNamespace {
    /// What is read as a whole, each in its own time.
    enum Source: CaseIterable {
        /// Links, addresses, routes and what else is told by ``TopologyMonitor``.
        case facts
        /// Sysctls that decide about forwarding.
        case settings
        /// Rules of nftables.
        case security
        /// What conntrack translates.
        case translations
    }

    let namespace: NetworkNamespace
    let monitor: TopologyMonitor
    let settingsMonitor: NamespaceSettingsMonitor
    /// nil where the kernel does not announce changes of security rules: then they are looked at every ``look``.
    let securityMonitor: NetfilterMonitor?
    private let socket: NetlinkSocket
    private let ethtool: NetlinkSocket
    /// Made when it is needed, and anew after an error.
    private var netfilter: NetlinkSocket?
    /// Of the security rules that were read last.
    private var generation: UInt32?
    private var translationBook = TranslationBook()
    /// The cookies of the namespaces that this one knows by number.
    private var numbers: [Int32: UInt64] = [:]
    /// Numbers of namespaces that the last reading could not tell: nobody watches them.
    private var foreign: Set<Int32> = []
    private var speeds: [Int32: UInt64] = [:]
    private var siblings = RouteSiblings()
    /// Of the interfaces.
    private var names: [Int32: String] = [:]
    /// nil before they are read.
    private(set) var settings: NamespaceSettings?
    /// What has to be read anew, and since or from when.
    private(set) var due = Dictionary(uniqueKeysWithValues: Source.allCases.map { ($0, ContinuousClock.now) })
    /// The ends of our mirror port: copies pass there and nothing else, so they are no part of the network that is told of.
    private var mirrorPort: Set<Int32> = []
    /// The facts were read once.
    private(set) var isRead = false

    /// After a reading that failed.
    private static let pause = Duration.seconds(1)
    /// Bytes of rules that are put in words: as many as the topology keeps of them.
    private static let securityText = TopologyLimits().securityText
    /// Between two looks at what nothing is announced of.
    private static let look = Duration.seconds(10)

    init(_ namespace: NetworkNamespace) throws {
        self.namespace = namespace
        // Before the first dump, so that nothing falls between.
        monitor = try TopologyMonitor(in: namespace)
        settingsMonitor = try NamespaceSettingsMonitor(in: namespace)
        securityMonitor = try? NetfilterMonitor(in: namespace)
        socket = try NetlinkSocket(in: namespace)
        ethtool = try .generic(in: namespace)
    }

    var cookie: UInt64 { namespace.cookie }
    /// What is to be watched for announcements.
    var descriptors: [Int32] { [monitor.descriptor, settingsMonitor.descriptor] + (securityMonitor.map { [$0.descriptor] } ?? []) }
    /// Links have peers in namespaces that are not known.
    var looksAbroad: Bool { !foreign.isEmpty }

    /// It has to be read anew. What is put off already keeps its place among others.
    func expire(_ source: Source) { due[source] = min(due[source] ?? .now, .now) }

    /// What is there now.
    /// - Parameter others: the namespaces that peers may be in.
    func read(_ source: Source, among others: [NetworkNamespace]) throws -> [Observation] {
        // Until it went well.
        due[source] = ContinuousClock.now + (source == .facts || source == .settings ? Self.pause : Self.look)
        var observations: [Observation] = []
        var next: ContinuousClock.Instant?
        switch source {
        case .facts: observations = [.resynchronised(try facts(among: others), in: cookie)]
        case .settings: settings = try socket.namespaceSettings(names: names)
        case .security:
            observations = try security().map { [.security($0, in: cookie)] } ?? []
            if securityMonitor == nil { next = ContinuousClock.now + Self.look }
        case .translations:
            let start = ContinuousClock.now
            observations = try translations().map { [.translations($0, in: cookie)] } ?? []
            let end = ContinuousClock.now
            // Where the table is long this is seldom: nothing else is read meanwhile.
            next = end + max(Self.look, (end - start) * 100)
        }
        due[source] = next
        return observations
    }

    /// Asks over the namespace's netfilter socket.
    private func askNetfilter<T>(_ question: (NetlinkSocket) throws -> T) throws -> T {
        let socket = try netfilter ?? .netfilter(in: namespace)
        netfilter = nil
        let answer = try question(socket)
        netfilter = socket
        return answer
    }

    /// The security rules in force; nil where they are those that were read last.
    private func security() throws -> String? {
        try askNetfilter { socket in
            guard try socket.netfilterGeneration() != generation else { return nil }
            let rules = try socket.netfilterRules(words: Self.securityText)
            generation = rules.generation
            return rules.listing
        }
    }

    /// nil where they are those that were told last.
    private func translations() throws -> [AddressTranslation]? {
        // Not there: nothing is tracked, and asking would load the kernel's module for it.
        let count = try namespace.inside { SystemFiles.read("/proc/sys/net/netfilter/nf_conntrack_count") }
        let isTracking = count.map { !$0.hasPrefix("0") } ?? false
        let flows = isTracking ? try askNetfilter { try $0.translatedFlows(most: TranslationBook.most).flows } : []
        return translationBook.update(flows, at: .now)
    }

    private func facts(among others: [NetworkNamespace]) throws -> [Fact] {
        let all = try socket.links()
        mirrorPort = Set(all.filter(\.isMirrorPortEnd).map(\.index))
        let links = all.filter { !mirrorPort.contains($0.index) }
        let names = Dictionary(links.map { ($0.index, $0.name) }) { $1 }
        if names != self.names { expire(.settings) }
        self.names = names
        let found = try socket.namespacesByNumber(among: others)
        let cookies = Dictionary(others.map { ($0.id, $0.cookie) }) { $1 }
        numbers = found.compactMapValues { cookies[$0] }
        foreign = Set(links.compactMap(\.peerNamespace)).subtracting(numbers.keys)
        speeds = try ethtool.linkSpeeds(of: links)
        var facts = links.map { Fact.link(fact(of: $0)) }
        facts += try socket.addresses().map(Fact.address)
        facts += try socket.nexthopObjects().map(Fact.nexthop)
        facts += siblings.numbered(try socket.routes()).map(Fact.route)
        facts += try socket.rules().map(Fact.rule)
        facts += try socket.neighbours().map(Fact.neighbour)
        facts += try socket.forwardingEntries().map(Fact.forwarding)
        isRead = true
        return facts.filter { !$0.isOnly(of: mirrorPort) }
    }

    /// What the kernel announced since the last call. Where that does not tell everything, facts are due.
    func changes() throws -> [Observation] {
        let changes = try monitor.drain()
        if !changes.stale.subtracting(.qdiscs).isEmpty { expire(.facts) }
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
            if mirrorPort.remove(link.index) != nil { expire(.facts) }
            // A number that is not known yet.
            if let number = link.peerNamespace, numbers[number] == nil, !foreign.contains(number) { expire(.facts) }
            if names.updateValue(link.name, forKey: link.index) != link.name { expire(.settings) }
            return .appeared(.link(fact(of: link)), in: cookie)
        case .linkGone(let index):
            mirrorPort.remove(index)
            names[index] = nil
            return .vanished(.link(index), in: cookie)
        case .address(let address): return appeared(.address(address))
        case .addressGone(let address): return .vanished(Fact.address(address).identity, in: cookie)
        case .route(let route, let arrival):
            if siblings.isClear(route, arrival) { return appeared(.route(route)) }
            expire(.facts)
            return nil
        case .routeGone(let route):
            if siblings.isClear(gone: route) { return .vanished(Fact.route(route).identity, in: cookie) }
            expire(.facts)
            return nil
        case .rule(let rule): return .appeared(.rule(rule), in: cookie)
        case .ruleGone(let rule): return .vanished(Fact.rule(rule).identity, in: cookie)
        case .nexthop(let object): return .appeared(.nexthop(object), in: cookie)
        case .nexthopGone(let id): return .vanished(.nexthop(id), in: cookie)
        case .neighbour(let neighbour): return appeared(.neighbour(neighbour))
        case .neighbourGone(let neighbour): return .vanished(Fact.neighbour(neighbour).identity, in: cookie)
        case .forwarding(let entry): return appeared(.forwarding(entry))
        case .forwardingGone(let entry): return .vanished(Fact.forwarding(entry).identity, in: cookie)
        case .namespaceNumber, .namespaceNumberGone:
            expire(.facts)
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
