import NetworkTypes
import Reports

/// `nilo topology`: what may be asked. The answer is a `TopologyReport`, shown by `TopologyView`.
public struct TopologyVerb: Hashable, Sendable {
    public enum Format: String, Hashable, Sendable, CaseIterable {
        case tree, table, dot, json
    }

    public var format: Format
    /// A network, or anything else that has parts; nil: all.
    public var place: String?
    public var kernelMade: Bool
    public var top: Int
    public var numbers: NumberForm

    public static let specification = CommandSpecification(
        "topology", summary: "Show hosts, namespaces, interfaces, networks and who talks to whom",
        discussion: """
            A tree of what the host is made of, its virtual networks with their endpoints,
            and the busiest conversations between them. Of each packet one observation
            point counts, so that nothing is counted twice.
            """,
        options: [
            OptionSpecification("network", short: "N", value: "NAME", help: "only this network, namespace or host, and what is in it"),
            OptionSpecification("format", short: "f", value: "FORM", help: "tree (standard), table (the links), dot (Graphviz) or json"),
            OptionSpecification("all", short: "a", help: "also the kernel's own: loopbacks, link-local, multicast"),
            OptionSpecification("top", short: "n", value: "COUNT", help: "the most conversations (20)"),
            NumberForm.option, .json, AgentConnection.option,
        ],
        examples: [
            .init("nilo topology", "everything on one page"),
            .init("nilo topology --network vni/100", "the VXLAN network 100 and what is in it"),
            .init("nilo topology --format dot | dot -Tsvg >map.svg", "a picture"),
            .init("nilo topology --json | jq '.links[].talk'", "for a script"),
        ])

    public init(_ arguments: ParsedArguments) throws(CommandFailure) {
        if arguments.has("json") {
            format = .json
        } else if let text = arguments.value("format") {
            guard let known = Format(rawValue: text) else {
                let names = Format.allCases.map(\.rawValue)
                throw CommandFailure(
                    "topology", "--format \(text.visible) is not known", hint: "it is \(names.joined(separator: ", "))", code: .usage)
            }
            format = known
        } else {
            format = .tree
        }
        place = arguments.value("network")
        kernelMade = arguments.has("all")
        let standard = format == .json || format == .dot ? 5000 : 20
        if let text = arguments.value("top") {
            guard let count = Int(text), (1...1_000_000).contains(count) else {
                throw CommandFailure("topology", "--top \(text.visible) is not a number from 1 to 1000000", code: .usage)
            }
            top = count
        } else {
            top = standard
        }
        numbers = NumberForm(arguments)
    }
}

extension TopologyVerb {
    public static let command = Command(specification) { arguments, context in
        try TopologyVerb(arguments).run(AgentConnection(arguments, context: context), context)
    }

    func run(_ agent: AgentConnection, _ context: CommandContext) throws {
        var query = [("top", String(top))]
        if let place { query.append(("network", place)) }
        let report: TopologyReport = try agent.ask("/v1/topology", query, for: "show the topology")
        let view = TopologyView(output: context.output, numbers: numbers, kernelMade: kernelMade)
        switch format {
        case .json: try context.write(JSONOutput.text(report, pretty: true))
        case .tree: try context.write(view.tree(report))
        case .table: try context.write(view.table(report))
        case .dot: try context.write(TopologyDrawing(kernelMade: kernelMade).dot(report))
        }
    }
}
