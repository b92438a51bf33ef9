import Datapath
import Logging
import NetworkTypes
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

    /// What had been dropped on an interface's device when it was attached.
    private var base: [InterfaceID: [UInt32: UInt64]] = [:]

    /// Starts an interface's drops at zero.
    func attached(_ interface: Datapath.Interface) throws {
        base[interface.id] = Dictionary(uniqueKeysWithValues: try counts(interface).map { ($0.reason, $0.skbs) })
    }

    func closed(_ id: InterfaceID) { base[id] = nil }

    /// The drops on one interface's device since this agent attached it.
    func drops(_ interface: Datapath.Interface) throws -> [InterfaceReport.Drop] {
        try counts(interface).compactMap { count in
            let skbs = count.skbs &- (base[interface.id]?[count.reason] ?? 0)
            return skbs == 0 ? nil : InterfaceReport.Drop(reason: reasons.name(count.reason), skbs: skbs)
        }
    }

    private func counts(_ interface: Datapath.Interface) throws -> [DropCounter.Count] {
        try counter.read().filter { $0.namespaceCookie == interface.namespaceCookie && $0.ifindex == interface.ifindex }
    }

    /// Those that explain why the device counted more than the ingress hook saw.
    static func differences(_ drops: [InterfaceReport.Drop]) -> [LedgerReport.Difference] {
        drops.compactMap { drop in beforeHook[drop.reason].map { LedgerReport.Difference($0, packets: drop.skbs, bytes: nil) } }
    }
}
