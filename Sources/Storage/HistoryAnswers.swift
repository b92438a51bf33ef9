import NetworkTypes

public struct EpochMark: Sendable, Hashable {
    public var number: UInt64
    public var time: Timestamp
    public init(number: UInt64, time: Timestamp) {
        self.number = number
        self.time = time
    }
}

/// An entity as it was at one time.
public struct StoredEntity: Sendable, Hashable {
    public var key: String
    public var state: [UInt8]
    public init(key: String, state: [UInt8]) {
        self.key = key
        self.state = state
    }
}

/// An entity at two times; nil where it was absent. At least one of them is there, and they differ.
public struct EntityDifference: Sendable, Hashable {
    public var key: String
    public var before: [UInt8]?
    public var after: [UInt8]?
    public init(key: String, before: [UInt8]?, after: [UInt8]?) {
        self.key = key
        self.before = before
        self.after = after
    }
}

/// One line of the history's log: what became of an entity at one moment.
public struct EntityLogEntry: Sendable, Hashable {
    public enum Kind: Sendable, Hashable { case added, changed, removed }

    public var time: Timestamp
    public var key: String
    /// nil when it was added.
    public var before: [UInt8]?
    /// nil when it was removed.
    public var after: [UInt8]?

    public var kind: Kind { before == nil ? .added : after == nil ? .removed : .changed }

    public init(time: Timestamp, key: String, before: [UInt8]?, after: [UInt8]?) {
        self.time = time
        self.key = key
        self.before = before
        self.after = after
    }
}

/// A state of an entity and how long it lasted.
public struct EntityVersion: Sendable, Hashable {
    /// When it began; of what was already there when the kept history begins, the beginning of that.
    public var validFrom: Timestamp
    /// When it was over; nil while it lasts.
    public var validTo: Timestamp?
    public var state: [UInt8]
    public init(validFrom: Timestamp, validTo: Timestamp?, state: [UInt8]) {
        self.validFrom = validFrom
        self.validTo = validTo
        self.state = state
    }
}

/// A time in which no epoch was kept: the agent was not running, or its disk was full.
public struct HistoryGap: Sendable, Hashable {
    public var start: Timestamp
    public var end: Timestamp
    public init(start: Timestamp, end: Timestamp) {
        self.start = start
        self.end = end
    }
}

public struct SeriesName: Sendable, Hashable {
    public var key: String
    public var kind: SeriesKind
    public init(key: String, kind: SeriesKind) {
        self.key = key
        self.kind = kind
    }
}

/// The widths of points. Each is made from the one before.
public enum SeriesResolution: Int, Sendable, Hashable, CaseIterable, Comparable {
    case second = 0
    case tenSeconds = 1
    case minute = 2
    case hour = 3

    public var seconds: Int64 {
        switch self {
        case .second: 1
        case .tenSeconds: 10
        case .minute: 60
        case .hour: 3600
        }
    }

    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// What was measured of a series from `start` for one width of the resolution.
public struct SeriesPoint: Sendable, Hashable {
    /// A multiple of the width since 1970.
    public var start: Timestamp
    /// How many samples are in it, at least one.
    public var count: UInt64
    public var sum: SeriesValue
    public var minimum: SeriesValue
    public var maximum: SeriesValue
    public init(start: Timestamp, count: UInt64, sum: SeriesValue, minimum: SeriesValue, maximum: SeriesValue) {
        self.start = start
        self.count = count
        self.sum = sum
        self.minimum = minimum
        self.maximum = maximum
    }
}
