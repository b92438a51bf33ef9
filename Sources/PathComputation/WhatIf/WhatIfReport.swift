import NetworkTypes

/// The answer to “what if” in plain values, with the names that people use: what a report or a view is made of.
///
/// Rates of links are of frames as interfaces count them; rates of flows are of IP packets. All are offered rates: what is sent, not what
/// gets through where a link is too small.
public struct WhatIfReport: Sendable, Hashable {
    /// The changes, as they were given.
    public var changes: [String]
    /// What the changes brought with them, in words, in the order in which the kernel does it.
    public var consequences: [String]
    public var before: Overview
    public var after: Overview
    /// Every interface and direction with traffic before or after, by node and name.
    public var links: [Link]
    /// Links that are utilised beyond the threshold after and not before, the fullest first.
    public var newBottlenecks: [Link]
    /// Links that were and are so no longer.
    public var relieved: [Link]
    /// Flows to which something happens, or that did not and do not arrive; those that lose most first. At most ``flowLimit``.
    public var flows: [Flow]
    public var counts: Counts
    /// What was measured and could not be placed: in none of the numbers.
    public var unplaced: [UnplacedTraffic]
    /// What was taken to be so because nobody told, in words.
    public var suppositions: [String]

    public static let flowLimit = 1000

    public init() {
        (changes, consequences, links, newBottlenecks, relieved, flows) = ([], [], [], [], [], [])
        (before, after, counts) = (Overview(), Overview(), Counts())
        (unplaced, suppositions) = ([], [])
    }

    /// The network as a whole.
    public struct Overview: Sendable, Hashable {
        public var demands = 0
        public var offered = BitRate(bitsPerSecond: 0)
        /// Of what is offered, what has a way to its destination.
        public var delivered = BitRate(bitsPerSecond: 0)
        /// The fullest interface, `NODE:NAME`; nil where no capacity is known.
        public var tightest: String?
        public var utilisation: Double?
        /// By what factor all traffic can grow until the first link is full.
        public var headroom: Double?

        public init() {}
    }

    public struct Link: Sendable, Hashable {
        public var node: String
        public var name: String
        public var direction: Hop.Direction
        public var before: Side
        public var after: Side
        /// Part of it comes from flows that spread over several ways: right for many flows, not for one.
        public var isExpectation: Bool

        public struct Side: Sendable, Hashable {
            public var rate: BitRate
            /// nil when not known.
            public var capacity: BitRate?

            /// 1: full. nil where the capacity is not known.
            public var utilisation: Double? {
                capacity.flatMap { $0.bitsPerSecond > 0 ? rate.bitsPerSecond / $0.bitsPerSecond : nil }
            }
            /// What is left; nil where the capacity is not known.
            public var headroom: BitRate? { capacity.map { BitRate(bitsPerSecond: max(0, $0.bitsPerSecond - rate.bitsPerSecond)) } }
        }
    }

    public enum Fate: String, Sendable, Hashable, CaseIterable {
        /// Arrived, and does so no longer or only in part.
        case cutOff = "cut-off"
        /// Did not arrive, or not all of it, and does not now.
        case unreachable
        /// Arrives now.
        case restored
        case rerouted
        /// On its way as before, with another rate.
        case changed
    }

    /// One direction of what two ends say to each other.
    public struct Flow: Sendable, Hashable {
        public var fate: Fate
        /// The node where it starts.
        public var node: String
        /// The interface at which it comes in from beyond the network, `NODE:NAME`; nil where a socket of the node sends it.
        public var entry: String?
        public var source: IPAddress?
        public var destination: IPAddress
        public var transport: IPProtocol
        public var sourcePort: UInt16
        public var destinationPort: UInt16
        public var application: String?
        public var before: Side
        public var after: Side

        public struct Side: Sendable, Hashable {
            public var rate: BitRate
            /// The part that arrives, 0...1.
            public var delivered: Double
            public var paths: [Path]
        }
    }

    public struct Path: Sendable, Hashable {
        /// The interfaces in order, `NODE:NAME`, each once for every time that the packet leaves or enters by it.
        public var hops: [String]
        /// The part of the flow that is expected to go here.
        public var share: Double
        /// How it ends, in words.
        public var outcome: String
        public var isDelivered: Bool
        /// What is worth knowing about it, in words.
        public var notes: [String]
    }

    /// Flows by what happens to them, also of those beyond ``flowLimit``.
    public struct Counts: Sendable, Hashable {
        public var cutOff = 0
        public var unreachable = 0
        public var restored = 0
        public var rerouted = 0
        public var changed = 0

        public init() {}

        mutating func add(_ fate: Fate) {
            switch fate {
            case .cutOff: cutOff += 1
            case .unreachable: unreachable += 1
            case .restored: restored += 1
            case .rerouted: rerouted += 1
            case .changed: changed += 1
            }
        }
    }

    /// The pairs of addresses between which something does not arrive after the changes, as far as ``flows`` has them.
    public var unreachablePairs: [Pair] {
        var seen: Set<Pair> = []
        return flows.filter { $0.fate == .cutOff || $0.fate == .unreachable }.map { Pair(source: $0.source, destination: $0.destination) }
            .filter { seen.insert($0).inserted }
    }

    public struct Pair: Sendable, Hashable {
        public var source: IPAddress?
        public var destination: IPAddress
    }
}
