import API
import Configuration
import Flows
import FoundationEssentials
import Logging
import NetworkTypes
import Reports
import Storage

/// The control API: what may be asked over the sockets, and the form of the answers. Bodies are JSON of the `Reports` types.
enum ControlRoutes {
    /// What is to be done on the agent's thread.
    typealias Question = @Sendable (Agent) throws -> ControlResponse
    /// Runs a question on the agent's thread.
    typealias Ask = (@escaping Question) -> Result<ControlResponse, any Error>?

    private struct Route: Sendable {
        /// `GET` stands for `HEAD` too.
        var method: String
        /// Of the query.
        var fields: [String] = []
        var question: @Sendable (ControlQuery, ControlRequest) throws(ControlQuery.Fault) -> Question

        var methods: [String] { method == "GET" ? ["GET", "HEAD"] : [method] }
    }

    private static let routes: [String: Route] = [
        "/v1/status": Route(method: "GET") { _, _ in { try json($0.status()) } },
        "/v1/interfaces": Route(method: "GET", fields: ["name", "closed"]) { query, _ throws(ControlQuery.Fault) in try interfaces(query) },
        "/v1/flows": Route(method: "GET", fields: listFields) { query, _ throws(ControlQuery.Fault) in try flows(query) },
        "/v1/groups": Route(method: "GET", fields: listFields + ["by", "tuple"]) { query, _ throws(ControlQuery.Fault) in try groups(query)
        },
        "/v1/topology": Route(method: "GET", fields: ["at", "network", "layer", "top"]) { query, _ throws(ControlQuery.Fault) in
            try topology(query)
        },
        "/v1/topology/compare": Route(method: "GET", fields: ["a", "b"]) { query, _ throws(ControlQuery.Fault) in
            try compareNetworks(query)
        },
        "/v1/topology/ask": Route(method: "GET", fields: ["question", "of", "to", "since", "top"]) { query, _ throws(ControlQuery.Fault) in
            try askTopology(query)
        },
        "/v1/topology/diff": Route(method: "GET", fields: ["from", "to", "network", "layer"]) { query, _ throws(ControlQuery.Fault) in
            try difference(query)
        },
        "/v1/topology/history": Route(method: "GET", fields: ["from", "to", "key", "top"]) { query, _ throws(ControlQuery.Fault) in
            try history(query)
        },
        "/v1/topology/whatif": Route(method: "GET", fields: ["change"]) { query, _ throws(ControlQuery.Fault) in try whatIf(query) },
        "/v1/networks": Route(method: "GET") { _, _ in { try networks($0) } },
        "/v1/series": Route(method: "GET", fields: ["key", "kind", "from", "to", "step", "top", "network", "measure"]) {
            query, _ throws(ControlQuery.Fault) in try series(query)
        },
        "/v1/events": Route(method: "GET", fields: ["network"]) { query, _ throws(ControlQuery.Fault) in try events(query) },
        "/v1/forecast": Route(method: "GET", fields: ["key", "measure", "span", "steps"]) { query, _ throws(ControlQuery.Fault) in
            try forecast(query)
        },
        "/v1/forecast/accuracy": Route(method: "GET", fields: ["key", "measure", "top"]) { query, _ throws(ControlQuery.Fault) in
            try forecastAccuracy(query)
        },
        "/v1/profile": Route(method: "GET", fields: ["key", "measure"]) { query, _ throws(ControlQuery.Fault) in try profile(query) },
        "/v1/anomalies": Route(method: "GET", fields: ["since"]) { query, _ throws(ControlQuery.Fault) in try anomalies(query) },
        "/v1/anomalies/events": Route(method: "GET") { _, _ in { try anomalyEvents($0) } },
        "/v1/anomalies/judge": Route(method: "POST", fields: ["id", "verdict"]) { query, request throws(ControlQuery.Fault) in
            try judge(query, request.peer)
        },
        "/v1/anomalies/silence": Route(method: "POST", fields: ["pattern", "seconds"]) { query, request throws(ControlQuery.Fault) in
            try silence(query, request.peer)
        },
        "/metrics": Route(method: "GET") { _, _ in
            { ControlResponse(contentType: "text/plain; version=0.0.4; charset=utf-8", body: Array(try $0.metrics().utf8)) }
        },
        "/v1/policy": Route(method: "GET") { _, _ in { try json($0.reporter.report(at: .now, withClasses: true)) } },
        "/v1/policy/rule": Route(method: "GET", fields: ["name"]) { query, _ throws(ControlQuery.Fault) in try rule(query) },
        "/v1/policy/apply": Route(method: "POST") { _, request throws(ControlQuery.Fault) in try applyPolicy(request) },
        "/v1/policy/confirm": Route(method: "POST") { _, request in { try confirmPolicy($0, request.peer) } },
        "/v1/planning": Route(method: "GET", fields: ["top"]) { query, _ throws(ControlQuery.Fault) in try planning(query) },
        "/v1/capture": Route(method: "POST", fields: captureFields) { query, request throws(ControlQuery.Fault) in
            try capture(query, request)
        },
        "/v1/stop": Route(method: "POST", fields: ["keep"]) { query, request throws(ControlQuery.Fault) in try stop(query, request.peer) },
    ]

    private static let listFields = ["filter", "sort", "reverse", "top"]

    static func answer(_ request: ControlRequest, ask: Ask) -> ControlResponse {
        switch question(request) {
        case .failure(let refusal): return refusal.response
        case .success(let question):
            guard let result = ask(question) else {
                return .failure(503, "the agent is starting or ending", hint: "try again in a second")
            }
            return response(result)
        }
    }

    /// An answer that takes a while, and needs no more of the agent than it has already.
    static func later(_ make: @escaping @Sendable () throws -> ControlResponse) -> ControlResponse {
        ControlResponse(later: { response(Result { try make() }) })
    }

    private static func response(_ result: Result<ControlResponse, any Error>) -> ControlResponse {
        switch result {
        case .success(let response): response
        case .failure(let error as StorageError): .failure(503, "\(error)", hint: error.hint)
        case .failure(let refusal as TopologyRefusal): refusal.response
        case .failure(let error as AgentFailure): .failure(422, "\(error.what): \(error.why)", hint: error.hint)
        case .failure(let error as PolicyFile.Failure): .failure(422, "\(error)", hint: "nothing was changed")
        case .failure(let error as PlanReport.Refusal): .failure(422, "\(error.rule): \(error.reason)", hint: error.hint)
        case .failure(let error): .failure(500, "\(error)")
        }
    }

    /// Why a request is not put to the agent.
    struct Refusal: Error {
        var response: ControlResponse
    }

    /// What a request asks for, before anything is done.
    static func question(_ request: ControlRequest) -> Result<Question, Refusal> {
        guard let route = routes[request.path] else {
            let hint = "there is " + routes.keys.sorted().joined(separator: ", ")
            return .failure(Refusal(response: .failure(404, "no \(request.path)", hint: hint)))
        }
        guard route.methods.contains(request.method) else {
            let error = "\(request.path) is asked for with \(route.method), not \(request.method)"
            return .failure(Refusal(response: .notAllowed(error, allowed: route.methods)))
        }
        do throws(ControlQuery.Fault) {
            return .success(try route.question(ControlQuery(request, names: route.fields), request))
        } catch { return .failure(Refusal(response: error.response)) }
    }

    static func json(_ value: some Encodable) throws -> ControlResponse { ControlResponse(body: try encoded(value)) }

    static func encoded(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }

    // MARK: Questions

    private static func interfaces(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        var patterns: [InterfacePattern] = []
        for text in query.text("name")?.split(separator: ",", omittingEmptySubsequences: false).map(String.init) ?? [] {
            guard let pattern = InterfacePattern(text) else {
                throw ControlQuery.Fault(field: "name", value: text, reason: "it is NAME or NAMESPACE:NAME, with * and ? as wildcards")
            }
            patterns.append(pattern)
        }
        let closed = try query.flag("closed")
        return { [patterns] in try json($0.interfaceList(patterns, closed: closed)) }
    }

    private static func list(_ query: ControlQuery) throws(ControlQuery.Fault) -> (filter: FlowFilter, order: FlowOrder, top: Int) {
        let text = query.text("filter") ?? ""
        let filter: FlowFilter
        do throws(FlowFilterError) { filter = try FlowFilter(parsing: text) } catch {
            throw ControlQuery.Fault(field: "filter", value: text, reason: "\(error)", hint: error.hint)
        }
        let order = FlowOrder(try query.choice("sort", standard: FlowMeasure.rate), ascending: try query.flag("reverse"))
        return (filter, order, try query.number("top", in: 1...1_000_000, standard: 20))
    }

    private static func flows(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let (filter, order, top) = try list(query)
        return { try $0.flowList(filter, order, top) }
    }

    private static func groups(_ query: ControlQuery) throws(ControlQuery.Fault) -> Question {
        let (filter, order, top) = try list(query)
        let grouping = try query.choice("by", standard: FlowGrouping.conversation)
        let tuple = try query.choice("tuple", standard: TupleChoice.outer)
        return { try $0.groupList(filter, grouping, tuple, order, top) }
    }

    private static func stop(_ query: ControlQuery, _ peer: ControlRequest.Peer?) throws(ControlQuery.Fault) -> Question {
        let keep = try query.flag("keep")
        return { agent in
            agent.audit?.record(
                "stop", by: AuditLog.Actor(peer), result: .done,
                ["keep": keep ? "yes" : "no"])
            let report = agent.leaving(keep: keep)
            try agent.stop(keep: keep, after: .milliseconds(50))
            return try json(report)
        }
    }
}

extension AuditLog.Actor {
    /// Who asked, as far as the socket tells.
    init(_ peer: ControlRequest.Peer?) { self = peer.map { .peer(pid: $0.pid, uid: $0.uid) } ?? .agent("request") }
}
