import NetworkTypes

/// Two networks side by side: what of the one corresponds to what of the other, whatever it is called, and what does not.
public struct NetworkComparison: Sendable, Hashable {
    public struct Pair: Sendable, Hashable {
        public var first: NodeID
        public var second: NodeID
    }
    public struct Difference: Sendable, Hashable {
        public var pair: Pair
        public var attributes: [SnapshotDifference.AttributeChange]
    }

    /// Alike in attributes and in what they are joined to.
    public var alike: [Pair]
    /// In the same place, but other attributes or other surroundings; the attributes that differ, if any do.
    public var differing: [Difference]
    /// In the first network only, by rising key.
    public var onlyInFirst: [NodeID]
    public var onlyInSecond: [NodeID]

    public var isAlike: Bool { differing.isEmpty && onlyInFirst.isEmpty && onlyInSecond.isEmpty }
}

extension Snapshot {
    /// Compares what is in two networks (or namespaces, hosts, zones) by structure: names, addresses and link-layer addresses do not count.
    ///
    /// Colour refinement (Weisfeiler and Leman): nodes begin with a colour for their kind and attributes, and take at every round a new one
    /// from their own and their neighbours'. Nodes of one colour correspond; of several the first by key, and then it is refined again.
    /// What is left is matched by fewer rounds, at last by its own attributes and by its kind, next to what corresponds. For networks of up
    /// to some thousands of nodes: the time grows with the square of those that are alike.
    /// - Parameter other: of the same snapshot, or of another one, `theirs`.
    public func compare(_ network: NodeID, with other: NodeID, in theirs: Snapshot? = nil) -> NetworkComparison {
        let second = theirs ?? self
        var comparison = NetworkMatching(first: Region(self, network), second: Region(second, other))
        return comparison.run()
    }
}

/// The nodes of a network with their links among each other, and their colours by round.
private struct Region {
    let snapshot: Snapshot
    let root: NodeID
    let nodes: [NodeID]
    let links: [NodeID: [(UInt64, NodeID)]]
    /// Of each node by itself: its kind and those attributes that are not names.
    let colours: [NodeID: UInt64]
    /// Of its kind alone.
    let kinds: [NodeID: UInt64]

    init(_ snapshot: Snapshot, _ root: NodeID) {
        self.snapshot = snapshot
        self.root = root
        var found: Set<NodeID> = [root]
        var rest = [root]
        while let next = rest.popLast() {
            for member in snapshot.members(of: next) where !snapshot.isKernelMade(member) && found.insert(member).inserted {
                if [.network, .namespace, .host].contains(snapshot.key(of: member).kind) { rest.append(member) }
            }
        }
        nodes = snapshot.sorted(found)
        var links: [NodeID: [(UInt64, NodeID)]] = [:]
        for node in nodes {
            snapshot.graph.forEachLink(of: node) { _, record, other in
                guard found.contains(other) else { return }
                let isForward = record.a == node.rawValue && !record.kind.isSymmetric
                var label = UInt64(record.kind.rawValue) << 1 | (isForward ? 1 : 0)
                // Which service is spoken matters; which VNI, and which node number an application has, does not.
                if case .flow(let transport, let port, let name) = snapshot.graph.qualifier(record.qualifier) {
                    label |= UInt64(transport.rawValue) << 8 | UInt64(port) << 16
                    label ^= fnv((name ?? "").utf8) << 32
                }
                links[node, default: []].append((label, other))
            }
        }
        self.links = links
        var colours: [NodeID: UInt64] = [:]
        var kinds: [NodeID: UInt64] = [:]
        for node in nodes {
            let key = snapshot.key(of: node)
            var text = "\(key.kind.rawValue)"
            if case .service(_, let transport, let port) = key { text += "\(transport)/\(port)" }
            kinds[node] = fnv(text.utf8)
            for (name, value) in Self.attributes(node, snapshot) { text += "\n\(name)=\(value)" }
            colours[node] = fnv(text.utf8)
        }
        self.colours = colours
        self.kinds = kinds
    }

    func attributes(_ node: NodeID) -> [(String, String)] { Self.attributes(node, snapshot) }

    private static func attributes(_ node: NodeID, _ snapshot: Snapshot) -> [(String, String)] {
        let named: Set<String> = ["mac", "vni", "local", "remote", "alias", "name", "owner", "prefixes", "via", "source", "selector"]
        return snapshot.state(of: node).attributes.filter { name, value in !named.contains(name) || name == "local" && value == "yes" }
    }

    func refined(_ colours: [NodeID: UInt64]) -> [NodeID: UInt64] {
        var next: [NodeID: UInt64] = [:]
        for node in nodes {
            let around = (links[node] ?? []).map { label, other in mix(label, colours[other]!) }.sorted()
            next[node] = around.reduce(mix(0x6e69_6c6f, colours[node]!)) { mix($0, $1) }
        }
        return next
    }

    private func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = (a ^ 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(by: b | 1)
        return (product.high ^ product.low) &* 0xD6E8_FEB8_6659_FD93 ^ b
    }
}

private struct NetworkMatching {
    let first: Region
    let second: Region
    private var pairs: [NodeID: NodeID] = [:]
    private var taken: Set<NodeID> = []

    init(first: Region, second: Region) {
        self.first = first
        self.second = second
    }

    mutating func run() -> NetworkComparison {
        // The two that are compared correspond by definition.
        pairs[first.root] = second.root
        taken.insert(second.root)
        // As far as a difference reaches in so many rounds nothing has its like; fewer rounds see less far.
        for depth in stride(from: depth(), through: 1, by: -1) { refine(depth) }
        attach(\.colours)
        // Last by kind alone: an interface with another MTU is still that interface.
        attach(\.kinds)
        return result()
    }

    /// Rounds until no colour divides any more.
    private func depth() -> Int {
        var colours = first.colours
        for round in 1...16 {
            let next = first.refined(colours)
            if Set(next.values).count == Set(colours.values).count { return round }
            colours = next
        }
        return 16
    }

    /// Pairs what has the same colour after so many rounds. Where several have it one pair is taken, and has a colour of its own from then
    /// on, so that what hangs on it goes with it.
    private mutating func refine(_ depth: Int) {
        while true {
            var colours = start()
            for _ in 0..<depth { colours = (first.refined(colours.0), second.refined(colours.1)) }
            var classes: [UInt64: (first: [NodeID], second: [NodeID])] = [:]
            for node in first.nodes where pairs[node] == nil { classes[colours.0[node]!, default: ([], [])].first.append(node) }
            for node in second.nodes where !taken.contains(node) { classes[colours.1[node]!, default: ([], [])].second.append(node) }
            var isEven = false
            var choice: (NodeID, NodeID)?
            for node in first.nodes where pairs[node] == nil {
                let alike = classes[colours.0[node]!]!
                guard let other = alike.second.first else { continue }
                if alike.first.count == 1, alike.second.count == 1 {
                    pair(node, other)
                    isEven = true
                } else if choice == nil {
                    choice = (node, other)
                }
            }
            if isEven { continue }
            guard let (node, other) = choice else { return }
            pair(node, other)
        }
    }

    /// The starting colours; those that are paired have one of their own, the same on both sides.
    private func start() -> ([NodeID: UInt64], [NodeID: UInt64]) {
        var colours = (first.colours, second.colours)
        for (node, other) in pairs {
            let colour = UInt64(node.rawValue) &* 0x9E37_79B9_7F4A_7C15 ^ 0x7061_6972
            (colours.0[node], colours.1[other]) = (colour, colour)
        }
        return colours
    }

    /// Pairs what is left and has the same colour by itself: each with the one that is joined to most of the partners of what it is joined
    /// to.
    private mutating func attach(_ colours: KeyPath<Region, [NodeID: UInt64]>) {
        var isMoving = true
        while isMoving {
            isMoving = false
            for node in first.nodes where pairs[node] == nil {
                var best: (count: Int, node: NodeID)?
                for other in second.nodes where !taken.contains(other) {
                    guard first[keyPath: colours][node] == second[keyPath: colours][other] else { continue }
                    let count = shared(node, other)
                    if count > best?.count ?? 0 { best = (count, other) }
                }
                guard let best else { continue }
                pair(node, best.node)
                isMoving = true
            }
        }
        for node in first.nodes where pairs[node] == nil {
            let colour = first[keyPath: colours][node]
            let other = second.nodes.first { !taken.contains($0) && second[keyPath: colours][$0] == colour }
            if let other { pair(node, other) }
        }
    }

    private mutating func pair(_ node: NodeID, _ other: NodeID) {
        pairs[node] = other
        taken.insert(other)
    }

    /// Links of the one that have their like at the other, the roots aside.
    private func shared(_ node: NodeID, _ other: NodeID) -> Int {
        (first.links[node] ?? []).filter { label, end in
            guard end != first.root, let partner = pairs[end] else { return false }
            return (second.links[other] ?? []).contains { $0.0 == label && $0.1 == partner }
        }.count
    }

    private func result() -> NetworkComparison {
        var result = NetworkComparison(alike: [], differing: [], onlyInFirst: [], onlyInSecond: [])
        for node in first.nodes {
            guard let other = pairs[node] else {
                result.onlyInFirst.append(node)
                continue
            }
            let pair = NetworkComparison.Pair(first: node, second: other)
            let attributes = differences(node, other)
            if attributes.isEmpty, isJoinedAlike(node, other) {
                result.alike.append(pair)
            } else {
                result.differing.append(NetworkComparison.Difference(pair: pair, attributes: attributes))
            }
        }
        result.onlyInSecond = second.nodes.filter { !taken.contains($0) }
        return result
    }

    /// Whether every link of the one has its like at the other.
    private func isJoinedAlike(_ node: NodeID, _ other: NodeID) -> Bool {
        struct End: Hashable {
            var label: UInt64
            var node: NodeID
        }
        var counts: [End: Int] = [:]
        for (label, end) in first.links[node] ?? [] {
            guard let partner = pairs[end] else { return false }
            counts[End(label: label, node: partner), default: 0] += 1
        }
        for (label, end) in second.links[other] ?? [] { counts[End(label: label, node: end), default: 0] -= 1 }
        return counts.values.allSatisfy { $0 == 0 }
    }

    private func differences(_ node: NodeID, _ other: NodeID) -> [SnapshotDifference.AttributeChange] {
        let (a, b) = (Dictionary(uniqueKeysWithValues: first.attributes(node)), Dictionary(uniqueKeysWithValues: second.attributes(other)))
        return Set(a.keys).union(b.keys).sorted().compactMap { name in
            let (x, y) = (a[name] ?? "", b[name] ?? "")
            return x == y ? nil : SnapshotDifference.AttributeChange(name: name, before: x, after: y)
        }
    }
}
