import Foundation
import NetworkTypes
import PathComputation
import TestSupport
import Topology

/// What `ip route get` said.
struct KernelAnswer: Equatable, CustomStringConvertible {
    var type: String?
    var dev: String?
    var gateway: String?
    var source: String?
    var table: UInt32?
    /// errno.
    var error: Int32?
    var text: String

    var description: String { text }
}

private struct GetJSON: Decodable {
    struct Via: Decodable { var host: String }
    var type: String?
    var gateway: String?
    var via: Via?
    var dev: String?
    var prefsrc: String?
    var table: String?
}

extension NetworkNamespace {
    /// Asks the kernel for each query; answers in the same order.
    func routeGet(_ queries: [RouteQuery], _ numbers: [Int32: String]) async throws -> [KernelAnswer] {
        let errors: [String: Int32] = [
            "Network is unreachable": 101, "No route to host": 113, "Permission denied": 13, "Invalid argument": 22,
            "Invalid cross-device link": 18, "No such device": 19,
        ]
        var script = "set +e\n"
        for query in queries { script += "ip -N -j \(query.arguments(numbers)) 2>&1; echo\necho '@'\n" }
        let output = try await sh(script, seconds: 300)
        let parts = output.components(separatedBy: "@\n").dropLast()
        guard parts.count == queries.count else { throw Unexpected("\(parts.count) answers to \(queries.count) queries") }
        return try parts.map { part in
            let text = part.trimmingCharacters(in: .whitespacesAndNewlines)
            if let line = text.components(separatedBy: "RTNETLINK answers: ").last, line != text {
                let reason = line.prefix { $0 != "\n" && $0 != "[" }
                guard let error = errors[String(reason)] else { throw Unexpected("ip route get: \(text)") }
                return KernelAnswer(error: error, text: text)
            }
            guard let reply = try? JSONDecoder().decode([GetJSON].self, from: Data(text.utf8)).first else {
                throw Unexpected("ip route get: \(text)")
            }
            return KernelAnswer(
                type: reply.type, dev: reply.dev, gateway: reply.gateway ?? reply.via?.host, source: reply.prefsrc,
                table: reply.table.flatMap { number($0) }, text: text)
        }
    }
}

extension RouteQuery {
    func arguments(_ numbers: [Int32: String]) -> String {
        var words = "\(destination.isV4 ? "-4" : "-6") route get \(destination)"
        if let source { words += " from \(source)" }
        if let inputInterface { words += " iif \(numbers[inputInterface] ?? "?")" }
        if let outputInterface { words += " oif \(numbers[outputInterface] ?? "?")" }
        if mark != 0 { words += " mark \(mark)" }
        if tos != 0 { words += " tos 0x\(String(tos, radix: 16))" }
        if let transport { words += " ipproto \(transport.rawValue)" }
        if sourcePort != 0 { words += " sport \(sourcePort)" }
        if destinationPort != 0 { words += " dport \(destinationPort)" }
        if user != 0 { words += " uid \(user)" }
        return words
    }
}

/// Holds a prediction against the kernel's answer; nil when they agree.
func disagreement(_ tables: RoutingTables, _ query: RouteQuery, _ kernel: KernelAnswer) -> String? {
    let predicted: RouteDecision
    var query = query
    // Unless told otherwise `ip route get` asks for UDP (inet_rtm_getroute).
    if query.destination.isV4, query.transport == nil { query.transport = .udp }
    do {
        predicted = try tables.lookUp(query)
    } catch {
        if let expected = kernel.error, expected == error.errorNumber || (expected == 18 && error == .reversePath) { return nil }
        return "predicted \(error), kernel: \(kernel)"
    }
    func told(_ what: String) -> String { "\(what): predicted \(predicted), kernel: \(kernel)" }
    if kernel.error != nil { return told("error") }
    let type = kernel.type.flatMap { UInt8($0) } ?? 1
    if type != predicted.kind.rawValue { return told("type") }
    let links = tables.namespace.links
    let choice = predicted.choices.first { links[$0.interface]?.name == kernel.dev && $0.gateway?.description == kernel.gateway }
    guard let choice else { return told("dev or via") }
    // Asked with a source, the kernel still prints the one that it would have given (IPv6), or none (IPv4).
    if query.source == nil, let source = kernel.source, choice.source?.description != source { return told("prefsrc") }
    if query.source == nil, query.destination.isV4, kernel.source == nil, choice.source != nil { return told("prefsrc") }
    // Where local and main are one trie, the kernel calls it main.
    var table = predicted.route?.table
    if predicted.rule == nil, table == 255 { table = 254 }
    if let table, table != kernel.table ?? 254 { return told("table") }
    return nil
}
