import NetworkTypes
import Reports
import Terminal

/// The agent's state on one screen.
public struct StatusView: Sendable {
    public var output: TerminalOutput
    public var numbers: NumberForm

    public init(output: TerminalOutput, numbers: NumberForm = .short) {
        self.output = output
        self.numbers = numbers
    }

    public func text(_ status: StatusReport) -> String {
        let memory = status.memory
        let collector = status.collector
        var lines: [(String, String)] = [
            ("agent", "nilo \(status.version), pid \(status.pid), up \(Duration.seconds(status.uptimeSeconds).short)"),
            (
                "kernel",
                "\(status.kernel), records of version \(status.recordVersion)\(status.tookOver ? ", took over earlier counts" : "")"
            ),
            ("interfaces", "\(status.interfaces) measured, " + books(status.interfacesInDoubt)),
            ("flows", "\(status.flows) of at most \(status.flowLimit)"),
            (
                "slots",
                "\(collector.slotsUsed) of \(collector.slots) in use"
                    + (collector.slotsUsed * 10 >= collector.slots * 9 ? " (a full cache is normal: flows spill to the log)" : "")
            ),
            ("spill log", "at most \(percent(collector.fullestLog)) full; what finds it full is in no flow"),
            (
                "collector",
                "\(collector.readings) readings, the last took \(Duration.seconds(collector.lastReadingMilliseconds / 1000).short)"
            ),
            ("memory", "\(numbers.memory(memory.privateBytes)) private, \(numbers.memory(memory.mapBytes)) in kernel maps"),
            (
                "cost",
                status.nanosecondsPerPacket.map { "\(Int($0.rounded())) ns per packet" }
                    ?? "unknown: the kernel keeps no run-time statistics (sysctl kernel.bpf_stats_enabled=1)"
            ),
        ]
        for export in status.exports {
            var text = "\(export.target): \(export.records) records, \(export.messages) messages"
            if export.notSent > 0 { text += ", \(export.notSent) not sent" }
            if let problem = export.problem { text += "; " + output.styled(TerminalText.printable(problem), .yellow) }
            lines.append(("export", text))
        }
        if let policy = status.policy { lines.append(("policy", text(policy))) }
        if let topology = status.topology { lines.append(("topology", text(topology))) }
        if let history = status.history { lines.append(("history", text(history))) }
        if let forecast = status.forecast { lines.append(("forecasts", text(forecast))) }
        if let page = status.page { lines.append(("page", page)) }
        if let applications = status.applications { lines.append(("applications", text(applications))) }
        for warning in status.warnings { lines.append(("warning", output.styled(TerminalText.printable(warning), .yellow))) }
        let width = lines.map(\.0.count).max() ?? 0
        return lines.map { output.styled(TerminalText.padded($0.0, to: width), .bold) + "  \($0.1)\n" }.joined()
    }

    private func text(_ topology: StatusReport.Topology) -> String {
        var text = "\(topology.nodes) nodes, \(topology.links) links, epoch \(topology.epoch)"
        if topology.foldedEnds > 0 { text += "; \(topology.foldedEnds) ends of flows folded into prefixes" }
        if topology.forgottenFlows > 0 { text += "; \(topology.forgottenFlows) flows forgotten for want of room" }
        return text
    }

    private func text(_ history: StatusReport.History) -> String {
        var text =
            "\(TerminalText.printable(history.file)), \(numbers.memory(history.bytes)) of at most \(numbers.memory(history.limitBytes))"
        if history.lostSeconds > 0 { text += ", \(history.lostSeconds) s of rates lost" }
        if let since = history.pausedAt {
            text += "; " + output.styled("paused since \(since): \(TerminalText.printable(history.problem ?? ""))", .yellow)
        }
        return text
    }

    private func text(_ forecast: StatusReport.Forecast) -> String {
        var text = "\(forecast.series) series of at most \(forecast.limit)"
        if forecast.refused > 0 { text += ", no room for \(forecast.refused)" }
        text += "; "
        let incidents = "\(forecast.openIncidents) incident\(forecast.openIncidents == 1 ? "" : "s") going on"
        let quiet = forecast.tellsAnomalies ? "no incident" : "anomalies are off"
        text += forecast.openIncidents > 0 ? output.styled(incidents, .yellow) : quiet
        if let seconds = forecast.behindSeconds {
            let late = "\(Duration.seconds(seconds).short) behind what is measured, \(forecast.waiting) forecasts still to be made"
            text += "; " + output.styled(late, .yellow)
        }
        if forecast.notPosted > 0 { text += ", " + output.styled("\(forecast.notPosted) not posted", .yellow) }
        return text
    }

    private func text(_ policy: StatusReport.Policy) -> String {
        let kinds = [(policy.mirrors, "mirror"), (policy.samplers, "sampler"), (policy.shapers, "shaper")]
            .filter { $0.0 > 0 }.map { "\($0.0) \($0.1)\($0.0 == 1 ? "" : "s")" }
        let total = policy.mirrors + policy.samplers + policy.shapers
        var text = total == 0 ? "no rules" : "\(total) rule\(total == 1 ? "" : "s") in force (\(kinds.joined(separator: ", ")))"
        func add(_ what: String, _ names: [String], _ color: TextStyle?) {
            guard !names.isEmpty else { return }
            let listed = "\(names.count) \(what): \(names.map(TerminalText.printable).joined(separator: ", "))"
            text += "; " + (color.map { output.styled(listed, $0) } ?? listed)
        }
        add("refused", policy.refused, .yellow)
        add("waiting for interfaces", policy.waiting.filter { !$0.inPart }.map { "\($0.rule) (\($0.reason))" }, nil)
        add("not everywhere", policy.waiting.filter(\.inPart).map { "\($0.rule) (\($0.reason))" }, nil)
        if policy.repaired > 0 { text += "; repaired \(policy.repaired == 1 ? "once" : "\(policy.repaired) times")" }
        if policy.displaced > 0 {
            text += "; our root qdisc displaced by others \(policy.displaced == 1 ? "once" : "\(policy.displaced) times")"
        }
        if let seconds = policy.confirmWithinSeconds {
            text += "; " + output.styled("taken back in \(Duration.seconds(seconds).short) unless confirmed (nilo confirm)", .yellow)
        }
        if let problem = policy.problem {
            let first = problem.split(separator: "\n").first.map(String.init) ?? ""
            text += "; " + output.styled("not as its files say: \(TerminalText.printable(first))", .red)
        }
        return text
    }

    private func text(_ applications: StatusReport.Applications) -> String {
        switch applications.state {
        case "off": return "off"
        case "running": break
        default: return output.styled("not told: the classifier is \(TerminalText.printable(applications.state))", .yellow)
        }
        var text = "\(applications.identified) conversations told, \(applications.guessed) guessed, \(applications.unknown) unknown; "
        text += "\(applications.inspected) packets looked at"
        if applications.passedOver > 0 { text += ", \(applications.passedOver) passed over (its budget)" }
        if applications.lost > 0 { text += ", \(applications.lost) lost" }
        text += ", \(Duration.seconds(applications.cpuSeconds).short) of CPU"
        if applications.restarts > 0 {
            text += "; " + output.styled("restarted \(applications.restarts == 1 ? "once" : "\(applications.restarts) times")", .yellow)
        }
        return text
    }

    private func books(_ doubtful: [String]) -> String {
        if doubtful.isEmpty { return output.styled("all books close", .green) }
        let names = doubtful.map(TerminalText.printable).joined(separator: ", ")
        return output.styled("to be looked at: \(names)", .yellow) + " (nilo interfaces --ledger)"
    }

    private func percent(_ part: Double) -> String { part.isFinite ? "\(Int((min(1, max(0, part)) * 100).rounded()))%" : "?" }
}
