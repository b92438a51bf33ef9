import NetworkTypes
import Reports
import Terminal

/// The rules of a kind: what was asked for beside what is done.
public struct RuleListView: Sendable {
    public var output: TerminalOutput
    public init(output: TerminalOutput) { self.output = output }

    func mirrorTable(_ report: PolicyReport) -> Table {
        var table = Table([
            .init("MIRROR", shrinksTo: 6), .init("ON", shrinksTo: 4), .init("TO", shrinksTo: 10), .init("MATCHED", right: true),
            .init("SKIPPED", right: true, dropRank: 0), .init("COPIED", right: true), .init("BYTES", right: true, dropRank: 2),
            .init("CUT", right: true, dropRank: 1),
            .init("CAPPED", right: true, dropRank: 3), .init("FAILED", right: true), .init("RATE", right: true),
        ])
        table.narrowGap = 1
        for rule in report.mirrors {
            let failed = rule.failedTotal
            table.append([
                .init(rule.name, .bold), .init(Self.place(rule.interfaces, rule.direction)), .init(rule.target),
                .init(Count(rule.matched).text.aligned), .init(Count(rule.skipped).text.aligned), .init(Count(rule.copied).text.aligned),
                .init(ByteCount(rule.mirroredBytes).text.aligned), .init(String(rule.truncated), rule.truncated > 0 ? .yellow : nil),
                .init(String(rule.capped), rule.capped > 0 ? .yellow : nil), .init(String(failed), failed > 0 ? .red : nil),
                .init(rule.bitsPerSecond.map { BitRate(bitsPerSecond: $0).text.aligned } ?? "-"),
            ])
        }
        return table
    }

    public func mirrors(_ report: PolicyReport) -> String {
        let problems = report.mirrors.flatMap { rule -> [(String, String)] in
            var notes = rule.problem.map { [(rule.name, $0)] } ?? []
            if let mtu = rule.pathMTU, rule.truncated > 0 { notes.append((rule.name, "frames are cut to fit the path's \(mtu) bytes")) }
            notes += rule.failed.sorted { $0.key < $1.key }.filter { $0.value > 0 }.map {
                (rule.name, "\($0.value) failed: \(ReasonText.failure($0.key))")
            }
            if rule.notWritten > 0 { notes.append((rule.name, "\(rule.notWritten) failed: not written")) }
            return notes
        }
        return finish(mirrorTable(report), report, problems, kind: "mirror", none: "no mirror sessions")
    }

    func samplerTable(_ report: PolicyReport) -> Table {
        var table = Table([
            .init("SAMPLE", shrinksTo: 6), .init("ON", shrinksTo: 4), .init("ASKED"), .init("IN FORCE", right: true),
            .init("SEEN", right: true), .init("RANDOM", right: true), .init("FIRST", right: true, dropRank: 2),
            .init("FLAGS", right: true, dropRank: 1), .init("LOST", right: true), .init("SAMPLES/S", right: true),
        ])
        table.narrowGap = 1
        for rule in report.samplers {
            table.append([
                .init(rule.name, .bold), .init(Self.place(rule.interfaces, rule.direction)), .init(rule.asked),
                .init(rule.oneIn == 0 ? "-" : "1 in \(rule.oneIn)"), .init(Count(rule.pool).text.aligned),
                .init(String(rule.samples["random"] ?? 0)), .init(String(rule.samples["first"] ?? 0)),
                .init(String(rule.samples["flag"] ?? 0)), .init(String(rule.lost), rule.lost > 0 ? .yellow : nil),
                .init(rule.samplesPerSecond.map { String(Int($0.rounded())) } ?? "-"),
            ])
        }
        return table
    }

    public func samplers(_ report: PolicyReport) -> String {
        finish(
            samplerTable(report), report, report.samplers.compactMap { rule in rule.problem.map { (rule.name, $0) } },
            kind: "sample", none: "no sampling rules")
    }

    func shaperTable(_ report: PolicyReport) -> Table {
        var table = Table([
            .init("SHAPE", shrinksTo: 6), .init("ON", shrinksTo: 4), .init("BY"), .init("PER", dropRank: 1), .init("GRANTED", right: true),
            .init("CEILING", right: true), .init("NOW", right: true), .init("BYTES", right: true, dropRank: 3),
            .init("DROPPED", right: true), .init("MARKED", right: true, dropRank: 2), .init("WAITING", right: true, dropRank: 2),
        ])
        table.narrowGap = 1
        func rate(_ bits: Double?) -> String { bits.map { BitRate(bitsPerSecond: $0).text.aligned } ?? "-" }
        for rule in report.shapers {
            let depth = Self.depth(of: rule, among: report.shapers)
            let dropped = rule.droppedPackets + (rule.queueDrops ?? 0)
            table.append([
                .init(String(repeating: " ", count: depth) + rule.name, .bold), .init(Self.place(rule.interfaces, rule.direction)),
                .init(rule.mechanism), .init(rule.per), .init(rate(rule.rateBitsPerSecond)), .init(rate(rule.ceilingBitsPerSecond)),
                .init(rate(rule.bitsPerSecond)), .init(ByteCount(rule.sentBytes ?? rule.bytes).text.aligned),
                .init(String(dropped), dropped > 0 ? .yellow : nil), .init(String(rule.marked)),
                .init(rule.backlogBytes.map { ByteCount($0).text.aligned } ?? "-"),
            ])
        }
        return table
    }

    public func shapers(_ report: PolicyReport) -> String {
        finish(
            shaperTable(report), report, report.shapers.compactMap { rule in rule.problem.map { (rule.name, $0) } },
            kind: "shape", none: "no shaping rules")
    }

    private static func depth(of rule: ShapeReport, among rules: [ShapeReport]) -> Int {
        var depth = 0
        var parent = rule.parent
        while let name = parent, depth < 8 {
            depth += 1
            parent = rules.first { $0.name == name }?.parent
        }
        return depth
    }

    static func place(_ interfaces: [String], _ direction: String?) -> String {
        let names = interfaces.isEmpty ? "-" : interfaces.count > 2 ? "\(interfaces.count) interfaces" : interfaces.joined(separator: ",")
        return direction.map { names + ($0 == "ingress" ? " in" : " out") } ?? names
    }

    /// What a person should know beside the numbers, a line each.
    /// - Parameter kind: `shape`: what waits is told of rules of this kind alone; nil: of all.
    func notes(_ report: PolicyReport, problems: [(String, String)], kind: String? = nil) -> [String] {
        var lines = problems.map { "\(TerminalText.printable($0.0)): \(TerminalText.printable($0.1))" }
        lines += report.refusals.map { "✗ \(TerminalText.printable($0.rule)): \(TerminalText.printable($0.reason))" }
        lines += report.waiting.filter { kind == nil || $0.kind == nil || $0.kind == kind }.map { "… " + PlanView.text($0) }
        if let problem = report.problem { lines += problem.split(separator: "\n").map { TerminalText.printable(String($0)) } }
        if let seconds = report.confirmWithinSeconds {
            lines.append("taken back in \(Duration.seconds(seconds).short) unless you say: nilo confirm")
        }
        return lines
    }

    private func finish(_ table: Table, _ report: PolicyReport, _ problems: [(String, String)], kind: String, none: String) -> String {
        let text = table.rows.isEmpty ? none + "\n" : table.text(for: output)
        return text + notes(report, problems: problems, kind: kind).map { output.styled($0, .yellow) + "\n" }.joined()
    }
}
