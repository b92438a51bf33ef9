import API
import Foresight
import Logging
import NetworkTypes
import Reports
import Topology

/// What may be asked of what was unusual, and said to it.
extension ControlRoutes {
    static func anomalies(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let since = try query.moment("since", roundedUp: false)
        return { agent in
            let thread = try agent.anomalies()
            let now = Timestamp.now
            let start = since ?? Timestamp(nanoseconds: now.nanoseconds - 3_600_000_000_000)
            return later {
                var report = IncidentListReport(thread.incidents.book, since: start, at: now)
                guard !report.silences.isEmpty else { return try json(report) }
                let names = SeriesNames(thread.keys)
                for place in report.silences.indices {
                    report.silences[place].names = Array(names.matched([report.silences[place].pattern]).prefix(shownNames))
                }
                return try json(report)
            }
        }
    }

    /// Names of series that are told of a silence.
    private static let shownNames = 8

    static func anomalyEvents(_ agent: Agent) throws -> ControlResponse {
        let feed = try agent.anomalies().incidents.feed
        return ControlResponse { feed.add($0) }
    }

    static func judge(_ query: ControlQuery, _ peer: ControlRequest.Peer?) throws(ControlQuery.Fault) -> Question {
        let id = try query.number("id", in: 1...Int(Int32.max), standard: 0)
        guard id > 0 else { throw ControlQuery.Fault(field: "id", value: nil, reason: "it has to be given") }
        let verdict = try query.choice("verdict", standard: Incident.Verdict.seen)
        return { agent in
            let incidents = try agent.anomalies().incidents
            guard let earlier = incidents.book[id] else {
                throw TopologyRefusal(status: 404, error: "there is no incident \(id)", hint: "nilo anomalies --since 30d lists them")
            }
            agent.note("incident judged", by: AuditLog.Actor(peer), ["incident": LogValue(id), "verdict": LogValue(verdict.rawValue)])
            // The disk is not waited for here.
            return later {
                _ = incidents.judge(id, verdict)
                return try json(VerdictReport(id: id, verdict: verdict.rawValue, earlier: earlier.verdict?.rawValue))
            }
        }
    }

    private static let longestSilence = 30 * 86_400

    static func silence(_ query: ControlQuery, _ peer: ControlRequest.Peer?) throws(ControlQuery.Fault) -> Question {
        guard let text = query.text("pattern"), !text.isEmpty, text.utf8.count <= 512 else {
            throw ControlQuery.Fault(
                field: "pattern", value: query.text("pattern"),
                reason: "it is a series' key or name of at most 512 bytes, with * for anything")
        }
        let seconds = try query.number("seconds", in: 0...longestSilence, standard: 3600)
        return { agent in
            let thread = try agent.anomalies()
            let incidents = thread.incidents
            let names = SeriesNames(thread.keys)
            let silent = incidents.book.silences.map(\.pattern)
            // A silence that was set for a key can be ended when the thing is gone.
            let patterns =
                silent.contains(text) ? [text] : names.patterns(text, subject: try? agent.knownTopology().snapshot.seriesSubject(text))
            agent.note(
                "silence", by: AuditLog.Actor(peer),
                ["pattern": LogValue(patterns.joined(separator: " ")), "seconds": LogValue(seconds)])
            guard seconds > 0 || patterns.contains(where: silent.contains) else {
                throw TopologyRefusal(status: 404, error: "\(text) is not silenced", hint: "nilo anomalies lists what is")
            }
            return later {
                let matched = names.matched(patterns)
                var answer = SilenceReport(patterns: patterns, until: nil, names: Array(matched.prefix(shownNames)), matches: matched.count)
                for pattern in patterns {
                    if seconds == 0 {
                        _ = incidents.unsilence(pattern)
                    } else {
                        answer.until = Timestamp(second: incidents.silence(pattern, for: .seconds(seconds)).until).description
                    }
                }
                return try json(answer)
            }
        }
    }
}

extension Agent {
    /// - Throws: where no anomalies are looked for.
    func anomalies() throws(TopologyRefusal) -> ForesightThread {
        let foresight = try foresight()
        guard configuration.anomalies.isOn else {
            throw TopologyRefusal(
                status: 404, error: "anomalies are not looked for", hint: "anomalies.enabled of the configuration says whether")
        }
        return foresight
    }
}
