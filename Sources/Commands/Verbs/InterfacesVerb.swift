/// `nilo interfaces`: what may be asked. The answer is an `InterfaceListReport`, shown by `InterfaceListView`.
public struct InterfacesVerb: Hashable, Sendable {
    /// Patterns of names; empty: all.
    public var names: [String]
    public var ledger: Bool
    public var closed: Bool
    public var json: Bool

    public static let specification = CommandSpecification(
        "interfaces", summary: "List the measured interfaces, their rates and their books",
        discussion: """
            With --ledger every term of an interface's books is shown: what the programs saw,
            which flows it is in, what is in no flow and why, and what makes the device's own
            counters differ.
            """,
        options: [
            OptionSpecification("ledger", short: "l", help: "show every term of the books"),
            OptionSpecification("closed", help: "also interfaces that are gone"),
            .json,
        ],
        operand: .init("NAME", count: 0...1000, help: "which interfaces; * and ? are wildcards"),
        examples: [
            .init("nilo interfaces", "one line each"),
            .init("nilo interfaces --ledger eth0", "why the device counted more than the flows"),
            .init("nilo interfaces 'veth*' --json", "for a script"),
        ])

    public init(_ arguments: ParsedArguments) {
        names = arguments.operands
        ledger = arguments.has("ledger")
        closed = arguments.has("closed")
        json = arguments.has("json")
    }
}
