import CDatapath
import Flows
import NetworkTypes
import Policy

/// What a shaping rule has done, on one interface and direction (`struct nilo_shaped`).
///
/// Packets and bytes are those on the wire, frames without FCS; the rule's overhead is not in them.
public struct ShaperCounters: Hashable, Sendable {
    /// Passed, or put into a class: what its qdisc then drops is in the qdisc's counters.
    public var skbs: UInt64 = 0
    public var packets: UInt64 = 0
    public var bytes: UInt64 = 0
    /// Congestion Experienced was set.
    public var markedPackets: UInt64 = 0
    public var droppedSKBs: UInt64 = 0
    public var droppedPackets: UInt64 = 0
    public var droppedBytes: UInt64 = 0
    public var failures = [UInt64](repeating: 0, count: Failure.allCases.count)

    /// What did not go as the rule says (`enum nilo_shape_failure`).
    public enum Failure: Int, Sendable, CaseIterable {
        /// DSCP or CE could not be written.
        case notWritten = 0
        /// There was no room for one more host or flow: it shared the rule's bucket.
        case noRoom = 1
        /// Too many CPUs at one bucket at once: dropped.
        case contended = 2
        /// Not IP: it carries no departure time and went at once.
        case noDeparture = 3
        /// In none of the rule's prefixes: passed as it came.
        case outside = 4
    }

    public init() {}

    public subscript(failure: Failure) -> UInt64 { failures[failure.rawValue] }

    mutating func add(_ part: nilo_shaped) {
        skbs &+= part.skbs
        packets &+= part.packets
        bytes &+= part.bytes
        markedPackets &+= part.marked_packets
        droppedSKBs &+= part.dropped_skbs
        droppedPackets &+= part.dropped_packets
        droppedBytes &+= part.dropped_bytes
        withUnsafeBytes(of: part.failures) { raw in
            for (i, count) in raw.bindMemory(to: UInt64.self).enumerated() { failures[i] &+= count }
        }
    }
}

/// What has met one bucket (`struct nilo_bucket`).
public struct BucketCounters: Hashable, Sendable {
    public var packets: UInt64
    public var bytes: UInt64
    public var droppedPackets: UInt64
    public var droppedBytes: UInt64

    init(_ bucket: nilo_bucket) {
        packets = bucket.packets
        bytes = bucket.bytes
        droppedPackets = bucket.dropped_packets
        droppedBytes = bucket.dropped_bytes
    }
}

extension nilo_rate {
    /// Nanoseconds per byte, in the datapath's fixed point.
    private static func cost(_ rate: BitRate) -> UInt64 {
        let exact = 8e9 / max(rate.bitsPerSecond, Shaper.lowestRate.bitsPerSecond) * Double(UInt64(1) << UInt64(NILO_COST_SHIFT))
        return UInt64(exact.rounded())
    }

    init(policing rate: BitRate, burst: ByteCount) {
        self.init()
        cost = Self.cost(rate)
        limit_ns = UInt64(Double(burst.rawValue) * 8e9 / max(rate.bitsPerSecond, Shaper.lowestRate.bitsPerSecond))
        // Half of the burst is there for those that slow down when told to.
        mark_ns = limit_ns / 2
    }

    init(pacing rate: BitRate) {
        self.init()
        cost = Self.cost(rate)
        limit_ns = ShapeTables.horizon
        mark_ns = ShapeTables.markAfter
    }
}

extension nilo_shaper {
    /// All but what the tables choose.
    init(_ shaper: Shaper) {
        self.init()
        mechanism =
            switch shaper.action {
            case .nothing: UInt8(NILO_SHAPE_NOTHING.rawValue)
            case .htb: UInt8(NILO_SHAPE_CLASS.rawValue)
            case .police: UInt8(NILO_SHAPE_POLICE.rawValue)
            case .depart: UInt8(NILO_SHAPE_DEPART.rawValue)
            }
        aggregation =
            switch shaper.sharing {
            case .all: UInt8(NILO_SHARE_ALL.rawValue)
            case .host(.source): UInt8(NILO_SHARE_SOURCE.rawValue)
            case .host(.destination): UInt8(NILO_SHARE_DESTINATION.rawValue)
            case .flow: UInt8(NILO_SHARE_FLOW.rawValue)
            case .prefixes(.source): UInt8(NILO_SHARE_SOURCE_NET.rawValue)
            case .prefixes(.destination): UInt8(NILO_SHARE_DESTINATION_NET.rawValue)
            }
        dscp = shaper.dscp ?? UInt8(NILO_DSCP_KEEP)
        flags = shaper.marksCongestion ? UInt8(NILO_SHAPER_ECN.rawValue) : 0
        overhead = UInt32(clamping: shaper.overhead)
    }
}

extension nilo_shape_net {
    init(_ rule: UInt32, _ prefix: IPPrefix) {
        self.init()
        length = 32 + UInt32(prefix.length)
        self.rule = UInt16(truncatingIfNeeded: rule).bigEndian
        if case .v4 = prefix.address { family = 4 } else { family = 6 }
        let words = prefix.address.fieldWords
        withUnsafeMutableBytes(of: &address) {
            $0.storeBytes(of: words.0, as: UInt64.self)
            $0.storeBytes(of: words.1, toByteOffset: 8, as: UInt64.self)
        }
    }
}
