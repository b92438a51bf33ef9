/// What is different between two snapshots, as values; a renderer makes words of them. Structure and attributes: traffic is a series.
public struct SnapshotDifference: Sendable, Hashable {
    public struct Change: Sendable, Hashable {
        public var key: EntityKey
        /// nil: it came.
        public var before: EntityState?
        /// nil: it went.
        public var after: EntityState?

        public init(key: EntityKey, before: EntityState?, after: EntityState?) {
            self.key = key
            self.before = before
            self.after = after
        }
    }

    /// Nodes first, then links, each by rising key. What only says what a node is part of (``LinkKind/part``) is not told: it follows.
    public var changes: [Change]

    public init(changes: [Change]) { self.changes = changes }

    public var isEmpty: Bool { changes.isEmpty }
    public var appeared: [Change] { changes.filter { $0.before == nil } }
    public var vanished: [Change] { changes.filter { $0.after == nil } }
    public var altered: [Change] { changes.filter { $0.before != nil && $0.after != nil } }

    /// One attribute of an entity, as text on both sides.
    public struct AttributeChange: Sendable, Hashable {
        public var name: String
        public var before: String
        public var after: String
    }
}

extension SnapshotDifference.Change {
    /// What of the state is different, attribute by attribute; empty for what came or went.
    public var attributes: [SnapshotDifference.AttributeChange] {
        guard let before, let after else { return [] }
        let (old, new) = (before.attributes, after.attributes)
        let known = Dictionary(old, uniquingKeysWith: { a, _ in a })
        let now = Dictionary(new, uniquingKeysWith: { a, _ in a })
        var order = old.map(\.0)
        order += new.map(\.0).filter { known[$0] == nil }
        return order.compactMap { name in
            let (a, b) = (known[name] ?? "", now[name] ?? "")
            return a == b ? nil : SnapshotDifference.AttributeChange(name: name, before: a, after: b)
        }
    }
}

extension Snapshot {
    /// What has to be done to `before` so that it becomes this.
    public func difference(from before: Snapshot) -> SnapshotDifference {
        let comparison = Comparison(old: before.graph, new: graph)
        return SnapshotDifference(
            changes: comparison.changes().map { change in
                SnapshotDifference.Change(
                    key: change.key, before: change.before.flatMap(EntityState.init(encoded:)),
                    after: change.after.flatMap(EntityState.init(encoded:)))
            })
    }

    /// The same for the store: keys as text, states in bytes.
    public func changes(since before: Snapshot) -> [EntityChange] {
        Comparison(old: before.graph, new: graph).changes().map { EntityChange(key: $0.text, state: $0.after) }
    }
}

/// Compares two graphs. Those of one origin have the same numbers for the same entities, and share the memory of what did not change.
struct Comparison {
    struct Entry {
        var key: EntityKey
        var text: String
        var before: [UInt8]?
        var after: [UInt8]?
    }

    let old: Graph
    let new: Graph

    func changes() -> [Entry] {
        var entries: [EntityKey: Entry] = [:]
        if old.origin === new.origin {
            compareByNumber(&entries)
        } else {
            compareByKey(&entries)
        }
        var found = entries.values.filter { $0.before != $0.after }
        // The texts of nodes serve for their links too.
        var texts: [NodeKey: String] = [:]
        func text(_ key: NodeKey) -> String {
            if let known = texts[key] { return known }
            let made = key.description
            texts[key] = made
            return made
        }
        for index in found.indices {
            switch found[index].key {
            case .node(let key): found[index].text = text(key)
            case .link(let key): found[index].text = key.text(text(key.a), text(key.b))
            }
        }
        return found.sorted { ($0.key.order, $0.text) < ($1.key.order, $1.text) }
    }

    private func note(_ key: EntityKey, before: [UInt8]?, after: [UInt8]?, _ entries: inout [EntityKey: Entry]) {
        var entry = entries[key] ?? Entry(key: key, text: "", before: nil, after: nil)
        if let before { entry.before = before }
        if let after { entry.after = after }
        entries[key] = entry
    }

    private func compareByNumber(_ entries: inout [EntityKey: Entry]) {
        for range in new.nodes.changedRanges(since: old.nodes) {
            for index in range {
                let before = index < old.nodes.count ? old.nodes[index] : nil
                let after = index < new.nodes.count ? new.nodes[index] : nil
                let was = before.flatMap { $0.state == LinkRecord.none ? nil : $0 }
                let now = after.flatMap { $0.state == LinkRecord.none ? nil : $0 }
                // A number of the pool may mean another state by now, and the same state another number.
                if let was, let now, was.born == now.born, old.states[was.state] == new.states[now.state] { continue }
                if let was { note(.node(was.key), before: old.states[was.state], after: nil, &entries) }
                if let now { note(.node(now.key), before: nil, after: new.states[now.state], &entries) }
            }
        }
        for range in new.links.changedRanges(since: old.links) {
            for index in range {
                let before = index < old.links.count ? old.links[index] : nil
                let after = index < new.links.count ? new.links[index] : nil
                let was = before.flatMap { $0.isFree || $0.kind == .part ? nil : $0 }
                let now = after.flatMap { $0.isFree || $0.kind == .part ? nil : $0 }
                if let was, let now, was.born == now.born, old.states[was.state] == new.states[now.state] { continue }
                let id = LinkID(rawValue: UInt32(index))
                if let was { note(.link(old.key(of: id)), before: old.states[was.state], after: nil, &entries) }
                if let now { note(.link(new.key(of: id)), before: nil, after: new.states[now.state], &entries) }
            }
        }
    }

    private func compareByKey(_ entries: inout [EntityKey: Entry]) {
        for (graph, isOld) in [(old, true), (new, false)] {
            for index in 0..<graph.nodes.count where graph.nodes[index].state != LinkRecord.none {
                let state = graph.states[graph.nodes[index].state]
                note(.node(graph.nodes[index].key), before: isOld ? state : nil, after: isOld ? nil : state, &entries)
            }
            for index in 0..<graph.links.count where !graph.links[index].isFree && graph.links[index].kind != .part {
                let state = graph.states[graph.links[index].state]
                let key = EntityKey.link(graph.key(of: LinkID(rawValue: UInt32(index))))
                note(key, before: isOld ? state : nil, after: isOld ? nil : state, &entries)
            }
        }
    }
}

extension EntityKey {
    /// Nodes before links: what is joined must be there.
    fileprivate var order: Int { if case .node = self { 0 } else { 1 } }
}
