import Flows
import NetworkTypes

/// A shaping rule on one interface and direction with nothing left open: what the datapath is told of it.
public struct Shaper: Hashable, Sendable {
    /// What is done with a packet.
    public enum Action: Hashable, Sendable {
        /// It is counted, and its DSCP written.
        case nothing
        /// It goes into class `4e49:FIRST`, or into one of so many that follow each other.
        case htb(first: UInt16, count: Int)
        /// It passes, is marked or is dropped, by a token bucket of so many bytes.
        case police(BitRate, burst: ByteCount)
        /// The fq qdisc is told when to send it.
        case depart(BitRate)
    }

    /// Which packets share a class or bucket.
    public enum Sharing: Hashable, Sendable {
        /// All; of several classes each flow has one.
        case all
        case host(End)
        case flow
        case prefixes(End)
    }

    /// Which end of a packet.
    public enum End: Hashable, Sendable {
        case source
        case destination
    }

    /// A prefix with a class or bucket of its own.
    public struct Member: Hashable, Sendable {
        public var prefix: IPPrefix
        /// Counted from the rule's first class or bucket; stays the same while the prefix is in the rule.
        public var number: Int
        public var rate: BitRate
        public init(_ prefix: IPPrefix, number: Int, rate: BitRate) {
            self.prefix = prefix
            self.number = number
            self.rate = rate
        }
    }

    public var action: Action
    public var sharing: Sharing
    /// With `sharing` by prefixes; empty otherwise.
    public var members: [Member]
    public var dscp: UInt8?
    /// Mark Congestion Experienced before dropping.
    public var marksCongestion: Bool
    /// Bytes charged for each packet on the wire beyond its frame.
    public var overhead: Int

    public init(
        _ action: Action, sharing: Sharing = .all, members: [Member] = [], dscp: UInt8? = nil, marksCongestion: Bool = false,
        overhead: Int = 0
    ) {
        self.action = action
        self.sharing = sharing
        self.members = members
        self.dscp = dscp
        self.marksCongestion = marksCongestion
        self.overhead = overhead
    }

    /// Of whose rate a bucket is to hold as much as 10 ms bring, and two of the largest frames.
    public static func defaultBurst(_ rate: BitRate, largestFrame: Int) -> ByteCount {
        ByteCount(max(UInt64(rate.bitsPerSecond / 8 / 100), UInt64(2 * largestFrame)))
    }

    /// The lowest rate, bits a second.
    public static let lowestRate = BitRate(bitsPerSecond: 1000)
}

/// Where a rule applies: the name under which its numbers, classes and buckets are kept from one policy to the next.
public struct ShaperName: Hashable, Sendable {
    public var rule: String
    public var interface: InterfaceID
    public var direction: Direction
    public init(_ rule: String, on interface: InterfaceID, _ direction: Direction) {
        self.rule = rule
        self.interface = interface
        self.direction = direction
    }
}
