import Agent

/// `nilo classify`: the agent's process for packets of strangers. The agent starts it; it is in no list of commands.
public enum ClassifyVerb {
    static let command = Command(
        CommandSpecification(
            ClassifierChild.verb, summary: "Tell applications for the agent, which starts this",
            operand: .init("SETTING", count: 0...16, help: "as the agent gives them"))
    ) { arguments, _ in
        do { try ClassifierChild.run(arguments.operands) } catch let failure as AgentFailure { throw CommandFailure(failure) }
    }
}
