import NetworkTypes
import Topology

/// The topology of one epoch: `GET /v1/topology`. Every link's ends and every entity's parents are among the entities.
public struct TopologyReport: Codable, Hashable, Sendable {
    /// RFC 3339.
    public var at: String
    /// Snapshots since the agent began.
    public var epoch: UInt64
    /// False for a moment of the past.
    public var live: Bool
    /// By rising key.
    public var entities: [EntityReport]
    public var links: [LinkReport]
    /// What the bounds kept out; nil for a moment of the past.
    public var folded: Folded?
    public var omitted: Omitted?
    /// The moment is in a time in which nobody looked: this is the topology as it was seen last before that. Nothing is known of loads.
    public var gap: GapReport?
    /// RFC 3339; given where the moment is before it, so that nothing is known of it.
    public var historyBegins: String?

    /// What the bounds kept out of the topology, since the agent began.
    public struct Folded: Codable, Hashable, Sendable {
        /// Times that an end of a flow was put under a prefix.
        public var ends: UInt64
        /// Flows that nobody answered, so that their ends have no entities of their own.
        public var unansweredFlows: UInt64
        /// Flows that are counted between whole networks, for want of links.
        public var betweenNetworks: UInt64
        /// Flows that were forgotten for want of room.
        public var forgottenFlows: UInt64

        public init(_ counters: FoldCounters) {
            ends = counters.foldedEnds
            unansweredFlows = counters.unansweredFlows
            betweenNetworks = counters.networkFlows
            forgottenFlows = counters.evictedFlows
        }
    }

    public struct Omitted: Codable, Hashable, Sendable {
        /// Communication links beyond those that were asked for; the busiest are told.
        public var links: Int

        public init(links: Int) { self.links = links }
    }

    /// The head of an answer, without entities and links: those are told one by one (``TopologyTeller``) while the client takes them.
    public init(headOf snapshot: Snapshot, live: Bool, omitted: Int, gap: GapReport? = nil, historyBegins: Timestamp? = nil) {
        at = "\(snapshot.time)"
        epoch = snapshot.epoch
        self.live = live
        entities = []
        links = []
        folded = live ? Folded(snapshot.folded) : nil
        self.omitted = omitted > 0 ? Omitted(links: omitted) : nil
        self.gap = gap
        self.historyBegins = historyBegins?.description
    }

    /// All of a selection at once.
    public init(_ selection: TopologySelection, _ teller: TopologyTeller, live: Bool = true) {
        self.init(headOf: teller.snapshot, live: live, omitted: selection.omitted)
        entities = selection.nodes.map(teller.entity)
        links = selection.links.compactMap(teller.link)
    }
}

extension TopologyReport {
    /// As it was told.
    public init(
        at: String, epoch: UInt64, live: Bool, entities: [EntityReport], links: [LinkReport], folded: Folded? = nil, omitted: Omitted? = nil
    ) {
        self.at = at
        self.epoch = epoch
        self.live = live
        self.entities = entities
        self.links = links
        self.folded = folded
        self.omitted = omitted
    }
}
