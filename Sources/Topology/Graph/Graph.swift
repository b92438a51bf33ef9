import NetworkTypes

/// Nodes and links as a value: a copy is cheap and stays as it is. The writer changes its own; a snapshot is a copy.
///
/// Invariant: both ends of every link are there, and so is a node's parent. A node is there as long as something claims it or a link other
/// than to its parent leads to it.
struct Graph: Sendable {
    private(set) var nodes = Chunked<NodeRecord>(shift: 5)
    private(set) var links = Chunked<LinkRecord>(shift: 5)
    /// Counts of the links that carry traffic.
    var traffic = Chunked<TrafficSummary>(shift: 4)
    private(set) var states = StatePool()
    private var nodeIndex = HashIndex()
    private var linkIndex = HashIndex()
    private var freeNodes: [UInt32] = []
    private var freeLinks: [UInt32] = []
    private var freeTraffic: [UInt32] = []
    private var births: UInt32 = 0
    private(set) var nodeCount = 0
    private(set) var linkCount = 0
    /// Where the numbers come from: two graphs of one origin may be compared by number.
    let origin: Origin

    final class Origin: Sendable {}

    static let plain = EntityState.plain.encoded

    init() { origin = Origin() }

    // MARK: nodes

    func node(_ key: NodeKey) -> NodeID? {
        nodeIndex.find(Self.hash(key)) { nodes[Int($0)].key == key }.map(NodeID.init)
    }

    func isLive(_ id: NodeID) -> Bool { Int(id.rawValue) < nodes.count && nodes[Int(id.rawValue)].state != LinkRecord.none }

    /// Makes the node and what it is part of, or changes its state.
    @discardableResult mutating func claim(_ key: NodeKey, state: [UInt8]) -> NodeID {
        let id = ensure(key)
        nodes[Int(id.rawValue)].isClaimed = true
        setState(id, state)
        return id
    }

    /// Nothing says any more that the node is there; it goes unless links keep it.
    mutating func disclaim(_ id: NodeID) {
        nodes[Int(id.rawValue)].isClaimed = false
        setState(id, Self.plain)
        removeIfUnneeded(id)
    }

    mutating func setState(_ id: NodeID, _ state: [UInt8]) {
        let index = Int(id.rawValue)
        let old = nodes[index].state
        if states[old] == state { return }
        nodes[index].state = states.hold(state)
        states.release(old)
    }

    /// The node, made without a claim where it was not there.
    mutating func ensure(_ key: NodeKey) -> NodeID {
        let hash = Self.hash(key)
        if let known = nodeIndex.find(hash, where: { nodes[Int($0)].key == key }) { return NodeID(rawValue: known) }
        let parent = key.parent.map { ensure($0) }
        births &+= 1
        let record = NodeRecord(key: key, state: states.hold(Self.plain), born: births, isClaimed: false)
        let number: UInt32
        if let reused = freeNodes.popLast() {
            number = reused
            nodes[Int(number)] = record
        } else {
            number = UInt32(nodes.count)
            nodes.append(record)
        }
        nodeIndex.insert(hash, number)
        nodeCount += 1
        if let parent { makeLink(.part, number, parent.rawValue, 0, Self.plain) }
        return NodeID(rawValue: number)
    }

    /// Takes the node away when nothing claims it and nothing but its parent is joined to it; then its parent likewise.
    mutating func removeIfUnneeded(_ id: NodeID) {
        let record = nodes[Int(id.rawValue)]
        guard record.state != LinkRecord.none, !record.isClaimed else { return }
        let parent = record.key.parent.flatMap { node($0) }
        guard record.degree == (parent == nil ? 0 : 1) else { return }
        if let parent, let link = link(.part, id, parent, 0) { takeLink(link) }
        nodeIndex.remove(Self.hash(record.key), id.rawValue)
        states.release(record.state)
        nodes[Int(id.rawValue)].state = LinkRecord.none
        freeNodes.append(id.rawValue)
        nodeCount -= 1
        if let parent { removeIfUnneeded(parent) }
    }

    // MARK: links

    func link(_ kind: LinkKind, _ a: NodeID, _ b: NodeID, _ qualifier: UInt64) -> LinkID? {
        linkIndex.find(Self.hash(kind, a.rawValue, b.rawValue, qualifier)) {
            let record = links[Int($0)]
            return record.a == a.rawValue && record.b == b.rawValue && record.qualifier == qualifier && record.kind == kind
        }.map(LinkID.init)
    }

    @discardableResult mutating func setLink(_ kind: LinkKind, _ a: NodeID, _ b: NodeID, _ qualifier: UInt64, state: [UInt8]) -> LinkID {
        precondition(isLive(a) && isLive(b), "a link of \(kind) between \(a) and \(b)")
        guard let known = link(kind, a, b, qualifier) else {
            return makeLink(kind, a.rawValue, b.rawValue, qualifier, state)
        }
        let old = links[Int(known.rawValue)].state
        if states[old] != state {
            links[Int(known.rawValue)].state = states.hold(state)
            states.release(old)
        }
        return known
    }

    /// Takes the link away, and its ends where nothing else keeps them.
    mutating func removeLink(_ id: LinkID) {
        let record = takeLink(id)
        removeIfUnneeded(NodeID(rawValue: record.a))
        removeIfUnneeded(NodeID(rawValue: record.b))
        if let application = PackedQualifier.application(record.qualifier) { releaseApplication(application) }
    }

    @discardableResult private mutating func makeLink(
        _ kind: LinkKind, _ a: UInt32, _ b: UInt32, _ qualifier: UInt64, _ state: [UInt8]
    ) -> LinkID {
        births &+= 1
        var record = LinkRecord(a: a, b: b, qualifier: qualifier, state: states.hold(state), born: births, kind: kind)
        if kind.isTraffic {
            if let reused = freeTraffic.popLast() {
                record.traffic = reused
                traffic[Int(reused)] = TrafficSummary()
            } else {
                record.traffic = UInt32(traffic.count)
                traffic.append(TrafficSummary())
            }
        }
        let number: UInt32
        if let reused = freeLinks.popLast() {
            number = reused
            links[Int(number)] = record
        } else {
            number = UInt32(links.count)
            precondition(number < 1 << 31, "\(number) links")
            links.append(record)
        }
        linkIndex.insert(Self.hash(kind, a, b, qualifier), number)
        chain(number, side: 0, to: a)
        chain(number, side: 1, to: b)
        if let application = PackedQualifier.application(qualifier) { nodes[Int(application)].degree += 1 }
        linkCount += 1
        return LinkID(rawValue: number)
    }

    /// An application has no link of its own: the links that name it hold it as if they led to it.
    private mutating func releaseApplication(_ number: UInt32) {
        nodes[Int(number)].degree -= 1
        removeIfUnneeded(NodeID(rawValue: number))
    }

    @discardableResult private mutating func takeLink(_ id: LinkID) -> LinkRecord {
        let number = id.rawValue
        let record = links[Int(number)]
        precondition(!record.isFree, "link \(number) is gone already")
        linkIndex.remove(Self.hash(record.kind, record.a, record.b, record.qualifier), number)
        unchain(number, side: 0, from: record.a)
        unchain(number, side: 1, from: record.b)
        states.release(record.state)
        if record.traffic != LinkRecord.none { freeTraffic.append(record.traffic) }
        links[Int(number)].isFree = true
        freeLinks.append(number)
        linkCount -= 1
        return record
    }

    private mutating func chain(_ link: UInt32, side: UInt32, to node: UInt32) {
        let end = link << 1 | side
        let first = nodes[Int(node)].first
        if first != LinkRecord.none { links[Int(first >> 1)].setPrevious(first & 1, end) }
        links[Int(link)].setNext(side, first)
        links[Int(link)].setPrevious(side, LinkRecord.none)
        nodes[Int(node)].first = end
        nodes[Int(node)].degree += 1
    }

    private mutating func unchain(_ link: UInt32, side: UInt32, from node: UInt32) {
        let (next, previous) = (links[Int(link)].next(side), links[Int(link)].previous(side))
        if next != LinkRecord.none { links[Int(next >> 1)].setPrevious(next & 1, previous) }
        if previous != LinkRecord.none {
            links[Int(previous >> 1)].setNext(previous & 1, next)
        } else {
            nodes[Int(node)].first = next
        }
        nodes[Int(node)].degree -= 1
    }

    // MARK: reading

    /// Calls `body` with every link of the node, and with the node at its other end, latest first; a link to itself comes twice.
    @inline(__always) func forEachLink(of node: NodeID, _ body: (LinkID, LinkRecord, NodeID) -> Void) {
        var end = nodes[Int(node.rawValue)].first
        while end != LinkRecord.none {
            let record = links[Int(end >> 1)]
            body(LinkID(rawValue: end >> 1), record, NodeID(rawValue: end & 1 == 0 ? record.b : record.a))
            end = record.next(end & 1)
        }
    }

    func isLive(_ id: LinkID) -> Bool { Int(id.rawValue) < links.count && !links[Int(id.rawValue)].isFree }

    func key(of id: LinkID) -> LinkKey {
        let record = links[Int(id.rawValue)]
        return LinkKey(ordered: record.kind, nodes[Int(record.a)].key, nodes[Int(record.b)].key, qualifier(record.qualifier))
    }

    func qualifier(_ packed: UInt64) -> LinkQualifier {
        switch packed >> 56 {
        case 1: return .vni(UInt32(truncatingIfNeeded: packed))
        case 2:
            let transport = IPProtocol(rawValue: UInt8(truncatingIfNeeded: packed >> 48))
            var name: String?
            if let number = PackedQualifier.application(packed), case .application(let text) = nodes[Int(number)].key { name = text }
            return .flow(transport, port: UInt16(truncatingIfNeeded: packed >> 32), application: name)
        default: return .none
        }
    }

    /// The packed form; the application's node is made where it was not there.
    mutating func packed(_ qualifier: LinkQualifier) -> UInt64 {
        switch qualifier {
        case .none: return 0
        case .vni(let number): return PackedQualifier.vni(number)
        case .flow(let transport, let port, let application):
            let node = application.map { ensure(.application($0)) }
            return PackedQualifier.flow(transport.rawValue, port, application: node?.rawValue)
        }
    }

    private static func hash(_ key: NodeKey) -> UInt32 { HashIndex.folded(key.hashValue) }

    @inline(__always) private static func hash(_ kind: LinkKind, _ a: UInt32, _ b: UInt32, _ qualifier: UInt64) -> UInt32 {
        let ends = UInt64(a) << 32 | UInt64(b)
        let first = (ends ^ 0x51_7CC1_B727_220A).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        let word = qualifier ^ UInt64(kind.rawValue) << 40 ^ first.high ^ first.low
        let second = word.multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        return UInt32(truncatingIfNeeded: (second.high ^ second.low) >> 16)
    }
}
