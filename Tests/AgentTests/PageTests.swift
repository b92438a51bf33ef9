import API
import Foundation
import Testing

@testable import Agent

@Suite struct PageTests {
    private func request(_ path: String, host: String? = "127.0.0.1:8643", authorization: String? = nil, method: String = "GET")
        -> ControlRequest
    {
        ControlRequest(method: method, path: path, host: host, authorization: authorization)
    }

    @Test(arguments: [
        "127.0.0.1", "127.0.0.1:8643", "localhost", "LOCALHOST:1", "[::1]:8643", "[2001:db8::1]", "nilo.example.org:443", "192.0.2.1",
    ])
    func itIsAskedForAsItself(_ host: String) {
        #expect(PageAdmission(names: ["nilo.example.org"]).refusal(of: request("/v1/status", host: host)) == nil)
    }

    @Test(arguments: [
        nil, "", "evil.example", "evil.example:8643", "127.0.0.1.evil.example", "localhost.evil", "[::1", "[evil]:1", ":8643",
    ])
    func aNameOfOthersIsRefused(_ host: String?) {
        #expect(PageAdmission(names: ["nilo.example.org"]).refusal(of: request("/", host: host))?.status == 421)
    }

    @Test func aTokenIsAskedForWhereThereIsOne() {
        let admission = PageAdmission(token: Array("0123456789abcdef".utf8))
        for wrong in [nil, "Bearer", "Bearer ", "Bearer 0123456789abcdee", "Bearer 0123456789abcdef0", "Basic 0123456789abcdef"] {
            let refusal = admission.refusal(of: request("/v1/status", authorization: wrong))
            #expect(refusal?.status == 401 && refusal?.headers.first?.name == "WWW-Authenticate", "\(wrong ?? "nil")")
            #expect(admission.refusal(of: request("/metrics", authorization: wrong))?.status == 401)
        }
        for right in ["Bearer 0123456789abcdef", "bearer  0123456789abcdef"] {
            #expect(admission.refusal(of: request("/v1/status", authorization: right)) == nil)
        }
        // The page itself holds no secret: it asks for the token.
        for path in ["/", "/page/app.js", "/lib/d3-force.js"] { #expect(admission.refusal(of: request(path)) == nil) }
        for path in ["/page", "/pages/x", "//", "/V1/status"] { #expect(admission.refusal(of: request(path))?.status == 401, "\(path)") }
    }

    /// Every file of the folder, and as it is there.
    @Test func thePageIsBuiltIn() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Sources/Page").standardized
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(names.count > 30)
        for name in names {
            let answer = try #require(PageFiles.answer(request("/page/\(name)")), "\(name)")
            guard case .bytes(let bytes) = answer.body else {
                Issue.record("\(name)")
                continue
            }
            let there = try Data(contentsOf: folder.appending(path: name))
            #expect(answer.status == 200 && Data(bytes) == there, "\(name)")
            #expect(answer.headers.contains { $0.name == "Content-Security-Policy" && $0.value.hasPrefix("default-src 'none'") })
        }
        guard case .bytes(let index)? = PageFiles.answer(request("/"))?.body else { throw CancellationError() }
        #expect(String(decoding: index, as: UTF8.self).hasPrefix("<!doctype html>"))
    }

    @Test(arguments: ["/page/", "/page/../page/app.js", "/page/nothing.js", "/lib/", "/lib/../../etc/passwd", "/lib/d3-force.js/x"])
    func whatIsNotThePagesIsNotFound(_ path: String) { #expect(PageFiles.answer(request(path))?.status == 404) }

    @Test func otherPathsAreOfOthers() {
        for path in ["/v1/status", "/pages", "/metrics", ""] { #expect(PageFiles.answer(request(path)) == nil) }
        #expect(PageFiles.answer(request("/", method: "POST"))?.status == 405)
    }
}
