import Foundation
import Policy
import Reports
import TestSupport
import Testing

/// Rules that take the place of others, and agents beside each other.
@Suite(.requires(.root, .clsact)) struct PolicyExchangeTests {
    private static var frame: [UInt8] {
        PolicyLab.datagram(PolicyLab.addressA, PolicyLab.addressB, port: 9, source: 10_000, size: 100).bytes
    }

    private func sampling(_ prefix: String) -> String {
        "sample:\n"
            + (0..<RuleKind.sampler.mostRules).map { "  - {name: \(prefix)\($0), on: eth0, match: udp port \(9 + $0), one-in: 1}\n" }
            .joined()
    }

    /// As many as there can be are exchanged for as many others, whole.
    @Test func allSamplersAreExchangedAtOnce() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        try await site.apply(sampling("s"))
        #expect(try await site.policy().samplers.count == RuleKind.sampler.mostRules)
        try await site.apply(sampling("t"))
        let policy = try await site.policy()
        #expect(policy.samplers.count == RuleKind.sampler.mostRules && policy.refusals.isEmpty, "\(policy.refusals)")
        #expect(policy.samplers.allSatisfy { $0.name.hasPrefix("t") })
        try await site.stop(agent, keep: false)
    }

    /// What an earlier rule has counted is not the next one's.
    @Test func aNewSamplerCountsFromZero() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        for (name, count) in [("one", 5), ("two", 3), ("three", 4)] {
            try await site.nilo("sample add \(name) --on eth0 --one-in 1 udp port 9")
            try await lab.a.send([Self.frame], times: count, on: "eth0")
            let isRight = try await eventually(within: .seconds(3)) { try await site.sampler(name).samples["random"] == UInt64(count) }
            let sampler = try await site.sampler(name)
            #expect(isRight && sampler.pool == UInt64(count), "\(sampler)")
            try await site.nilo("sample remove \(name)")
        }
        try await site.stop(agent, keep: false)
    }

    /// More rules than half of the datapath's numbers outlive their agent.
    @Test func manyShapersOutliveTheirAgent() async throws {
        let lab = try await PolicyLab()
        let (site, first) = try await lab.start()
        let rules = (0..<700).map {
            "  - {name: r\($0), on: eth0, direction: egress, match: dst host 10.1.\($0 / 250).\($0 % 250 + 1), ceiling: \($0 % 9 + 1) Mbit/s}\n"
        }
        try await site.apply("shape:\n" + rules.joined())
        #expect(try await site.status().policy?.shapers == 700)
        kill(first.pid, SIGKILL)
        _ = try await eventually(within: .seconds(5)) { first.hasEnded }
        _ = try first.stop()
        let second = try await site.start()
        let policy = try await site.status().policy
        #expect(policy?.shapers == 700 && policy?.refused.isEmpty == true, "\(String(describing: policy))")
        try await site.stop(second, keep: false)
    }

    @Test func twoAgentsDoNotFightOverClasses() async throws {
        let lab = try await PolicyLab()
        let (one, first) = try await lab.start()
        let (other, second) = try await lab.startSecond()
        try await one.nilo("shape add mine --on eth0 --direction egress --ceiling 10Mbit/s udp port 9")
        let classes = try await lab.a.sh("tc class show dev eth0")
        try await other.nilo("shape add theirs --on eth0 --direction egress --ceiling 5mbit udp port 9")
        let theirs = try await other.shaper("theirs")
        #expect(theirs.mechanism == "police" && theirs.problem?.contains("another agent has it: process \(first.pid)") == true, "\(theirs)")
        try await Task.sleep(for: .seconds(7))
        #expect(try await lab.a.sh("tc class show dev eth0") == classes)
        #expect(try await one.policy().repaired == 0)
        #expect(try await other.policy().repaired == 0)
        try await other.stop(second, keep: false)
        #expect(try await lab.a.sh("tc class show dev eth0") == classes)
        try await one.stop(first, keep: false)
        #expect(try await lab.a.sh("tc class show dev eth0").isEmpty)
    }

    /// A rate without anything that it is a share of is a cap, and is told to be one.
    @Test(arguments: ["egress", "ingress"]) func aRateAloneIsACap(_ direction: String) async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        let said = try await site.nilo("shape add only --on eth0 --direction \(direction) --rate 5Mbit/s udp port 9")
        #expect(said.contains("only: its rate is its ceiling too"), "\(said)")
        #expect(try await site.shaper("only").ceilingBitsPerSecond == 5e6)
        try await site.stop(agent, keep: false)
    }
}
