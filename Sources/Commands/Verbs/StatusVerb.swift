/// `nilo status`: what may be asked. The answer is a `StatusReport`, shown by `StatusView`.
public enum StatusVerb {
    public static let specification = CommandSpecification(
        "status", summary: "Show how the agent is: load, memory, losses, exports",
        options: [.json],
        examples: [
            .init("nilo status", "one screen"), .init("nilo status --json | jq .interfacesInDoubt", "whose books do not close"),
        ])
}
