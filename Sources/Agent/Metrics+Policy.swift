import Datapath
import NetworkTypes
import Reports

/// What rules do, for Prometheus.
extension MetricsPage {
    mutating func policy(_ report: PolicyReport) {
        func one(_ name: String, _ kind: String, _ help: String, _ value: Double) { metric(name, kind, help, [(labels: [], value: value)]) }
        one("nilo_policy_generation", "gauge", "Of the filter program in force; it grows with every change.", Double(report.generation))
        one("nilo_policy_repaired_total", "counter", "How often what others had changed was put right.", Double(report.repaired))
        one("nilo_policy_problem", "gauge", "1: the files of the policy folder are not what is in force.", report.problem == nil ? 0 : 1)
        one("nilo_policy_refused_rules", "gauge", "Rules that cannot be carried out.", Double(Set(report.refusals.map(\.rule)).count))
        one(
            "nilo_policy_waiting_rules", "gauge", "Rules that find none of their interfaces.",
            Double(Set(report.waiting.filter { !$0.inPart }.map(\.rule)).count))
        one("nilo_policy_displaced_total", "counter", "How often a root qdisc of others took the place of ours.", Double(report.displaced))
        mirrors(report.mirrors)
        samplers(report.samplers)
        shapers(report.shapers)
    }

    private mutating func mirrors(_ rules: [MirrorReport]) {
        let rows = rules.map { (labels: Self.labels($0.name, $0.namespace, $0.direction), rule: $0) }
        func each(_ name: String, _ help: String, _ value: (MirrorReport) -> UInt64) {
            metric(name, "counter", help, rows.map { ($0.labels, Double(value($0.rule))) })
        }
        each("nilo_mirror_matched_skbs_total", "Socket buffers that the rule's filter matched.", \.matched)
        each("nilo_mirror_selected_skbs_total", "Of these, chosen by the rule's selection.", \.selected)
        each("nilo_mirror_packets_total", "Packets sent to the target.", \.mirroredPackets)
        each("nilo_mirror_bytes_total", "Bytes sent to the target, without what a tunnel adds.", \.mirroredBytes)
        each("nilo_mirror_truncated_packets_total", "Of the packets sent, those cut to the snap length or the path's MTU.", \.truncated)
        each("nilo_mirror_capped_skbs_total", "Held back by the rule's limit.", \.capped)
        metric(
            "nilo_mirror_failed_total", "counter", "Not sent, by reason.",
            rows.flatMap { row in
                Self.failures.map {
                    (row.labels + [("reason", $0)], Double($0 == "outranked" ? row.rule.outranked : row.rule.failed[$0] ?? 0))
                }
            })
        each("nilo_mirror_not_written_packets_total", "Of the packets sent, those that neither disk nor client took.", \.notWritten)
    }

    /// Every reason has its series from the start, so that a first failure is seen as a change.
    private static let failures = (MirrorCounts.Failure.allCases.map { "\($0)" } + ["outranked"]).sorted()

    private mutating func samplers(_ rules: [SampleReport]) {
        let rows = rules.map { (labels: Self.labels($0.name, $0.namespace, $0.direction), rule: $0) }
        metric(
            "nilo_sampler_packets_total", "counter", "Wire packets that the rule applied to.",
            rows.map { ($0.labels, Double($0.rule.pool)) })
        metric(
            "nilo_sampler_samples_total", "counter", "Samples taken, by why; one may have been taken for several reasons.",
            rows.flatMap { row in
                row.rule.samples.sorted { $0.key < $1.key }.map { (row.labels + [("reason", $0.key)], Double($0.value)) }
            })
        metric("nilo_sampler_lost_samples_total", "counter", "Samples that found no room.", rows.map { ($0.labels, Double($0.rule.lost)) })
        metric(
            "nilo_sampler_one_in", "gauge", "One packet in this many is taken now; 0: none at random.",
            rows.map { ($0.labels, Double($0.rule.oneIn)) })
    }

    private mutating func shapers(_ rules: [ShapeReport]) {
        let rows = rules.map { rule in
            (labels: Self.labels(rule.name, rule.namespace, rule.direction) + [("interface", Self.interface(rule))], rule: rule)
        }
        func each(_ name: String, _ help: String, _ value: (ShapeReport) -> UInt64) {
            metric(name, "counter", help, rows.map { ($0.labels, Double(value($0.rule))) })
        }
        each("nilo_shaper_packets_total", "Wire packets let through, with a class into its queue.", \.packets)
        each("nilo_shaper_bytes_total", "Their bytes, as the rate counts them.", \.bytes)
        each("nilo_shaper_dropped_packets_total", "Wire packets that the rule dropped itself.", \.droppedPackets)
        each("nilo_shaper_dropped_bytes_total", "Their bytes.", \.droppedBytes)
        each("nilo_shaper_marked_packets_total", "Marked Congestion Experienced.", \.marked)
        func queued(_ name: String, _ help: String, _ value: (ShapeReport) -> UInt64?) {
            metric(name, "counter", help, rows.compactMap { row in value(row.rule).map { (row.labels, Double($0)) } })
        }
        queued("nilo_shaper_sent_packets_total", "Packets that the rule's classes sent since they were made.", \.sentPackets)
        queued("nilo_shaper_sent_bytes_total", "Their bytes.", \.sentBytes)
        queued("nilo_shaper_queue_drops_total", "skbs that found no room in the rule's classes since they were made.", \.queueDrops)
        func asked(_ name: String, _ help: String, _ value: (ShapeReport) -> Double?) {
            metric(name, "gauge", help, rows.compactMap { row in value(row.rule).map { (row.labels, $0 / 8) } })
        }
        asked("nilo_shaper_rate_bytes_per_second", "The rate that the rule asks for.", \.rateBitsPerSecond)
        asked("nilo_shaper_ceiling_bytes_per_second", "The ceiling that the rule asks for.", \.ceilingBitsPerSecond)
    }

    private static func labels(_ rule: String, _ namespace: String?, _ direction: String?) -> [(String, String)] {
        [("rule", rule), ("namespace", namespace ?? "host"), ("direction", direction ?? "both")]
    }

    /// As in the other metrics, without the namespace.
    private static func interface(_ rule: ShapeReport) -> String {
        let name = rule.interfaces.first ?? ""
        guard rule.namespace != nil, let colon = name.lastIndex(of: ":") else { return name }
        return String(name[name.index(after: colon)...])
    }
}
