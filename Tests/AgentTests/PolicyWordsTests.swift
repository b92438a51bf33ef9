import Configuration
import Flows
import Foundation
import NetworkTypes
import Policy
import Testing

@testable import Agent

/// What the keeper tells of rules and files, without a kernel.
@Suite struct PolicyWordsTests {
    private static func counted(_ name: String, _ namespace: String? = nil) -> CountedInterface {
        CountedInterface(id: InterfaceID(rawValue: 1), name: name, ifindex: 1, namespaceCookie: 1, namespace: namespace)
    }

    @Test func whyARuleWaits() {
        var asked = 0
        let uncounted = UncountedInterfaces {
            asked += 1
            return [.init(name: "eth1"), .init(name: "eth2", refused: "no room"), .init(name: "eth3", namespace: "netns blue")]
        }
        let resolution = PolicyResolution(interfaces: [Self.counted("eth0")], mayReplace: false, uncounted: uncounted)
        func waiting(_ on: [String]) -> [String] {
            var plan = PolicyPlan()
            _ = resolution.interfaces(of: RuleScope(interfaces: on), for: "r", &plan)
            return plan.waiting.map { ($0.inPart ? "in part: " : "") + $0.reason }
        }
        #expect(waiting(["eth0"]).isEmpty && waiting([]).isEmpty && waiting(["eth*", "en*"]).isEmpty && asked == 0)
        #expect(waiting(["eth9"]) == ["eth9 is not there"])
        #expect(waiting(["en*"]) == ["no interface is called en*"])
        #expect(waiting(["eth1"]) == ["eth1 is there, but not counted: agent.yaml leaves it out"])
        #expect(waiting(["eth2"]) == ["eth2 is there, but cannot be counted: no room"])
        #expect(waiting(["blue:eth3"]).first?.contains("not counted") == true && waiting(["eth3"]) == ["eth3 is not there"])
        #expect(waiting(["eth0", "eth9"]) == ["in part: eth9 is not there"])
        #expect(asked == 1)
    }

    /// Mistakes of what was typed cite what was typed: there is no file to look at.
    @Test func mistakesOfATypedRule() throws {
        func said(_ rule: String, besides: String? = nil) throws -> AgentFailure {
            var files = [PolicyDirectory.File(name: "shape-web.yaml", bytes: Array("shape:\n  - name: web\n\(rule)".utf8))]
            if let besides { files.append(.init(name: "/etc/policy.d/test.yaml", bytes: Array(besides.utf8))) }
            do { _ = try PolicyFile.parse(files) } catch {
                return try #require(AddedRuleMistakes(rule: "web", file: "shape-web.yaml").failure(error) as? AgentFailure)
            }
            Issue.record("\(rule) is no mistake")
            return AgentFailure("", "")
        }
        let rate = try said("    ceiling: 5\n")
        #expect(rate.what == "add rule web" && rate.why.hasPrefix("--ceiling: \"5\": "), "\(rate)")
        let filter = try said("    ceiling: 5 Mbit/s\n    match: tcp prot 443\n")
        #expect(filter.why.hasPrefix("its filter: "), "\(filter)")
        let both = try said("    ceiling: 5\n", besides: "shape:\n  - {name: x, ceiling: 7}\n")
        #expect(both.why.contains("rule web: --ceiling") && both.why.contains("/etc/policy.d/test.yaml:2"), "\(both)")
        // A mistake of another rule that comes of this one.
        let child = try said("    rate: 5 Mbit/s\n", besides: "shape:\n  - {name: x, ceiling: 7 Mbit/s, parent: web, rate: 7 Mbit/s}\n")
        for failure in [rate, filter, child] { #expect(!failure.description.contains("shape-web.yaml"), "\(failure)") }
    }

    @Test func filesAreJudgedAsTheyChange() throws {
        let path = NSTemporaryDirectory() + "nilo-judgement-\(UUID())"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let directory = PolicyDirectory(path: path)
        #expect(PolicyJudgement.of(directory).problem == nil)
        try directory.write(.init(name: "a.yaml", bytes: Array("sample: []\n".utf8)))
        let first = PolicyJudgement.of(directory)
        #expect(first.problem == nil)
        // In the same instant, and of the same length.
        try Data("sample: [)\n".utf8).write(to: URL(fileURLWithPath: "\(path)/a.yaml"))
        let second = PolicyJudgement.of(directory, after: first)
        #expect(second.problem?.hasPrefix("\(path)/a.yaml:") == true, "\(second)")
        try directory.remove("a.yaml")
        #expect(PolicyJudgement.of(directory, after: second).problem == nil)
    }
}
