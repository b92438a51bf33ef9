import Terminal

/// Help as pages and as one Markdown document, from the specifications alone.
enum HelpText {
    static func overview(_ specifications: [CommandSpecification], version: String) -> String {
        let width = specifications.map(\.name.count).max() ?? 0
        let lines = specifications.map { "  \(TerminalText.padded($0.name, to: width))  \($0.summary)\n" }.joined()
        return """
            Nilometer \(version) measures a host's traffic: every packet, exactly once.

            usage: nilo COMMAND [OPTION…]

            commands:
            \(lines)
            exit status:
            \(exitCodes)
            nilo help COMMAND tells more, nilo --version which version this is.

            """
    }

    private static var exitCodes: String { ExitCode.allCases.map { "  \($0.rawValue)  \($0.meaning)\n" }.joined() }

    static func page(_ specification: CommandSpecification) -> String {
        var text = "usage: \(specification.usage)\n\n\(specification.summary)\n"
        if !specification.discussion.isEmpty { text += "\n\(specification.discussion)\n" }
        if let operand = specification.operand { text += "\n  \(operand.placeholder)  \(operand.help)\n" }
        text += "\noptions:\n"
        let width = specification.allOptions.map { TerminalText.width($0.usage) }.max() ?? 0
        for option in specification.allOptions {
            text += "  \(TerminalText.padded(option.usage, to: width))  \(option.help)\n"
            if !option.choices.isEmpty { text += choices(option.choices, indent: width + 4) }
        }
        if !specification.examples.isEmpty {
            text += "\nexamples:\n"
            for example in specification.examples { text += "  \(example.command)\n      \(example.meaning)\n" }
        }
        return text
    }

    /// A list that is broken at 80 columns.
    private static func choices(_ words: [String], indent: Int) -> String {
        var lines = [""]
        for (i, word) in words.enumerated() {
            let item = word + (i + 1 < words.count ? ", " : "")
            if lines[lines.count - 1].count + item.count > 80 - indent { lines.append("") }
            lines[lines.count - 1] += item
        }
        return lines.map { String(repeating: " ", count: indent) + $0.trimmedEnd + "\n" }.joined()
    }

    private static func explanation(_ option: OptionSpecification) -> String {
        option.help + (option.choices.isEmpty ? "" : ": " + option.choices.joined(separator: ", "))
    }

    static func markdown(_ specifications: [CommandSpecification], version: String) -> String {
        var text = "# nilo \(version): the command line\n\nMade by `nilo help --markdown`.\n"
        for specification in specifications {
            text += "\n## nilo \(specification.name)\n\n\(specification.summary).\n\n```\n\(specification.usage)\n```\n"
            if !specification.discussion.isEmpty { text += "\n\(specification.discussion)\n" }
            if let operand = specification.operand { text += "\n`\(operand.placeholder)`: \(operand.help)\n" }
            text += "\n| Option | Meaning |\n|---|---|\n"
            for option in specification.allOptions {
                let usage = option.usage.drop { $0 == " " }
                text += "| `\(usage)` | \(explanation(option).split(separator: "|").joined(separator: "\\|")) |\n"
            }
            if !specification.examples.isEmpty {
                text += "\n```sh\n"
                for example in specification.examples { text += "# \(example.meaning)\n\(example.command)\n" }
                text += "```\n"
            }
        }
        text += "\n## Exit status\n\n| Status | Meaning |\n|---|---|\n"
        for code in ExitCode.allCases { text += "| \(code.rawValue) | \(code.meaning) |\n" }
        return text
    }
}

extension String {
    fileprivate var trimmedEnd: Substring { self[..<(lastIndex { $0 != " " }.map { index(after: $0) } ?? startIndex)] }
}
