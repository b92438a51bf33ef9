import NetworkTypes
import Reports
import Terminal

/// What changes would do, for people: the whole first, then what follows, flows and links.
public struct WhatIfView: Sendable {
    public var output: TerminalOutput
    public var numbers: NumberForm
    /// Rows of flows and of links.
    public var top: Int

    public init(output: TerminalOutput, numbers: NumberForm = .short, top: Int = 20) {
        self.output = output
        self.numbers = numbers
        self.top = top
    }

    public func text(_ report: WhatIfAnswerReport) -> String {
        var sections = [whole(report)]
        if !report.consequences.isEmpty {
            sections.append(
                output.styled("what follows\n", .bold) + report.consequences.prefix(top).map { "  \($0.visible)\n" }.joined()
                    + rest(of: report.consequences.count))
        }
        if !report.flows.isEmpty { sections.append(flows(report)) }
        let changed = report.links.filter { abs($0.before.bitsPerSecond - $0.after.bitsPerSecond) > 0.5 }
        if !changed.isEmpty { sections.append(links(changed, report)) }
        let remarks = remarks(report)
        if !remarks.isEmpty { sections.append(remarks) }
        return sections.joined(separator: "\n")
    }

    // MARK: The whole

    private func whole(_ report: WhatIfAnswerReport) -> String {
        var table = Table([.init(""), .init("BEFORE", right: true), .init("AFTER", right: true)])
        func row(_ title: String, _ value: (WhatIfAnswerReport.Overview) -> String?) {
            let (before, after) = (value(report.before), value(report.after))
            guard before != nil || after != nil else { return }
            let isOther = before != after
            table.append([.init(title, .bold), .init(before ?? "–"), .init(after ?? "–", isOther ? .yellow : nil)])
        }
        row("offered") { numbers.rate($0.offeredBitsPerSecond) }
        row("arrives") { numbers.rate($0.deliveredBitsPerSecond) }
        row("fullest link") { $0.tightest.map(\.visible) }
        row("utilisation") { $0.utilisation.map(Self.percent) }
        row("can grow") { $0.headroom.map { $0 >= 1000 ? "> 1000 times" : "\(Self.rounded($0)) times" } }
        let fates = ["cut-off", "unreachable", "restored", "rerouted", "changed"].compactMap { fate -> String? in
            guard let count = report.counts[fate], count > 0 else { return nil }
            return output.styled("\(count) \(fate)", Self.style(fate))
        }
        var text = table.text(for: output)
        text += "flows: " + (fates.isEmpty ? output.styled("nothing happens to any", .green) : fates.joined(separator: ", ")) + "\n"
        for link in report.newBottlenecks { text += output.styled("new bottleneck: \(link.visible)\n", .red) }
        for link in report.relieved { text += output.styled("no bottleneck any more: \(link.visible)\n", .green) }
        return text
    }

    private static func style(_ fate: String) -> TextStyle {
        switch fate {
        case "cut-off", "unreachable": .red
        case "restored": .green
        default: .yellow
        }
    }

    private static func percent(_ part: Double) -> String { "\(rounded(part * 100)) %" }

    private static func rounded(_ value: Double) -> String {
        let tenths = (value * 10).rounded() / 10
        return tenths >= 100 || tenths == tenths.rounded() ? String(Int(tenths.rounded())) : String(tenths)
    }

    // MARK: Flows and links

    private func flows(_ report: WhatIfAnswerReport) -> String {
        var table = Table([
            .init("FLOW", shrinksTo: 24), .init("FATE"), .init("BEFORE", right: true), .init("AFTER", right: true),
            .init("WAY", shrinksTo: 20, keepsEnd: true),
        ])
        // What is cut off first, as it was told; then by how much the rate is another.
        let sorted = report.flows.enumerated().sorted {
            guard $0.element.fate == "changed", $1.element.fate == "changed" else { return $0.offset < $1.offset }
            return Self.shift($0.element) > Self.shift($1.element)
        }.map(\.element)
        for flow in sorted.prefix(top) {
            table.append([
                .init(Self.title(flow)), .init(flow.fate, Self.style(flow.fate)), .init(rate(flow.before)), .init(rate(flow.after)),
                .init(Self.way(flow)),
            ])
        }
        return table.text(for: output) + rest(of: report.counts.values.reduce(0, +), shown: min(top, report.flows.count))
    }

    /// What is not shown, and how to see it.
    /// - Parameter shown: nil: as many as fit.
    private func rest(of count: Int, shown: Int? = nil) -> String {
        let left = count - (shown ?? min(top, count))
        return left > 0 ? output.styled("… \(left) more: --top\n", .dim) : ""
    }

    private static func shift(_ flow: WhatIfAnswerReport.Flow) -> Double {
        abs(flow.after.bitsPerSecond * flow.after.delivered - flow.before.bitsPerSecond * flow.before.delivered)
    }

    /// What of it arrives.
    private func rate(_ side: WhatIfAnswerReport.Flow.Side) -> String { numbers.rate(side.bitsPerSecond * side.delivered) }

    private static func title(_ flow: WhatIfAnswerReport.Flow) -> String {
        func end(_ address: String?, _ port: Int?) -> String {
            guard let address else { return "any" }
            return port.map { address.contains(":") ? "[\(address)]:\($0)" : "\(address):\($0)" } ?? address
        }
        return "\(end(flow.source, flow.sourcePort)) → \(end(flow.destination, flow.destinationPort)) \(flow.application ?? flow.protocol)"
    }

    /// The new way, or where the flow ends now.
    private static func way(_ flow: WhatIfAnswerReport.Flow) -> String {
        if flow.fate == "changed" { return "as before" }
        guard let path = flow.after.paths.max(by: { $0.share < $1.share }) else { return "" }
        if !path.isDelivered { return path.outcome }
        var places: [String] = []
        for hop in path.hops where places.last != hop { places.append(hop) }
        let others = flow.after.paths.count - 1
        return places.joined(separator: " ") + (others > 0 ? " (and \(others) more)" : "")
    }

    private func links(_ links: [WhatIfAnswerReport.LinkLoad], _ report: WhatIfAnswerReport) -> String {
        let hasCapacity = links.contains { $0.after.capacityBitsPerSecond != nil }
        var columns: [Table.Column] = [.init("LINK", shrinksTo: 16), .init("BEFORE", right: true), .init("AFTER", right: true)]
        if hasCapacity { columns += [.init("CAPACITY", right: true), .init("BEFORE", right: true), .init("AFTER", right: true)] }
        var table = Table(columns)
        let sorted = links.sorted {
            let (a, b) = (abs($0.after.bitsPerSecond - $0.before.bitsPerSecond), abs($1.after.bitsPerSecond - $1.before.bitsPerSecond))
            return a != b ? a > b : $0.title < $1.title
        }
        for link in sorted.prefix(top) {
            var row: [Table.Cell] = [
                .init(link.title), .init(numbers.rate(link.before.bitsPerSecond)),
                .init((link.isExpectation ? "≈ " : "") + numbers.rate(link.after.bitsPerSecond)),
            ]
            if hasCapacity {
                let isFull = (link.after.utilisation ?? 0) >= 0.9
                row += [
                    .init(link.after.capacityBitsPerSecond.map { numbers.rate($0) } ?? "–"),
                    .init(link.before.utilisation.map(Self.percent) ?? "–"),
                    .init(link.after.utilisation.map(Self.percent) ?? "–", isFull ? .red : nil),
                ]
            }
            table.append(row)
        }
        return table.text(for: output) + rest(of: sorted.count)
    }

    // MARK: Remarks

    private func remarks(_ report: WhatIfAnswerReport) -> String {
        var lines = report.suppositions.map { "taken for granted: \($0)" }
        if !report.unplaced.isEmpty {
            let sum = report.unplaced.reduce(0) { $0 + $1.bitsPerSecond }
            let rate = numbers.rate(sum).trimmingBlanks
            lines.append("left out: \(rate) that is multicast, folded or of others (--format json lists it)")
        }
        if report.links.contains(where: \.isExpectation) { lines.append("≈: flows spread over several ways; right for many, not for one") }
        return lines.map { output.styled($0.visible + "\n", .dim) }.joined()
    }
}

extension String {
    fileprivate var trimmingBlanks: String {
        var text = self[...]
        while text.first == " " { text = text.dropFirst() }
        while text.last == " " { text = text.dropLast() }
        return String(text)
    }
}
