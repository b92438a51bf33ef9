/// One line that is written over while something goes on. What is returned is to be written as it is; without a terminal only the
/// closing line says anything, so that logs stay readable.
public struct ProgressLine: Sendable {
    private let output: TerminalOutput
    private let label: String
    private var shown = ""

    public init(_ label: String, output: TerminalOutput) {
        self.label = TerminalText.printable(label)
        self.output = output
    }

    /// - Parameters:
    ///   - part: how much is done, 0...1; nil when that is not known.
    ///   - note: what is going on now.
    /// - Returns: an empty text when nothing changed on the screen.
    public mutating func update(part: Double?, note: String = "") -> String {
        guard output.isTerminal else { return "" }
        var line = label
        if let part {
            let part = part.isFinite ? min(1, max(0, part)) : 0
            let percent = Int(part * 100)
            let width = 24
            let full = Int(part * Double(width))
            line += " [" + String(repeating: "#", count: full) + String(repeating: "-", count: width - full) + "] "
            line += TerminalText.padded("\(percent)%", to: 4, right: true)
        }
        if !note.isEmpty { line += "  " + TerminalText.printable(note) }
        // One column is left free: a full line wraps on some terminals.
        line = TerminalText.truncated(line, to: max(1, (output.width > 0 ? output.width : 80) - 1))
        if line == shown { return "" }
        shown = line
        return "\r\u{1B}[K" + line
    }

    /// The line that stays.
    public mutating func finish(_ note: String) -> String {
        let line = label + "  " + TerminalText.printable(note) + "\n"
        shown = ""
        return output.isTerminal ? "\r\u{1B}[K" + line : line
    }
}
