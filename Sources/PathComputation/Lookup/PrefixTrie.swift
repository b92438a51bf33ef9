import NetworkTypes

/// Longest-prefix match over routes of one family: a binary trie without one-child nodes (Morrison, “PATRICIA”, 1968).
///
/// Built once and never changed. A look-up takes as many steps as there are branchings on the way, whatever the number of routes. Every
/// node that is met on the way down is a prefix of the next, so the shorter matches are the found node's parents.
struct PrefixTrie: Sendable {
    private struct Node {
        /// IPv4 addresses stand in the upper half of `high`.
        var high: UInt64
        var low: UInt64
        var length: Int32
        var parent: Int32
        var zero: Int32 = -1
        var one: Int32 = -1
        var first: Int32 = 0
        var count: Int32 = 0
    }
    private var nodes: ContiguousArray<Node> = [Node(high: 0, low: 0, length: 0, parent: -1)]
    /// Positions in the caller's list, node by node.
    private var values: ContiguousArray<Int32> = []

    /// - Parameter prefixes: all of one family; a position may be asked for as a value later.
    init(_ prefixes: [(prefix: IPPrefix, value: Int32)]) {
        var owner: [Int32] = []
        owner.reserveCapacity(prefixes.count)
        for (prefix, _) in prefixes {
            let (high, low) = Self.key(prefix.address)
            let node = insert(high, low, Int32(prefix.length))
            owner.append(node)
            nodes[Int(node)].count += 1
        }
        var next: Int32 = 0
        for i in nodes.indices {
            nodes[i].first = next
            next += nodes[i].count
            nodes[i].count = 0
        }
        values = ContiguousArray(repeating: 0, count: prefixes.count)
        for (i, node) in owner.enumerated() {
            let n = Int(node)
            values[Int(nodes[n].first + nodes[n].count)] = prefixes[i].value
            nodes[n].count += 1
        }
    }

    /// The longest prefix that holds `address`, as a place to start from; nil when none does.
    func longestMatch(of address: IPAddress) -> Match? {
        let (high, low) = Self.key(address)
        var found: Int32 = 0
        var here: Int32 = 0
        while here >= 0 {
            let node = nodes[Int(here)]
            guard Self.agree(node.high, node.low, high, low, node.length) else { break }
            found = here
            if node.length >= 128 { break }
            here = Self.bit(high, low, node.length) ? node.one : node.zero
        }
        return withValues(from: found)
    }

    struct Match {
        fileprivate let node: Int32
        let length: Int
        fileprivate let range: Range<Int>
    }

    /// The values of a match, in the order in which they were given.
    func values(of match: Match) -> Slice<ContiguousArray<Int32>> { Slice(base: values, bounds: match.range) }

    /// The next shorter prefix that holds the same address.
    func shorter(than match: Match) -> Match? { withValues(from: nodes[Int(match.node)].parent) }

    private func withValues(from start: Int32) -> Match? {
        var here = start
        while here >= 0 {
            let node = nodes[Int(here)]
            if node.count > 0 {
                return Match(node: here, length: Int(node.length), range: Int(node.first)..<Int(node.first + node.count))
            }
            here = node.parent
        }
        return nil
    }

    private mutating func insert(_ high: UInt64, _ low: UInt64, _ length: Int32) -> Int32 {
        var here: Int32 = 0
        while true {
            let node = nodes[Int(here)]
            if node.length == length { return here }
            let side = Self.bit(high, low, node.length)
            let child = side ? node.one : node.zero
            if child < 0 { return attach(Node(high: high, low: low, length: length, parent: here), to: here, side) }
            let below = nodes[Int(child)]
            let common = min(Self.commonLength(below.high, below.low, high, low), below.length, length)
            if common == below.length {
                here = child
                continue
            }
            // The child goes below a new node: the prefix itself, or where the two part.
            let (h, l) = Self.masked(high, low, common)
            let middle = attach(Node(high: h, low: l, length: common, parent: here), to: here, side)
            attachExisting(child, to: middle, Self.bit(below.high, below.low, common))
            if common == length { return middle }
            return attach(Node(high: high, low: low, length: length, parent: middle), to: middle, Self.bit(high, low, common))
        }
    }

    private mutating func attach(_ node: Node, to parent: Int32, _ side: Bool) -> Int32 {
        let index = Int32(nodes.count)
        nodes.append(node)
        attachExisting(index, to: parent, side)
        return index
    }

    private mutating func attachExisting(_ index: Int32, to parent: Int32, _ side: Bool) {
        nodes[Int(index)].parent = parent
        if side { nodes[Int(parent)].one = index } else { nodes[Int(parent)].zero = index }
    }

    private static func key(_ address: IPAddress) -> (UInt64, UInt64) {
        switch address {
        case .v4(let a): (UInt64(a) << 32, 0)
        case .v6(let high, let low): (high, low)
        }
    }

    private static func bit(_ high: UInt64, _ low: UInt64, _ position: Int32) -> Bool {
        (position < 64 ? high >> UInt64(63 - position) : low >> UInt64(127 - position)) & 1 != 0
    }

    private static func commonLength(_ h: UInt64, _ l: UInt64, _ h2: UInt64, _ l2: UInt64) -> Int32 {
        h != h2 ? Int32((h ^ h2).leadingZeroBitCount) : 64 + Int32((l ^ l2).leadingZeroBitCount)
    }

    private static func agree(_ h: UInt64, _ l: UInt64, _ h2: UInt64, _ l2: UInt64, _ length: Int32) -> Bool {
        commonLength(h, l, h2, l2) >= length
    }

    private static func masked(_ high: UInt64, _ low: UInt64, _ length: Int32) -> (UInt64, UInt64) {
        if length == 0 { return (0, 0) }
        if length <= 64 { return (high & (~0 << UInt64(64 - length)), 0) }
        return (high, low & (~0 << UInt64(128 - length)))
    }
}
