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

    /// One of the two, with the texts of its nodes: they serve for their links too.
    private struct Side {
        let graph: Graph
        let isOld: Bool
        var texts: [UInt32: String] = [:]

        mutating func text(_ node: UInt32) -> String {
            if let known = texts[node] { return known }
            let made = graph.nodes[Int(node)].key.description
            texts[node] = made
            return made
        }
    }

    private var old: Side
    private var new: Side
    private var entries: [String: Entry] = [:]

    init(old: Graph, new: Graph) {
        self.old = Side(graph: old, isOld: true)
        self.new = Side(graph: new, isOld: false)
    }

    /// What is not the same in both: nodes, then links, by rising key.
    consuming func changes() -> [Entry] {
        if old.graph.origin === new.graph.origin {
            compareByNumber()
        } else {
            for index in 0..<old.graph.nodes.count { noteNode(index, \.old) }
            for index in 0..<new.graph.nodes.count { noteNode(index, \.new) }
            for index in 0..<old.graph.links.count { noteLink(index, \.old) }
            for index in 0..<new.graph.links.count { noteLink(index, \.new) }
        }
        return entries.values.filter { $0.before != $0.after }.sorted { ($0.key.order, $0.text) < ($1.key.order, $1.text) }
    }

    private mutating func compareByNumber() {
        let (was, now) = (old.graph, new.graph)
        for range in now.nodes.changedRanges(since: was.nodes) {
            for index in range {
                if index < was.nodes.count, index < now.nodes.count {
                    let (a, b) = (was.nodes[index].state, now.nodes[index].state)
                    // A number of the pool may mean another state by now, and the same state have another number.
                    if a != LinkRecord.none, b != LinkRecord.none, was.nodes[index].born == now.nodes[index].born,
                        was.states[a] == now.states[b]
                    {
                        continue
                    }
                }
                noteNode(index, \.old)
                noteNode(index, \.new)
            }
        }
        for range in now.links.changedRanges(since: was.links) {
            for index in range {
                if index < was.links.count, index < now.links.count {
                    let (a, b) = (was.links[index], now.links[index])
                    if !a.isFree, !b.isFree, a.born == b.born, was.states[a.state] == now.states[b.state] { continue }
                }
                noteLink(index, \.old)
                noteLink(index, \.new)
            }
        }
    }

    private mutating func noteNode(_ index: Int, _ path: WritableKeyPath<Comparison, Side>) {
        let graph = self[keyPath: path].graph
        guard index < graph.nodes.count, graph.nodes[index].state != LinkRecord.none else { return }
        let text = self[keyPath: path].text(UInt32(index))
        note(.node(graph.nodes[index].key), text, graph.states[graph.nodes[index].state], self[keyPath: path].isOld)
    }

    private mutating func noteLink(_ index: Int, _ path: WritableKeyPath<Comparison, Side>) {
        let graph = self[keyPath: path].graph
        guard index < graph.links.count else { return }
        let record = graph.links[index]
        guard !record.isFree, record.kind != .part else { return }
        let key = graph.key(of: LinkID(rawValue: UInt32(index)))
        let (a, b) = (self[keyPath: path].text(record.a), self[keyPath: path].text(record.b))
        note(.link(key), key.text(a, b), graph.states[record.state], self[keyPath: path].isOld)
    }

    private mutating func note(_ key: EntityKey, _ text: String, _ state: [UInt8], _ isOld: Bool) {
        var entry = entries[text] ?? Entry(key: key, text: text, before: nil, after: nil)
        if isOld { entry.before = state } else { entry.after = state }
        entries[text] = entry
    }
}

extension EntityKey {
    /// Nodes before links: what is joined must be there.
    fileprivate var order: Int { if case .node = self { 0 } else { 1 } }
}
