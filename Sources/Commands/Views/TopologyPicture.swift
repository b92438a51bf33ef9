import NetworkTypes
import Reports
import Terminal

/// The topology as a picture in the terminal: namespaces as boxes in columns, their interfaces as rows, and the pairs between them as lines.
/// It fits the width; what does not is counted.
struct TopologyPicture: Sendable {
    let layout: TopologyLayout
    let output: TerminalOutput

    init(_ layout: TopologyLayout, output: TerminalOutput) {
        self.layout = layout
        self.output = output
    }

    private static let narrowest = 16
    private static let standardWidth = 100

    var text: String {
        guard !layout.columns.isEmpty else { return "the topology is empty\n" }
        let room = output.width > 0 ? output.width : Self.standardWidth
        var gutters = layout.columns.indices.dropLast().map { Gutter(layout, after: $0, tops: tops($0), tops($0 + 1)) }
        var shown = layout.columns.count
        func least(_ count: Int) -> Int { count * Self.narrowest + gutters.prefix(count - 1).reduce(0) { $0 + $1.width } }
        let natural = widths(shown, .max)
        // What is elsewhere gives way first, so that the rest can be read.
        func wanted(_ count: Int) -> Int { natural.prefix(count).reduce(0, +) + gutters.prefix(count - 1).reduce(0) { $0 + $1.width } }
        while shown > 1, layout.columns[shown - 1].allSatisfy(\.isElsewhere), wanted(shown) > room { shown -= 1 }
        while shown > 1, least(shown) > room { shown -= 1 }
        gutters = Array(gutters.prefix(shown - 1))
        let widths = widths(shown, room - gutters.reduce(0) { $0 + $1.width })
        var canvas = Canvas()
        var x = 0
        for column in 0..<shown {
            for (number, box) in layout.columns[column].enumerated() { draw(box, x, tops(column)[number], widths[column], &canvas) }
            if column < gutters.count { gutters[column].draw(at: x + widths[column], &canvas) }
            x += widths[column] + (column < gutters.count ? gutters[column].width : 0)
        }
        var text = canvas.text(for: output)
        let hidden = layout.columns.dropFirst(shown).reduce(0) { $0 + $1.count }
        if hidden > 0 { text += output.styled("\(hidden) more boxes to the right: widen the terminal, or --format tree\n", .dim) }
        return text + talks(room)
    }

    // MARK: Sizes

    /// The first line of each box of a column; the columns stand middle to middle.
    private func tops(_ column: Int) -> [Int] {
        func height(_ column: [TopologyLayout.Box]) -> Int { column.reduce(0) { $0 + $1.rows.count + 2 } }
        let tallest = layout.columns.map(height).max() ?? 0
        var y = (tallest - height(layout.columns[column])) / 2
        return layout.columns[column].map { box in
            defer { y += box.rows.count + 2 }
            return y
        }
    }

    /// As wide as their text, or the widest narrowed until they fit.
    private func widths(_ count: Int, _ room: Int) -> [Int] {
        var widths = layout.columns.prefix(count).map { column in
            column.map { box in
                let rows = box.rows.map {
                    TerminalText.width(left($0)) + TerminalText.width($0.device) + ($0.trouble.map { $0.count + 2 } ?? 0) + 6
                }
                return max(Self.narrowest, rows.max() ?? 0, TerminalText.width(box.title) + TerminalText.width(box.note) + 8)
            }.max() ?? Self.narrowest
        }
        while widths.reduce(0, +) > room, let widest = widths.indices.max(by: { widths[$0] < widths[$1] }), widths[widest] > Self.narrowest
        {
            widths[widest] -= 1
        }
        return widths
    }

    // MARK: Boxes

    /// What stands at the left of a row: its name, addresses, and what no line is drawn to.
    private func left(_ row: TopologyLayout.Row) -> String {
        ([(row.isPort ? "├ " : "") + row.name] + row.notes + far(row)).joined(separator: " ")
    }

    /// The other ends of tunnels, and of pairs that no gutter lies between.
    private func far(_ row: TopologyLayout.Row) -> [String] {
        guard let here = layout.places[row.key] else { return [] }
        var tunnels: [String] = []
        var pairs: [String] = []
        for edge in layout.edges where edge.from == row.key || edge.to == row.key {
            guard let there = layout.places[edge.from == row.key ? edge.to : edge.from] else { continue }
            let box = layout.columns[there.column][there.box]
            if edge.kind == .tunnel { tunnels.append(box.isElsewhere ? box.rows[there.row].name : box.title) }
            if edge.kind == .wire, abs(there.column - here.column) != 1 {
                pairs.append(
                    there.column == here.column && there.box == here.box
                        ? box.rows[there.row].name : "\(box.title):\(box.rows[there.row].name)")
            }
        }
        tunnels = Array(Set(tunnels)).sorted { TopologyLayout.precedes($0, $1) }
        let more = tunnels.count > 4 ? " +\(tunnels.count - 4)" : ""
        return (tunnels.isEmpty ? [] : ["⇄ " + tunnels.prefix(4).joined(separator: " ") + more]) + pairs.map { "↔ \($0)" }
    }

    private func draw(_ box: TopologyLayout.Box, _ x: Int, _ y: Int, _ width: Int, _ canvas: inout Canvas) {
        let (bar, side) = box.isElsewhere ? ("╌", "╎") : ("─", "│")
        let inner = width - 2
        let title = " " + TerminalText.truncated(box.title, to: inner - 3) + " "
        let room = inner - 1 - TerminalText.width(title)
        let note = box.note.isEmpty || room < 6 ? "" : " " + TerminalText.truncated(box.note, to: room - 3) + " "
        canvas.put("╭" + bar, x, y, .dim)
        canvas.put(title, x + 2, y, .bold)
        let rest = inner - 1 - TerminalText.width(title) - TerminalText.width(note) - (note.isEmpty ? 0 : 1)
        canvas.put(String(repeating: bar, count: max(0, rest)), x + 2 + TerminalText.width(title), y, .dim)
        canvas.put(note + (note.isEmpty ? "" : bar), x + 2 + TerminalText.width(title) + max(0, rest), y, .dim)
        canvas.put("╮", x + width - 1, y, .dim)
        for (number, row) in box.rows.enumerated() {
            let line = y + 1 + number
            canvas.put(side, x, line, .dim)
            canvas.put(side, x + width - 1, line, .dim)
            let right = [row.trouble, row.device].compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: " ")
            let text = left(row)
            // The name first: of the two the kind gives way, as a whole.
            let isRoomForBoth = TerminalText.width(text) + TerminalText.width(right) + 3 <= inner
            let kept = isRoomForBoth || row.trouble != nil ? TerminalText.truncated(right, to: max(0, inner - 8)) : ""
            let shown = TerminalText.truncated(text, to: inner - 2 - (kept.isEmpty ? 0 : TerminalText.width(kept) + 1))
            canvas.put(shown, x + 2, line, row.trouble == nil ? nil : .red)
            canvas.put(kept, x + width - 2 - TerminalText.width(kept), line, row.trouble == nil ? .dim : .red)
        }
        let bottom = y + box.rows.count + 1
        canvas.put("╰" + String(repeating: bar, count: inner) + "╯", x, bottom, .dim)
    }

    // MARK: Communication

    private static let talksShown = 10

    private func talks(_ room: Int) -> String {
        let all = layout.edges.filter { $0.kind == .talk }.sorted { $0.bits != $1.bits ? $0.bits > $1.bits : $0.from < $1.from }
        guard let most = all.first?.bits else { return "" }
        let shown = all.prefix(Self.talksShown)
        let names = shown.map { "\(name($0.from)) → \(name($0.to))" }
        let nameWidth = min(names.map(TerminalText.width).max() ?? 0, max(20, room / 2))
        let labelWidth = min(shown.map { TerminalText.width($0.label) }.max() ?? 0, 24)
        var text = "\n"
        for (edge, name) in zip(shown, names) {
            let rate = BitRate(bitsPerSecond: edge.bits).text.aligned
            let barRoom = max(0, room - nameWidth - labelWidth - rate.count - 6)
            let bar = String(repeating: "▪", count: most > 0 ? Int((Double(min(barRoom, 40)) * edge.bits / most).rounded()) : 0)
            text += TerminalText.padded(TerminalText.truncated(name, to: nameWidth), to: nameWidth) + "  "
            text += TerminalText.padded(TerminalText.truncated(edge.label, to: labelWidth), to: labelWidth) + "  "
            text += rate + (bar.isEmpty ? "" : "  " + output.styled(bar, .blue)) + "\n"
        }
        let left = all.count - shown.count + layout.omitted
        return text + (left > 0 ? output.styled("\(left) more conversations\n", .dim) : "")
    }

    private func name(_ key: String) -> String {
        guard let place = layout.places[key] else { return key }
        let box = layout.columns[place.column][place.box]
        return box.isElsewhere ? box.rows[place.row].name : "\(box.title):\(box.rows[place.row].name)"
    }
}

/// Characters by line and column, each with a style.
struct Canvas {
    private var lines: [[(character: Character, style: TextStyle?)]] = []

    mutating func put(_ text: String, _ x: Int, _ y: Int, _ style: TextStyle?) {
        guard y >= 0 else { return }
        while lines.count <= y { lines.append([]) }
        var x = x
        for character in text {
            let width = TerminalText.width(character)
            guard width > 0 else { continue }
            while lines[y].count < x + width { lines[y].append((" ", nil)) }
            lines[y][x] = (character, style)
            // The second half of a wide character has nothing of its own.
            if width == 2 { lines[y][x + 1] = ("\u{0}", style) }
            x += width
        }
    }

    func text(for output: TerminalOutput) -> String {
        lines.map { cells in
            var line = StyledLine()
            for cell in cells where cell.character != "\u{0}" { line.append(String(cell.character), cell.style) }
            return line.truncated(to: output.width > 0 ? output.width : .max).text(for: output) + "\n"
        }.joined()
    }
}
