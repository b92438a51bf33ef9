extension StringProtocol {
    /// The text as it can stand within a line of a message or of a terminal: what would end the line, steer the terminal or turn the
    /// direction of reading is written as an escape (`\n`, `\t`, `\r`, `\u001b`). Names, paths and values that others chose go through it
    /// wherever they are put into words.
    public var visible: String {
        guard unicodeScalars.contains(where: { $0.isSteering }) else { return String(self) }
        var text = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "\n": text += "\\n"
            case "\t": text += "\\t"
            case "\r": text += "\\r"
            case _ where scalar.isSteering:
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

extension StringProtocol {
    /// ``visible``, and cut where it is longer than a person reads: with how long it is.
    public func visible(most count: Int) -> String {
        guard let end = index(startIndex, offsetBy: count, limitedBy: endIndex), end != endIndex else { return visible }
        return String(self[..<end]).visible + "… (\(utf8.count) bytes)"
    }
}

extension Unicode.Scalar {
    /// Control characters, line and paragraph separators, and the overrides and isolates of direction (UAX #9).
    fileprivate var isSteering: Bool {
        switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        case .format: (0x202A...0x202E).contains(value) || (0x2066...0x2069).contains(value)
        default: false
        }
    }
}
