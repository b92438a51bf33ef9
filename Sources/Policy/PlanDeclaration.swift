import NetworkTypes

/// How the rate of a shaping rule follows what is expected of its traffic.
public struct PlanDeclaration: Hashable, Sendable {
    /// The name of the shaping rule.
    public var rule: String
    /// The share of possible futures that the allocation is to cover, 0.5 … 0.95.
    public var quantile: Double
    /// How far ahead is looked: the allocation covers the highest of the quantiles until then.
    public var lead: Duration
    /// Added to what is expected, as a share of it.
    public var headroom: Double
    /// The least that the class is granted; nil: the least rate there is.
    public var floor: BitRate?
    /// The most; nil: the capacity of what it is a share of.
    public var ceiling: BitRate?
    /// 0 (gives way first) to 100.
    public var criticality: Int
    /// Of classes with the same criticality that compete, each gets so many parts.
    public var weight: Int
    /// The most that the allocation changes within one interval, as a share of it.
    public var change: Double
    /// An allocation is lowered only after less was enough for so long.
    public var hold: Duration
    /// Times of day at which nothing is changed.
    public var freeze: [DailyWindow]

    public init(
        rule: String, quantile: Double = 0.9, lead: Duration = .seconds(600), headroom: Double = 0.1, floor: BitRate? = nil,
        ceiling: BitRate? = nil, criticality: Int = 50, weight: Int = 1, change: Double = 0.25, hold: Duration = .seconds(900),
        freeze: [DailyWindow] = []
    ) {
        self.rule = rule
        self.quantile = quantile
        self.lead = lead
        self.headroom = headroom
        self.floor = floor
        self.ceiling = ceiling
        self.criticality = criticality
        self.weight = weight
        self.change = change
        self.hold = hold
        self.freeze = freeze
    }
}

/// A part of every day, in minutes since midnight on the host's clock; one that ends before it begins goes over midnight.
public struct DailyWindow: Hashable, Sendable, CustomStringConvertible {
    /// 0 … 1439.
    public var from: Int
    /// 0 … 1440, not in the window itself.
    public var until: Int

    public init(from: Int, until: Int) {
        self.from = from
        self.until = until
    }

    /// Reads `22:00-23:30`; 24:00 is the day's end.
    public init?(_ text: String) {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let from = Self.minute(ends[0]), let until = Self.minute(ends[1]), from < 1440, from != until else {
            return nil
        }
        self.init(from: from, until: until)
    }

    private static func minute(_ text: Substring) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let hour = Int(parts[0]), let minute = Int(parts[1]), minute < 60, hour * 60 + minute <= 1440
        else { return nil }
        return hour * 60 + minute
    }

    public func contains(minute: Int) -> Bool {
        from < until ? from <= minute && minute < until : from <= minute || minute < until
    }

    public var description: String {
        func text(_ minute: Int) -> String {
            func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
            return "\(two(minute / 60)):\(two(minute % 60))"
        }
        return "\(text(from))-\(text(until))"
    }
}
