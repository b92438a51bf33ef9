/// Why a text is not a filter, and where.
public struct FlowFilterError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Of the offending token, in characters from 1.
    public var column: Int
    /// The offending token; nil at the end of the text.
    public var found: String?
    /// What was wanted or what is wrong: `expected a port number or range`.
    public var problem: String
    /// What the person could write instead.
    public var hint: String?

    public init(column: Int, found: String?, problem: String, hint: String?) {
        self.column = column
        self.found = found
        self.problem = problem
        self.hint = hint
    }

    /// `expected a port number or range, found "htp" at column 12`.
    public var description: String {
        if let found { return "\(problem), found \"\(found)\" at column \(column)" }
        return "\(problem) at the end of the filter (column \(column))"
    }

    /// The filter with the place marked beneath it, for a terminal of `width` columns.
    public func marked(in text: String, width: Int = 100) -> String {
        let characters = Array(text)
        let start = max(0, min(column - 1, characters.count) - width / 2)
        let shown = String(characters[start...].prefix(width)).map { $0.isNewline || $0 == "\t" ? " " : $0 }
        let length = max(1, min(found?.count ?? 1, width - (column - 1 - start)))
        return String(shown) + "\n" + String(repeating: " ", count: column - 1 - start) + String(repeating: "^", count: length)
    }
}
