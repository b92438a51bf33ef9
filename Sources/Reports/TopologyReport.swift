import Flows
import NetworkTypes
import Topology

/// The topology of one epoch: `GET /v1/topology`. Every link's ends and every entity's parent are among the entities.
public struct TopologyReport: Codable, Hashable, Sendable {
    /// RFC 3339.
    public var at: String
    /// Snapshots since the agent began.
    public var epoch: UInt64
    public var entities: [Entity]
    public var links: [Link]
    /// Of the communication links, those that were left out beyond what was asked for; the busiest are here.
    public var omittedLinks: Int
    public var folded: Folded

    public struct Entity: Codable, Hashable, Sendable {
        /// Stable over restarts.
        public var key: String
        public var kind: String
        public var name: String
        public var parent: String?
        /// Loopbacks, link-local and multicast addresses, the local table and its like; nil for what people made.
        public var kernelMade: Bool?
        public var attributes: [String: String]
    }

    public struct Link: Codable, Hashable, Sendable {
        public var key: String
        public var kind: String
        public var from: String
        public var to: String
        public var kernelMade: Bool?
        public var attributes: [String: String]
        public var talk: Talk?
    }

    /// What two ends say to each other. Of each packet one named observation point counts.
    public struct Talk: Codable, Hashable, Sendable {
        public var ipProtocol: String
        /// Of the server; nil for several, or none.
        public var port: UInt16?
        public var application: String?
        /// Towards the server, over the last second.
        public var sentBitsPerSecond: Double
        public var receivedBitsPerSecond: Double
        /// Since the link is there.
        public var sentPackets: UInt64
        public var sentBytes: UInt64
        public var receivedPackets: UInt64
        public var receivedBytes: UInt64
        public var flows: UInt32
        /// Of TCP's handshakes; nil where none was seen.
        public var medianRoundTripMicroseconds: UInt32?
        public var retransmitted: UInt64
        /// RFC 3339.
        public var first: String
        public var last: String
    }

    /// What the bounds kept out of the topology. Since the agent began.
    public struct Folded: Codable, Hashable, Sendable {
        public var ends: UInt64
        public var unansweredFlows: UInt64
        public var betweenNetworks: UInt64
        public var forgottenFlows: UInt64
    }
}

extension TopologyReport {
    /// - Parameters:
    ///   - wanted: what to tell of; nil for all. Ends and parents of what is told come along.
    ///   - talks: the most communication links.
    public init(_ snapshot: Snapshot, of wanted: Set<NodeID>? = nil, talks: Int) {
        var chosen: [LinkID] = []
        var busy: [(link: LinkID, bytes: UInt64)] = []
        snapshot.forEachLink { link, kind, a, b in
            // What a node is part of is said by its parent.
            guard kind != .part, wanted.map({ $0.contains(a) && $0.contains(b) }) ?? true else { return }
            guard kind == .talks else { return chosen.append(link) }
            let traffic = snapshot.traffic(of: link)
            let isCurrent = traffic?.epoch == snapshot.epoch
            busy.append((link, isCurrent ? (traffic?.forward.bytes ?? 0) + (traffic?.backward.bytes ?? 0) : 0))
        }
        busy.sort { $0.bytes != $1.bytes ? $0.bytes > $1.bytes : $0.link < $1.link }
        chosen += busy.prefix(talks).map(\.link)
        var nodes = Set<NodeID>()
        func add(_ node: NodeID) {
            var next: NodeID? = node
            while let one = next, nodes.insert(one).inserted { next = snapshot.key(of: one).parent.flatMap { snapshot.id(of: $0) } }
        }
        for link in chosen {
            let ends = snapshot.ends(of: link)
            add(ends.a)
            add(ends.b)
        }
        snapshot.forEachNode { node, key in
            // An endpoint that only talks, of which no link is told, is not told either.
            if wanted?.contains(node) ?? (key.kind != .endpoint || busy.count <= talks) { add(node) }
        }
        at = "\(snapshot.time)"
        epoch = snapshot.epoch
        entities = nodes.map { Entity($0, snapshot) }.sorted { $0.key < $1.key }
        links = chosen.map { Link($0, snapshot) }.sorted { $0.key < $1.key }
        omittedLinks = max(0, busy.count - talks)
        folded = Folded(
            ends: snapshot.folded.foldedEnds, unansweredFlows: snapshot.folded.unansweredFlows,
            betweenNetworks: snapshot.folded.networkFlows, forgottenFlows: snapshot.folded.evictedFlows)
    }
}

extension TopologyReport.Entity {
    init(_ node: NodeID, _ snapshot: Snapshot) {
        let key = snapshot.key(of: node)
        self.init(
            key: key.description, kind: "\(key.kind)", name: key.name, parent: key.parent?.description,
            kernelMade: snapshot.isKernelMade(node) ? true : nil, attributes: Dictionary(snapshot.state(of: node).attributes) { $1 })
    }
}

extension TopologyReport.Link {
    init(_ link: LinkID, _ snapshot: Snapshot) {
        let key = snapshot.key(of: link)
        self.init(
            key: key.description, kind: key.kind.word, from: key.a.description, to: key.b.description,
            kernelMade: snapshot.isKernelMade(link) ? true : nil, attributes: Dictionary(snapshot.state(of: link).attributes) { $1 },
            talk: TopologyReport.Talk(link, key, snapshot))
    }
}

extension TopologyReport.Talk {
    init?(_ link: LinkID, _ key: LinkKey, _ snapshot: Snapshot) {
        guard case .flow(let transport, let port, let application) = key.qualifier, let traffic = snapshot.traffic(of: link) else {
            return nil
        }
        func rate(_ side: KeyPath<TrafficSummary, TrafficSummary.Side>) -> Double {
            traffic.rate(side, in: snapshot.epoch, of: .seconds(1)).bitsPerSecond
        }
        self.init(
            ipProtocol: "\(transport)", port: port == 0 ? nil : port, application: application,
            sentBitsPerSecond: rate(\.forward), receivedBitsPerSecond: rate(\.backward), sentPackets: traffic.forward.totalPackets,
            sentBytes: traffic.forward.totalBytes, receivedPackets: traffic.backward.totalPackets,
            receivedBytes: traffic.backward.totalBytes,
            flows: traffic.flows, medianRoundTripMicroseconds: traffic.roundTrips.quantile(0.5),
            retransmitted: traffic.forward.retransmitted + traffic.backward.retransmitted, first: "\(traffic.first)",
            last: "\(traffic.last)")
    }
}

extension NodeKey {
    /// What a person calls it, without what it is in.
    var name: String {
        switch self {
        case .host(let name), .application(let name), .zone(let name), .interface(_, let name): name
        case .namespace(let key): key.name
        case .route(_, let route): "\(route.destination)"
        case .rule(_, let rule): "\(rule.priority)"
        case .security: "security"
        case .network(let key): "\(key)"
        case .endpoint(_, let address): "\(address)"
        case .prefix(_, let prefix): "\(prefix)"
        case .station(_, let mac): "\(mac)"
        case .service(_, let transport, let port): "\(transport)/\(port)"
        }
    }
}
