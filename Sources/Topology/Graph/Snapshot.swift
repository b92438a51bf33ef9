import NetworkTypes

/// The topology at one instant: immutable, to be shared freely between threads. It stays valid however the topology goes on.
public struct Snapshot: Sendable {
    /// Rises by one with every commit; 0 is the empty topology.
    public let epoch: UInt64
    public let time: Timestamp
    let graph: Graph
    /// What the bounds kept out of it, since the start.
    public let folded: FoldCounters
    /// The links that carried something in this epoch: what the series get points of. Rising.
    public let active: [LinkID]
    /// The epoch in which flows were last told of, with or without traffic: rates are of it until the next. A change that the kernel
    /// announces makes an epoch too, and says nothing of rates.
    public let trafficEpoch: UInt64

    init(
        epoch: UInt64, time: Timestamp, graph: Graph, folded: FoldCounters = FoldCounters(), active: [LinkID] = [],
        trafficEpoch: UInt64 = 0
    ) {
        self.active = active
        self.trafficEpoch = trafficEpoch
        self.epoch = epoch
        self.time = time
        self.graph = graph
        self.folded = folded
    }

    public static let empty = Snapshot(epoch: 0, time: Timestamp(nanoseconds: 0), graph: Graph())

    public var nodeCount: Int { graph.nodeCount }
    /// With those that only say what a node is part of.
    public var linkCount: Int { graph.linkCount }

    public func id(of key: NodeKey) -> NodeID? { graph.node(key) }

    public func id(of key: LinkKey) -> LinkID? {
        guard let a = graph.node(key.a), let b = graph.node(key.b) else { return nil }
        let qualifier: UInt64
        switch key.qualifier {
        case .none: qualifier = 0
        case .vni(let number): qualifier = PackedQualifier.vni(number)
        case .flow(let transport, let port, let application):
            var node: NodeID?
            if let application {
                node = graph.node(.application(application))
                if node == nil { return nil }
            }
            qualifier = PackedQualifier.flow(transport.rawValue, port, application: node?.rawValue)
        }
        return graph.link(key.kind, a, b, qualifier)
    }

    public func key(of node: NodeID) -> NodeKey { graph.nodes[Int(node.rawValue)].key }
    public func key(of link: LinkID) -> LinkKey { graph.key(of: link) }

    public func state(of node: NodeID) -> EntityState { Self.decoded(encodedState(of: node)) }
    public func state(of link: LinkID) -> EntityState { Self.decoded(encodedState(of: link)) }
    /// As history keeps it.
    public func encodedState(of node: NodeID) -> [UInt8] { graph.states[graph.nodes[Int(node.rawValue)].state] }
    public func encodedState(of link: LinkID) -> [UInt8] { graph.states[graph.links[Int(link.rawValue)].state] }

    /// What the link carried; nil for links that carry no traffic counts.
    public func traffic(of link: LinkID) -> TrafficSummary? {
        let place = graph.links[Int(link.rawValue)].traffic
        return place == LinkRecord.none ? nil : graph.traffic[Int(place)]
    }

    /// The two ends, in the order of the key.
    public func ends(of link: LinkID) -> (a: NodeID, b: NodeID) {
        let record = graph.links[Int(link.rawValue)]
        return (NodeID(rawValue: record.a), NodeID(rawValue: record.b))
    }

    public func kind(of link: LinkID) -> LinkKind { graph.links[Int(link.rawValue)].kind }

    /// Every node, in no order that means anything.
    public func forEachNode(_ body: (NodeID, NodeKey) -> Void) {
        for index in 0..<graph.nodes.count {
            let record = graph.nodes[index]
            if record.state != LinkRecord.none { body(NodeID(rawValue: UInt32(index)), record.key) }
        }
    }

    /// Every link, in no order that means anything.
    public func forEachLink(_ body: (LinkID, LinkKind, NodeID, NodeID) -> Void) {
        for index in 0..<graph.links.count {
            let record = graph.links[index]
            if !record.isFree { body(LinkID(rawValue: UInt32(index)), record.kind, NodeID(rawValue: record.a), NodeID(rawValue: record.b)) }
        }
    }

    /// The links of a node, and the node at the other end of each.
    public func links(of node: NodeID) -> [(link: LinkID, kind: LinkKind, other: NodeID)] {
        var found: [(LinkID, LinkKind, NodeID)] = []
        graph.forEachLink(of: node) { found.append(($0, $1.kind, $2)) }
        return found
    }

    /// What is stored was encoded here or came through ``EntityState/init(encoded:)``.
    private static func decoded(_ bytes: [UInt8]) -> EntityState {
        guard let state = EntityState(encoded: bytes) else { preconditionFailure("state \(bytes)") }
        return state
    }
}
