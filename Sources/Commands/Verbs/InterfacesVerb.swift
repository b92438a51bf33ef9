import NetworkTypes
import Reports

/// `nilo interfaces`: what may be asked. The answer is an `InterfaceListReport`, shown by `InterfaceListView`.
public struct InterfacesVerb: Hashable, Sendable {
    /// Patterns of names; empty: all.
    public var names: [String]
    public var ledger: Bool
    public var closed: Bool
    public var json: Bool
    public var numbers: NumberForm

    public static let specification = CommandSpecification(
        "interfaces", summary: "List the measured interfaces, their rates and their books",
        discussion: """
            With --ledger every term of an interface's books is shown: what the programs
            saw, which flows it is in, what is in no flow and why, and what makes the
            device's own counters differ.
            """,
        options: [
            OptionSpecification("ledger", short: "l", help: "show every term of the books"),
            OptionSpecification("closed", help: "also interfaces that are gone"),
            NumberForm.option, .json, AgentConnection.option,
        ],
        operand: .init("NAME", count: 0...1000, help: "which, as eth0, 'veth*', NAMESPACE:eth0 or host:eth0"),
        examples: [
            .init("nilo interfaces", "one line each"),
            .init("nilo interfaces --ledger eth0", "why the device counted more than the flows"),
            .init("nilo interfaces blue:eth0", "the one in the namespace blue"),
            .init("nilo interfaces 'veth*' --json", "for a script"),
        ])

    public init(_ arguments: ParsedArguments) {
        names = arguments.operands
        ledger = arguments.has("ledger")
        closed = arguments.has("closed")
        json = arguments.has("json")
        numbers = NumberForm(arguments)
    }
}

extension InterfacesVerb {
    public static let command = Command(specification) { arguments, context in
        try InterfacesVerb(arguments).run(AgentConnection(arguments, context: context), context)
    }

    func run(_ agent: AgentConnection, _ context: CommandContext) throws {
        // The agent takes several patterns with commas between them: a name with a comma would be two.
        if let odd = names.first(where: { $0.contains(",") }) {
            throw CommandFailure("interfaces", "\"\(odd.visible)\" is not a name", hint: "put blanks between names", code: .usage)
        }
        var query = [("closed", closed ? "1" : "0")]
        if !names.isEmpty { query.append(("name", names.joined(separator: ","))) }
        let list: InterfaceListReport = try agent.ask("/v1/interfaces", query, for: "list interfaces")
        if list.interfaces.isEmpty, !names.isEmpty {
            throw CommandFailure(
                "list interfaces", "none that is measured has the name \(names.joined(separator: " or "))",
                hint: "nilo interfaces lists them all" + (closed ? "" : ", with --closed also those that are gone"))
        }
        if json { return try context.write(JSONOutput.text(list, pretty: true)) }
        let view = InterfaceListView(output: context.output, numbers: numbers)
        guard ledger, !list.interfaces.isEmpty else { return try context.write(view.text(list)) }
        try context.write(list.interfaces.map(view.ledger).joined(separator: "\n"))
    }
}
