import CDatapath
import Flows

/// Why a packet was counted on the interface but not in a flow (`enum nilo_overflow`).
public enum OverflowReason: Int, Sendable, CaseIterable {
    /// No slot could be emptied: the agent has not kept up, or there is none.
    case logFull = 0
    /// The packet ran on a CPU that has no part of the table.
    case cpu = 1
}

/// Packets that are in a flow, and something about them deserves a count (`enum nilo_remark`).
public enum Remark: Int, Sendable, CaseIterable {
    case truncatedNetwork = 0
    case truncatedTransport = 1
    case fragmentOrphan = 2
    case extensions = 3
    case tableFull = 4
    case wireApproximate = 5
    /// Flows, not packets: left their slot through the spill log.
    case spilled = 6
    /// Flows, not packets: left their slot already collected.
    case droppedClean = 7
}

/// The books of one interface and direction, summed over CPUs (`struct nilo_ledger`).
///
/// They close at any time: `seen` = flows in slots + `retired` + the sum of `overflow`.
public struct Books: Sendable, Hashable {
    public var seen = Totals()
    /// Flows that have left their slot.
    public var retired = Totals()
    public var overflow: [Totals]
    /// Of `seen`: dropped by a rule of the policy.
    public var policed = Totals()
    public var remarks: [UInt64]

    public init() {
        overflow = Array(repeating: Totals(), count: OverflowReason.allCases.count)
        remarks = Array(repeating: 0, count: Remark.allCases.count)
    }

    public subscript(reason: OverflowReason) -> Totals { overflow[reason.rawValue] }
    public subscript(remark: Remark) -> UInt64 { remarks[remark.rawValue] }
    /// Everything that was counted outside of flows.
    public var overflowTotal: Totals { overflow.reduce(Totals(), +) }
}

/// Reads the books from mapped memory. Owned by one thread.
package final class LedgerReader {
    private let ledgers: MappedArray<nilo_ledger>
    private let config: nilo_config

    package init(maps: SharedMaps) throws(BPFError) {
        config = maps.config
        ledgers = try MappedArray(maps, "nilo_ledgers", count: config.ledgerCount)
    }

    package func books(ledger: UInt32, _ direction: Direction) -> Books {
        var books = Books()
        for cpu in 0..<Int(config.cpus) {
            let part = ledgers.base + (cpu * Int(config.ledgers) + Int(ledger)) * 2 + Int(direction.rawValue)
            books.seen += Totals(part.pointee.seen)
            books.retired += Totals(part.pointee.retired)
            books.policed += Totals(part.pointee.policed)
            withUnsafeBytes(of: &part.pointee.overflow) { raw in
                for (i, totals) in raw.bindMemory(to: nilo_totals.self).enumerated() { books.overflow[i] += Totals(totals) }
            }
            withUnsafeBytes(of: &part.pointee.remarks) { raw in
                for (i, count) in raw.bindMemory(to: UInt64.self).enumerated() { books.remarks[i] &+= count }
            }
        }
        return books
    }
}

extension Totals {
    init(_ totals: nilo_totals) {
        self.init(skbs: totals.skbs, skbBytes: totals.skb_bytes, wirePackets: totals.wire_packets, wireBytes: totals.wire_bytes)
    }
}
