import NetworkTypes
import Policy
import Reports

/// `nilo mirror`, `nilo sample`, `nilo shape`: list the rules of a kind with what they do, add one, remove one.
///
/// A rule that is added becomes a file of the policy folder, `KIND-NAME.yaml`, and is applied as `nilo apply` does: there is no second
/// source of what is wanted.
struct RuleVerb: Sendable {
    var kind: RuleKind

    /// An option of `add` and the key of the policy file that it sets.
    struct Key: Sendable {
        var option: OptionSpecification
        /// `to`, or nil for an option that `text` writes out by itself.
        var name: String
        /// The value as YAML.
        var yaml: @Sendable (_ values: [String]) throws(CommandFailure) -> String

        init(
            _ option: OptionSpecification, name: String? = nil,
            yaml: @escaping @Sendable ([String]) throws(CommandFailure) -> String = { (v) throws(CommandFailure) in RuleVerb.scalar(v[0]) }
        ) {
            self.option = option
            self.name = name ?? option.name
            self.yaml = yaml
        }
    }

    static let scopeKeys: [Key] = [
        Key(
            OptionSpecification(
                "on", value: "INTERFACE", mayRepeat: true, help: "a name, pattern or NAMESPACE:NAME (all counted)"),
            yaml: { (v) throws(CommandFailure) in RuleVerb.list(v) }),
        Key(OptionSpecification("direction", value: "WAY", choices: ["ingress", "egress"], help: "one way only (both)")),
    ]

    /// A YAML scalar that is read back as this text.
    static func scalar(_ text: String) -> String {
        let isPlain =
            !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "/"):
                    true
                default: false
                }
            }
        return isPlain ? text : quoted(text)
    }

    /// A double-quoted YAML scalar.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20 || scalar.value == 0x7f:
                let hex = String(scalar.value, radix: 16)
                result += "\\x" + (hex.count == 1 ? "0" : "") + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    static func list(_ items: [String]) -> String { "[" + items.map(scalar).joined(separator: ", ") + "]" }

    /// The file for `nilo KIND add NAME …`.
    func text(_ name: String, filter: [String], _ arguments: ParsedArguments) throws(CommandFailure) -> String {
        var lines = ["# Made by nilo \(kind.rawValue) add.", "\(kind.rawValue):", "  - name: \(Self.scalar(name))"]
        for key in keys {
            if key.option.placeholder == nil {
                if arguments.has(key.option.name) { lines.append("    \(key.name): \(try key.yaml([]))") }
            } else {
                let values = arguments.values(key.option.name)
                if !values.isEmpty { lines.append("    \(key.name): \(try key.yaml(values))") }
            }
        }
        if !filter.isEmpty { lines.append("    match: \(Self.quoted(filter.joined(separator: " ")))") }
        return lines.joined(separator: "\n") + "\n"
    }

    var keys: [Key] {
        switch kind {
        case .mirror: Self.scopeKeys + Self.mirrorKeys
        case .sampler: Self.scopeKeys + Self.sampleKeys
        case .shaper: Self.scopeKeys + Self.shapeKeys
        }
    }

    func run(_ arguments: ParsedArguments, _ context: CommandContext) throws {
        var words = arguments.operands[...]
        let action = words.popFirst() ?? "list"
        if action != "add", let odd = keys.first(where: { arguments.has($0.option.name) }) {
            throw CommandFailure("\(kind.rawValue) \(action.visible)", "--\(odd.option.name) belongs to add", code: .usage)
        }
        switch action {
        case "list":
            // A rule may have the name of an action.
            guard let name = words.popFirst() else { return try list(arguments, context) }
            guard words.isEmpty else { throw usage("list takes one name at most") }
            try show(name, arguments, context)
        case "add":
            guard let name = words.popFirst() else { throw usage("a rule has a name") }
            guard Policy.isName(name) else {
                throw CommandFailure(
                    "\(kind.rawValue) add", "\"\(name.visible)\" is no name for a rule",
                    hint: "1 to 32 of a-z, 0-9, dot, dash and underscore",
                    code: .usage)
            }
            let text = try text(name, filter: Array(words), arguments)
            try ApplyVerb.run(
                ApplyVerb.change(arguments, put: ["\(kind.rawValue)-\(name).yaml": text], addRule: name), arguments, context)
        case "remove":
            guard let name = words.popFirst(), words.isEmpty else { throw usage("remove takes the name of one rule") }
            try ApplyVerb.run(ApplyVerb.change(arguments, removeRule: name, removeKind: kind.rawValue), arguments, context)
        default:
            let near = Suggestion.nearest(to: action, among: ["list", "add", "remove"]).map { "did you mean \($0)?" }
            // Sessions of clients are called capture:N.
            guard words.isEmpty, Policy.isName(action) || action.hasPrefix("capture:") else {
                throw CommandFailure(
                    kind.rawValue, "\"\(action.visible)\" is not known here", hint: near ?? "list, add, remove, or the name of a rule",
                    code: .usage)
            }
            do { try show(action, arguments, context) } catch let error as CommandFailure {
                var failure = error
                if failure.code == .failed, let near { failure.hint = near }
                throw failure
            }
        }
    }

    /// One rule in full.
    private func show(_ name: String, _ arguments: ParsedArguments, _ context: CommandContext) throws {
        let report: RuleReport = try AgentConnection(arguments, context: context).ask(
            "/v1/policy/rule", [("name", name)], for: "show rule \(name)")
        guard report.kind == kind.rawValue else {
            throw CommandFailure("show rule \(name)", "it is a \(report.kind) rule", hint: "nilo \(report.kind) \(name)")
        }
        try context.write(arguments.has("json") ? JSONOutput.text(report, pretty: true) : RuleView(output: context.output).text(report))
    }

    private func usage(_ why: String) -> CommandFailure {
        CommandFailure(kind.rawValue, why, hint: "nilo help \(kind.rawValue) shows examples", code: .usage)
    }

    private func list(_ arguments: ParsedArguments, _ context: CommandContext) throws {
        let report: PolicyReport = try AgentConnection(arguments, context: context).ask("/v1/policy", for: "list rules")
        let view = RuleListView(output: context.output)
        if arguments.has("json") {
            let text =
                switch kind {
                case .mirror: try JSONOutput.text(report.mirrors, pretty: true)
                case .sampler: try JSONOutput.text(report.samplers, pretty: true)
                case .shaper: try JSONOutput.text(report.shapers, pretty: true)
                }
            return try context.write(text)
        }
        let text =
            switch kind {
            case .mirror: view.mirrors(report)
            case .sampler: view.samplers(report)
            case .shaper: view.shapers(report)
            }
        try context.write(text)
    }
}
