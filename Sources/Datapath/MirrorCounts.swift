import CDatapath
import Flows

/// What a mirror session has done, all CPUs together. Counters only grow, as long as the session keeps its place.
///
///     matched = outranked + unselected + capped + failedAtOnce + sent + queued      (skbs)
public struct MirrorCounts: Hashable, Sendable {
    /// Why a copy did not get to its target.
    public enum Failure: Int, Hashable, Sendable, CaseIterable {
        case targetGone = 0
        case targetDown = 1
        case noRoute = 2
        /// The target's queue dropped it.
        case refused = 3
        case noMemory = 4
        /// A frame that cannot be brought into the form asked for.
        case form = 5
        /// The session changed while the copy was in the mirror port.
        case stale = 6
        /// User space has not kept up.
        case ringFull = 7
    }

    public var matched = Totals()
    public var capped = Totals()
    /// Handed to the target in one step.
    public var sent = Totals()
    /// Put into the mirror port, to be cut on the way.
    public var queued = Totals()
    public var outranked: UInt64 = 0
    public var unselected: UInt64 = 0
    /// By reason; packets of the wire where they had been queued, else skbs.
    public var failed: [Failure: UInt64] = [:]
    /// Out of the mirror port and handed to the target.
    public var arrivedPackets: UInt64 = 0
    public var arrivedBytes: UInt64 = 0
    /// The part of `failed` that had been queued.
    public var arrivedFailed: UInt64 = 0
    /// Cut to the snap length or to what the way takes.
    public var truncated: UInt64 = 0
    /// Super-packets that were cut into the packets of the wire.
    public var segmented: UInt64 = 0

    public init() {}

    public var failedTotal: UInt64 { failed.values.reduce(0, +) }
    public var failedAtOnce: UInt64 { failedTotal - arrivedFailed }
    /// Chosen by the session and not left to another: `matched - outranked - unselected`, skbs.
    public var selected: UInt64 { matched.skbs - outranked - unselected }
    /// Copies handed to the target, as many as its interface counts: a super-packet that was sent whole is one. Tunnel headers not counted.
    public var mirroredPackets: UInt64 { sent.skbs + arrivedPackets }
    public var mirroredBytes: UInt64 { sent.skbBytes + arrivedBytes }
    /// Put into the mirror port and not come out of it: under way, or lost in its queue.
    public var missing: Int64 { Int64(queued.wirePackets) - Int64(arrivedPackets + arrivedFailed) }
    /// Every packet that matched is accounted for.
    public var closes: Bool {
        matched.skbs == outranked + unselected + capped.skbs + failedAtOnce + sent.skbs + queued.skbs
    }

    mutating func add(_ part: nilo_mirror_counts) {
        matched = matched + Totals(part.matched)
        capped = capped + Totals(part.capped)
        sent = sent + Totals(part.sent)
        queued = queued + Totals(part.queued)
        outranked += part.outranked
        unselected += part.unselected
        withUnsafeBytes(of: part.failed) { counts in
            for failure in Failure.allCases {
                let count = counts.load(fromByteOffset: failure.rawValue * 8, as: UInt64.self)
                if count > 0 { failed[failure, default: 0] += count }
            }
        }
        arrivedPackets += part.arrived_packets
        arrivedBytes += part.arrived_bytes
        arrivedFailed += part.arrived_failed
        truncated += part.truncated
        segmented += part.segmented
    }
}
