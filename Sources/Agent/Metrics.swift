import Datapath
import Flows
import NetworkTypes
import Reports

/// The agent's numbers in Prometheus' text format (prometheus.io, exposition format 0.0.4).
struct MetricsPage {
    private(set) var text = ""

    /// A metric with its help and samples.
    mutating func metric(_ name: String, _ kind: String, _ help: String, _ samples: [(labels: [(String, String)], value: Double)]) {
        guard !samples.isEmpty else { return }
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
        for sample in samples {
            let labels = sample.labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
            text += labels.isEmpty ? "\(name) \(Self.number(sample.value))\n" : "\(name){\(labels)} \(Self.number(sample.value))\n"
        }
    }

    static func escaped(_ value: String) -> String {
        value.reduce(into: "") { text, character in
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.append(character)
            }
        }
    }

    /// Whole numbers without an exponent, up to where a double holds them exactly.
    static func number(_ value: Double) -> String {
        if let whole = Int64(exactly: value) { return String(whole) }
        return "\(value)"
    }
}

extension Agent {
    func metrics() throws -> String {
        var page = MetricsPage()
        let interfaces = try interfaceList(closed: false).interfaces
        let books = interfaces.flatMap { interface in
            [("ingress", interface.ingress), ("egress", interface.egress)].map { direction, ledger in
                (labels: Self.labels(interface) + [("direction", direction)], ledger: ledger)
            }
        }
        func each(_ name: String, _ help: String, kind: String = "counter", _ value: (LedgerReport) -> Double?) {
            page.metric(name, kind, help, books.compactMap { book in value(book.ledger).map { (book.labels, $0) } })
        }
        each("nilo_skbs_total", "Socket buffers seen at the hook.") { Double($0.seen.skbs) }
        each("nilo_skb_bytes_total", "Bytes of socket buffers seen at the hook, Ethernet frames without FCS.") { Double($0.seen.skbBytes) }
        each("nilo_wire_packets_total", "Packets as on the wire: segments of super-packets counted singly.") { Double($0.seen.wirePackets) }
        each("nilo_wire_bytes_total", "Bytes as on the wire: headers of each segment included.") { Double($0.seen.wireBytes) }
        each("nilo_retired_skbs_total", "Socket buffers of flows that have left the table.") { Double($0.retired.skbs) }
        each("nilo_ledger_unaccounted_skbs", "Seen, but neither in a flow nor in the overflow bucket: 0 or a defect.", kind: "gauge") {
            Double($0.unaccounted.packets)
        }
        each("nilo_ledger_not_seen_at_hook_packets", "The device's count less ours and less what is explained.", kind: "gauge") {
            $0.notSeenAtHook.map { Double($0.packets) }
        }
        page.metric(
            "nilo_overflow_skbs_total", "counter", "Socket buffers counted outside of flows, by reason.",
            books.flatMap { book in book.ledger.overflow.map { (book.labels + [("reason", $0.reason)], Double($0.totals.skbs)) } })
        page.metric(
            "nilo_remarks_total", "counter", "Packets (or flows) that deserve a count of their own, by remark.",
            books.flatMap { book in book.ledger.remarks.map { (book.labels + [("remark", $0.remark)], Double($0.count)) } })
        page.metric(
            "nilo_ledger_difference_packets", "gauge", "Known differences between the device's count and ours, by cause.",
            books.flatMap { book in book.ledger.differences.map { (book.labels + [("cause", $0.name)], Double($0.packets)) } })
        page.metric(
            "nilo_kernel_drops_total", "counter", "Socket buffers that the kernel dropped on the device, by its own reason.",
            interfaces.flatMap { interface in
                (interface.drops ?? []).map { drop in
                    (labels: Self.labels(interface) + [("reason", drop.reason)], Double(drop.skbs))
                }
            })
        try agentMetrics(&page, interfaces)
        if let applications { page.applications(applications.report()) }
        if let suspicions { page.suspicions(suspicions) }
        if let reporter { page.policy(reporter.report(at: .now, withClasses: true)) }
        return page.text
    }

    /// The id keeps series apart whose interfaces share a name, in namespaces that share an owner.
    private static func labels(_ interface: InterfaceReport) -> [(String, String)] {
        [("interface", interface.name), ("namespace", interface.namespace ?? "host"), ("id", String(interface.id))]
    }

    private func agentMetrics(_ page: inout MetricsPage, _ interfaces: [InterfaceReport]) throws {
        let status = try status(interfaces)
        func one(_ name: String, _ kind: String, _ help: String, _ value: Double?) {
            page.metric(name, kind, help, value.map { [(labels: [], value: $0)] } ?? [])
        }
        page.metric("nilo_build_info", "gauge", "The agent's version.", [(labels: [("version", status.version)], value: 1)])
        one("nilo_flows", "gauge", "Flows in the agent's table.", Double(status.flows))
        one("nilo_slots_used", "gauge", "Slots of the kernel's table that hold a flow.", Double(status.collector.slotsUsed))
        one("nilo_slots", "gauge", "Slots of the kernel's table.", Double(status.collector.slots))
        one("nilo_private_memory_bytes", "gauge", "The agent's private memory.", Double(status.memory.privateBytes))
        one("nilo_map_memory_bytes", "gauge", "Memory of the kernel's maps.", Double(status.memory.mapBytes))
        one("nilo_collector_readings_total", "counter", "Readings of the kernel's table.", Double(status.collector.readings))
        one("nilo_collector_spilled_flows_total", "counter", "Flows taken from the spill logs.", Double(collector.spilled))
        one("nilo_collector_fullest_log_ratio", "gauge", "How full a spill log was found at most.", status.collector.fullestLog)
        one("nilo_displaced_flows_total", "counter", "Flows that had to leave the agent's full table.", Double(collector.displaced))
        one(
            "nilo_attachments_repaired_total", "counter", "Attachments that others took away and that were made again.",
            Double(follower.repaired))
        one(
            "nilo_program_nanoseconds_per_packet", "gauge", "Cost of the programs, by the kernel's statistics.", status.nanosecondsPerPacket
        )
        one("nilo_topology_nodes", "gauge", "Nodes of the topology.", status.topology.map { Double($0.nodes) })
        one("nilo_topology_links", "gauge", "Links of the topology.", status.topology.map { Double($0.links) })
        one(
            "nilo_topology_folded_ends_total", "counter", "Times that an end of a flow was put under a prefix, for want of room.",
            status.topology.map { Double($0.foldedEnds) })
        one("nilo_history_epochs_total", "counter", "Epochs kept in the history.", status.history.map { Double($0.epochs) })
        one("nilo_history_bytes", "gauge", "Size of the history's file and its log.", status.history.map { Double($0.bytes) })
        one(
            "nilo_history_lost_seconds_total", "counter", "Seconds whose rates are in no series: the disk was full, or too slow.",
            status.history.map { Double($0.lostSeconds) })
        one("nilo_history_paused", "gauge", "1 while nothing of the past is kept.", status.history.map { $0.problem == nil ? 0 : 1 })
        if let foresight = topology?.foresight { page.foresight(foresight) }
        one("nilo_samples_total", "counter", "Samples taken from the ring.", Double(consumer.samples))
        one("nilo_captured_packets_total", "counter", "Packets for captures taken from the ring.", Double(consumer.captured))
        one(
            "nilo_sample_ring_lost_total", "counter", "Samples and captured packets that found the ring full or could not be copied.",
            Double(consumer.lost))
        page.metric(
            "nilo_export_records_total", "counter", "IPFIX data records and sFlow samples made.",
            status.exports.map { (labels: [("target", $0.target)], value: Double($0.records)) })
        page.metric(
            "nilo_export_not_sent_total", "counter", "IPFIX data records and sFlow samples that could not be delivered.",
            status.exports.map { (labels: [("target", $0.target)], value: Double($0.notSent)) })
    }
}
