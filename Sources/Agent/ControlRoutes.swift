import API
import Configuration
import Flows
import FoundationEssentials
import NetworkTypes
import Reports

/// The control API: what may be asked over the sockets, and the form of the answers. Bodies are JSON of the `Reports` types.
enum ControlRoutes {
    /// Runs a question on the agent's thread.
    typealias Ask = (@escaping @Sendable (Agent) throws -> ControlResponse) -> Result<ControlResponse, any Error>?

    static func answer(_ request: ControlRequest, ask: Ask) -> ControlResponse {
        let question: @Sendable (Agent) throws -> ControlResponse
        switch (request.method, request.path) {
        case ("GET", "/v1/status"): question = { try json($0.status()) }
        case ("GET", "/v1/interfaces"):
            let globs = (request.query["name"] ?? "").split(separator: ",").map { Glob(String($0)) }
            let closed = request.query["closed"] == "1"
            question = { try json($0.interfaceList(names: globs, closed: closed)) }
        case ("GET", "/v1/flows"), ("GET", "/v1/groups"):
            do { question = try flows(request) } catch { return .failure(400, "\(error)", hint: error.hint) }
        case ("GET", "/metrics"):
            question = { ControlResponse(contentType: "text/plain; version=0.0.4; charset=utf-8", body: Array(try $0.metrics().utf8)) }
        case ("POST", "/v1/stop"):
            guard !request.readOnly else { return .failure(403, "this socket is for reading", hint: "use the control socket") }
            let keep = request.query["keep"] == "1"
            let peer = request.peer
            question = { agent in
                agent.audit?.record(
                    "stop", by: peer.map { .peer(pid: $0.pid, uid: $0.uid) } ?? .agent("request"), result: .done,
                    ["keep": keep ? "yes" : "no"])
                try agent.stop(keep: keep, after: .milliseconds(50))
                return ControlResponse(body: Array("{\"stopped\":true}\n".utf8))
            }
        default: return .failure(404, "no \(request.method) \(request.path)", hint: "nilo help lists what there is")
        }
        switch ask(question) {
        case .success(let response)?: return response
        case .failure(let error)?: return .failure(500, "\(error)")
        case nil: return .failure(503, "the agent is starting or ending", hint: "try again in a second")
        }
    }

    static func json(_ value: some Encodable) throws -> ControlResponse {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return ControlResponse(body: Array(try encoder.encode(value)))
    }

    private struct BadQuery: Error, CustomStringConvertible {
        var description: String
        var hint: String?
    }

    private static func flows(_ request: ControlRequest) throws(BadQuery) -> @Sendable (Agent) throws -> ControlResponse {
        let filter: FlowFilter
        do { filter = try FlowFilter(parsing: request.query["filter"] ?? "") } catch {
            throw BadQuery(description: "filter: \(error)", hint: error.hint)
        }
        func choice<T: RawRepresentable & CaseIterable>(_ name: String, _ standard: T) throws(BadQuery) -> T where T.RawValue == String {
            guard let text = request.query[name] else { return standard }
            guard let value = T(rawValue: text) else {
                throw BadQuery(description: "\(name): \(text) is none of \(T.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return value
        }
        let order = FlowOrder(try choice("sort", FlowMeasure.rate), ascending: request.query["reverse"] == "1")
        let top = Int(request.query["top"] ?? "20") ?? 0
        guard (1...1_000_000).contains(top) else {
            throw BadQuery(description: "top: \(request.query["top"] ?? "") is not a number from 1 to 1000000")
        }
        if request.path == "/v1/flows" { return { try json($0.flowList(filter, order, top)) } }
        let grouping = try choice("by", FlowGrouping.conversation)
        let tuple = try choice("tuple", TupleChoice.outer)
        return { try json($0.groupList(filter, grouping, tuple, order, top)) }
    }
}
