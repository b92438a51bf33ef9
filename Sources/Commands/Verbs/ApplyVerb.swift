import FoundationEssentials
import Glibc
import NetworkTypes
import Reports

/// `nilo plan` and `nilo apply`: what a policy would change, and its change. The answer is a `PlanReport`, shown by `PlanView`.
public enum ApplyVerb {
    static let file = OptionSpecification(
        "file", short: "f", value: "FILE", mayRepeat: true,
        help: "a file to put into the policy folder")
    static let replace = OptionSpecification("replace", help: "take the place of others' root qdiscs meanwhile")
    /// Of every verb that changes the policy.
    static let changing = [
        OptionSpecification("confirm", value: "TIME", help: "taken back unless nilo confirm follows in TIME"),
        OptionSpecification("dry-run", short: "n", help: "only print what would be done"), replace, .json, AgentConnection.option,
    ]

    public static let planSpecification = CommandSpecification(
        "plan", summary: "Show what the policy would change on this host",
        discussion: """
            Compares the files of /etc/nilo/policy.d with what the kernel shows and prints
            each step from one to the other, with the command that a person would type where
            there is one. Nothing is changed.
            """,
        options: [file, replace, .json, AgentConnection.option],
        examples: [
            .init("nilo plan", "what has drifted, or is not applied yet"),
            .init("nilo plan -f web.yaml", "what a new file would bring"),
        ])

    public static let applySpecification = CommandSpecification(
        "apply", summary: "Make the kernel do what the policy files say",
        discussion: """
            Without --file, the files of /etc/nilo/policy.d as they are. With it, the file
            is copied there once all of it is in force. Additions come first and removals
            last; when a step fails, those before it are undone. Doing it twice changes
            nothing.

            With --confirm the earlier policy comes back by itself unless nilo confirm is
            given in time (5 s to 24 h), also when the change has cut you off. Files that
            were edited in place are not applied then until nilo apply is given again.
            """,
        options: [file] + changing,
        examples: [
            .init("sudo nilo apply", "after editing a file in /etc/nilo/policy.d"),
            .init("sudo nilo apply -f web.yaml --confirm 60s", "a minute to find out that you can still get in"),
            .init("sudo nilo confirm", "keep it"),
        ])

    public static let plan = Command(planSpecification) { arguments, context in
        try run(PolicyChange(put: files(arguments), replace: arguments.has("replace"), dryRun: true), arguments, context)
    }

    public static let apply = Command(applySpecification) { arguments, context in
        try run(change(arguments, put: files(arguments)), arguments, context)
    }

    public static let confirmSpecification = CommandSpecification(
        "confirm", summary: "Keep a policy that was applied with --confirm",
        options: [.json, AgentConnection.option], examples: [.init("sudo nilo confirm", "the change stays")])

    private struct Confirmation: Encodable {
        var confirmed = true
    }

    public static let confirm = Command(confirmSpecification) { arguments, context in
        try AgentConnection(arguments, context: context).confirmPolicy()
        try context.write(
            arguments.has("json")
                ? JSONOutput.text(Confirmation(), pretty: context.output.isTerminal) : "confirmed: the policy stays\n")
    }

    /// What the options of a changing verb ask for.
    static func change(
        _ arguments: ParsedArguments, put: [String: String] = [:], addRule: String? = nil, removeRule: String? = nil,
        removeKind: String? = nil
    ) throws(CommandFailure) -> PolicyChange {
        let confirm = try arguments.duration("confirm", in: .seconds(5)...Duration.seconds(86400))
        return PolicyChange(
            put: put, addRule: addRule, removeRule: removeRule, removeKind: removeKind, replace: arguments.has("replace"),
            confirmWithinSeconds: confirm?.seconds,
            dryRun: arguments.has("dry-run"))
    }

    static func run(_ change: PolicyChange, _ arguments: ParsedArguments, _ context: CommandContext) throws {
        let report = try AgentConnection(arguments, context: context).change(change)
        try context.write(
            arguments.has("json") ? JSONOutput.text(report, pretty: true) : PlanView(output: context.output).text(report))
        if let first = report.refusals.first, !change.dryRun {
            throw CommandFailure("apply the policy", "\(first.rule): \(first.reason)", hint: first.hint)
        }
    }

    private static func files(_ arguments: ParsedArguments) throws(CommandFailure) -> [String: String] {
        var files: [String: String] = [:]
        for path in arguments.values("file") {
            if path == "-" {
                throw CommandFailure(arguments.command, "a policy file has a name", hint: "write it to a file first", code: .usage)
            }
            let text = try text(of: path)
            var name = path.split(separator: "/").last.map(String.init) ?? path
            if name.hasSuffix(".yml") { name = name.dropLast(4) + ".yaml" }
            if !name.hasSuffix(".yaml") {
                throw CommandFailure("read \(path)", "a policy file's name ends in .yaml", code: .usage)
            }
            guard files.updateValue(text, forKey: name) == nil else {
                throw CommandFailure("read \(path)", "two of the files are called \(name.visible)", code: .usage)
            }
        }
        return files
    }

    static func text(of path: String) throws(CommandFailure) -> String {
        let what = "read \(path)"
        var status = stat()
        guard stat(path, &status) == 0 else { throw CommandFailure(what, String(cString: strerror(errno))) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw CommandFailure(what, "it is no regular file", hint: "a policy file is a text that stays: docs/policy.md")
        }
        let text: String
        do { text = try String(contentsOfFile: path, encoding: .utf8) } catch {
            let why = access(path, R_OK) == 0 ? "it is no UTF-8 text" : String(cString: strerror(errno))
            throw CommandFailure(what, why)
        }
        guard text.contains(where: { !$0.isWhitespace }) else {
            throw CommandFailure(
                what, "it is empty", hint: "to take a rule away: nilo mirror|sample|shape remove NAME, or edit its file, then: nilo apply")
        }
        return text
    }
}
