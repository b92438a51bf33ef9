import Agent
import Reports

/// `nilo cleanup`: takes away every trace of Nilometer. The answer is a `CleanupReport`, shown by `CleanupView`.
public enum CleanupVerb {
    public static let specification = CommandSpecification(
        "cleanup", summary: "Take away all that Nilometer left on this machine",
        discussion: """
            Works also after the agent was killed: pins, filters, qdiscs and mirror ports
            that the agent made, its own bpffs and stale sockets are found with no other
            state to hand. Qdiscs of others that were replaced are put back. The files of
            the policy folder stay. Nothing of anyone else's is touched. Counters are
            lost. While an agent is running, nothing is done: nilo stop first.
            """,
        options: [
            OptionSpecification("dry-run", short: "n", help: "only print what would be done, as commands"),
            OptionSpecification("bpffs", value: "PATH", help: "one more bpffs that an agent has used"),
        ] + AgentVerb.options(["config", "socket"]) + [.json],
        examples: [
            .init("nilo cleanup --dry-run", "what is there"), .init("sudo nilo cleanup", "take it away"),
        ])

    public static let command = Command(specification) { arguments, context in
        let scope = Cleanup.Scope(try AgentVerb.configuration(arguments))
        try run(scope, dryRun: arguments.has("dry-run"), json: arguments.has("json"), context)
    }

    static func run(_ scope: Cleanup.Scope, dryRun: Bool, json: Bool, _ context: CommandContext) throws {
        let report: CleanupReport
        do { report = dryRun ? try Cleanup.plan(scope) : try Cleanup.run(scope) } catch let failure as AgentFailure {
            throw CommandFailure(failure)
        }
        try context.write(
            json ? JSONOutput.text(report, pretty: context.output.isTerminal) : CleanupView(output: context.output).text(report))
        if let first = report.failed.first {
            throw CommandFailure("clean up", "\(report.failed.count) of the steps failed, the first: \(first.step.what): \(first.why)")
        }
    }
}
