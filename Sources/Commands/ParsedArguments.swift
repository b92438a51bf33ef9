import NetworkTypes

/// A command line, read as its specification says.
public struct ParsedArguments: Hashable, Sendable {
    public let command: String
    private var options: [String: [String]] = [:]
    public private(set) var operands: [String] = []

    /// Long options as `--name value` or `--name=value`, short ones as `-n value`, `-nvalue` and joined (`-ab`); `--` ends them.
    /// Options and operands may stand in any order.
    public init(_ words: some Sequence<String>, for specification: CommandSpecification) throws(CommandFailure) {
        command = specification.name
        var rest = Array(words)[...]
        var optionsEnded = false
        while let word = rest.popFirst() {
            if optionsEnded || word == "-" || !word.hasPrefix("-") {
                operands.append(word)
            } else if word == "--" {
                optionsEnded = true
            } else if word.hasPrefix("--") {
                let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                let option = try Self.find(String(parts[0]), specification)
                try take(option, written: "--\(option.name)", given: parts.count == 2 ? String(parts[1]) : nil, &rest)
            } else {
                try takeShort(word, specification, &rest)
            }
        }
        if wantsHelp { return }
        try checkOperands(specification)
    }

    private mutating func takeShort(
        _ word: String, _ specification: CommandSpecification, _ rest: inout ArraySlice<String>
    ) throws(CommandFailure) {
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            guard let option = specification.allOptions.first(where: { $0.short == letter }) else {
                throw Self.usage(specification, "there is no option -\(letter)", hint: "nilo help \(specification.name) lists them")
            }
            if option.placeholder != nil {
                let joined = letters.first == "=" ? letters.dropFirst() : letters
                try take(option, written: "-\(letter)", given: letters.isEmpty ? nil : String(joined), &rest)
                return
            }
            try take(option, written: "-\(letter)", given: nil, &rest)
        }
    }

    private static func find(_ name: String, _ specification: CommandSpecification) throws(CommandFailure) -> OptionSpecification {
        if let option = specification.allOptions.first(where: { $0.name == name }) { return option }
        let near = Suggestion.nearest(to: name, among: specification.allOptions.map(\.name))
        throw usage(
            specification, "there is no option --\(name.visible)",
            hint: near.map { "did you mean --\($0)?" } ?? "nilo help \(specification.name) lists them")
    }

    private mutating func take(
        _ option: OptionSpecification, written: String, given: String?, _ rest: inout ArraySlice<String>
    ) throws(CommandFailure) {
        func fail(_ why: String, hint: String? = nil) -> CommandFailure {
            CommandFailure(command, why, hint: hint ?? "nilo help \(command) tells more", code: .usage)
        }
        if options[option.name] != nil, !option.mayRepeat, option.placeholder != nil { throw fail("\(written) is given twice") }
        guard let placeholder = option.placeholder else {
            if given != nil { throw fail("\(written) takes no value") }
            options[option.name] = []
            return
        }
        guard let value = given ?? rest.popFirst() else { throw fail("\(written) needs a value (\(placeholder))") }
        if !option.choices.isEmpty, !option.choices.contains(value) {
            let near = Suggestion.nearest(to: value, among: option.choices)
            throw fail(
                "\(written) cannot be \"\(value.visible)\"",
                hint: near.map { "did you mean \($0)?" } ?? "it is one of \(option.choices.joined(separator: ", "))")
        }
        options[option.name, default: []].append(value)
    }

    private func checkOperands(_ specification: CommandSpecification) throws(CommandFailure) {
        guard let operand = specification.operand else {
            if let first = operands.first { throw Self.usage(specification, "nothing is known to do with \"\(first.visible)\"") }
            return
        }
        if operands.count < operand.count.lowerBound { throw Self.usage(specification, "\(operand.placeholder) is missing") }
        if operands.count > operand.count.upperBound {
            throw Self.usage(specification, "\"\(operands[operand.count.upperBound].visible)\" is one too many")
        }
    }

    private static func usage(_ specification: CommandSpecification, _ why: String, hint: String? = nil) -> CommandFailure {
        CommandFailure(specification.name, why, hint: hint ?? "usage: \(specification.usage)", code: .usage)
    }

    public var wantsHelp: Bool { has("help") }
    public func has(_ name: String) -> Bool { options[name] != nil }
    public func value(_ name: String) -> String? { options[name]?.last }
    public func values(_ name: String) -> [String] { options[name] ?? [] }

    /// A whole number within bounds.
    public func number(_ name: String, in bounds: ClosedRange<Int>) throws(CommandFailure) -> Int? {
        guard let text = value(name) else { return nil }
        guard let number = Int(text), bounds.contains(number) else {
            let wanted =
                bounds.upperBound == .max ? "of at least \(bounds.lowerBound)" : "from \(bounds.lowerBound) to \(bounds.upperBound)"
            throw CommandFailure(command, "--\(name) wants a whole number \(wanted), not \"\(text.visible)\"", code: .usage)
        }
        return number
    }

    /// `500ms, 2s or 30s`: times within bounds, written as they are read.
    private static func examples(in bounds: ClosedRange<Duration>) -> String {
        let all: [(String, Duration)] = [
            ("500ms", .milliseconds(500)), ("2s", .seconds(2)), ("30s", .seconds(30)), ("5m", .seconds(300)), ("1h", .seconds(3600)),
        ]
        let fitting = all.filter { bounds.contains($0.1) }.prefix(3).map(\.0)
        guard let last = fitting.last else { return "\(bounds.lowerBound.seconds)s" }
        return fitting.count == 1 ? last : fitting.dropLast().joined(separator: ", ") + " or \(last)"
    }

    /// `500ms`, `2s`, `1.5s`, `5m`, `1h`, `2d`, `1w`; a bare number is seconds.
    public func duration(_ name: String, in bounds: ClosedRange<Duration>) throws(CommandFailure) -> Duration? {
        guard let text = value(name) else { return nil }
        let units: [(String, Double)] = [
            ("ms", 0.001), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800), ("", 1),
        ]
        for (unit, scale) in units where text.hasSuffix(unit) {
            let digits = text.dropLast(unit.count)
            guard digits.first?.isNumber == true, digits.utf8.allSatisfy({ $0 == UInt8(ascii: ".") || (48...57).contains($0) }),
                let number = Double(digits)
            else { continue }
            let duration = Duration.milliseconds((number * scale * 1000).rounded())
            if bounds.contains(duration) { return duration }
            break
        }
        throw CommandFailure(
            command, "--\(name) wants a time from \(bounds.lowerBound.short) to \(bounds.upperBound.short), not \"\(text.visible)\"",
            hint: "as \(Self.examples(in: bounds))", code: .usage)
    }
}
