import Flows
import Glibc
import NetworkTypes
import Reports
import Terminal

/// `nilo flows`: what may be asked. The answer is a `FlowListReport`, shown by `FlowListView`.
public struct FlowsVerb: Hashable, Sendable {
    public var filter: FlowFilter
    public var order: FlowOrder
    /// Add flows up by subject; the answer is then a `FlowGroupListReport`, shown by `FlowGroupListView`.
    public var grouping: FlowGrouping?
    public var tuple: TupleChoice
    public var count: Int
    /// `count` was asked for, so it is not cut to the terminal's height.
    public var countIsGiven: Bool
    public var json: Bool
    public var follow: Bool
    public var interval: Duration
    public var wide: Bool
    /// Look up names of addresses.
    public var resolve: Bool
    /// Show ports as numbers.
    public var numeric: Bool
    /// Look up the processes of local sockets.
    public var owners: Bool
    public var numbers: NumberForm

    public static let specification = CommandSpecification(
        "flows", summary: "List flows with their exact counts",
        discussion: """
            A flow is seen at one observation point: an interface and a direction. A packet
            that passes several interfaces is counted on each: lines of different interfaces
            are not to be added up. Bytes are Ethernet frames without FCS.

            With --by, flows are added up: interface by interface, and each flow from one
            of an interface's two points only, so that no packet is in a row twice.

            Filters are close to pcap-filter(7): host, net, port, tcp, udp, vlan, vni,
            interface, ingress, …, joined by and, or, not.
            """,
        options: [
            OptionSpecification("top", short: "n", value: "N", help: "how many to list (20)"),
            OptionSpecification(
                "sort", short: "s", value: "BY", choices: FlowMeasure.allCases.map(\.rawValue),
                help: "what to sort by (rate), largest first"),
            OptionSpecification(
                "by", short: "b", value: "WHAT", choices: FlowGrouping.allCases.map(\.rawValue), help: "add flows up by subject"),
            OptionSpecification("innermost", help: "with --by: take subjects from inside VXLAN"),
            OptionSpecification("reverse", short: "r", help: "smallest first"),
            OptionSpecification("follow", short: "f", help: "list again and again until interrupted"),
            OptionSpecification("interval", short: "i", value: "TIME", help: "how often, with --follow (2s)"),
            OptionSpecification("wide", short: "w", help: "all columns, however wide the terminal is"),
            OptionSpecification("names", help: "look up the names of addresses"),
            OptionSpecification("owners", short: "o", help: "the local process of each flow, as it is now"),
            OptionSpecification("numeric", help: "ports as numbers"),
            NumberForm.option, .json, AgentConnection.option,
        ],
        operand: .init("FILTER", count: 0...1000, help: "which flows, as: host 10.0.0.1 and tcp port 443"),
        examples: [
            .init("nilo flows", "the 20 flows of the highest rate"),
            .init("nilo flows host 10.0.0.1 and tcp port 443", "what one host says over HTTPS"),
            .init("nilo flows --sort bytes --top 5 interface eth0 and ingress", "the five largest that came in by eth0"),
            .init("nilo flows 'inner (net 10.1.0.0/16 and not udp)'", "inside VXLAN; quotes keep the shell away from parentheses"),
            .init("nilo flows --by host interface eth0", "how much each host sends and receives on eth0"),
            .init("nilo flows --owners --sort bytes", "which process moves the most"),
            .init("nilo flows --json --sort retransmissions", "for a script"),
        ])

    public init(_ arguments: ParsedArguments) throws(CommandFailure) {
        filter = try Self.filter(arguments)
        let measure = arguments.value("sort").flatMap(FlowMeasure.init) ?? .rate
        order = FlowOrder(measure, ascending: arguments.has("reverse"))
        grouping = arguments.value("by").flatMap(FlowGrouping.init)
        tuple = arguments.has("innermost") ? .innermost : .outer
        if arguments.has("innermost"), grouping == nil {
            throw CommandFailure("flows", "--innermost says what to add up by", hint: "add --by, as --by host", code: .usage)
        }
        count = try arguments.number("top", in: 1...1_000_000) ?? 20
        countIsGiven = arguments.has("top")
        json = arguments.has("json")
        follow = arguments.has("follow")
        interval = try arguments.duration("interval", in: .milliseconds(100)...(.seconds(3600))) ?? .seconds(2)
        wide = arguments.has("wide")
        resolve = arguments.has("names")
        numeric = arguments.has("numeric")
        owners = arguments.has("owners")
        numbers = NumberForm(arguments)
        if owners, grouping != nil {
            throw CommandFailure("flows", "--owners goes with single flows", hint: "leave out --by", code: .usage)
        }
        if arguments.has("interval"), !follow {
            throw CommandFailure("flows", "--interval says how often to follow", hint: "add --follow", code: .usage)
        }
    }

    /// The words of a filter, with or without quotes around them; a mistake is shown in its place.
    static func filter(_ arguments: ParsedArguments) throws(CommandFailure) -> FlowFilter {
        let text = arguments.operands.joined(separator: " ")
        do throws(FlowFilterError) { return try FlowFilter(parsing: text) } catch {
            let marked = error.marked(in: text).split(separator: "\n").map { "    \($0)" }.joined(separator: "\n")
            throw CommandFailure(
                "filter", "\(error)\n\(marked)", hint: error.hint ?? "nilo help flows shows examples", code: .usage)
        }
    }
}

extension FlowsVerb {
    public static let command = Command(specification) { arguments, context in
        try FlowsVerb(arguments).run(AgentConnection(arguments, context: context), context, ReverseDNS())
    }

    func run(_ agent: AgentConnection, _ context: CommandContext, _ names: ReverseDNS) throws {
        var verb = self
        let redraws = follow && !json && context.output.isTerminal && context.environment("TERM") != "dumb"
        if redraws, !countIsGiven, let rows = TerminalOutput.rows(descriptor: STDOUT_FILENO) { verb.count = max(1, min(count, rows - 3)) }
        var isFirst = true
        while true {
            let due = ContinuousClock.now + interval
            let text = try verb.answer(agent, context.output, names)
            try context.write(redraws ? Self.redrawn(text, first: isFirst) : isFirst || json ? text : "\n" + text)
            guard follow else { return }
            isFirst = false
            Self.sleep(until: due)
        }
    }

    private var query: [(String, String)] {
        var query = [
            ("filter", filter.description), ("sort", order.measure.rawValue), ("reverse", order.ascending ? "1" : "0"), ("top", "\(count)"),
        ]
        if let grouping { query += [("by", grouping.rawValue), ("tuple", tuple.rawValue)] }
        return query
    }

    /// A million flows are not told in ten seconds.
    private var patience: Duration { .seconds(10) + .microseconds(100 * count) }

    private func answer(_ agent: AgentConnection, _ output: TerminalOutput, _ names: ReverseDNS) throws(CommandFailure) -> String {
        if grouping != nil {
            let list: FlowGroupListReport = try agent.ask("/v1/groups", query, for: "list flows", timeout: patience)
            if json { return try JSONOutput.text(list, pretty: !follow) }
            return FlowGroupListView(output: output, ends: ends(list.addresses, names), numbers: numbers).text(list)
        }
        var list: FlowListReport = try agent.ask("/v1/flows", query, for: "list flows", timeout: patience)
        if owners {
            var found = FlowOwners()
            found.name(&list)
        }
        if json { return try JSONOutput.text(list, pretty: !follow) }
        return FlowListView(output: output, wide: wide, ends: ends(list.addresses, names), numbers: numbers).text(list)
    }

    private func ends(_ addresses: Set<String>, _ names: ReverseDNS) -> EndpointText {
        guard resolve else { return EndpointText(numeric: numeric) }
        let found = names.names(of: addresses)
        return EndpointText(numeric: numeric) { found[$0] }
    }

    /// In place of the list before (ECMA-48 cursor position and erasures).
    private static func redrawn(_ text: String, first: Bool) -> String {
        (first ? "\u{1B}[H\u{1B}[2J" : "\u{1B}[H") + text.split(separator: "\n").map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J"
    }

    private static func sleep(until due: ContinuousClock.Instant) {
        let left = (due - .now).components
        guard left.seconds >= 0, left.attoseconds >= 0 else { return }
        var time = timespec(tv_sec: Int(left.seconds), tv_nsec: Int(left.attoseconds / 1_000_000_000))
        var rest = timespec()
        while nanosleep(&time, &rest) != 0, errno == EINTR { time = rest }
    }
}

extension FlowListReport {
    /// Those that are shown.
    fileprivate var addresses: Set<String> {
        Set(flows.map { $0.inner ?? $0.tuple }.flatMap { [$0.source, $0.destination] }.compactMap { $0 })
    }
}

extension FlowGroupListReport {
    fileprivate var addresses: Set<String> {
        Set(groups.flatMap { [$0.host, $0.conversation?.source, $0.conversation?.destination] }.compactMap { $0 })
    }
}
