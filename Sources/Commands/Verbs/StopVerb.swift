import Reports

/// `nilo stop`: ends the agent, with or without the kernel's side. The answer is a `StopReport`.
public enum StopVerb {
    public static let specification = CommandSpecification(
        "stop", summary: "End the agent",
        discussion: """
            Without --keep the programs are taken off the interfaces, all that rules made is
            taken away and the counters are gone. With it the kernel goes on counting,
            mirroring, sampling and shaping, and the next agent takes over without a gap.
            """,
        options: [
            OptionSpecification("keep", short: "k", help: "the kernel goes on counting, and rules stay in force"), .json,
            AgentConnection.option,
        ],
        examples: [.init("nilo stop", "measure no more"), .init("nilo stop --keep", "before an upgrade")])

    public static let command = Command(specification) { arguments, context in
        let report = try AgentConnection(arguments, context: context).stop(keep: arguments.has("keep"))
        try context.write(arguments.has("json") ? JSONOutput.text(report, pretty: context.output.isTerminal) : text(report))
    }

    static func text(_ report: StopReport) -> String {
        guard report.kept else { return (["the agent has ended"] + report.left.map { "left: \($0)" }).joined(separator: "\n") + "\n" }
        func number(_ count: Int, _ what: String) -> String? { count == 0 ? nil : "\(count) \(what)\(count == 1 ? "" : "s")" }
        let rules = [number(report.mirrors, "mirror"), number(report.samplers, "sampler"), number(report.shapers, "shaper")].compactMap {
            $0
        }
        var text = "the agent has ended, the kernel goes on counting"
        if let interfaces = number(report.interfaces, "interface") { text += " \(interfaces)" }
        if !rules.isEmpty { text += "; in force: \(rules.joined(separator: ", "))" }
        return ([text] + report.left.map { "left: \($0)" }).joined(separator: "\n") + "\n"
    }
}
