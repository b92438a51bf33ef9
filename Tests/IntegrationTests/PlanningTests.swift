import Foundation
import Reports
import TestSupport
import Testing

/// Rates of classes that follow their demand, in the kernel. Intervals are a second long, and there is no history: it goes by what is measured.
@Suite(.requires(.root, .clsact, .htb)) struct PlanningTests {
    private static let policy = """
        links:
          - {interface: eth0, capacity: 50 Mbit/s}
        shape:
          - {name: web, on: eth0, direction: egress, match: udp port 9000, rate: 1 Mbit/s, ceiling: 1 Mbit/s, mechanism: htb}
        plan:
          - {class: web, lead: 3s, hold: 0s, headroom: 20 %, change: 1000 %, floor: 500 kbit/s, criticality: 90}

        """

    /// A site whose agent plans in a mode, and packets of some 4 Mbit/s on their way.
    private func start(_ mode: String, _ lab: PolicyLab) async throws
        -> (site: AgentSite, agent: BackgroundProcess, sender: BackgroundProcess)
    {
        let site = try AgentSite(in: lab.a)
        try site.configure(
            interfaces: "eth0",
            more: """
                planning: {mode: \(mode), state: \(site.directory)/planning}
                forecast: {enabled: false, day: 288s}
                anomalies: {enabled: false}
                """)
        try site.write(policy: Self.policy)
        let agent = try await site.start()
        _ = try PacedSenders(site.directory)
        let sender = try await BackgroundProcess.start(
            ["python3", "\(site.directory)/paced.py", "send", PolicyLab.addressB, "9000", "1200", "400", "7000", "67108864"], in: lab.a)
        try await sender.waitFor(output: "sending")
        return (site, agent, sender)
    }

    private func report(_ site: AgentSite) async throws -> PlanningReport { try await site.get("/v1/planning") }

    /// Bits a second of the rule's class, as tc shows them.
    private func rate(_ lab: PolicyLab, _ site: AgentSite) async throws -> Double {
        let id = try #require(try await site.shaper("web").classID)
        let line = try await lab.a.sh("tc class show dev eth0 classid \(id)")
        let words = line.split(separator: " ").map(String.init)
        let text = try #require(words.firstIndex(of: "ceil").map { words[$0 + 1] }, "\(line)")
        for (unit, factor) in [("Mbit", 1e6), ("Kbit", 1e3), ("bit", 1)] where text.hasSuffix(unit) {
            return try #require(Double(text.dropLast(unit.count))) * factor
        }
        throw SystemError("read \(text)")
    }

    @Test func aClassFollowsItsDemandAndTheNextAgentGoesOnFromThere() async throws {
        let lab = try await PolicyLab()
        var (site, agent, sender) = try await start("auto", lab)
        #expect(try await eventually(within: .seconds(20)) { try await rate(lab, site) > 4e6 })
        let raised = try await report(site)
        #expect(raised.mode == "auto" && raised.intervalSeconds == 1 && raised.classes.first?.declaredBitsPerSecond == 1e6)
        #expect(raised.classes.first?.abstention != nil && raised.actions.contains { $0.cause == "overload" && $0.series == "class/web" })
        #expect(try await eventually(within: .seconds(20)) { try await report(site).actions.contains { $0.outcome == "held" } })
        #expect(try await eventually(within: .seconds(20)) { try await report(site).confirmWithinSeconds == nil })
        #expect(try await site.nilo("planning").contains("web"))
        // The files say what they said, and nothing that planning does is drift.
        #expect(try site.policyFiles() == ["test.yaml": Self.policy])
        #expect(try await site.nilo("plan").contains("nothing to change"))
        #expect(try await site.policy().repaired == 0)

        try agent.stop(signal: SIGKILL)
        let left = try await lab.a.sh("tc class show dev eth0 | grep -c 'ceil [45]'")
        #expect(Int(left.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0 > 0)
        agent = try await site.start()
        #expect(try await rate(lab, site) > 4e6)
        _ = try sender.stop()
        #expect(try await eventually(within: .seconds(20)) { try await rate(lab, site) == 5e5 })
        try await site.stop(agent, keep: false)
        #expect(!FileManager.default.fileExists(atPath: "\(site.directory)/planning/standing.json"))
    }

    @Test func anObserverChangesNothingAndKeepsTheScore() async throws {
        let lab = try await PolicyLab()
        let (site, agent, sender) = try await start("observe", lab)
        #expect(
            try await eventually(within: .seconds(20)) {
                try await report(site).classes.first?.score?.overloadSecondsDeclared ?? 0 >= 5
            })
        let row = try #require(try await report(site).classes.first)
        let score = try #require(row.score)
        #expect(row.allocationBitsPerSecond > 4e6 && score.overloadSeconds < score.overloadSecondsDeclared, "\(row)")
        #expect(try await rate(lab, site) == 1e6)
        _ = try sender.stop()
        try await site.stop(agent, keep: false)
    }
}
