import Reports

/// `nilo status`: what may be asked. The answer is a `StatusReport`, shown by `StatusView`.
public enum StatusVerb {
    public static let specification = CommandSpecification(
        "status", summary: "Show how the agent is: load, memory, losses, exports",
        options: [NumberForm.option, .json, AgentConnection.option],
        examples: [
            .init("nilo status", "one screen"), .init("nilo status --json | jq .interfacesInDoubt", "whose books do not close"),
        ])
}

extension StatusVerb {
    public static let command = Command(specification) { arguments, context in
        let status: StatusReport = try AgentConnection(arguments, context: context).ask("/v1/status", for: "ask for the status")
        try context.write(
            arguments.has("json")
                ? JSONOutput.text(status, pretty: true) : StatusView(output: context.output, numbers: NumberForm(arguments)).text(status))
    }
}
