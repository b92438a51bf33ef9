/// `nilo stop`: ends the agent, with or without the kernel's side.
public enum StopVerb {
    public static let specification = CommandSpecification(
        "stop", summary: "End the agent",
        discussion: """
            Without --keep the programs are taken off the interfaces and the counters are
            gone. With it the kernel goes on counting, and the next agent takes over without
            a gap.
            """,
        options: [OptionSpecification("keep", short: "k", help: "the kernel goes on counting"), AgentConnection.option],
        examples: [.init("nilo stop", "measure no more"), .init("nilo stop --keep", "before an upgrade")])

    public static let command = Command(specification) { arguments, context in
        let keep = arguments.has("keep")
        try AgentConnection(arguments, context: context).stop(keep: keep)
        try context.write(keep ? "the agent has ended, the kernel goes on counting\n" : "the agent has ended\n")
    }
}
