import Configuration
import FoundationEssentials
import Glibc
import Netlink
import Policy
import Reports
import TestSupport
import Testing

@testable import Agent

/// What policies leave in the kernel: all of it to the next agent, nothing of it to anyone else.
@Suite(.requires(.root, .clsact), .serialized) struct PolicyRemainsTests {
    private static let modes = ["auto", "clsact"]

    /// Only what the test made: other tests' agents are in other namespaces.
    private static func scope() throws -> Cleanup.Scope {
        var scope = Cleanup.Scope(try AgentConfiguration.load("/run/agent.yaml"))
        scope.roots = ["/run/bpf/nilo"]
        scope.searchesNamespaces = false
        return scope
    }

    private static func expectSame(_ now: [String], _ before: [String], sourceLocation: SourceLocation = #_sourceLocation) {
        let changes = now.difference(from: before).map { change in
            switch change {
            case .insert(_, let line, _): "+ \(line)"
            case .remove(_, let line, _): "- \(line)"
            }
        }
        #expect(changes.isEmpty, "\(changes.joined(separator: "\n"))", sourceLocation: sourceLocation)
    }

    @Test(arguments: modes, ["done", "typed"]) func everythingOfAKilledAgentGoes(mode: String, by way: String) async throws {
        try await withOwnMounts {
            try PolicyAgent.prepare(mode)
            let before = try PolicyAgent.whatIsThere()
            let agent = try PolicyAgent.start()
            try PolicyAgent.apply(PolicyAgent.rules)
            _ = try sh("ping -q -c 3 -i 0.2 10.0.0.2")
            try agent.kill()
            let during = try PolicyAgent.whatIsThere().joined(separator: "\n")
            for trace in ["qdisc htb 4e49: dev va", "qdisc htb 4e49: dev vc", "nilo-m0", "/var/lib/nilo/replaced-qdiscs.json"] {
                #expect(during.contains(trace), "\(trace)\n\(during)")
            }
            #expect(!during.contains("qdisc tbf"))

            let plan = try Cleanup.plan(Self.scope())
            let commands = plan.removed.map(\.command)
            for command in [
                "tc qdisc del dev va root handle 4e49:", "tc qdisc del dev vc root handle 4e49:", "ip link del nilo-m0",
                "rm -f /var/lib/nilo/replaced-qdiscs.json",
            ] { #expect(commands.contains(command), "\(command)\n\(commands)") }
            #expect(plan.removed.contains { $0.restores && $0.command.hasPrefix("tc qdisc add dev vc root handle 8001: tbf") })
            try Self.expectSame(PolicyAgent.whatIsThere(), during.split(separator: "\n").map(String.init))

            guard way == "done" else {
                _ = try sh(commands.joined(separator: "\n"))
                return try Self.expectSame(PolicyAgent.whatIsThere(), before)
            }
            let report = try Cleanup.run(Self.scope())
            #expect(report.failed.isEmpty && report.removed.map(\.command) == commands, "\(report.failed)")
            #expect(report.left.contains { $0.hasPrefix("/run/policy stays") }, "\(report.left)")
            try Self.expectSame(PolicyAgent.whatIsThere(), before)
            #expect(access("/run/policy/rules.yaml", F_OK) == 0)
            #expect(try Cleanup.plan(Self.scope()).removed.isEmpty)
        }
    }

    /// With no agent that follows them, and no pin.
    @Test func otherNamespacesAreSearched() async throws {
        try await withOwnMounts {
            try PolicyAgent.prepare("auto")
            _ = try sh(
                """
                for name in blue red; do
                    ip netns add $name; ip -n $name link add va type veth peer name vb; ip -n $name link set va up
                done
                ip netns exec blue tc qdisc add dev va root handle 4e49: htb default ffff
                ip netns exec red tc qdisc add dev va root handle 4e48: htb default ffff
                ip -n red link add nilo-m0 type veth peer name nilo-m1; ip -n red link set nilo-m0 up; ip -n red link set nilo-m1 up
                """)
            let blue = try Netlink.NetworkNamespace.named("blue")
            _ = try blue.inside { try NetlinkSocket().makeMirrorPort() }
            var scope = try Self.scope()
            scope.searchesNamespaces = true
            // Planned only: the search finds other tests' namespaces too.
            let plan = try Cleanup.plan(scope).removed
            let mine = plan.filter { $0.namespace == "netns blue" }.map(\.command)
            #expect(mine == ["ip link del nilo-m0", "tc qdisc del dev va root handle 4e49:"], "\(mine)")
            #expect(!plan.contains { $0.namespace == "netns red" })
            let here = try NetlinkSocket(in: blue).links().mirrorPortEnds.count
            #expect(here == 2)
        }
    }

    /// The file tells of qdiscs that are back already, of devices that are gone, and of one whose place somebody has taken.
    @Test func replacedQdiscsThatNeedNoRestoring() async throws {
        try await withOwnMounts {
            try PolicyAgent.prepare("auto")
            let before = try PolicyAgent.whatIsThere()
            let socket = try NetlinkSocket()
            let cookie = try Netlink.NetworkNamespace.current().cookie
            let replaced = try ReplacedQdiscs()
            let recipe = QdiscRecipe(kind: "tbf", handle: 0x8001_0000, options: [])
            for (name, index) in try [("vc", #require(socket.links().first { $0.name == "vc" }).index), ("gone", 4711)] {
                try replaced.remember(
                    recipe, of: CountedInterface(id: .init(rawValue: 1), name: name, ifindex: index, namespaceCookie: cookie))
            }
            var scope = try Self.scope()
            // Where not all namespaces are searched, what is not found may be elsewhere.
            let report = try Cleanup.run(scope)
            #expect(report.left.contains { $0.contains("gone") } && access(ReplacedQdiscs.path, F_OK) == 0, "\(report)")
            try Self.expectSame(PolicyAgent.whatIsThere().filter { !$0.hasPrefix("/var/lib") }, before)
            _ = try sh("ip link del vc; ip link add vc type veth peer name vd; ip link set vc up; ip link set vd up")
            scope.searchesNamespaces = true
            let plan = try Cleanup.plan(scope)
            #expect(plan.removed.contains { $0.command == "rm -f \(ReplacedQdiscs.path)" } || !plan.failed.isEmpty)
            #expect(!plan.removed.contains { $0.restores })
        }
    }

    @Test(arguments: modes) func stoppingTakesEverythingAway(mode: String) async throws {
        try await withOwnMounts {
            try PolicyAgent.prepare(mode)
            let before = try PolicyAgent.whatIsThere().filter { $0 != "/var/lib/nilo" }
            let agent = try PolicyAgent.start()
            try PolicyAgent.apply(PolicyAgent.rules)
            let status = try PolicyAgent.status().policy
            #expect(status == .init(mirrors: 2, samplers: 2, shapers: 3), "\(String(describing: status))")
            try agent.end(keep: false)
            let after = try PolicyAgent.whatIsThere().filter { $0 != "/var/lib/nilo" }
            Self.expectSame(after, before)
        }
    }

    @Test(arguments: modes) func whatIsKeptStandsAndIsTakenOver(mode: String) async throws {
        try await withOwnMounts {
            try PolicyAgent.prepare(mode)
            let first = try PolicyAgent.start()
            try PolicyAgent.apply(PolicyAgent.rules)
            _ = try sh("ping -q -c 5 -i 0.2 10.0.0.2")
            let (during, before) = (try PolicyAgent.whatRulesMade(), try PolicyAgent.report())
            let local = try #require(before.mirrors.first { $0.name == "local" })
            let all = try #require(before.samplers.first { $0.name == "all" })
            #expect(local.matched >= 10 && local.mirroredPackets >= 10 && all.pool >= 10, "\(before)")
            try first.end(keep: true)
            try Self.expectSame(PolicyAgent.whatRulesMade(), during)
            // Nobody is there, and packets are mirrored and counted all the same.
            _ = try sh("ping -q -c 5 -i 0.2 10.0.0.2")
            let second = try PolicyAgent.start()
            try Self.expectSame(PolicyAgent.whatRulesMade(), during)
            let plan = try PolicyAgent.plan()
            #expect(plan.steps.isEmpty && plan.refusals.isEmpty, "\(plan)")
            let after = try PolicyAgent.report()
            #expect(after.repaired == 0 && after.problem == nil)
            let localAfter = try #require(after.mirrors.first { $0.name == "local" })
            #expect(localAfter.mirroredPackets >= local.mirroredPackets + 10 && localAfter.since == local.since, "\(localAfter)")
            let allAfter = try #require(after.samplers.first { $0.name == "all" })
            #expect(allAfter.pool >= all.pool + 10)
            try second.end(keep: false)
        }
    }

    /// The files went while no agent was there.
    @Test(arguments: modes) func rulesThatNobodyWantsAnyMoreGoAtTheStart(mode: String) async throws {
        try await withOwnMounts {
            try PolicyAgent.prepare(mode)
            let first = try PolicyAgent.start()
            try PolicyAgent.apply(PolicyAgent.rules)
            #expect(try PolicyAgent.status().policy?.shapers == 3)
            try first.kill()
            _ = try sh("rm /run/policy/rules.yaml")
            let second = try PolicyAgent.start()
            let status = try PolicyAgent.status().policy
            #expect(status == .init(mirrors: 0, samplers: 0, shapers: 0), "\(String(describing: status))")
            let plan = try PolicyAgent.plan()
            #expect(plan.steps.isEmpty, "\(plan.steps)")
            try second.end(keep: false)
        }
    }

    /// Killed wherever it may be: while it starts, while it changes the policy, while it takes the last one away.
    @Test func anAgentKilledBetweenStepsIsMended() async throws {
        try await withOwnMounts {
            try PolicyAgent.prepare("auto")
            let before = try PolicyAgent.whatIsThere().filter { !$0.hasPrefix("/var/lib/nilo") }
            var random = SplitMix64(seed: 20)
            var agent = try PolicyAgent.start()
            try PolicyAgent.apply(PolicyAgent.rules)
            let reference = try PolicyAgent.whatRulesMade()
            var applied = 0
            for round in 0..<20 {
                let delay = Double(random.next() % 250) / 1000
                let killer = try BackgroundProcess(["sh", "-c", "sleep \(delay); kill -9 \(agent.process.pid)"])
                for turn in 0... {
                    do {
                        switch turn % 3 {
                        case 0: try PolicyAgent.apply(PolicyAgent.otherRules)
                        case 1: try PolicyAgent.change(PolicyChange(remove: ["rules.yaml"]))
                        default: try PolicyAgent.apply(PolicyAgent.rules)
                        }
                        applied += 1
                    } catch { break }
                }
                try killer.stop()
                try agent.kill()
                if round % 2 == 1 {
                    // And once more before it is ready.
                    let half = try PolicyAgent.launch()
                    usleep(useconds_t(random.next() % 1_500_000))
                    try half.kill()
                }
                agent = try PolicyAgent.start()
                let plan = try PolicyAgent.plan()
                #expect(plan.steps.isEmpty, "\(plan.steps)")
                let report = try PolicyAgent.report()
                let declared = access("/run/policy/rules.yaml", F_OK) == 0
                let status = try PolicyAgent.status().policy
                #expect(status?.mirrors == report.mirrors.count && status?.samplers == report.samplers.count)
                let made = try PolicyAgent.whatRulesMade()
                if !declared {
                    #expect(report.mirrors.isEmpty && !made.contains { $0.contains("4e49:") || $0.contains("nilo-m") }, "\(made)")
                }
            }
            print("\(applied) changes while agents were killed")
            #expect(applied > 0)
            try PolicyAgent.change(PolicyChange(remove: ["rules.yaml"], replace: true))
            try PolicyAgent.apply(PolicyAgent.rules)
            try Self.expectSame(PolicyAgent.whatRulesMade(), reference)
            try agent.end(keep: false)
            let after = try PolicyAgent.whatIsThere().filter { !$0.hasPrefix("/var/lib/nilo") }
            Self.expectSame(after, before)
        }
    }
}
