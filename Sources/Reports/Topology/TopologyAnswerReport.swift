import NetworkTypes
import Topology

/// The questions that have a name.
public enum TopologyQuestion: String, Codable, Hashable, Sendable, CaseIterable {
    /// The way of a packet from one endpoint to another.
    case path
    /// What is reached only by going on from there.
    case behind
    /// Who talks to it or to what is in it.
    case talks
}

/// An answer to a named question: `GET /v1/topology/ask`.
public struct TopologyAnswerReport: Codable, Hashable, Sendable {
    /// RFC 3339.
    public var at: String
    public var epoch: UInt64
    /// `path`, `behind` or `talks`.
    public var question: String
    /// Keys.
    public var of: String
    /// Of `path`, where that is no entity: an address.
    public var to: String?
    /// Of `talks` of the past: since when. RFC 3339.
    public var since: String?
    /// Of `behind` and `talks`: how many there are; the lists have the first of them.
    public var matched: Int?
    /// Of `path`.
    public var steps: [Step]?
    public var end: End?
    /// Of `path`: security rules of namespaces on the way, which were not asked. nil where there are none.
    public var unjudged: [String]?
    /// What the answer is of: of `path` what is passed, of `behind` what is there, of `talks` the ends.
    public var entities: [EntityReport]
    /// Of `path` those that are taken, of `talks` the busiest first.
    public var links: [LinkReport]

    public struct Step: Codable, Hashable, Sendable {
        /// What is arrived at.
        public var entity: String
        /// Over which link; nil for the first, and within a namespace.
        public var link: String?
        /// The route that sends the packet on from here.
        public var route: String?
    }

    /// Why a way ends where it does.
    public struct End: Codable, Hashable, Sendable {
        /// `arrived`, `source-unknown`, `no-route`, `refused`, `leaves`, `not-joined` or `loop`.
        public var reason: String
        /// What of.
        public var at: String?
        /// With `not-joined` the other end.
        public var and: String?
    }

    private init(_ question: TopologyQuestion, _ teller: TopologyTeller, of node: NodeID) {
        at = "\(teller.snapshot.time)"
        epoch = teller.snapshot.epoch
        self.question = question.rawValue
        of = teller.snapshot.key(of: node).description
        entities = []
        links = []
    }

    public init(path teller: TopologyTeller, from: NodeID, to: NodeID) {
        self.init(teller, from: from, to: teller.snapshot.key(of: to).description, teller.snapshot.path(from: from, to: to))
    }

    /// To an address that is no endpoint.
    public init(path teller: TopologyTeller, from: NodeID, to: IPAddress) {
        self.init(teller, from: from, to: "\(to)", teller.snapshot.path(from: from, to: to))
    }

    private init(_ teller: TopologyTeller, from: NodeID, to: String, _ path: TopologyPath) {
        self.init(.path, teller, of: from)
        let snapshot = teller.snapshot
        func key(_ node: NodeID) -> String { snapshot.key(of: node).description }
        self.to = to
        steps = path.steps.map {
            Step(entity: key($0.node), link: $0.link.map { snapshot.key(of: $0).description }, route: $0.route.map(key))
        }
        end =
            switch path.end {
            case .arrived: End(reason: "arrived")
            case .sourceUnknown: End(reason: "source-unknown")
            case .noRoute(let node): End(reason: "no-route", at: key(node))
            case .refused(let node): End(reason: "refused", at: key(node))
            case .leaves(let node): End(reason: "leaves", at: key(node))
            case .notJoined(let a, let b): End(reason: "not-joined", at: key(a), and: key(b))
            case .loop(let node): End(reason: "loop", at: key(node))
            }
        var told: Set<NodeID> = []
        var passed = path.steps.flatMap { [$0.node] + ($0.route.map { [$0] } ?? []) }
        switch path.end {
        case .arrived, .sourceUnknown: break
        case .noRoute(let node), .refused(let node), .leaves(let node), .loop(let node): passed.append(node)
        case .notJoined(let a, let b): passed += [a, b]
        }
        entities = passed.filter { told.insert($0).inserted }.map(teller.entity)
        links = path.steps.compactMap { $0.link.flatMap(teller.link) }
        let namespaces = Set(
            passed.compactMap { node in if case .interface(let namespace, _) = snapshot.key(of: node) { namespace } else { nil } })
        let rules = namespaces.map(NodeKey.security).filter { snapshot.id(of: $0) != nil }.map(\.description).sorted()
        unjudged = rules.isEmpty ? nil : rules
    }

    public init(behind teller: TopologyTeller, _ node: NodeID, top: Int) {
        self.init(.behind, teller, of: node)
        let found = teller.snapshot.behind(node).filter { !teller.snapshot.isKernelMade($0) }
        matched = found.count
        entities = found.prefix(top).map(teller.entity)
    }

    /// - Parameters:
    ///   - since: of a snapshot of what was there since then.
    ///   - talked: what is to be told; nil: all.
    public init(talks teller: TopologyTeller, _ node: NodeID, top: Int, since: Timestamp? = nil, talked: Set<LinkKey>? = nil) {
        self.init(.talks, teller, of: node)
        self.since = since.map { "\($0)" }
        let found = teller.snapshot.talks(of: node)
            .filter { talked?.contains(teller.snapshot.key(of: $0.link)) ?? true }
            .map { (talk: $0, bits: teller.rates(of: $0.link)?.bothBitsPerSecond ?? 0) }
            .sorted { a, b in
                if a.bits != b.bits { return a.bits > b.bits }
                func bytes(_ talk: Talk) -> UInt64 { talk.traffic.forward.totalBytes + talk.traffic.backward.totalBytes }
                return bytes(a.talk) != bytes(b.talk) ? bytes(a.talk) > bytes(b.talk) : a.talk.link < b.talk.link
            }
        matched = found.count
        links = found.prefix(top).compactMap { teller.link($0.talk.link) }
        var told: Set<NodeID> = []
        entities = found.prefix(top).flatMap { [$0.talk.client, $0.talk.server] }.filter { told.insert($0).inserted }.map(teller.entity)
    }
}
