/// Rows under headings, aligned. Numbers are best handed over with their unit already aligned (`QuantityText.aligned`).
public struct Table: Sendable {
    public struct Column: Hashable, Sendable {
        public var title: String
        public var right: Bool
        /// Narrowest width this column may be cut to when the table is too wide; nil: never cut.
        public var shrinksTo: Int?

        public init(_ title: String, right: Bool = false, shrinksTo: Int? = nil) {
            self.title = title
            self.right = right
            self.shrinksTo = shrinksTo
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
    /// Blanks between columns.
    public var gap = 2

    public init(_ columns: [Column]) { self.columns = columns }

    public mutating func append(_ row: [Cell]) {
        precondition(row.count == columns.count, "a row of \(row.count) cells in a table of \(columns.count) columns")
        rows.append(row)
    }

    /// The heading and a line for each row, without line ends or trailing blanks. Lines are at most `output.width` wide: first the columns
    /// that may shrink do, the widest first, then lines are cut.
    public func lines(for output: TerminalOutput) -> [String] {
        var widths = columns.indices.map { i in
            max(TerminalText.width(columns[i].title), rows.map { TerminalText.width($0[i].text) }.max() ?? 0)
        }
        if output.width > 0 { shrink(&widths, to: output.width) }
        let heading = columns.map { Cell($0.title, .bold) }
        return ([heading] + rows).map { line($0, widths, output) }
    }

    public func text(for output: TerminalOutput) -> String { lines(for: output).map { $0 + "\n" }.joined() }

    private func shrink(_ widths: inout [Int], to bound: Int) {
        var excess = widths.reduce(0, +) + gap * max(0, columns.count - 1) - bound
        while excess > 0 {
            let room = columns.indices.filter { i in columns[i].shrinksTo.map { widths[i] > $0 } ?? false }
            guard let widest = room.max(by: { widths[$0] < widths[$1] }) else { return }
            widths[widest] -= 1
            excess -= 1
        }
    }

    private func line(_ cells: [Cell], _ widths: [Int], _ output: TerminalOutput) -> String {
        var (text, used) = ("", 0)
        // What follows the last cell with content is left out.
        let last = cells.lastIndex { !$0.text.isEmpty } ?? -1
        for (i, cell) in cells.enumerated() where i <= last {
            if i > 0 {
                text += String(repeating: " ", count: gap)
                used += gap
            }
            var width = widths[i]
            if output.width > 0 { width = min(width, max(0, output.width - used)) }
            let shown = TerminalText.truncated(cell.text, to: width)
            let padded = TerminalText.padded(shown, to: i == last && !columns[i].right ? 0 : width, right: columns[i].right)
            let margin = padded.count - shown.count
            let styled = cell.style.map { output.styled(shown, $0) } ?? shown
            text += columns[i].right ? padded.prefix(margin) + styled : styled + padded.suffix(margin)
            used += width
            if output.width > 0, used >= output.width { break }
        }
        while text.last == " " { text.removeLast() }
        return text
    }
}
