import API
import Foundation
import Testing

@testable import Agent

/// What the control API takes and what it refuses, before an agent is asked.
@Suite struct ControlRoutesTests {
    private struct Answer: Decodable {
        var error: String
        var hint: String?
        var field: String?
        var value: String?
        var reason: String?
    }

    /// The refusal, or nil when the agent would be asked.
    private static func refusal(
        _ method: String, _ path: String, _ query: [String: String] = [:], repeated: Set<String> = [], body: String = ""
    ) throws -> (status: UInt32, answer: Answer, headers: [String: String])? {
        let request = ControlRequest(method: method, path: path, query: query, repeated: repeated, body: Array(body.utf8))
        guard case .failure(let refusal) = ControlRoutes.question(request) else { return nil }
        guard case .bytes(let bytes) = refusal.response.body else { throw CocoaError(.coderInvalidValue) }
        let headers = Dictionary(uniqueKeysWithValues: refusal.response.headers.map { ($0.name, $0.value) })
        return (refusal.response.status, try JSONDecoder().decode(Answer.self, from: Data(bytes)), headers)
    }

    @Test(
        arguments: [
            ("/v1/status", [:]), ("/v1/interfaces", ["closed": "1", "name": "eth*,blue:veth0"]), ("/metrics", [:]),
            ("/v1/flows", ["filter": "tcp and port 80", "sort": "bytes", "reverse": "0", "top": "1000000"]),
            ("/v1/groups", ["by": "host", "tuple": "innermost", "top": "1"]),
            ("/v1/topology", ["network": "vni/100", "layer": "tunnel", "top": "5"]), ("/v1/topology/compare", ["a": "x", "b": "y"]),
            ("/v1/topology/ask", ["question": "path", "of": "x", "to": "y"]), ("/v1/topology/ask", ["of": "x"]),
            ("/v1/topology/ask", ["of": "x", "since": "2026-03-01T12:00:00Z"]),
        ] as [(String, [String: String])]) func asked(path: String, query: [String: String]) throws
    {
        #expect(try Self.refusal("GET", path, query) == nil)
        #expect(try Self.refusal("HEAD", path, query) == nil)
    }

    @Test(arguments: [
        ("/v1/flows", "top", "0"), ("/v1/flows", "top", "-1"), ("/v1/flows", "top", "+5"), ("/v1/flows", "top", "1000001"),
        ("/v1/flows", "top", "many"), ("/v1/flows", "top", ""), ("/v1/flows", "sort", "size"), ("/v1/flows", "reverse", "yes"),
        ("/v1/flows", "filter", "tcp and prt 5"), ("/v1/groups", "by", "hosts"), ("/v1/groups", "tuple", "inner"),
        ("/v1/interfaces", "closed", "true"), ("/v1/interfaces", "name", ""), ("/v1/interfaces", "name", "blue:"),
        ("/v1/interfaces", "name", ":eth0"), ("/v1/topology", "layer", "4"), ("/v1/topology", "top", "0"),
    ]) func aWrongValueIsNamed(path: String, field: String, value: String) throws {
        let refusal = try #require(try Self.refusal("GET", path, [field: value]))
        #expect(refusal.status == 400 && refusal.answer.field == field && refusal.answer.value == value)
        #expect(refusal.answer.reason?.isEmpty == false && refusal.answer.error.contains(refusal.answer.reason!))
    }

    @Test(arguments: [
        ("/v1/flows", "tops"), ("/v1/flows", "by"), ("/v1/status", "verbose"), ("/v1/interfaces", "names"), ("/metrics", "x"),
    ]) func anUnknownFieldIsNamed(path: String, field: String) throws {
        let refusal = try #require(try Self.refusal("GET", path, [field: "1"]))
        #expect(refusal.status == 400 && refusal.answer.field == field && refusal.answer.reason == "there is no such field")
        #expect(refusal.answer.hint?.isEmpty == false)
    }

    @Test func aFieldGivenTwiceIsRefused() throws {
        let refusal = try #require(try Self.refusal("GET", "/v1/flows", ["top": "5"], repeated: ["top"]))
        #expect(refusal.status == 400 && refusal.answer.field == "top" && refusal.answer.reason == "it is given more than once")
    }

    @Test(arguments: [
        ("/v1/topology/compare", ["a": "x"], "b"), ("/v1/topology/compare", ["a": "", "b": "y"], "a"), ("/v1/topology/ask", [:], "of"),
        ("/v1/topology/ask", ["question": "path", "of": "x"], "to"),
        ("/v1/topology/ask", ["question": "behind", "of": "x", "to": "y"], "to"),
        ("/v1/topology/ask", ["question": "who", "of": "x"], "question"),
        ("/v1/topology/ask", ["question": "behind", "of": "x", "since": "2026-03-01T12:00:00Z"], "since"),
        ("/v1/topology/ask", ["of": "x", "since": "9h"], "since"),
        ("/v1/topology/ask", ["of": "x", "since": "2200-01-01T00:00:00Z"], "since"),
    ]) func aQuestionNeedsItsNames(path: String, query: [String: String], field: String) throws {
        let refusal = try #require(try Self.refusal("GET", path, query))
        #expect(refusal.status == 400 && refusal.answer.field == field)
    }

    /// Two lists of one document, in pieces, are the document.
    @Test(arguments: [(0, 0), (0, 3), (3, 0), (2, 3), (20_000, 20_000)]) func listsInPieces(first: Int, second: Int) throws {
        struct Document: Codable, Equatable {
            var entities: [Int] = []
            var epoch = 7
            var links: [Int] = []
            var name = "\"links\":[]"
        }
        let sections = [
            ListPieces<Int>.Section(member: "entities", rows: Array(0..<first)),
            ListPieces<Int>.Section(member: "links", rows: Array(0..<second)),
        ]
        let pieces = try ListPieces(Document(), sections, memory: ReturnedMemory()) { try ControlRoutes.encoded($0) }
        var text: [UInt8] = []
        var count = 0
        while let piece = try pieces.next() {
            #expect(!piece.isEmpty && piece.count < 70_000)
            text += piece
            count += 1
        }
        #expect(count > 1 || first < 20_000)
        let document = try JSONDecoder().decode(Document.self, from: Data(text))
        #expect(document == Document(entities: Array(0..<first), links: Array(0..<second)))
    }

    private static let change = #""put":{"a.yaml":"x"},"remove":[],"replace":false,"dryRun":true"#

    @Test func aPolicyChangeIsTaken() throws {
        for more in ["", #","confirmWithinSeconds":5"#, #","removeRule":"a","removeKind":"mirror""#, #","removeRule":null"#] {
            #expect(try Self.refusal("POST", "/v1/policy/apply", body: "{\(Self.change)\(more)}") == nil, "\(more)")
        }
    }

    /// In words, by the key, and with what the value is to be.
    @Test(arguments: [
        ("", "body", "no JSON"), ("{", "body", "no JSON"), ("[]", "body", "a JSON object"), ("7", "body", "a JSON object"),
        ("{}", "put", "it is missing; it is to be an object"), (#"{"put":[]}"#, "put", "an object of file names"),
        (#"{"put":{"a.yaml":5},"remove":[],"replace":false,"dryRun":true}"#, "put.a.yaml", "the text of a file, a string"),
        (#"{"put":{},"remove":["a",{}],"replace":false,"dryRun":true}"#, "remove[1]", "the name of a file, a string"),
        (#"{"put":{},"remove":[],"replace":false,"dryRun":"yes"}"#, "dryRun", "true or false"),
        (#"{"put":{},"remove":[],"replace":null,"dryRun":true}"#, "replace", "true or false"),
        (#"{"put":{},"remove":[],"replace":false,"dryrun":true}"#, "dryrun", "no such member"),
        (#"{\#(change),"confirmWithinSeconds":1e300}"#, "confirmWithinSeconds", "from 1 to 86400"),
        (#"{\#(change),"dryRun":false}"#, "dryRun", "given more than once"),
        (#"{\#(change),"put":{}}"#, "put", "given more than once"),
        (#"{\#(change),"\u0070ut":{}}"#, "put", "given more than once"),
        (
            #"{"put":{"a.yaml":"\"{,","b.yaml":"","a.yaml":"y"},"remove":[],"replace":false,"dryRun":true}"#, "put.a.yaml",
            "given more than once"
        ),
        (#"{"put":{"a.yaml":"x"},"remove":["b.yaml","a.yaml"],"replace":false,"dryRun":true}"#, "remove", "the same file is in put"),
        (#"{\#(change),"confirmWithinSeconds":"5s"}"#, "confirmWithinSeconds", "a number of seconds"),
    ]) func aWrongPolicyChangeIsTold(body: String, field: String, reason: String) throws {
        let refusal = try #require(try Self.refusal("POST", "/v1/policy/apply", body: body))
        #expect(refusal.status == 400 && refusal.answer.field == field, "\(refusal)")
        #expect(refusal.answer.reason?.contains(reason) == true, "\(refusal)")
        #expect(!refusal.answer.error.contains("Swift") && !refusal.answer.error.contains("odingKey"), "\(refusal)")
    }

    @Test func methods() throws {
        for method in ["GET", "HEAD", "DELETE"] {
            let refusal = try #require(try Self.refusal(method, "/v1/stop"))
            #expect(refusal.status == 405 && refusal.headers["Allow"] == "POST")
        }
        let posted = try #require(try Self.refusal("POST", "/v1/flows"))
        #expect(posted.status == 405 && posted.headers["Allow"] == "GET, HEAD")
        #expect(try Self.refusal("POST", "/v1/stop", ["keep": "1"]) == nil)
        #expect(try Self.refusal("POST", "/v1/stop", ["keep": "yes"])?.status == 400)
        #expect(try Self.refusal("GET", "/v2/flows")?.status == 404)
    }

    @Test func interfacePatterns() throws {
        func matches(_ pattern: String, _ name: String, _ owner: String?) throws -> Bool {
            try #require(InterfacePattern(pattern)).matches(name, owner: owner)
        }
        #expect(try matches("eth0", "eth0", nil) && matches("eth0", "eth0", "netns blue") && !matches("eth0", "eth1", nil))
        #expect(try matches("blue:eth*", "eth0", "netns blue") && !matches("blue:eth0", "eth0", "netns green"))
        #expect(try matches("host:eth0", "eth0", nil) && !matches("host:eth0", "eth0", "netns blue"))
        #expect(try matches("docker *:eth0", "eth0", "docker 0123456789ab") && !matches("blue:eth0", "eth0", nil))
    }
}
