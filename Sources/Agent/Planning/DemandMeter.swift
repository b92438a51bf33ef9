import Datapath
import NetworkTypes
import Planning
import Reports

/// What classes are asked to carry, out of the counters of their rules: what they let through or queued and what they dropped.
struct DemandMeter {
    private struct Counts {
        /// Bytes that came, and those of them that the rule dropped.
        var offered: UInt64 = 0
        var dropped: UInt64 = 0
        var packets: UInt64 = 0
    }

    /// Seconds for which packets wait in a class that is no longer only their burst.
    private static let patience = 0.02

    private var last: [String: Counts] = [:]
    private var lastAt: ContinuousClock.Instant?
    /// skbs that did not fit into queues, of the report before.
    private var queueDrops: [String: UInt64] = [:]

    /// Of the time since the last call; nothing at the first.
    ///
    /// - Parameter report: of the last turn, for what the queues dropped and hold: it is a second old, and dumping classes now would take a while.
    mutating func demand(of names: Set<String>, _ shapes: ShapeActuator, _ report: PolicyReport?) -> [String: Planner.Demand] {
        var counts: [String: Counts] = [:]
        for name in shapes.decisions.keys where names.contains(name.rule) {
            guard let now = shapes.tables.counters(name) else { continue }
            counts[name.rule, default: Counts()].offered += now.bytes + now.droppedBytes
            counts[name.rule, default: Counts()].dropped += now.droppedBytes
            counts[name.rule, default: Counts()].packets += now.packets + now.droppedPackets
        }
        let now = ContinuousClock.now
        let seconds = lastAt.map { $0.duration(to: now).seconds } ?? 0
        var full: [String: UInt64] = [:]
        var waiting: Set<String> = []
        for rule in report?.shapers ?? [] where names.contains(rule.name) {
            full[rule.name, default: 0] += rule.queueDrops ?? 0
            let rate = rule.rateBitsPerSecond ?? rule.ceilingBitsPerSecond ?? .infinity
            if 8 * Double(rule.backlogBytes ?? 0) > Self.patience * rate { waiting.insert(rule.name) }
        }
        defer { (last, lastAt, queueDrops) = (counts, now, full) }
        // After a pause it would be the mean of too long a time.
        guard seconds > 0.1, seconds < 10 else { return [:] }
        var demand: [String: Planner.Demand] = [:]
        for (name, now) in counts {
            // Counters of rules that were made anew begin at zero.
            guard let old = last[name], now.offered >= old.offered, now.packets >= old.packets, now.dropped >= old.dropped else { continue }
            let bytes = now.offered - old.offered
            let mean = now.packets > old.packets ? bytes / (now.packets - old.packets) : 0
            let before = queueDrops[name] ?? 0
            let missed = (full[name] ?? 0) > before ? ((full[name] ?? 0) - before) * mean : 0
            demand[name] = Planner.Demand(
                offered: BitRate(bitsPerSecond: Double(bytes) * 8 / seconds),
                dropped: BitRate(bitsPerSecond: Double(now.dropped - old.dropped + missed) * 8 / seconds),
                isWaiting: waiting.contains(name))
        }
        return demand
    }
}
