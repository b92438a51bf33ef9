import FoundationEssentials
import NetworkTypes
import Reports
import Terminal

extension TopologyVerb {
    public static let command = Command(specification) { arguments, context in
        try TopologyVerb(arguments, now: MomentText.now).run(AgentConnection(arguments, context: context), context)
    }

    func run(_ agent: AgentConnection, _ context: CommandContext) throws {
        switch question {
        case .show(let at): try show(agent, context, at)
        case .difference(let from, let to):
            let query = [("from", "\(from)"), ("to", "\(to)")] + scope
            let report: TopologyDifferenceReport = try agent.ask(
                "/v1/topology/diff", query, for: "compare two moments", timeout: .seconds(60))
            try put(report, context) { ChangesView(output: context.output, numbers: numbers, kernelMade: kernelMade).text(report) }
        case .watch: try watch(agent, context)
        case .compare(let a, let b):
            let report: NetworkComparisonReport = try agent.ask(
                "/v1/topology/compare", [("a", a), ("b", b)], for: "compare \(a) and \(b)", timeout: .seconds(60))
            try put(report, context) { ComparisonView(output: context.output).text(report) }
        case .path(let a, let b): try ask(.path, [("of", a), ("to", b)], agent, context)
        case .behind(let name): try ask(.behind, [("of", name), ("top", "\(top)")], agent, context)
        case .talks(let name, let since):
            try ask(.talks, [("of", name), ("top", "\(top)")] + (since.map { [("since", "\($0)")] } ?? []), agent, context)
        case .whatIf(let changes): try whatIf(changes, agent, context)
        }
    }

    private var scope: [(String, String)] {
        (place.map { [("network", $0)] } ?? []) + (layer.map { [("layer", $0.rawValue)] } ?? [])
    }

    private func put(_ report: some Encodable, _ context: CommandContext, _ text: () throws -> String) throws {
        try context.write(format == .json ? JSONOutput.text(report, pretty: true) : text())
    }

    private func show(_ agent: AgentConnection, _ context: CommandContext, _ at: Timestamp?) throws {
        let query = [("top", String(top))] + scope + (at.map { [("at", "\($0)")] } ?? [])
        let report: TopologyReport = try agent.ask("/v1/topology", query, for: "show the topology", timeout: .seconds(60))
        let view = TopologyView(output: context.output, numbers: numbers, kernelMade: kernelMade)
        // What is drawn for a program has no place for it.
        let remarks = TopologyView(output: TerminalOutput(isTerminal: false, width: 0, color: false)).remarks(report)
        if [.dot, .graphml, .svg, .png].contains(format), !remarks.isEmpty { context.complain(remarks) }
        switch format {
        case .json: try context.write(JSONOutput.text(report, pretty: true))
        case .tree: try context.write(view.tree(report))
        case .table: try context.write(view.table(report))
        case .dot: try context.write(TopologyDrawing(kernelMade: kernelMade).dot(report))
        case .graphml: try context.write(TopologyGraphML(kernelMade: kernelMade).text(report))
        case .svg: try context.write(TopologySVG(TopologyLayout(report, kernelMade: kernelMade)).text)
        case .png: try context.write(png: TopologySVG(TopologyLayout(report, kernelMade: kernelMade)).text, of: "draw the topology")
        case .picture:
            let picture = TopologyPicture(TopologyLayout(report, kernelMade: kernelMade), output: context.output)
            try context.write(view.remarks(report) + picture.text)
        }
    }

    private func ask(_ question: TopologyQuestion, _ query: [(String, String)], _ agent: AgentConnection, _ context: CommandContext) throws
    {
        let report: TopologyAnswerReport = try agent.ask(
            "/v1/topology/ask", [("question", question.rawValue)] + query, for: "answer \(question.rawValue)", timeout: .seconds(60))
        try put(report, context) { AnswerView(output: context.output, numbers: numbers).text(report) }
    }

    /// Changes as they happen, until interrupted: lines for people, or one document a line.
    private func watch(_ agent: AgentConnection, _ context: CommandContext) throws {
        var failure: (any Error)?
        var events = EventLines()
        let view = ChangesView(output: context.output, numbers: numbers, kernelMade: kernelMade)
        if format != .json, context.output.isTerminal { context.complain("watching the topology; Ctrl-C ends it\n") }
        try agent.events("/v1/events", scope) { line in
            guard let event = events.take(line), event.name == "changes" else { return true }
            do {
                if format == .json {
                    try context.write(event.data + "\n")
                } else {
                    let report = try JSONDecoder().decode(ChangesEventReport.self, from: Data(event.data.utf8))
                    try context.write(view.text(report))
                }
                return true
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        throw CommandFailure(
            "watch the topology", "the agent ended it: it stops, or this reader fell behind", hint: "nilo status tells whether it runs")
    }

    /// The words go to the agent as they are, a line each: it knows the changes, and says what it does not understand.
    private func whatIf(_ changes: [String], _ agent: AgentConnection, _ context: CommandContext) throws {
        let report: WhatIfAnswerReport = try agent.ask(
            "/v1/topology/whatif", [("change", changes.joined(separator: "\n"))], for: "work out what would be", timeout: .seconds(60))
        try put(report, context) { WhatIfView(output: context.output, numbers: numbers, top: top).text(report) }
    }
}

/// Server-sent events (HTML standard, 9.2) out of the lines of a stream.
struct EventLines {
    struct Event: Hashable {
        var name: String
        var data: String
    }

    private var name = "message"
    private var data: [Substring] = []

    /// An event when the line was its last.
    mutating func take(_ line: String) -> Event? {
        let line = line.hasSuffix("\r") ? line.dropLast() : line[...]
        guard !line.isEmpty else {
            defer { (name, data) = ("message", []) }
            return data.isEmpty ? nil : Event(name: name, data: data.joined(separator: "\n"))
        }
        let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let value = parts.count == 2 ? (parts[1].hasPrefix(" ") ? parts[1].dropFirst() : parts[1]) : ""
        switch parts[0] {
        case "event": name = String(value)
        case "data": data.append(value)
        default: break
        }
        return nil
    }
}
