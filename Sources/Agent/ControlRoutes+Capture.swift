import API
import Flows
import Logging
import NetworkTypes
import Policy

/// A capture for a client: pcapng for as long as the connection lasts. Over the control socket alone.
extension ControlRoutes {
    static let captureFields = ["filter", "on", "direction", "snap", "count"]

    static func capture(_ query: ControlQuery, _ request: ControlRequest) throws(ControlQuery.Fault) -> Question {
        let text = query.text("filter") ?? ""
        var scope = RuleScope()
        do throws(FlowFilterError) { scope.filter = try FlowFilter(parsing: text) } catch {
            throw ControlQuery.Fault(field: "filter", value: text, reason: "\(error)", hint: error.hint)
        }
        scope.interfaces = query.text("on").map { $0.split(separator: ",").map(String.init) } ?? []
        switch query.text("direction") {
        case nil: break
        case "ingress": scope.direction = .ingress
        case "egress": scope.direction = .egress
        case let other?: throw ControlQuery.Fault(field: "direction", value: other, reason: "it is ingress or egress")
        }
        let snap = query.text("snap") == nil ? nil : try query.number("snap", in: Policy.shortestSnapLength...65535, standard: 0)
        let count = query.text("count") == nil ? nil : UInt64(try query.number("count", in: 1...Int(Int32.max), standard: 1))
        let peer = request.peer
        return { [scope] agent in
            let rule = agent.consumer.captures.rule(scope, snapLength: snap)
            // What is wrong with it can be answered only now.
            try agent.keeper.add(guest: rule, dryRun: true)
            let door = AgentDoor(agent)
            return ControlResponse(contentType: "application/x-pcapng") { stream in
                let isTaken = door.enter { $0.beginCapture(rule, to: stream, limit: count, for: peer) }
                if !isTaken { stream.finish() }
            }
        }
    }
}

extension Agent {
    fileprivate func beginCapture(_ rule: MirrorRule, to stream: ControlStream, limit: UInt64?, for peer: ControlRequest.Peer?) {
        let actor = AuditLog.Actor(peer)
        let fields: KeyValuePairs<String, LogValue> = [
            "session": LogValue(rule.name), "on": LogValue(rule.scope.interfaces.joined(separator: ",")),
            "filter": LogValue("\(rule.scope.filter)"),
        ]
        do {
            try consumer.captures.begin(rule, to: stream, limit: limit)
            note("capture", by: actor, fields)
        } catch {
            log.error("capture not begun", ["reason": LogValue("\(error)")])
            audit?.record("capture", by: actor, result: .failed("\(error)"), fields)
            stream.finish()
        }
    }
}

/// Lets what other threads hold come back to the agent's.
final class AgentDoor: Sendable {
    private let jobs: JobQueue
    /// Used on its loop's thread alone.
    private nonisolated(unsafe) weak var agent: Agent?

    init(_ agent: Agent) {
        jobs = agent.loop.jobs
        self.agent = agent
    }

    /// - Returns: false when the agent is ending; the job will not run.
    func enter(_ job: @escaping @Sendable (Agent) -> Void) -> Bool { jobs.add { [self] in if let agent { job(agent) } } }
}
