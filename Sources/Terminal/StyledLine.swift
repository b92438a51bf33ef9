/// A line of text in pieces, each with its style.
public struct StyledLine: Hashable, Sendable, ExpressibleByStringInterpolation {
    public struct Span: Hashable, Sendable {
        public var text: String
        public var style: TextStyle?
        public init(_ text: String, _ style: TextStyle? = nil) {
            self.text = text
            self.style = style
        }
    }

    public private(set) var spans: [Span] = []

    public init() {}
    public init(_ text: String, _ style: TextStyle? = nil) { append(text, style) }
    public init(stringLiteral text: String) { append(text) }

    public mutating func append(_ text: String, _ style: TextStyle? = nil) {
        guard !text.isEmpty else { return }
        if let last = spans.last, last.style == style {
            spans[spans.count - 1].text += text
        } else {
            spans.append(Span(text, style))
        }
    }

    public mutating func append(_ line: StyledLine) { for span in line.spans { append(span.text, span.style) } }

    /// Without styles.
    public var plain: String { spans.map(\.text).joined() }
    /// Columns.
    public var width: Int { spans.reduce(0) { $0 + TerminalText.width($1.text) } }

    /// Without the blanks at its end.
    mutating func trimEnd() {
        while var last = spans.popLast() {
            while last.text.last == " " { last.text.removeLast() }
            guard last.text.isEmpty else { return spans.append(last) }
        }
    }

    /// Within `width` columns; what is cut off is shown by `…`.
    public func truncated(to width: Int) -> StyledLine {
        guard self.width > width else { return self }
        var (line, room) = (StyledLine(), width)
        for span in spans {
            let needed = TerminalText.width(span.text)
            guard needed < room else {
                // With a blank more than there is room for: the sign that more was there also stands for the spans that follow.
                line.append(TerminalText.truncated(span.text + " ", to: room), span.style)
                break
            }
            line.append(span.text, span.style)
            room -= needed
        }
        return line
    }

    /// All of it in one style, and filled with blanks up to `width`.
    public func bar(_ style: TextStyle, width: Int) -> StyledLine {
        StyledLine(TerminalText.padded(truncated(to: width).plain, to: width), style)
    }

    /// As text with the terminal's escapes, where colour is wanted.
    public func text(for output: TerminalOutput) -> String {
        spans.map { span in span.style.map { output.styled(span.text, $0) } ?? span.text }.joined()
    }
}
