import Flows
import NetworkTypes

/// A shaping rule: the rates, burst, priority and mark of the traffic it matches.
public struct ShapeRule: Hashable, Sendable {
    /// What shares one rate.
    public enum Aggregation: Hashable, Sendable {
        /// All that matches.
        case aggregate
        /// Each address at this end of the packet.
        case host(FlowFilter.Side)
        /// Each flow.
        case flow
        /// Each of these prefixes, with a rate of its own; the longest that contains the address at this end.
        case prefixes(FlowFilter.Side, [PrefixRate])
    }

    public struct PrefixRate: Hashable, Sendable {
        public var prefix: IPPrefix
        public var rate: BitRate
        public init(prefix: IPPrefix, rate: BitRate) {
            self.prefix = prefix
            self.rate = rate
        }
    }

    /// How it is done.
    public enum Mechanism: String, Hashable, Sendable, CaseIterable {
        /// Chosen by what the rule asks and the kernel has.
        case auto
        /// A class of tc-htb(8) on the interface, egress.
        case htb
        /// A departure time for each packet, kept by tc-fq(8) on the interface, egress.
        case edt
        /// A token bucket that marks (ECN) and then drops what is above the rate, ingress or egress.
        case police
    }

    public var name: String
    public var scope: RuleScope
    /// What is granted also when others want more; nil: nothing.
    public var rate: BitRate?
    /// The most there is to be had; nil: the parent's.
    public var ceiling: BitRate?
    /// What may pass at once; nil: what the rate brings in 10 ms, at least two of the largest packets.
    public var burst: ByteCount?
    /// 0 (served first with what is left over) … 7.
    public var priority: Int
    public var aggregation: Aggregation
    /// The DSCP written into matched packets; nil: as it came.
    public var dscp: UInt8?
    /// The rule whose share this one is a part of.
    public var parent: String?
    public var mechanism: Mechanism
    /// Bytes of each packet beyond its Ethernet frame without FCS: 24 for FCS, preamble and gap.
    public var overhead: Int
    /// Mark Congestion Experienced (RFC 3168) where a packet can carry it, before dropping.
    public var ecn: Bool

    public init(
        name: String, scope: RuleScope, rate: BitRate? = nil, ceiling: BitRate? = nil, burst: ByteCount? = nil, priority: Int = 3,
        aggregation: Aggregation = .aggregate, dscp: UInt8? = nil, parent: String? = nil, mechanism: Mechanism = .auto, overhead: Int = 0,
        ecn: Bool = true
    ) {
        self.name = name
        self.scope = scope
        self.rate = rate
        self.ceiling = ceiling
        self.burst = burst
        self.priority = priority
        self.aggregation = aggregation
        self.dscp = dscp
        self.parent = parent
        self.mechanism = mechanism
        self.overhead = overhead
        self.ecn = ecn
    }
}

extension ShapeRule {
    /// What is granted is all that there is: it names no ceiling, and there is nothing that it is a share of.
    public func isCappedByItsRate(onLinkOfKnownCapacity isKnown: Bool) -> Bool {
        rate != nil && ceiling == nil && parent == nil && !isKnown
    }
}
