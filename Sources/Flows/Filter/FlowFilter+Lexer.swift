import NetworkTypes

extension FlowFilter {
    struct Token: Hashable {
        enum Kind: Hashable {
            case word(String)
            /// What stood in quotes: never a word of the language.
            case quoted(String)
            case open, close, and, or, not
            case end
        }
        var kind: Kind
        /// As written.
        var text: String
        /// In characters from 1.
        var column: Int

        /// The token as a word of the language, in lower case.
        var keyword: String? { if case .word(let word) = kind { word.lowercased() } else { nil } }
    }

    /// Words that join predicates; as an interface name they are written in quotes.
    static let connectives: Set<String> = ["and", "or", "not"]

    /// Bytes that may stand in a word without quotes. Everything beyond ASCII may.
    static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...0x20, 0x7F: false
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "!"), UInt8(ascii: "&"), UInt8(ascii: "|"), UInt8(ascii: "\""),
            UInt8(ascii: "\\"):
            false
        default: true
        }
    }

    private static func isSpace(_ c: Unicode.Scalar) -> Bool { c == " " || c == "\t" || c == "\n" || c == "\r" }

    /// Cuts a text into tokens; the last one is always `.end`.
    static func tokens(_ text: String) throws(FlowFilterError) -> [Token] {
        guard text.utf8.count <= longestText else {
            throw FlowFilterError(
                column: 1, found: "\(text.prefix(20))…", problem: "a filter may have at most \(longestText) bytes",
                hint: "networks (net 10.0.0.0/8) and ranges (port 80-90) are shorter than lists")
        }
        var tokens: [Token] = []
        let scalars = Array(text.unicodeScalars)
        var at = 0
        while at < scalars.count {
            let c = scalars[at]
            if isSpace(c) {
                at += 1
                continue
            }
            let start = at
            let kind: Token.Kind
            switch c {
            case "(": (kind, at) = (.open, at + 1)
            case ")": (kind, at) = (.close, at + 1)
            case "!": (kind, at) = (.not, at + 1)
            case "&" where at + 1 < scalars.count && scalars[at + 1] == "&": (kind, at) = (.and, at + 2)
            case "|" where at + 1 < scalars.count && scalars[at + 1] == "|": (kind, at) = (.or, at + 2)
            case "\"": (kind, at) = try quoted(scalars, at)
            default:
                while at < scalars.count, scalars[at].value > 0x7F || isWordByte(UInt8(scalars[at].value)) { at += 1 }
                guard at > start else {
                    throw FlowFilterError(
                        column: start + 1, found: printable(scalars[start...start]), problem: "not a character of the filter language",
                        hint: c == "&" || c == "|" ? "write \(c == "&" ? "and" : "or")" : nil)
                }
                var word = ""
                word.unicodeScalars.append(contentsOf: scalars[start..<at])
                switch word.lowercased() {
                case "and": kind = .and
                case "or": kind = .or
                case "not": kind = .not
                default: kind = .word(word)
                }
            }
            tokens.append(Token(kind: kind, text: printable(scalars[start..<at]), column: start + 1))
        }
        tokens.append(Token(kind: .end, text: "", column: scalars.count + 1))
        return tokens
    }

    private static func quoted(_ scalars: [Unicode.Scalar], _ start: Int) throws(FlowFilterError) -> (Token.Kind, Int) {
        var name = ""
        var at = start + 1
        while at < scalars.count {
            switch scalars[at] {
            case "\"": return (.quoted(name), at + 1)
            case "\\" where at + 1 < scalars.count:
                name.unicodeScalars.append(scalars[at + 1])
                at += 2
            default:
                name.unicodeScalars.append(scalars[at])
                at += 1
            }
        }
        throw FlowFilterError(column: start + 1, found: "\"", problem: "no closing quote", hint: nil)
    }

    /// Control characters are not repeated to a terminal.
    private static func printable(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var text = ""
        text.unicodeScalars.append(contentsOf: scalars)
        return text.visible
    }
}
