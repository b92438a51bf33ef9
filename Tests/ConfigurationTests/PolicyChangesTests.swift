import Flows
import NetworkTypes
import Policy
import Testing

@testable import Configuration

/// What of a rule is not as it was, in the words of a policy file.
@Suite struct PolicyChangesTests {
    private static func policy(_ text: String) throws -> Policy { try PolicyFile.parse(Array(text.utf8), file: "x.yaml").policy }

    @Test func eachKeyThatDiffersIsTold() throws {
        let old = try Self.policy("shape:\n  - {name: cap, on: eth0, direction: egress, ceiling: 50 Mbit/s}\n  - {name: same, dscp: ef}\n")
        let new = try Self.policy(
            "shape:\n  - {name: cap, direction: egress, match: port 9, ceiling: 20 Mbit/s, priority: 5}\n  - {name: same, dscp: ef}\n")
        let changes = PolicyFile.changes(from: old, to: new)
        #expect(changes.keys.sorted() == ["cap"])
        let told = Dictionary(uniqueKeysWithValues: try #require(changes["cap"]).map { ($0.key, $0) })
        #expect(told.keys.sorted() == ["ceiling", "match", "on", "priority"])
        #expect(told["ceiling"] == .init("ceiling", before: "50 Mbit/s", after: "20 Mbit/s"))
        #expect(told["priority"] == .init("priority", before: "3", after: "5"))
        #expect(told["match"]?.before == "everything" && told["match"]?.after.contains("port 9") == true)
        #expect(told["on"]?.after == "every interface that is counted")
        // And back.
        #expect(PolicyFile.changes(from: new, to: old)["cap"]?.first { $0.key == "priority" }?.after == "3")
        #expect(PolicyFile.changes(from: old, to: old).isEmpty)
    }

    @Test func targetsAndRatesAreTold() throws {
        let old = try Self.policy(
            "mirror:\n  - {name: m, on: eth0, to: {interface: span0}}\nsample:\n  - {name: s, one-in: 10}\n  - {name: gone, one-in: 2}\n")
        let new = try Self.policy(
            "mirror:\n  - {name: m, on: eth0, to: {interface: span1}, limit: none}\nsample:\n  - {name: s, budget: 500 samples/s}\n")
        let changes = PolicyFile.changes(from: old, to: new)
        #expect(
            changes["m"] == [
                .init("to", before: "{interface: span0}", after: "{interface: span1}"),
                .init("limit", before: "the agent's cap", after: "none"),
            ])
        #expect(changes["s"] == [.init("one-in", before: "10", after: "none"), .init("budget", before: "none", after: "500 samples/s")])
        #expect(changes.count == 2)
    }

    @Test func prefixesAreTheirNumber() throws {
        func rule(_ list: String) throws -> Policy {
            try Self.policy("shape:\n  - {name: p, on: eth0, direction: egress, prefixes: {side: source, list: [\(list)]}}\n")
        }
        let old = try rule("{net: 10.0.0.0/8, rate: 1 Mbit/s}, {net: 192.0.2.0/24, rate: 1 Mbit/s}")
        let new = try rule("{net: 10.0.0.0/8, rate: 2 Mbit/s}, {net: 192.0.2.0/24, rate: 1 Mbit/s}")
        let change = try #require(PolicyFile.changes(from: old, to: new)["p"]?.first)
        #expect(change.before == "2 prefixes" && change.after == "2 prefixes, 1 of them new or with another rate")
    }
}
