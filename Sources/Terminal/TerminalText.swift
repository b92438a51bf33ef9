import NetworkTypes

/// Text as a terminal shows it: how wide it is, cut to a width, and free of what would steer the terminal.
public enum TerminalText {
    /// Columns that `text` takes: two for East Asian wide characters and emoji, none for marks that combine.
    public static func width(_ text: String) -> Int { text.reduce(0) { $0 + width($1) } }

    public static func width(_ character: Character) -> Int {
        guard let first = character.unicodeScalars.first else { return 0 }
        if first.value < 0x300 { return first.properties.generalCategory == .control ? 0 : 1 }
        switch first.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: break
        }
        if first.properties.isEmojiPresentation || character.unicodeScalars.contains("\u{FE0F}") { return 2 }
        return wide.contains { $0.contains(first.value) } ? 2 : 1
    }

    /// Blocks of East Asian wide and fullwidth characters (UAX #11).
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF, 0xA960...0xA97F,
        0xAC00...0xD7A3,
        0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x20000...0x3FFFD,
    ]

    /// `text` within `width` columns; what is cut off is shown by `…`.
    public static func truncated(_ text: String, to width: Int) -> String {
        if Self.width(text) <= width { return text }
        if width <= 0 { return "" }
        var (kept, used) = ("", 0)
        for character in text {
            let w = Self.width(character)
            if used + w > width - 1 { break }
            kept.append(character)
            used += w
        }
        return kept + "…"
    }

    /// The same with the beginning cut off, for names whose end tells them apart.
    public static func truncatedHead(_ text: String, to width: Int) -> String {
        String(truncated(String(text.reversed()), to: width).reversed())
    }

    public static func padded(_ text: String, to width: Int, right: Bool = false) -> String {
        let missing = max(0, width - Self.width(text))
        let space = String(repeating: " ", count: missing)
        return right ? space + text : text + space
    }

    /// Names come from elsewhere (interfaces, processes, DNS): what would steer the terminal is made visible.
    public static func printable(_ text: String) -> String { text.visible }
}
