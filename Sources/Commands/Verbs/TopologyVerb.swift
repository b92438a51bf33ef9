import NetworkTypes
import Reports

/// `nilo topology`: what may be asked.
public struct TopologyVerb: Hashable, Sendable {
    public enum Format: String, Hashable, Sendable, CaseIterable {
        case tree, table, picture, dot, svg, png, graphml, json

        /// For a program or a screen of any size: more is told.
        var isWhole: Bool { self == .dot || self == .graphml || self == .json }
    }

    public enum Question: Hashable, Sendable {
        case show(at: Timestamp?)
        case difference(from: Timestamp, to: Timestamp)
        case watch
        case compare(String, String)
        case path(String, String)
        case behind(String)
        /// Now, or over a time until now.
        case talks(String, since: Timestamp?)
        case whatIf([String])
    }

    public var question: Question
    public var format: Format
    /// A network, or anything else that has parts; nil: all.
    public var place: String?
    public var layer: TopologyLayer?
    public var kernelMade: Bool
    public var top: Int
    public var numbers: NumberForm

    static let words = ["diff", "watch", "compare", "path", "behind", "talks", "whatif"]

    public static let specification = CommandSpecification(
        "topology", summary: "Show hosts, namespaces, interfaces, networks and who talks to whom",
        discussion: """
            A tree of what the host is made of, its virtual networks with their endpoints,
            and the busiest conversations between them. Of each packet one observation
            point counts, so that nothing is counted twice.

            With a question first:
              diff T1 T2, diff --since 10m   what is different, and what changed in traffic
              watch                          changes as they happen
              path A B                       the way of a packet, and by which routes
              behind X                       what is reached only through X
              talks X [--since 1h]           who talks to X, or to what is in it
              compare A B                    two networks side by side, by structure
              whatif CHANGE…                 what a change would do

            Names are keys, or as much of a key's end as tells it apart. Moments are
            2026-01-31T12:00:00Z, "2026-01-31 12:00" (local time), 10m (ago) or now.
            """,
        options: [
            OptionSpecification("at", value: "TIME", help: "as it was then"),
            OptionSpecification("since", value: "TIME", help: "of diff and talks: from then until now"),
            OptionSpecification("network", short: "N", value: "NAME", help: "only this network, namespace or host, and what is in it"),
            OptionSpecification(
                "layer", short: "l", value: "LAYER", choices: TopologyLayer.allCases.map(\.rawValue), help: "only the links of one layer"),
            OptionSpecification(
                "format", short: "f", value: "FORM", choices: Format.allCases.map(\.rawValue),
                help: "how to show it (tree)"),
            OptionSpecification("all", short: "a", help: "also the kernel's own: loopbacks, link-local, multicast"),
            OptionSpecification("top", short: "n", value: "COUNT", help: "the most rows: of conversations, flows, links (20)"),
            NumberForm.option, .json, AgentConnection.option,
        ],
        operand: .init("QUESTION", count: 0...64, choices: words, help: "what to ask; without one everything is shown"),
        examples: [
            .init("nilo topology", "everything on one page"),
            .init("nilo topology --network vni/100 --at 1h", "the VXLAN network 100 an hour ago"),
            .init("nilo topology --format svg >map.svg", "a drawing; png too"),
            .init("nilo topology diff --since 10m", "what happened in ten minutes"),
            .init("nilo topology path 10.0.0.11 10.0.0.32", "how packets get there"),
            .init("nilo topology talks postgres", "who talks to PostgreSQL"),
            .init("nilo topology --json | jq '.links[].load'", "for a script"),
        ])

    static func usage(_ why: String, _ hint: String? = nil) -> CommandFailure {
        CommandFailure("topology", why, hint: hint ?? "nilo help topology tells more", code: .usage)
    }

    public init(_ arguments: ParsedArguments, now: Timestamp) throws(CommandFailure) {
        question = try Self.question(arguments, now)
        let asked = arguments.value("format").flatMap(Format.init)
        if arguments.has("json"), let asked, asked != .json { throw Self.usage("--json and --format \(asked.rawValue) are two things") }
        format = arguments.has("json") ? .json : asked ?? .tree
        if case .show = question {
        } else if let asked, asked != .json {
            throw Self.usage(
                "--format \(asked.rawValue) is for the whole map", "leave out \(arguments.operands[0].visible), or take --json")
        }
        place = arguments.value("network")
        layer = arguments.value("layer").flatMap(TopologyLayer.init)
        kernelMade = arguments.has("all")
        top = try arguments.number("top", in: 1...1_000_000) ?? (format.isWhole ? 5000 : 20)
        numbers = NumberForm(arguments)
        try check(arguments)
    }

    private static func moment(_ arguments: ParsedArguments, _ option: String, _ now: Timestamp) throws(CommandFailure) -> Timestamp? {
        guard let text = arguments.value(option) else { return nil }
        return try moment(text, "--\(option)", now)
    }

    private static func moment(_ text: String, _ what: String, _ now: Timestamp) throws(CommandFailure) -> Timestamp {
        guard let moment = MomentText.moment(text, now: now) else {
            throw usage("\(what) \"\(text.visible)\" is not a moment", MomentText.hint)
        }
        guard moment <= now else { throw usage("\(what) \"\(text.visible)\" is still to come", MomentText.hint) }
        return moment
    }

    private static func question(_ arguments: ParsedArguments, _ now: Timestamp) throws(CommandFailure) -> Question {
        let rest = Array(arguments.operands.dropFirst())
        func wanted(_ count: Int, _ names: String) throws(CommandFailure) {
            guard rest.count == count else { throw usage("\(arguments.operands[0]) takes \(names)") }
        }
        let since = try moment(arguments, "since", now)
        switch arguments.operands.first {
        case nil: return .show(at: try moment(arguments, "at", now))
        case "diff":
            if let since {
                try wanted(0, "either two moments or --since")
                return .difference(from: since, to: now)
            }
            guard rest.count == 2 else { throw usage("diff takes two moments, or --since", MomentText.hint) }
            let (from, to) = (try moment(rest[0], "diff", now), try moment(rest[1], "diff", now))
            guard from < to else { throw usage("the first moment is not before the second", "exchange them") }
            return .difference(from: from, to: to)
        case "watch":
            try wanted(0, "nothing more; --network chooses")
            return .watch
        case "compare":
            try wanted(2, "two networks")
            return .compare(rest[0], rest[1])
        case "path":
            try wanted(2, "two endpoints or interfaces")
            return .path(rest[0], rest[1])
        case "behind":
            try wanted(1, "one name")
            return .behind(rest[0])
        case "talks":
            try wanted(1, "one name")
            return .talks(rest[0], since: since)
        case "whatif":
            guard !rest.isEmpty else { throw usage("whatif takes the changes that would be made", "nilo topology whatif 'link down eth0'") }
            return .whatIf(rest)
        case let word?:
            let near = Suggestion.nearest(to: word, among: words).map { "did you mean \($0)?" }
            throw usage("there is no question \"\(word.visible)\"", near ?? "there is \(words.joined(separator: ", "))")
        }
    }

    /// What does not go with the question is no mistake to pass over.
    private func check(_ arguments: ParsedArguments) throws(CommandFailure) {
        var fitting: Set<String> = []
        switch question {
        case .show: fitting = ["at", "network", "layer", "all", "top"]
        case .difference: fitting = ["since", "network", "layer", "all"]
        case .watch: fitting = ["network", "all"]
        case .compare, .path: break
        case .behind, .whatIf: fitting = ["top"]
        case .talks: fitting = ["since", "top"]
        }
        for option in ["at", "since", "network", "layer", "all", "top"] where arguments.has(option) && !fitting.contains(option) {
            throw Self.usage("--\(option) does not go with \(arguments.operands.first?.visible ?? "the whole map")")
        }
    }
}
