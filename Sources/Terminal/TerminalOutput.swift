import Glibc

/// What is known of where output goes.
public struct TerminalOutput: Hashable, Sendable {
    public var isTerminal: Bool
    /// Columns; 0: no bound.
    public var width: Int
    public var color: Bool

    public init(isTerminal: Bool, width: Int, color: Bool) {
        self.isTerminal = isTerminal
        self.width = width
        self.color = color
    }

    /// Colour only on a terminal, without `NO_COLOR` (any value but an empty one), and not with `TERM=dumb`. The width is the terminal's;
    /// `COLUMNS` overrides it, also for what is not a terminal.
    public static func of(descriptor: Int32, environment: (String) -> String?) -> TerminalOutput {
        let isTerminal = isatty(descriptor) == 1
        var size = winsize()
        var width = 0
        if isTerminal { width = ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80 }
        if let columns = environment("COLUMNS").flatMap(Int.init), (20...10_000).contains(columns) { width = columns }
        let plain = environment("NO_COLOR").map { !$0.isEmpty } ?? false
        return TerminalOutput(isTerminal: isTerminal, width: width, color: isTerminal && !plain && environment("TERM") != "dumb")
    }

    /// Of standard output and this process's environment.
    public static func standard() -> TerminalOutput {
        of(descriptor: STDOUT_FILENO) { getenv($0).map { String(cString: $0) } }
    }

    /// Lines of the terminal; nil when it is none.
    public static func rows(descriptor: Int32) -> Int? {
        var size = winsize()
        return ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_row > 0 ? Int(size.ws_row) : nil
    }

    /// `text` with a style, where colour is wanted.
    public func styled(_ text: String, _ style: TextStyle) -> String {
        color && !text.isEmpty ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }
}

/// The few styles that output uses (ECMA-48 "select graphic rendition").
public enum TextStyle: String, Sendable, CaseIterable {
    case bold = "1"
    case dim = "2"
    case reverse = "7"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case blue = "34"
}
