/// A text that is no change: where, what stands there, and what could.
public struct ChangeSyntaxError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Characters before the word in question.
    public var position: Int
    /// The word, or nil at the end of the text.
    public var found: String?
    public var expected: [String]
    /// The word that was probably meant.
    public var suggestion: String?

    public init(position: Int, found: String?, expected: [String], suggestion: String? = nil) {
        self.position = position
        self.found = found
        self.expected = expected
        self.suggestion = suggestion
    }

    public var description: String {
        let what = found.map { "“\($0)”" } ?? "the end"
        let wanted = expected.count > 1 ? expected.dropLast().joined(separator: ", ") + " or " + expected[expected.count - 1] : expected[0]
        return "at character \(position + 1), \(what): expected \(wanted)" + (suggestion.map { " (did you mean “\($0)”?)" } ?? "")
    }
}
