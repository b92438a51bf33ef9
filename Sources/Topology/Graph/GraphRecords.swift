/// A node's number in a snapshot and in those before and after it, as long as the node is there. Not stable over restarts: keys are.
public struct NodeID: RawRepresentable, Sendable, Hashable, Comparable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static func < (a: NodeID, b: NodeID) -> Bool { a.rawValue < b.rawValue }
}

/// A link's number, likewise.
public struct LinkID: RawRepresentable, Sendable, Hashable, Comparable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static func < (a: LinkID, b: LinkID) -> Bool { a.rawValue < b.rawValue }
}

struct NodeRecord: Sendable {
    var key: NodeKey
    /// In the pool; ``LinkRecord/none`` when the place is free.
    var state: UInt32
    /// The first end in the chain of its links: link << 1 | side.
    var first: UInt32 = LinkRecord.none
    var degree: UInt32 = 0
    /// When it came, so that a place that is used again is not taken for what was there before.
    var born: UInt32
    /// Something says that it is there; else only its links keep it.
    var isClaimed: Bool
}

/// 48 bytes. The chains of the links of each node run through the links themselves: a link comes and goes in constant time.
struct LinkRecord: Sendable {
    static let none = UInt32.max

    var a: UInt32
    var b: UInt32
    /// ``PackedQualifier``.
    var qualifier: UInt64
    var state: UInt32
    var next: (UInt32, UInt32) = (none, none)
    var previous: (UInt32, UInt32) = (none, none)
    var born: UInt32
    /// Into the traffic column, or `none`.
    var traffic: UInt32 = none
    var kind: LinkKind
    var isFree = false

    func next(_ side: UInt32) -> UInt32 { side == 0 ? next.0 : next.1 }
    func previous(_ side: UInt32) -> UInt32 { side == 0 ? previous.0 : previous.1 }
    mutating func setNext(_ side: UInt32, _ value: UInt32) { if side == 0 { next.0 = value } else { next.1 = value } }
    mutating func setPrevious(_ side: UInt32, _ value: UInt32) { if side == 0 { previous.0 = value } else { previous.1 = value } }
}

/// A link's qualifier in one word; an application is the number of its node.
struct PackedQualifier {
    static func vni(_ vni: UInt32) -> UInt64 { 1 << 56 | UInt64(vni) }
    static func flow(_ transport: UInt8, _ port: UInt16, application: UInt32?) -> UInt64 {
        2 << 56 | UInt64(transport) << 48 | UInt64(port) << 32 | UInt64(application ?? .max)
    }
    /// The number of the application's node, of a flow that has one.
    static func application(_ qualifier: UInt64) -> UInt32? {
        let number = UInt32(truncatingIfNeeded: qualifier)
        return qualifier >> 56 == 2 && number != .max ? number : nil
    }
    /// Of a flow: its transport and the server's port.
    static func port(_ qualifier: UInt64) -> (transport: UInt8, port: UInt16)? {
        qualifier >> 56 == 2 ? (UInt8(truncatingIfNeeded: qualifier >> 48), UInt16(truncatingIfNeeded: qualifier >> 32)) : nil
    }
}
