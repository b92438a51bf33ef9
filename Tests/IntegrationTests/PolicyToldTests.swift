import Foundation
import Reports
import TestSupport
import Testing

/// What a person is told of rules that change, wait, are displaced or are left out, and of files that break.
@Suite(.requires(.root, .clsact, .htb)) struct PolicyToldTests {
    @Test func aRuleThatIsAddedAgainIsAChange() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        let line = "shape add cap --on eth0 --direction egress"
        try await site.nilo("\(line) --ceiling 50Mbit/s")
        try await site.nilo("mirror add tap --on eth0 --to interface:span0")
        let files = try site.policyFiles()
        let plan = try await site.nilo("\(line) --ceiling 20Mbit/s port 9 --dry-run")
        for part in ["~ cap: ", "ceiling: 50 Mbit/s → 20 Mbit/s", "match: everything → ", "cap with another filter", "→ 20.0 Mb/s"] {
            #expect(plan.contains(part), "\(part) is not in \(plan)")
        }
        // No step says that something changes without saying what.
        let report = try JSONDecoder().decode(
            PlanReport.self, from: Data(try await site.nilo("\(line) --ceiling 20Mbit/s port 9 --dry-run --json").utf8))
        for step in report.steps where step.sign == .change { #expect(step.reason != nil || !step.changes.isEmpty, "\(step)") }
        #expect(report.filesWritten == ["shape-cap.yaml"])
        let filter = try await site.nilo("mirror add tap --on eth0 --to interface:span0 tcp port 80 --dry-run")
        #expect(filter.contains("~ tap: mirror rule\n    match: everything → "), "\(filter)")
        // Another kind's rule is not lost for it.
        let other = try await site.refusal("sample add cap --one-in 5")
        #expect(other.contains("a shape rule has that name") && other.contains("nilo shape remove cap"), "\(other)")
        // Nor what stands in the same file.
        let two = "sample:\n  - {name: both, one-in: 5}\n  - {name: more, one-in: 6}\n"
        try await site.apply(two, "sample-both.yaml")
        #expect(try await site.refusal("sample add both --one-in 7").contains("holds other things"))
        #expect(try await site.refusal("sample add more --one-in 7").contains("it stands in \(site.policies)/sample-both.yaml:3"))
        let typed = try await site.refusal("shape add bad --on eth0 --ceiling 5")
        #expect(typed.contains("add rule bad: --ceiling: \"5\"") && !typed.contains(".yaml"), "\(typed)")
        #expect(try site.policyFiles() == files.merging(["sample-both.yaml": two]) { $1 })
        // The class that is named is the one that has the ceiling.
        let own = try #require(try await site.shaper("cap").classID)
        let classes = try await lab.a.sh("tc class show dev eth0")
        #expect(classes.contains("class htb \(own) root rate 50Mbit ceil 50Mbit"), "\(own)\n\(classes)")
        try await site.stop(agent, keep: false)
    }

    @Test func aRuleThatWaitsSaysForWhat() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        let there = try await site.nilo("shape add w --on span0 --direction egress --ceiling 1Mbit/s")
        #expect(there.contains("w: waits: span0 is there, but not counted") && there.contains("shape-w.yaml written"), "\(there)")
        #expect(try await site.nilo("sample add gone --on eth7 --one-in 5").contains("gone: waits: eth7 is not there"))
        try await site.nilo("sample add part --on eth0 --on eth7 --one-in 5")
        let waiting = try await site.policy().waiting
        #expect(waiting.map(\.rule).sorted() == ["gone", "part", "w"], "\(waiting)")
        #expect(
            waiting.filter(\.inPart).map(\.rule) == ["part"] && waiting.first { $0.rule == "w" }?.reason.contains("not counted") == true)
        #expect(try await site.nilo("shape").contains("w: waits: span0 is there, but not counted"))
        #expect(try await site.nilo("shape w").contains("it waits: span0 is there, but not counted"))
        #expect(try await site.nilo("status").contains("w (span0 is there, but not counted"))
        #expect(try await site.sampler("part").interfaces == ["eth0"])
        #expect(try await site.nilo("shape remove w").contains("shape-w.yaml removed"))
        try await site.stop(agent, keep: false)
    }

    @Test(.requires(.tbf)) func aCapThatLosesItsClassesSaysSo() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        try await site.nilo("shape add cap --on eth0 --direction egress --ceiling 20Mbit/s")
        #expect(try await site.shaper("cap").mechanism == "htb")
        try await lab.a.sh("tc qdisc replace dev eth0 root handle 8001: tbf rate 900mbit burst 64k latency 20ms")
        let policed = try await eventually(within: .seconds(8)) { try await site.shaper("cap").mechanism == "police" }
        #expect(policed)
        let list = try await site.nilo("shape")
        #expect(list.contains("cap: policed, not delayed: a tbf root qdisc"), "\(list)")
        let status = try await site.status()
        #expect(status.warnings.contains { $0.contains("eth0: a tbf qdisc of others took the place of ours: cap") }, "\(status.warnings)")
        #expect(status.policy?.displaced == 1 && status.policy?.repaired == 0)
        let log = try agent.outputSoFar()
        #expect(log.contains("root qdisc of ours displaced") && !log.contains("policy repaired"), "\(log)")
        // A rule that follows counts it no second time, and all is well once the place is free.
        try await site.nilo("sample add x --on eth0 --one-in 5")
        #expect(try await site.status().policy?.displaced == 1)
        try await lab.a.sh("tc qdisc del dev eth0 root")
        let back = try await eventually(within: .seconds(8)) { try await site.shaper("cap").mechanism == "htb" }
        #expect(back)
        #expect(try await site.status().warnings.isEmpty)
        try await site.stop(agent, keep: false)
    }

    @Test func aFileThatBreaksIsToldAtOnce() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        try await site.apply("sample:\n  - {name: x, on: eth0, one-in: 5}\n")
        try site.writePolicy("sample:\n  - {name: y, one-in: none at all}\n", "broken.yaml")
        func told() async throws -> Bool { try await site.status().warnings.contains { $0.contains("broken.yaml:2") } }
        #expect(try await eventually(within: .seconds(4)) { try await told() })
        #expect(try await site.policy().problem?.contains("broken.yaml:2") == true)
        #expect(try await site.sampler("x").oneIn == 5)
        #expect(try agent.outputSoFar().contains("policy files have a mistake"))
        try FileManager.default.removeItem(atPath: "\(site.policies)/broken.yaml")
        #expect(try await eventually(within: .seconds(4)) { try await site.status().warnings.isEmpty })
        try await site.stop(agent, keep: false)
    }

    /// A class that somebody's filter holds cannot be moved: its rule waits, the others do not.
    @Test(.requires(.u32)) func oneRuleThatFailsAtTheStartIsLeftOut() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        let text = """
            links:
              - {interface: eth0, capacity: 100 Mbit/s}
            mirror:
              - {name: nine, on: eth0, match: udp port 9, to: {interface: span0}}
            sample:
              - {name: each, on: eth0, one-in: 1}
            shape:
              - {name: above, on: eth0, direction: egress, match: port 10, ceiling: 80 Mbit/s}
              - {name: moved, on: eth0, direction: egress, match: port 9, ceiling: 20 Mbit/s}

            """
        try await site.apply(text)
        let held = try #require(try await site.shaper("moved").classID)
        try await lab.a.sh("tc filter add dev eth0 parent 4e49: protocol ip pref 9 u32 match u32 0xffffffff 0xffffffff flowid \(held)")
        try await site.stop(agent, keep: true)
        // Below another rule the class is another one: the one there is has to go first.
        try site.writePolicy(text.replacing("20 Mbit/s}", with: "20 Mbit/s, parent: above}"))
        let next = try await site.start()
        let policy = try await site.policy()
        #expect(policy.mirrors.map(\.name) == ["nine"] && policy.samplers.map(\.name) == ["each"], "\(policy)")
        // It may have been tried again by now.
        let refused = policy.refusals
        #expect(refused.allSatisfy { $0.reason.contains("left out") && ["above", "moved"].contains($0.rule) }, "\(refused)")
        #expect(try next.outputSoFar().contains("rule not applied"))
        #expect(!(try next.outputSoFar().contains("policy not applied")))
        // Without its classes nothing holds them any more: tried again, it goes.
        let whole = try await eventually(within: .seconds(15)) { try await site.policy().refusals.isEmpty }
        #expect(whole)
        #expect(try await site.policy().shapers.map(\.name).sorted() == ["above", "moved"])
        #expect(try await site.status().warnings.isEmpty)
        try await site.stop(next, keep: false)
    }
}
