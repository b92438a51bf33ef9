/// Text of strangers, so that it can be shown: it steers no terminal, and a byte that is not text is a `?`.
public enum PlainText {
    /// UTF-8 without control and format characters, trailing zeros and spaces dropped.
    public static func of(_ bytes: ArraySlice<UInt8>, most: Int) -> String {
        var kept = bytes.prefix(most)
        while let last = kept.last, last == 0 || last == 0x20 { kept.removeLast() }
        var text = String.UnicodeScalarView()
        for scalar in String(decoding: kept, as: UTF8.self).unicodeScalars { text.append(isPlain(scalar) ? scalar : "?") }
        return String(text)
    }

    /// Whether it is what `of` could have made.
    public static func isPlain(_ text: String) -> Bool { text.unicodeScalars.allSatisfy(isPlain) }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: scalar != "\u{FFFD}"
        }
    }
}
