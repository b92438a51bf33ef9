import Datapath
import Logging
import Reports

/// The kernel's own drops, by device and reason, as the ledger needs them. Where the kernel cannot tell there are none, and that is said once.
final class DropLedger {
    private let counter: DropCounter
    private let reasons: DropReasons

    private struct Device: Hashable {
        var cookie: UInt64
        var ifindex: UInt32
    }

    /// Reasons that strike before tc ingress: generic XDP, and a CPU's full backlog.
    private static let beforeHook: [String: LedgerReport.Cause] = ["XDP": .xdp, "CPU_BACKLOG": .droppedBeforeHook]

    init?(_ log: Log) {
        do {
            counter = try DropCounter()
            reasons = try DropReasons()
        } catch {
            log.warning("drops have no names on this kernel", ["reason": LogValue("\(error)")])
            return nil
        }
    }

    /// The drops of one device since the agent started.
    func drops(cookie: UInt64, ifindex: UInt32) throws -> [InterfaceReport.Drop] {
        try counter.read().filter { $0.namespaceCookie == cookie && $0.ifindex == ifindex }
            .map { InterfaceReport.Drop(reason: reasons.name($0.reason), skbs: $0.skbs) }
    }

    /// Those that explain why the device counted more than the ingress hook saw.
    static func differences(_ drops: [InterfaceReport.Drop]) -> [LedgerReport.Difference] {
        drops.compactMap { drop in beforeHook[drop.reason].map { LedgerReport.Difference($0, packets: drop.skbs, bytes: nil) } }
    }
}
