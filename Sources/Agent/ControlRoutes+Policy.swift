import API
import Logging
import Reports

/// Changing the policy over the control socket.
extension ControlRoutes {
    /// The body is a `PolicyChange`; the answer a `PlanReport`.
    static func applyPolicy(_ request: ControlRequest) throws(ControlQuery.Fault) -> Question {
        let change = try PolicyChange(body: request.body)
        let peer = request.peer
        return { agent in
            let actor = AuditLog.Actor(peer)
            do {
                let report = try agent.keeper.change(change)
                if report.applied { agent.note("policy", by: actor, fields(change, steps: report.steps.count)) }
                return try json(report)
            } catch {
                if !change.dryRun { agent.audit?.record("policy", by: actor, result: .failed("\(error)"), fields(change, steps: 0)) }
                throw error
            }
        }
    }

    /// One rule, as a `RuleReport`.
    static func rule(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        guard let name = query.text("name"), !name.isEmpty else {
            throw ControlQuery.Fault(field: "name", reason: "it is missing; it is to be the name of a rule")
        }
        return { try json($0.reporter.rule(named: name, at: .now)) }
    }

    private static func fields(_ change: PolicyChange, steps: Int) -> KeyValuePairs<String, LogValue> {
        [
            "put": LogValue(change.put.keys.sorted().joined(separator: " ")),
            "remove": LogValue((change.remove + (change.removeRule.map { [$0] } ?? [])).joined(separator: " ")), "steps": LogValue(steps),
        ]
    }

    static func confirmPolicy(_ agent: Agent, _ peer: ControlRequest.Peer?) throws -> ControlResponse {
        try agent.keeper.confirm()
        agent.note("policy confirmed", by: AuditLog.Actor(peer), [:])
        return ControlResponse(body: Array("{\"confirmed\":true}\n".utf8))
    }
}
