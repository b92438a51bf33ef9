/// A dictionary of bounded size that gives up what was longest not used. Every operation takes constant time.
public struct RecencyTable<Key: Hashable, Value> {
    fileprivate struct Node {
        var key: Key
        var value: Value
        var newer: Int
        var older: Int
    }

    private var places: [Key: Int] = [:]
    /// Freed nodes keep their last entry until they are used again; there are at most `capacity`.
    private var nodes: [Node] = []
    private var free: [Int] = []
    private var newest = -1
    private var oldest = -1
    public let capacity: Int

    public init(capacity: Int) {
        precondition(capacity > 0, "a table of \(capacity)")
        self.capacity = capacity
    }

    public var count: Int { places.count }

    /// Without making it newer.
    public func peek(_ key: Key) -> Value? { places[key].map { nodes[$0].value } }

    /// Makes the entry the newest.
    public mutating func use(_ key: Key) -> Value? {
        guard let place = places[key] else { return nil }
        unlink(place)
        linkNewest(place)
        return nodes[place].value
    }

    /// Stores it as the newest entry.
    /// - Returns: the entry that had to go for it.
    @discardableResult public mutating func set(_ key: Key, _ value: Value) -> (key: Key, value: Value)? {
        if let place = places[key] {
            nodes[place].value = value
            unlink(place)
            linkNewest(place)
            return nil
        }
        let gone = places.count >= capacity ? removeOldest() : nil
        let node = Node(key: key, value: value, newer: -1, older: -1)
        let place: Int
        if let reused = free.popLast() {
            place = reused
            nodes[place] = node
        } else {
            place = nodes.count
            nodes.append(node)
        }
        places[key] = place
        linkNewest(place)
        return gone
    }

    @discardableResult public mutating func remove(_ key: Key) -> Value? {
        guard let place = places.removeValue(forKey: key) else { return nil }
        unlink(place)
        free.append(place)
        return nodes[place].value
    }

    /// What would have to go next.
    public var oldestEntry: (key: Key, value: Value)? { oldest < 0 ? nil : (nodes[oldest].key, nodes[oldest].value) }

    @discardableResult public mutating func removeOldest() -> (key: Key, value: Value)? {
        guard let entry = oldestEntry else { return nil }
        remove(entry.key)
        return entry
    }

    private mutating func unlink(_ place: Int) {
        let (newer, older) = (nodes[place].newer, nodes[place].older)
        if newer >= 0 { nodes[newer].older = older } else { newest = older }
        if older >= 0 { nodes[older].newer = newer } else { oldest = newer }
    }

    private mutating func linkNewest(_ place: Int) {
        nodes[place].newer = -1
        nodes[place].older = newest
        if newest >= 0 { nodes[newest].newer = place } else { oldest = place }
        newest = place
    }
}

extension RecencyTable.Node: Sendable where Key: Sendable, Value: Sendable {}
extension RecencyTable: Sendable where Key: Sendable, Value: Sendable {}
