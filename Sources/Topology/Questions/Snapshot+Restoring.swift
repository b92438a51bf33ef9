import NetworkTypes

/// What of a stored topology could not be read back.
public struct RestoreLosses: Sendable, Hashable {
    /// Keys of another form.
    public var badKeys = 0
    /// States of another version or kind; the entity is there without attributes.
    public var badStates = 0

    public init() {}
}

extension Snapshot {
    /// The topology of an instant from what a store kept of it: every entity that was there, with its state. In any order.
    ///
    /// Traffic is not in it: that is in the series.
    public static func restored(
        from entities: some Sequence<(key: String, state: [UInt8])>, epoch: UInt64 = 0, at time: Timestamp
    ) -> (snapshot: Snapshot, losses: RestoreLosses) {
        var graph = Graph()
        var losses = RestoreLosses()
        for (text, state) in entities {
            guard let key = EntityKey(text) else {
                losses.badKeys += 1
                continue
            }
            var state = state
            if EntityState(encoded: state) == nil {
                losses.badStates += 1
                state = Graph.plain
            }
            graph.set(key, state)
        }
        return (Snapshot(epoch: epoch, time: time, graph: graph), losses)
    }

    /// This snapshot with the changes made: `a.applying(b.difference(from: a))` equals b, but for traffic.
    public func applying(_ difference: SnapshotDifference, epoch: UInt64, at time: Timestamp) -> Snapshot {
        var graph = graph
        for change in difference.changes { if let after = change.after { graph.set(change.key, after.encoded) } }
        for change in difference.changes.reversed() where change.after == nil { graph.unset(change.key) }
        return Snapshot(epoch: epoch, time: time, graph: graph, folded: folded, trafficEpoch: trafficEpoch)
    }

    /// Everything that is in this snapshot or among the entities: what was there at any time of a span, of what is there still the present
    /// state and traffic. Of several states of an entity the first counts.
    public func joined(with entities: some Sequence<(key: String, state: [UInt8])>) -> Snapshot {
        var graph = graph
        var joined: Set<String> = []
        for (text, state) in entities where joined.insert(text).inserted {
            guard let key = EntityKey(text), !has(key) else { continue }
            graph.set(key, EntityState(encoded: state) == nil ? Graph.plain : state)
        }
        return Snapshot(epoch: epoch, time: time, graph: graph, folded: folded, active: active, trafficEpoch: trafficEpoch)
    }

    private func has(_ key: EntityKey) -> Bool {
        switch key {
        case .node(let node): id(of: node) != nil
        case .link(let link): id(of: link) != nil
        }
    }

    /// Every entity with its state, as ``restored(from:epoch:at:)`` takes them and a store keeps them, by rising key.
    public var entities: [EntityChange] { changes(since: .empty) }
}

extension Graph {
    fileprivate mutating func set(_ key: EntityKey, _ state: [UInt8]) {
        switch key {
        case .node(let node): claim(node, state: state)
        case .link(let link):
            let (a, b) = (ensure(link.a), ensure(link.b))
            setLink(link.kind, a, b, packed(link.qualifier), state: state)
        }
    }

    fileprivate mutating func unset(_ key: EntityKey) {
        switch key {
        case .node(let node): if let id = self.node(node) { disclaim(id) }
        case .link(let link):
            guard let a = node(link.a), let b = node(link.b) else { return }
            let packed = packed(link.qualifier)
            if let id = self.link(link.kind, a, b, packed) { removeLink(id) }
        }
    }
}
