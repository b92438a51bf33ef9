import API
import NetworkTypes
import PathComputation
import Reports
import Topology

/// The named questions, and the comparison of two networks: answered from the present snapshot, and who talked from the history too.
extension ControlRoutes {
    static func compareNetworks(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let (first, second) = (try query.needed("a"), try query.needed("b"))
        return { agent in
            let teller = try agent.topologyTeller()
            return later {
                let (a, b) = (try teller.snapshot.node(named: first), try teller.snapshot.node(named: second))
                for node in [a, b] where teller.snapshot.members(of: node).count > largestComparison {
                    throw TopologyRefusal(
                        status: 422, error: "\(teller.snapshot.key(of: node)) has more than \(largestComparison) members",
                        hint: "compare namespaces or hosts of it")
                }
                return try json(NetworkComparisonReport(teller, a, b))
            }
        }
    }

    /// Members of a network that is compared: matching takes longer than in proportion.
    private static let largestComparison = 5000
    /// Changes of one “what if”.
    private static let mostChanges = 100

    /// Works it out on the listener's thread: nobody waits but who asked.
    static func whatIf(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let changes = try query.needed("change").split(separator: "\n").map(String.init)
        guard !changes.isEmpty, changes.count <= mostChanges else {
            throw ControlQuery.Fault(field: "change", value: nil, reason: "it has \(changes.count) lines, 1 to \(mostChanges) are possible")
        }
        return { agent in
            let latest = try agent.knownTopology()
            return later {
                // Of whole seconds, so that rates are of a time that was measured to its end.
                let snapshot = latest.past.last ?? latest.snapshot
                let earlier = latest.past.count > 1 ? latest.past.first : nil
                let report: WhatIfReport
                do throws(WhatIfError) {
                    report = try snapshot.whatIf(changes, since: earlier, settings: latest.settings, epoch: latest.loads.length)
                } catch {
                    return .badValue(
                        field: "change", value: changes[error.position], reason: "\(error)", hint: "docs/whatif.md has the words")
                }
                return try json(WhatIfAnswerReport(report, at: snapshot.time, epoch: snapshot.epoch))
            }
        }
    }

    static func askTopology(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let question = try query.choice("question", standard: TopologyQuestion.talks)
        let of = try query.needed("of")
        let to = query.text("to")
        switch question {
        case .path: _ = try query.needed("to")
        case .behind, .talks:
            if to != nil { throw ControlQuery.Fault(field: "to", value: nil, reason: "only question=path has it") }
        }
        let top = try query.number("top", in: 1...1_000_000, standard: 1000)
        if let since = try query.moment("since", roundedUp: false) {
            guard question == .talks else { throw ControlQuery.Fault(field: "since", value: nil, reason: "only question=talks has it") }
            guard since <= .now else { throw ControlQuery.Fault(field: "since", value: query.text("since"), reason: "it is yet to come") }
            return pastTalks(of: of, since, top: top)
        }
        return { agent in
            let teller = try agent.topologyTeller()
            return later {
                let node = try teller.snapshot.node(named: of)
                let answer =
                    switch question {
                    case .path: try path(teller, from: teller.snapshot.end(node, named: of), to: to ?? "")
                    case .behind: TopologyAnswerReport(behind: teller, node, top: top)
                    case .talks: TopologyAnswerReport(talks: teller, node, top: top)
                    }
                return try json(answer)
            }
        }
    }

    /// To what is known by that name, or to an address that nobody has.
    private static func path(_ teller: TopologyTeller, from: NodeID, to name: String) throws -> TopologyAnswerReport {
        if case .nothing = teller.snapshot.find(name), let address = IPAddress(name) {
            return TopologyAnswerReport(path: teller, from: from, to: address)
        }
        let to = try teller.snapshot.end(teller.snapshot.node(named: name), named: name)
        return TopologyAnswerReport(path: teller, from: from, to: to)
    }

    private static func pastTalks(of name: String, _ since: Timestamp, top: Int) -> Question {
        { agent in
            let reader = try agent.history()
            let latest = try agent.knownTopology()
            let place = agent.historyPlace
            return later {
                let talks = try PastTalks(reader, since: since, latest)
                return try json(try talks.answer(name, top: top, keeps: place?.keeps ?? { _ in .zero }))
            }
        }
    }
}

extension ControlQuery {
    func needed(_ name: String) throws(Fault) -> String {
        guard let text = text(name), !text.isEmpty else { throw Fault(field: name, value: nil, reason: "it is missing") }
        return text
    }

    func optionalChoice<T: RawRepresentable & CaseIterable>(_ name: String, of type: T.Type) throws(Fault) -> T?
    where T.RawValue == String {
        guard text(name) != nil, let first = T.allCases.first else { return nil }
        return try choice(name, standard: first)
    }
}
