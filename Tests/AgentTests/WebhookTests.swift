import Configuration
import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Agent
@testable import Foresight

struct WebhookTests {
    private static let event = IncidentEvent(
        kind: .began, incident: Incident(id: 1, members: [.init(key: "a", kind: "spike", start: 1, probability: 1, unlikelihood: 1)]))

    private static func url(_ text: String) throws -> WebURL {
        let yaml = Array("anomalies: {webhook: \"\(text)\"}".utf8)
        return try #require(try AgentConfiguration.parse(yaml, file: "test").anomalies.webhook)
    }

    /// A URL may hold what admits to it.
    @Test func aLogSaysOnlyWhere() async throws {
        let (log, lines) = try SaidLog.make()
        let url = try Self.url("http://user:SECRETPW@alerts.example:8080/services/T0/PATHTOKEN?token=TOK#part")
        let hook = Webhook(url, log, pauses: []) { _, _ in "Could not connect to server" }
        hook.post(Self.event)
        _ = try await eventually(within: .seconds(10)) { try !lines().isEmpty }
        hook.stop()
        let said = try lines().joined(separator: "\n")
        #expect(said.contains("an incident was not posted") && said.contains("http://alerts.example:8080"), "\(said)")
        for secret in ["user", "SECRETPW", "PATHTOKEN", "TOK"] { #expect(!said.contains(secret), "\(said)") }
    }

    /// What a stranger answers is read without any privilege.
    @Test(.requires(.root)) func itPostsWithoutPrivileges() async throws {
        let seen = Mutex<String?>(nil)
        let hook = Webhook(try Self.url("http://127.0.0.1:9/"), Log(level: .error)) { _, _ in
            let status = (try? String(contentsOfFile: "/proc/thread-self/status", encoding: .utf8)) ?? ""
            let lines = status.split(separator: "\n").filter { line in ["CapInh", "CapPrm", "CapEff"].contains { line.hasPrefix($0) } }
            seen.withLock { $0 = lines.map { $0.split(separator: "\t").last.map(String.init) ?? "?" }.joined(separator: " ") }
            return nil
        }
        hook.post(Self.event)
        _ = try await eventually(within: .seconds(10)) { seen.withLock { $0 != nil } }
        let none = "0000000000000000"
        #expect(seen.withLock { $0 } == "\(none) \(none) \(none)")
    }
}
