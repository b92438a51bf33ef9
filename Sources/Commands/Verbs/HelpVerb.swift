import NetworkTypes

/// `nilo help [COMMAND]`, `nilo help --markdown`.
enum HelpVerb {
    static let specification = CommandSpecification(
        "help", summary: "Explain a command, or list them all",
        options: [OptionSpecification("markdown", help: "print the whole reference as Markdown")],
        operand: .init("COMMAND", count: 0...1, help: "the command to explain"),
        examples: [
            .init("nilo help flows", "what flows can do"), .init("nilo help --markdown > reference.md", "the reference as a document"),
        ])

    static func command(_ specifications: [CommandSpecification], version: String) -> Command {
        Command(specification) { arguments, context in
            if arguments.has("markdown") {
                try context.write(HelpText.markdown(specifications, version: version))
            } else if let name = arguments.operands.first {
                guard let wanted = specifications.first(where: { $0.name == name }) else { throw unknown(name, among: specifications) }
                try context.write(HelpText.page(wanted))
            } else {
                try context.write(HelpText.overview(specifications, version: version))
            }
        }
    }

    static func unknown(_ verb: String, among specifications: [CommandSpecification]) -> CommandFailure {
        let near = Suggestion.nearest(to: verb, among: specifications.map(\.name))
        return CommandFailure(
            "\"\(verb.visible)\"", "there is no such command",
            hint: near.map { "did you mean nilo \($0)?" } ?? "nilo help lists the commands",
            code: .usage)
    }
}
