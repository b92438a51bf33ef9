import NetworkTypes

/// A verb and what it does.
public struct Command: Sendable {
    public var specification: CommandSpecification
    /// Throws `CommandFailure`, or `OutputClosed` from the context's `write`.
    public var run: @Sendable (ParsedArguments, CommandContext) throws -> Void

    public init(_ specification: CommandSpecification, run: @escaping @Sendable (ParsedArguments, CommandContext) throws -> Void) {
        self.specification = specification
        self.run = run
    }
}

/// All verbs of `nilo`. `help` and `completion` are always among them.
public struct CommandTable: Sendable {
    public let version: String
    public let commands: [Command]
    /// What the program starts of itself: run like any other, but in no help, list or completion.
    private let hidden: [Command]

    public init(version: String, commands: [Command], hidden: [Command] = []) {
        self.version = version
        self.hidden = hidden
        let own = commands.map(\.specification) + [HelpVerb.specification, CompletionVerb.specification]
        precondition(Set(own.map(\.name)).count == own.count, "two commands of one name: \(own.map(\.name))")
        for specification in own {
            let names = specification.allOptions.map(\.name) + specification.allOptions.compactMap { $0.short.map { String($0) } }
            precondition(Set(names).count == names.count, "two options of one name in \(specification.name)")
        }
        self.commands = commands + [HelpVerb.command(own, version: version), CompletionVerb.command(own)]
    }

    public var specifications: [CommandSpecification] { commands.map(\.specification) }

    /// Runs one command line (without the program's name) and tells the process's exit status. Failures are written to standard error.
    public func run(_ words: [String], context: CommandContext) -> ExitCode {
        do {
            try dispatch(words, context)
            return .success
        } catch is OutputClosed {
            return .success
        } catch let failure as CommandFailure {
            context.complain(failure.description + "\n")
            return failure.code
        } catch {
            context.complain(CommandFailure(words.first ?? "nilo", "\(error)").description + "\n")
            return .failed
        }
    }

    private func dispatch(_ words: [String], _ context: CommandContext) throws {
        guard let verb = words.first else {
            throw CommandFailure("nothing to do", "no command is given", hint: "nilo help lists the commands", code: .usage)
        }
        switch verb {
        case "--help", "-h": return try context.write(HelpText.overview(specifications, version: version))
        case "--version", "-V": return try context.write("nilo \(version)\n")
        default: break
        }
        guard let command = (commands + hidden).first(where: { $0.specification.name == verb }) else {
            throw HelpVerb.unknown(verb, among: specifications)
        }
        let arguments = try ParsedArguments(words.dropFirst(), for: command.specification)
        if arguments.wantsHelp { return try context.write(HelpText.page(command.specification)) }
        try command.run(arguments, context)
    }
}
