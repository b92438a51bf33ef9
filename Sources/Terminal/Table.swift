/// Rows under headings, aligned. Numbers are best handed over with their unit already aligned (`QuantityText.aligned`).
public struct Table: Sendable {
    public struct Column: Hashable, Sendable {
        public var title: String
        public var right: Bool
        /// Narrowest width this column may be cut to when the table is too wide; nil: never cut.
        public var shrinksTo: Int?
        /// Width down to which this column gives way before others go below theirs; nil: none of its own.
        public var comfortable: Int?
        /// What is too long loses its beginning: its end tells it apart.
        public var keepsEnd = false
        /// In a table that is too wide, columns with a rank are left out before any is cut, the smallest rank first; nil: never left out.
        public var dropRank: Int?

        public init(
            _ title: String, right: Bool = false, shrinksTo: Int? = nil, comfortable: Int? = nil, keepsEnd: Bool = false,
            dropRank: Int? = nil
        ) {
            self.title = title
            self.right = right
            self.shrinksTo = shrinksTo
            self.comfortable = comfortable
            self.keepsEnd = keepsEnd
            self.dropRank = dropRank
        }
    }

    public struct Cell: Hashable, Sendable, ExpressibleByStringInterpolation {
        public var text: String
        public var style: TextStyle?
        public init(_ text: String, _ style: TextStyle? = nil) {
            self.text = TerminalText.printable(text)
            self.style = style
        }
        public init(stringLiteral text: String) { self.init(text) }
    }

    public let columns: [Column]
    public private(set) var rows: [[Cell]] = []
    /// Blanks between columns, and in a table that is too wide.
    public var gap = 2
    public var narrowGap = 2

    public init(_ columns: [Column]) { self.columns = columns }

    public mutating func append(_ row: [Cell]) {
        precondition(row.count == columns.count, "a row of \(row.count) cells in a table of \(columns.count) columns")
        rows.append(row)
    }

    /// The heading and a line for each row, without line ends or trailing blanks. Lines are at most `output.width` wide: first the gaps
    /// narrow, then columns of the lowest ranks go, then the columns that may shrink do, the widest first, none below what is comfortable
    /// while another is above it, then lines are cut.
    public func lines(for output: TerminalOutput) -> [String] { styledLines(width: output.width).map { $0.text(for: output) } }

    public func text(for output: TerminalOutput) -> String { lines(for: output).map { $0 + "\n" }.joined() }

    /// The same for those who draw styles their own way. `width` 0: no bound.
    public func styledLines(width: Int) -> [StyledLine] {
        var layout = Layout(
            shown: Array(columns.indices),
            widths: columns.indices.map { i in
                max(TerminalText.width(columns[i].title), rows.map { TerminalText.width($0[i].text) }.max() ?? 0)
            }, gap: gap)
        if width > 0 { fit(&layout, to: width) }
        let heading = columns.map { Cell($0.title, .bold) }
        return ([heading] + rows).map { line($0, layout, width) }
    }

    private struct Layout {
        /// Indices of columns.
        var shown: [Int]
        /// Of all columns, shown or not.
        var widths: [Int]
        var gap: Int
        var total: Int { shown.reduce(0) { $0 + widths[$1] } + gap * max(0, shown.count - 1) }
    }

    private func fit(_ layout: inout Layout, to bound: Int) {
        if layout.total > bound { layout.gap = min(gap, narrowGap) }
        while layout.total > bound {
            let ranked = layout.shown.filter { columns[$0].dropRank != nil }
            guard let least = ranked.compactMap({ columns[$0].dropRank }).min() else { break }
            // Columns of one rank go together: half of a pair would mislead.
            layout.shown.removeAll { columns[$0].dropRank == least }
        }
        while layout.total > bound {
            let room = layout.shown.filter { i in columns[i].shrinksTo.map { layout.widths[i] > $0 } ?? false }
            let ample = room.filter { i in columns[i].comfortable.map { layout.widths[i] > $0 } ?? true }
            guard let widest = (ample.isEmpty ? room : ample).max(by: { layout.widths[$0] < layout.widths[$1] }) else { return }
            layout.widths[widest] -= 1
        }
    }

    private func line(_ cells: [Cell], _ layout: Layout, _ bound: Int) -> StyledLine {
        var line = StyledLine()
        // What follows the last cell with content is left out.
        guard let last = layout.shown.last(where: { !cells[$0].text.isEmpty }) else { return line }
        var used = 0
        for i in layout.shown {
            if i != layout.shown.first {
                line.append(String(repeating: " ", count: layout.gap))
                used += layout.gap
            }
            var width = layout.widths[i]
            if bound > 0 { width = min(width, max(0, bound - used)) }
            let cell = cells[i]
            let shown =
                columns[i].keepsEnd ? TerminalText.truncatedHead(cell.text, to: width) : TerminalText.truncated(cell.text, to: width)
            let margin = String(repeating: " ", count: max(0, width - TerminalText.width(shown)))
            if columns[i].right { line.append(margin) }
            line.append(shown, cell.style)
            used += width
            if i == last || bound > 0 && used >= bound { break }
            if !columns[i].right { line.append(margin) }
        }
        line.trimEnd()
        return line
    }
}
