import Flows
import NetworkTypes
import Reports
import Terminal

extension TopModel {
    /// The screen, from the top: at most `height` lines, none wider than `width`. Any size will do; what matters less goes first.
    mutating func screen(width: Int, height: Int) -> [StyledLine] {
        guard width > 0, height > 0 else { return [] }
        var top = [title(width)]
        if let problem { top.append(StyledLine(" agent not reachable, retrying: \(problem)", .red)) }
        let bottom = height >= 3 ? footer : []
        var room = max(0, height - top.count - bottom.count)
        var body: [StyledLine] = []
        if showsHelp {
            body = Self.help
        } else if view == .interfaces {
            fit(rows: room - 1)
            body = interfaceTable(width: width, room: room)
        } else if view == .mirrors || view == .classes {
            fit(rows: room - 1)
            body = ruleTables(width: width)
        } else {
            // The flows come first: interfaces get a quarter, and only where there is space enough.
            if room >= 10 {
                top += strip(width: width, rows: max(1, room / 4))
                room = max(0, height - top.count - bottom.count)
            }
            fit(rows: room - 1)
            body = flowTable(width: width, room: room)
        }
        body = Array(body.prefix(room))
        body += Array(repeating: StyledLine(), count: room - body.count)
        return (top + body + bottom).prefix(height).map { $0.truncated(to: width) }
    }

    // MARK: bars

    private func title(_ width: Int) -> StyledLine {
        var parts = ["nilo top"]
        if let interfaces { parts.append(Self.counted(interfaces.interfaces.filter { $0.closedAt == nil }.count, "interface")) }
        if let flows {
            let filtered = flows.matched == flows.known ? "" : " (\(flows.matched) match)"
            parts.append(Self.counted(flows.known, "flow") + filtered)
        }
        if view == .flows { parts.append("by \(order.measure.rawValue) \(order.ascending ? "▲" : "▼")") }
        // RFC 3339: the time of day stands after the T.
        let clock = (flows?.at ?? interfaces?.at).map { String($0.drop { $0 != "T" }.dropFirst().prefix(8)) + " UTC" } ?? ""
        let right = (isPaused ? "PAUSED  " : "") + clock + " "
        let left = TerminalText.truncated(" " + parts.joined(separator: "  "), to: max(0, width - TerminalText.width(right) - 1))
        let gap = width - TerminalText.width(left) - TerminalText.width(right)
        return StyledLine(left + String(repeating: " ", count: max(0, gap)) + right).bar(.reverse, width: width)
    }

    private static func counted(_ count: Int, _ noun: String) -> String {
        "\(Count(UInt64(max(0, count)))) \(noun)\(count == 1 ? "" : "s")"
    }

    private var footer: [StyledLine] {
        if let editing {
            var prompt = StyledLine("filter: ", .bold)
            prompt.append(editing.text)
            prompt.append(" ", .reverse)
            guard let error = editing.error else { return [prompt] }
            // At the end of the text it is just not finished yet.
            return [StyledLine("  \(error)" + (error.hint.map { "; \($0)" } ?? ""), error.found == nil ? .yellow : .red), prompt]
        }
        if showsHelp { return [StyledLine(" any key goes back", .dim)] }
        var line = StyledLine()
        let keys: [(String, String)] =
            view == .flows
            ? [
                ("/", "filter"), ("r b p t x", "sort"), ("i m c", "interfaces, mirrors, classes"), ("space", isPaused ? "go on" : "pause"),
                ("h", "help"),
                ("q", "quit"),
            ]
            : [
                ("f", "flows"), ("i m c", "interfaces, mirrors, classes"), ("space", isPaused ? "go on" : "pause"), ("h", "help"),
                ("q", "quit"),
            ]
        for (key, meaning) in keys {
            line.append(" ")
            line.append(key, .bold)
            line.append(" \(meaning) ", .dim)
        }
        let filter = question.filter.description
        return filter.isEmpty || view != .flows ? [line] : [StyledLine(" filter: \(filter)   (esc: all)", .blue), line]
    }

    private static let help: [StyledLine] = [
        "", StyledLine(" A flow is seen at one interface and direction: lines do not add up.", .dim), "",
        "  r b p t x     sort by rate, bytes, packets, round trip, retransmissions",
        "  left right    sort by the measure before or after;  R  turn the order",
        "  up down       scroll; also page up, page down, home, end", "  /             filter: host 10.0.0.1 and tcp port 443",
        "                enter keeps it, esc goes back to the one before", "  esc           all flows",
        "  i f           interfaces with their books; flows", "  m c           mirrors and samples; shaping classes",
        "  space         hold the picture; the agent goes on counting",
        "  q             quit", "", " RATE is of the last reading. RETR: segments sent again, as seen here.",
        " BOOKS close when every packet seen is in a flow or in a named remainder.",
    ]

    // MARK: interfaces

    private func series(_ interface: InterfaceReport) -> History { history[interface.id] ?? History() }

    private static func rate(_ bits: Double?) -> String { bits.map { BitRate(bitsPerSecond: $0).text.aligned } ?? "-" }

    /// A few lines above the flows: the busiest interfaces with what went through them.
    private func strip(width: Int, rows: Int) -> [StyledLine] {
        guard let list = interfaces else { return [] }
        let open = list.interfaces.filter { $0.closedAt == nil }
        func load(_ one: InterfaceReport) -> Double { (one.ingressBitsPerSecond ?? 0) + (one.egressBitsPerSecond ?? 0) }
        // By load of all that is remembered, so that lines do not change places each second.
        func remembered(_ one: InterfaceReport) -> Double { (series(one).ingress + series(one).egress).reduce(0, +) }
        let busiest = open.sorted { (remembered($0), $1.name) > (remembered($1), $0.name) }
        let shown = busiest.prefix(open.count > rows ? rows - 1 : rows)
        // Of one name in several namespaces only the namespace tells them apart.
        let counts = Dictionary(open.map { ($0.name, 1) }, uniquingKeysWith: +)
        func label(_ one: InterfaceReport) -> String {
            TerminalText.printable(counts[one.name] == 1 ? one.name : one.qualifiedName)
        }
        let nameWidth = min(24, max(4, shown.map { TerminalText.width(label($0)) }.max() ?? 4))
        // Name, twice a word, a rate of 9 columns and a sparkline, blanks between.
        let spark = (width - nameWidth - 2 * 15) / 2
        var lines = shown.map { interface in
            var line = StyledLine(
                " " + TerminalText.padded(TerminalText.truncatedHead(label(interface), to: nameWidth), to: nameWidth), .bold)
            let series = series(interface)
            for (word, rate, values) in [
                ("in", interface.ingressBitsPerSecond, series.ingress), ("out", interface.egressBitsPerSecond, series.egress),
            ] {
                line.append(TerminalText.padded(word, to: 4, right: true), .dim)
                line.append(" " + TerminalText.padded(Self.rate(rate), to: 9, right: true))
                if spark > 3 { line.append(" " + Sparkline.text(values, width: spark), .green) }
            }
            return line
        }
        if shown.count < open.count { lines.append(StyledLine(" and \(open.count - shown.count) more: press i", .dim)) }
        if open.isEmpty { lines.append(StyledLine(" no interfaces are measured", .dim)) }
        return lines + [StyledLine()]
    }

    private func interfaceTable(width: Int, room: Int) -> [StyledLine] {
        guard let list = interfaces else { return waiting }
        guard !list.interfaces.isEmpty else { return ["", StyledLine(" no interfaces are measured", .dim)] }
        let spark = max(4, min(40, (width - 61) / 2))
        var table = Table([
            .init("INTERFACE", shrinksTo: 6), .init("NAMESPACE", shrinksTo: 4, dropRank: InterfaceListView.namespaceRank(list)),
            .init("IN", right: true),
            .init("", dropRank: 3), .init("OUT", right: true), .init("", dropRank: 3), .init("IN TOTAL", right: true, dropRank: 2),
            .init("OUT TOTAL", right: true, dropRank: 2), .init("NO FLOW", right: true, dropRank: 1), .init("BOOKS"),
        ])
        table.narrowGap = 1
        for interface in list.interfaces.dropFirst(interfaceOffset).prefix(max(0, room - 1)) {
            let series = series(interface)
            let overflow = [interface.ingress, interface.egress].flatMap(\.overflow).reduce(0) { $0 + $1.totals.skbs }
            table.append([
                .init(interface.name, interface.closedAt == nil ? .bold : .dim), .init(interface.namespace ?? "-"),
                .init(Self.rate(interface.ingressBitsPerSecond)), .init(Sparkline.text(series.ingress, width: spark), .green),
                .init(Self.rate(interface.egressBitsPerSecond)), .init(Sparkline.text(series.egress, width: spark), .green),
                .init(ByteCount(interface.ingress.seen.wireBytes).text.aligned),
                .init(ByteCount(interface.egress.seen.wireBytes).text.aligned), .init(String(overflow), overflow > 0 ? .yellow : nil),
                InterfaceListView.verdict(interface),
            ])
        }
        return Self.underlined(table, width: width)
    }

    // MARK: rules

    /// Mirrors with the samples below, or the shaping rules; what was asked for beside what is done.
    private func ruleTables(width: Int) -> [StyledLine] {
        guard let rules else { return waiting }
        let view = RuleListView(output: TerminalOutput(isTerminal: true, width: width, color: true))
        var lines: [StyledLine] = []
        if self.view == .classes {
            lines = Self.underlined(view.shaperTable(rules), width: width)
        } else {
            lines = Self.underlined(view.mirrorTable(rules), width: width)
            if !rules.samplers.isEmpty { lines += [""] + Self.underlined(view.samplerTable(rules), width: width) }
        }
        if lines.count == 1 {
            let verb = self.view == .classes ? "shape" : "mirror"
            lines = ["", StyledLine(" no rules; nilo \(verb) add makes one", .dim)]
        } else if ruleOffset > 0 {
            lines = [lines[0]] + lines.dropFirst(1 + ruleOffset)
        }
        return lines + view.notes(rules, problems: []).map { StyledLine(" \($0)", .yellow) }
    }

    // MARK: flows

    private var waiting: [StyledLine] { ["", StyledLine(problem == nil ? " waiting for the agent's first answer" : "", .dim)] }

    private func flowTable(width: Int, room: Int) -> [StyledLine] {
        guard var list = flows else { return waiting }
        guard !list.flows.isEmpty else {
            return ["", StyledLine(list.known == 0 ? " no flows yet" : " none of \(list.known) flows matches the filter", .dim)]
        }
        list.flows = Array(list.flows.dropFirst(flowOffset).prefix(max(0, room - 1)))
        let view = FlowListView(output: TerminalOutput(isTerminal: true, width: width, color: true))
        return Self.underlined(view.table(list), width: width)
    }

    /// The heading in reverse over the whole width.
    private static func underlined(_ table: Table, width: Int) -> [StyledLine] {
        var lines = table.styledLines(width: width)
        if !lines.isEmpty { lines[0] = StyledLine(lines[0].plain, .bold) }
        return lines
    }
}
