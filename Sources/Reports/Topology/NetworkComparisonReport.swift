import Topology

/// Two networks side by side, by structure: `GET /v1/topology/compare`. Names and addresses do not count.
public struct NetworkComparisonReport: Codable, Hashable, Sendable {
    /// RFC 3339.
    public var at: String
    public var epoch: UInt64
    /// Keys of what is compared.
    public var a: String
    public var b: String
    /// Everything corresponds.
    public var isAlike: Bool
    /// What corresponds, alike in attributes and in what it is joined to.
    public var alike: [Pair]
    /// In the same place, but different.
    public var differing: [Pair]
    public var onlyInA: [Thing]
    public var onlyInB: [Thing]

    /// An entity, as far as a comparison needs it.
    public struct Thing: Codable, Hashable, Sendable {
        public var key: String
        public var kind: String
        /// With the namespace of what is in one.
        public var name: String
    }

    public struct Pair: Codable, Hashable, Sendable {
        public var a: Thing
        public var b: Thing
        /// `before` is of a, `after` of b; empty where only the surroundings differ.
        public var attributes: [ChangeReport.AttributeChange]
    }

    public init(_ teller: TopologyTeller, _ a: NodeID, _ b: NodeID) {
        let snapshot = teller.snapshot
        let comparison = snapshot.compare(a, with: b)
        func thing(_ node: NodeID) -> Thing {
            let key = snapshot.key(of: node)
            return Thing(key: key.description, kind: "\(key.kind)", name: key.qualifiedName)
        }
        at = "\(snapshot.time)"
        epoch = snapshot.epoch
        self.a = snapshot.key(of: a).description
        self.b = snapshot.key(of: b).description
        isAlike = comparison.isAlike
        alike = comparison.alike.map { Pair(a: thing($0.first), b: thing($0.second), attributes: []) }
        differing = comparison.differing.map { difference in
            let attributes = difference.attributes.map { one in
                ChangeReport.AttributeChange(
                    name: one.name, before: one.before.isEmpty ? nil : .text(one.before), after: one.after.isEmpty ? nil : .text(one.after))
            }
            return Pair(a: thing(difference.pair.first), b: thing(difference.pair.second), attributes: attributes)
        }
        onlyInA = comparison.onlyInFirst.map(thing)
        onlyInB = comparison.onlyInSecond.map(thing)
    }
}
