import Agent
import Reports

/// `nilo doctor`: can the agent work here, and how will it. The answer is a `DoctorReport`, shown by `DoctorView`.
public enum DoctorVerb {
    public static let specification = CommandSpecification(
        "doctor", summary: "Examine the machine: what is there, what will be used, what to mend",
        discussion: """
            Looks at the kernel, its features, memory, interfaces and, where one is running,
            the agent and its books. Nothing is changed. The exit status is 1 when a check
            fails; warnings are not failures.
            """,
        options: AgentVerb.options(["config", "interface", "netns", "socket", "bpffs", "attach", "export"]) + [.json],
        examples: [
            .init("sudo nilo doctor", "one screen"),
            .init("sudo nilo doctor --interface eth1", "as nilo agent would work with the same options"),
            .init("nilo doctor --json | jq '.checks[] | select(.status == \"fail\")'", "for a script"),
        ])

    public static let command = Command(specification) { arguments, context in
        let report = Doctor(try AgentVerb.configuration(arguments)).examine()
        try show(report, json: arguments.has("json"), context)
    }

    static func show(_ report: DoctorReport, json: Bool, _ context: CommandContext) throws {
        try context.write(
            json ? JSONOutput.text(report, pretty: context.output.isTerminal) : DoctorView(output: context.output).text(report))
        let failed = report.checks.filter { $0.status == .fail }.map(\.name)
        guard !report.isHealthy else { return }
        let isRoot = !failed.contains("privileges")
        throw CommandFailure(
            "doctor", "failed: \(failed.joined(separator: ", "))", hint: isRoot ? nil : "sudo nilo doctor", code: .failed)
    }
}
