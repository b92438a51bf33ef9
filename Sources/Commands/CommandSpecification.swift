/// An option of a command: `--top N` or, without a placeholder, `--json`.
public struct OptionSpecification: Hashable, Sendable {
    /// Without the dashes.
    public var name: String
    public var short: Character?
    /// What its value is called in help; nil for a flag.
    public var placeholder: String?
    public var help: String
    /// The only values there are; empty: any.
    public var choices: [String]
    public var mayRepeat: Bool

    public init(
        _ name: String, short: Character? = nil, value placeholder: String? = nil, choices: [String] = [], mayRepeat: Bool = false,
        help: String
    ) {
        precondition(choices.isEmpty || placeholder != nil, "choices for the flag --\(name)")
        self.name = name
        self.short = short
        self.placeholder = placeholder
        self.choices = choices
        self.mayRepeat = mayRepeat
        self.help = help
    }

    /// `-n, --top N`.
    var usage: String { (short.map { "-\($0), " } ?? "    ") + "--\(name)" + (placeholder.map { " \($0)" } ?? "") }

    public static let json = OptionSpecification("json", help: "print one JSON document")
    static let help = OptionSpecification("help", short: "h", help: "show this help")
}

/// What a command takes and how it explains itself.
public struct CommandSpecification: Hashable, Sendable {
    public var name: String
    /// One line, without a full stop.
    public var summary: String
    /// Paragraphs; line breaks within them are kept.
    public var discussion: String
    public var options: [OptionSpecification]
    public var operand: Operand?
    public var examples: [Example]

    /// What stands on the command line without dashes.
    public struct Operand: Hashable, Sendable {
        public var placeholder: String
        public var count: ClosedRange<Int>
        public var help: String
        /// For completion; empty: anything.
        public var choices: [String]
        /// How it is told where that is not just one name, or many.
        public var form: String?
        public init(_ placeholder: String, count: ClosedRange<Int>, choices: [String] = [], form: String? = nil, help: String) {
            self.placeholder = placeholder
            self.form = form
            self.count = count
            self.choices = choices
            self.help = help
        }
        /// `[NAME…]`.
        var usage: String {
            if let form { return form }
            let many = count.upperBound > 1 ? "…" : ""
            return count.lowerBound == 0 ? "[\(placeholder)\(many)]" : placeholder + many
        }
    }

    public struct Example: Hashable, Sendable {
        public var command: String
        public var meaning: String
        public init(_ command: String, _ meaning: String) {
            self.command = command
            self.meaning = meaning
        }
    }

    public init(
        _ name: String, summary: String, discussion: String = "", options: [OptionSpecification] = [], operand: Operand? = nil,
        examples: [Example] = []
    ) {
        self.name = name
        self.summary = summary
        self.discussion = discussion
        self.options = options
        self.operand = operand
        self.examples = examples
    }

    /// With `--help`, which every command has.
    var allOptions: [OptionSpecification] { options + [.help] }

    var usage: String { "nilo \(name)" + (options.isEmpty ? "" : " [OPTION…]") + (operand.map { " " + $0.usage } ?? "") }
}
