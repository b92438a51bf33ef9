import Reports

/// `nilo profile`: what a series is usually like.
public enum ProfileVerb {
    public static let specification = CommandSpecification(
        "profile", summary: "Show what traffic is usually like: its day, its week, its bursts, what recurs",
        discussion: """
            Of all traffic, an interface, link, network or application, by its key or name
            as nilo topology tells it, or of the host's cpu, memory, disk, space, flows: in
            words, as a picture of its week, and in numbers. With what recurs, such as a
            backup every night, and when it is due next; and which other series rise before
            or after it.
            """,
        options: [OptionSpecification("packets", help: "packets, not bits"), NumberForm.option, .json, AgentConnection.option],
        operand: .init("SERIES", count: 0...1, help: "what to tell of; without it all traffic"),
        examples: [
            .init("nilo profile", "all traffic"), .init("nilo profile web-1:eth0", "an interface"),
            .init("nilo profile --json postgres | jq '.directions[].events'", "what recurs, for a script"),
        ])

    public static let command = Command(specification) { arguments, context in
        let query = [("key", arguments.operands.first ?? "total"), ("measure", arguments.has("packets") ? "packets" : "bits")]
        let report: ProfileReport = try AgentConnection(arguments, context: context)
            .ask("/v1/profile", query, for: "tell the profile", timeout: .seconds(60))
        try context.write(
            arguments.has("json")
                ? JSONOutput.text(report, pretty: true)
                : ProfileView(output: context.output, numbers: NumberForm(arguments)).text(report))
    }
}
