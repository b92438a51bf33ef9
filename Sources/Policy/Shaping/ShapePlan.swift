import Flows
import NetworkTypes

/// What shaping comes to on one interface: what the datapath is told, which classes there are, why, and what cannot be.
public struct ShapePlan: Hashable, Sendable {
    /// One rule in one direction.
    public struct Decision: Hashable, Sendable {
        public var rule: String
        public var direction: Direction
        public var mechanism: ShapeRule.Mechanism
        public var shaper: Shaper
        /// Why it is done this way; for people.
        public var reason: String
        /// The class that has the rule's rate; nil: there is none.
        public var ownClass: UInt16?
        /// What keeps it from being done as well as it could be; nil: nothing.
        public var shortfall: String?
    }

    /// A rule, or a direction of it, that cannot be carried out.
    public struct Refusal: Hashable, Sendable {
        public var rule: String
        public var direction: Direction?
        public var reason: String
        public var hint: String
    }

    /// In the order in which filters are to be asked: the rules of a parent before the parent's own.
    public var decisions: [Decision] = []
    /// The root qdisc and its classes; nil: no rule needs one, and the device keeps what it has.
    public var tree: HTBTree?
    public var refusals: [Refusal] = []
    /// Things to know before applying; for people.
    public var notes: [String] = []
    /// The numbers that were given out. They go into the next plan, so that classes and buckets stay those of their rules.
    public var numbers = ShapeNumbers()

    public init() {}
}

/// What is known of an interface and the kernel when shaping is planned.
public struct ShapeSite: Hashable, Sendable {
    public enum Root: Hashable, Sendable {
        /// The kernel's own choice: ours may take its place.
        case kernelDefault(String)
        case ours
        /// Someone else's.
        /// - irreplaceable: why it could not be put back; nil: it can.
        case foreign(String, irreplaceable: String?)
    }

    public var interface: String
    /// Bytes of the largest frame without FCS.
    public var largestFrame: Int
    /// As the admin declared it; what the device says of itself is often not true (a veth claims 10 Gbit/s).
    public var capacity: BitRate?
    public var root: Root
    /// Packets that a class's queue holds.
    public var queueLength: Int
    /// Kinds of qdiscs that the kernel has.
    public var qdiscs: Set<String>
    /// Whether the admin lets a foreign root qdisc be replaced (`--replace`).
    public var mayReplace: Bool

    public init(
        interface: String, largestFrame: Int = 1514, capacity: BitRate? = nil, root: Root = .kernelDefault("noqueue"),
        queueLength: Int = 1000, qdiscs: Set<String> = ["htb"], mayReplace: Bool = false
    ) {
        self.interface = interface
        self.largestFrame = largestFrame
        self.capacity = capacity
        self.root = root
        self.queueLength = queueLength
        self.qdiscs = qdiscs
        self.mayReplace = mayReplace
    }
}

/// Class numbers and members' numbers of an interface, by rule.
public struct ShapeNumbers: Hashable, Sendable {
    /// What of a rule has a number.
    struct Part: Hashable, Sendable {
        enum Role: Hashable, Sendable {
            /// The class itself.
            case own
            /// The class for what matches the rule and none of its children; or the leaf classes of its flows, hosts or prefixes.
            case leaves
        }
        var rule: String
        var role: Role
        /// Another parent is another class: the kernel cannot move one.
        var parent: UInt16
    }

    var classes: [Part: Range<Int>] = [:]
    var allocation = RangeAllocation(ShapeNumbers.first..<Int(HTBTree.defaultMinor))
    /// By rule and direction.
    var members: [String: [IPPrefix: Int]] = [:]

    /// The class that stands for the link.
    static let link: UInt16 = 1
    static let first = 2

    public init() {}

    mutating func range(_ part: Part, count: Int) -> Range<Int>? {
        if let held = classes[part] {
            if held.count >= count, held.count < 2 * count + 2 { return held }
            allocation.give(held)
            classes[part] = nil
        }
        guard let taken = allocation.take(count) else { return nil }
        classes[part] = taken
        return taken
    }

    /// Gives back what no rule holds any more.
    mutating func keep(_ used: Set<Part>, members usedMembers: Set<String>) {
        for (part, range) in classes where !used.contains(part) {
            allocation.give(range)
            classes[part] = nil
        }
        for key in members.keys where !usedMembers.contains(key) { members[key] = nil }
    }

    /// A number for each prefix: the one it has, or the lowest free one.
    mutating func members(of key: String, _ rates: [ShapeRule.PrefixRate]) -> [Shaper.Member] {
        let old = members[key] ?? [:]
        var numbers: [IPPrefix: Int] = [:]
        for rate in rates { if let number = old[rate.prefix] { numbers[rate.prefix] = number } }
        let taken = Set(numbers.values)
        var next = 0
        for rate in rates where numbers[rate.prefix] == nil {
            while taken.contains(next) { next += 1 }
            numbers[rate.prefix] = next
            next += 1
        }
        members[key] = numbers
        return rates.compactMap { rate in numbers[rate.prefix].map { Shaper.Member(rate.prefix, number: $0, rate: rate.rate) } }
    }
}
