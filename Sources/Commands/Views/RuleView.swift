import NetworkTypes
import Reports
import Terminal

/// One rule in full.
public struct RuleView: Sendable {
    public var output: TerminalOutput
    public init(output: TerminalOutput) { self.output = output }

    private typealias Line = (name: String, value: String)

    public func text(_ report: RuleReport) -> String {
        let place = report.file.map { "\($0):\(report.line ?? 0)" } ?? "said by no file"
        var text = output.styled("\(report.kind) \(report.name.visible)", .bold) + "  \(place.visible)\n"
        var lines: [Line] = [("filter", report.filter.isEmpty ? "everything" : report.filter)]
        lines += report.program.enumerated().map { ($0.offset == 0 ? "compiled" : "", $0.element) }
        text += self.text(lines)
        for mirror in report.mirrors {
            text += "\n" + head(mirror.interfaces, mirror.direction, mirror.since) + self.text(Self.lines(mirror))
        }
        for sampler in report.samplers {
            text += "\n" + head(sampler.interfaces, sampler.direction, sampler.since) + self.text(Self.lines(sampler))
        }
        for shaper in report.shapers {
            text += "\n" + head(shaper.interfaces, shaper.direction, shaper.since) + self.text(Self.lines(shaper))
        }
        if !report.prefixes.isEmpty { text += "\n" + prefixes(report.prefixes).text(for: output) }
        let problems =
            (report.mirrors.compactMap(\.problem) + report.samplers.compactMap(\.problem) + report.shapers.compactMap(\.problem))
            + report.refusals.map { "✗ \($0.reason)" } + report.waiting.map { ($0.inPart ? "not everywhere: " : "it waits: ") + $0.reason }
        return text + problems.map { output.styled($0.visible, .yellow) + "\n" }.joined()
    }

    /// A line for each interface where there are several.
    private func head(_ interfaces: [String], _ direction: String?, _ since: String?) -> String {
        let way = direction ?? "both ways"
        let names = interfaces.isEmpty ? ["no interface"] : interfaces
        return names.map { "on \($0.visible), \(way)" + (since.map { ", since \($0)" } ?? "") + "\n" }.joined()
    }

    private func text(_ lines: [Line]) -> String {
        let width = lines.map { TerminalText.width($0.name) }.max() ?? 0
        return lines.map { "  " + TerminalText.padded($0.name, to: width) + "  \($0.value.visible)\n" }.joined()
    }

    private static func lines(_ rule: MirrorReport) -> [Line] {
        var lines: [Line] = [
            ("to", rule.target), ("selection", rule.selection), ("snap", rule.snapLength.map { "\($0) bytes" } ?? "none"),
            ("limit", rule.limit ?? "none"), ("priority", "\(rule.priority)"), ("segments", rule.segmentation),
        ]
        if let mtu = rule.pathMTU { lines.append(("path MTU", "\(mtu) bytes")) }
        lines += [
            ("matched", "\(rule.matched) skbs (\(rule.matchedPackets) packets, \(ByteCount(rule.matchedBytes)))"),
            ("  outranked", "\(rule.outranked)"), ("  unselected", "\(rule.unselected)"), ("  capped", "\(rule.capped)"),
            ("  sent", "\(rule.sent)"), ("  queued", "\(rule.queued) (\(rule.queuedPackets) packets into the mirror port)"),
            ("    arrived", "\(rule.arrived)"), ("    missing", "\(rule.missing)"),
        ]
        lines += rule.failed.sorted { $0.key < $1.key }.map { ("  failed", "\($0.value) \(ReasonText.failure($0.key))") }
        if rule.failedOnTheWay > 0 { lines.append(("    on the way", "\(rule.failedOnTheWay) of these, in the mirror port")) }
        lines += [
            ("mirrored", "\(rule.mirroredPackets) packets, \(ByteCount(rule.mirroredBytes)) (sent and arrived)"),
            ("  truncated", "\(rule.truncated)"), ("  not written", "\(rule.notWritten)"), ("segmented", "\(rule.segmented) super-packets"),
        ]
        if let rate = rule.packetsPerSecond, let bits = rule.bitsPerSecond {
            lines.append(("now", "\(PacketRate(packetsPerSecond: rate)), \(BitRate(bitsPerSecond: bits))"))
        }
        return lines
    }

    private static func lines(_ rule: SampleReport) -> [Line] {
        var lines: [Line] = [
            ("asked", rule.asked), ("in force", rule.oneIn == 0 ? "none at random" : "1 in \(rule.oneIn)"),
            ("first", "\(rule.firstPackets) packets of each flow"),
            ("always", rule.always.isEmpty ? "none" : rule.always.joined(separator: ", ")),
            ("snap", "\(rule.snapLength) bytes"), ("seen", "\(rule.pool) packets"), ("hits", "\(rule.hits) packets chosen by chance"),
        ]
        lines += rule.samples.sorted { $0.key < $1.key }.map { ("samples", "\($0.value) \($0.key)") }
        lines.append(("lost", "\(rule.ringFull) ring full, \(rule.unreadable) unreadable; \(rule.lostHits) hits with them"))
        if let rate = rule.samplesPerSecond { lines.append(("now", "\(Int(rate.rounded())) samples/s")) }
        return lines
    }

    private static func lines(_ rule: ShapeReport) -> [Line] {
        func rate(_ bits: Double?) -> String { bits.map { "\(BitRate(bitsPerSecond: $0))" } ?? "none" }
        var lines: [Line] = [
            ("by", by(rule)), ("per", rule.per),
            ("rate", rate(rule.rateBitsPerSecond)), ("ceiling", rate(rule.ceilingBitsPerSecond)),
        ]
        if let burst = rule.burstBytes { lines.append(("burst", "\(ByteCount(burst))")) }
        if rule.overheadBytes > 0 { lines.append(("overhead", "\(rule.overheadBytes) bytes a packet")) }
        if let dscp = rule.dscp { lines.append(("dscp", dscp)) }
        if let parent = rule.parent { lines.append(("parent", parent)) }
        lines += [
            ("priority", "\(rule.priority)"),
            (rule.mechanism == "htb" ? "queued" : "passed", "\(rule.packets) packets, \(ByteCount(rule.bytes))"),
            ("dropped", "\(rule.droppedPackets) packets, \(ByteCount(rule.droppedBytes))"), ("marked", "\(rule.marked) packets"),
        ]
        lines += rule.exceptions.sorted { $0.key < $1.key }.map { ("exceptions", "\($0.value) \(ReasonText.exception($0.key))") }
        if let packets = rule.sentPackets, let bytes = rule.sentBytes {
            lines.append(("sent", "\(packets) packets, \(ByteCount(bytes)), since its classes were made"))
        }
        if let drops = rule.queueDrops { lines.append(("queue drops", "\(drops) packets, super-packets whole")) }
        if let backlog = rule.backlogBytes { lines.append(("waiting", "\(ByteCount(backlog))")) }
        if let bits = rule.bitsPerSecond { lines.append(("now", rate(bits))) }
        return lines
    }

    private static func by(_ rule: ShapeReport) -> String {
        if rule.mechanism == "none" { return "none: DSCP and counters alone" }
        return rule.mechanism + (rule.classID.map { ", class \($0)" } ?? "") + (rule.leafClassIDs.map { ", queues in \($0)" } ?? "")
    }

    private func prefixes(_ prefixes: [RuleReport.Prefix]) -> Table {
        var table = Table([
            .init("PREFIX"), .init("ON"), .init("RATE", right: true), .init("PACKETS", right: true), .init("BYTES", right: true),
            .init("DROPPED", right: true),
        ])
        for one in prefixes {
            table.append([
                .init(one.prefix), .init(RuleListView.place([one.interface], one.direction)),
                .init(BitRate(bitsPerSecond: one.rateBitsPerSecond).text.aligned), .init(Count(one.packets).text.aligned),
                .init(ByteCount(one.bytes).text.aligned), .init(String(one.droppedPackets)),
            ])
        }
        return table
    }
}
