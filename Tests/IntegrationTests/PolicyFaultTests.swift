import Foundation
import NetworkTypes
import Reports
import TestSupport
import Testing

/// Policies that fail half-way, are not confirmed, or are tampered with.
@Suite(.requires(.root, .clsact, .htb)) struct PolicyFaultTests {
    private static let frame = PolicyLab.datagram(PolicyLab.addressA, PolicyLab.addressB, port: 9)

    // MARK: Failures in the middle

    /// The kernel will not part with a class that someone's filter names: everything done until then is taken back.
    @Test(.requires(.u32)) func aClassThatCannotGoTakesEverythingBack() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        let old = """
            mirror:
              - {name: nine, on: eth0, match: udp port 9, to: {interface: span0}}
            sample:
              - {name: each, on: eth0, one-in: 1}
            shape:
              - {name: keep, on: eth0, direction: egress, match: port 9, ceiling: 80 Mbit/s}
              - {name: gone, on: eth0, direction: egress, match: port 10, ceiling: 20 Mbit/s}

            """
        try await site.apply(old)
        try await lab.a.send(Self.frame, times: 40, on: "eth0")
        let held = try #require(try await site.shaper("gone").classID)
        // The rule's own: it is to go with those of its flows.
        try await lab.a.sh("tc filter add dev eth0 parent 4e49: protocol ip pref 9 u32 match u32 0xffffffff 0xffffffff flowid \(held)")
        let before = try await site.dump([lab.a])
        let new = """
            mirror:
              - {name: nine, on: eth0, match: udp port 9, to: {interface: span0}, snap: 64}
              - {name: ten, on: eth0, match: udp port 10, to: {interface: span0}}
            sample:
              - {name: other, on: eth0, first: 3}
            shape:
              - {name: keep, on: eth0, direction: egress, match: port 9, ceiling: 60 Mbit/s}
              - {name: fresh, on: eth0, direction: egress, match: port 11, ceiling: 10 Mbit/s}

            """
        let said = try await site.refusal("apply -f \(site.draft(new))")
        #expect(
            said.contains("tc class del dev eth0 classid 4e49:") && said.contains("in use") && said.contains("nothing was changed"),
            "\(said)")
        site.expectSame(before, try await site.dump([lab.a]))
        #expect(try site.policyFiles() == ["test.yaml": old])
        // The old policy goes on, and its counters with it.
        try await lab.a.send(Self.frame, times: 2, on: "eth0")
        let policy = try await site.policy()
        #expect(policy.mirrors.map(\.name) == ["nine"] && policy.mirrors.first?.mirroredPackets == 42, "\(policy.mirrors)")
        #expect(policy.samplers.map(\.name) == ["each"] && policy.samplers.first?.pool == 42, "\(policy.samplers)")
        #expect(policy.shapers.map(\.name) == ["keep", "gone"] && policy.shapers.first?.packets == 42, "\(policy.shapers)")
        // Once the filter is gone it works.
        try await lab.a.sh("tc filter del dev eth0 parent 4e49: pref 9")
        try await site.nilo("apply -f \(site.draft(new))")
        #expect(try await site.mirror("nine").mirroredPackets == 42)
        #expect(try await site.policy().shapers.map(\.name) == ["keep", "fresh"])
        #expect(try await site.policy().repaired == 0)
        try await site.stop(agent, keep: false)
    }

    /// Someone else's device has the name of our mirror port.
    @Test func aStrangersDeviceIsNotTakenForTheMirrorPort() async throws {
        let lab = try await PolicyLab()
        try await lab.a.sh("ip link add nilo-m0 type veth peer name theirs\nip link set nilo-m0 up")
        let (site, agent) = try await lab.start()
        try await site.apply("sample:\n  - {name: each, on: eth0, one-in: 1}\n", "old.yaml")
        let before = try await site.dump([lab.a])
        let said = try await site.refusal("mirror add web --on eth0 --to interface:span0 --snap 64")
        #expect(said.contains("mirror port") && said.contains("nilo-m0") && said.contains("not ours"), "\(said)")
        site.expectSame(before, try await site.dump([lab.a]))
        #expect(try site.policyFiles().keys.sorted() == ["old.yaml"])
        #expect(try await site.policy().mirrors.isEmpty)
        try await site.stop(agent, keep: false)
        #expect(try await lab.a.sh("ip link show dev nilo-m0").contains("nilo-m0"))
    }

    /// What was put out of the way for a change that fails further on comes back, and is not remembered as if it were still away.
    @Test(.requires(.u32, .tbf)) func aReplacedQdiscComesBackWithTheRest() async throws {
        let lab = try await PolicyLab()
        try await lab.a.sh("tc qdisc add dev span0 root handle 8001: tbf rate 900mbit burst 64k latency 20ms")
        let (site, agent) = try await lab.start(interfaces: "eth0, span0")
        try await site.apply("shape:\n  - {name: gone, on: eth0, direction: egress, ceiling: 20 Mbit/s}\n")
        let held = try #require(try await site.shaper("gone").classID)
        try await lab.a.sh("tc filter add dev eth0 parent 4e49: protocol ip pref 9 u32 match u32 0xffffffff 0xffffffff flowid \(held)")
        let before = try await site.dump([lab.a])
        let new = """
            shape:
              - {name: stays, on: eth0, direction: egress, match: port 9, ceiling: 20 Mbit/s}
              - {name: other, on: span0, direction: egress, ceiling: 20 Mbit/s}

            """
        let said = try await site.refusal("apply -f \(site.draft(new)) --replace")
        #expect(said.contains("in use") && said.contains("nothing was changed"), "\(said)")
        site.expectSame(before, try await site.dump([lab.a]))
        #expect(!FileManager.default.fileExists(atPath: "\(site.directory)/lib/nilo/replaced-qdiscs.json"))
        try await site.stop(agent, keep: false)
        #expect(try await lab.a.sh("tc qdisc show dev span0 root").contains("tbf 8001:"))
    }

    /// What `plan` found free is taken when `apply` comes.
    @Test(.requires(.tbf)) func aForeignQdiscThatAppearsMeanwhileStopsAllOfIt() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        let draft = try site.draft(Self.later)
        #expect(try await site.nilo("plan -f \(draft)").contains("tc qdisc add dev eth0 root handle 4e49: htb"))
        try await lab.a.sh("tc qdisc add dev eth0 root handle 8001: tbf rate 900mbit burst 64k latency 20ms")
        let before = try await site.dump([lab.a])
        try await site.nilo("apply -f \(draft) --dry-run")
        // Without classes a ceiling is policed; a share cannot be.
        let shares = "links:\n  - {interface: eth0, capacity: 100 Mbit/s}\n" + Self.later.replacing("ceiling", with: "rate")
        let said = try await site.refusal("apply -f \(site.draft(shares, "shares.yaml"))")
        #expect(said.contains("cap: eth0") && said.contains("tbf"), "\(said)")
        site.expectSame(before, try await site.dump([lab.a]))
        #expect(try await site.policy().mirrors.isEmpty)
        #expect(try site.policyFiles().isEmpty)
        try await site.stop(agent, keep: false)
    }

    /// Someone puts a qdisc of his own in the place of ours: it stays, the rule is said to be refused, and comes back when it goes.
    @Test(.requires(.tbf)) func aQdiscInOurPlaceIsRespected() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        try await site.nilo("shape add cap --on eth0 --direction egress --ceiling 20Mbit/s --mechanism htb")
        try await site.nilo("mirror add nine --on eth0 --to interface:span0 udp port 9")
        let before = try await site.dump([lab.a])
        try await lab.a.sh("tc qdisc replace dev eth0 root handle 8001: tbf rate 900mbit burst 64k latency 20ms")
        let refused = try await eventually(within: .seconds(3)) { try await site.policy().refusals.map(\.rule) == ["cap"] }
        #expect(refused)
        #expect(try await lab.a.sh("tc qdisc show dev eth0 root").contains("tbf 8001:"))
        let list = try await site.nilo("shape")
        #expect(list.contains("✗ cap") && list.contains("tbf"), "\(list)")
        #expect(try await site.status().warnings.contains { $0.contains("cap") && $0.contains("tbf") })
        try await lab.a.send(Self.frame, times: 5, on: "eth0")
        #expect(try await site.mirror("nine").mirroredPackets == 5)
        try await lab.a.sh("tc qdisc del dev eth0 root")
        let back = try await eventually(within: .seconds(3)) { try await site.policy().refusals.isEmpty }
        #expect(back)
        site.expectSame(before, try await site.dump([lab.a]))
        #expect(try await site.status().warnings.isEmpty)
        try await site.stop(agent, keep: false)
    }

    // MARK: Unconfirmed changes

    private static let earlier = "shape:\n  - {name: cap, on: eth0, direction: egress, ceiling: 50 Mbit/s}\n"
    private static let later = """
        mirror:
          - {name: nine, on: eth0, match: udp port 9, to: {interface: span0}, snap: 64}
        shape:
          - {name: cap, on: eth0, direction: egress, ceiling: 20 Mbit/s}

        """

    /// Seconds to confirm in.
    private static let limit = Int(5 * patience)

    @Test func whatIsNotConfirmedComesBackByItself() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        try await site.apply(Self.earlier)
        try await lab.a.send(Self.frame, times: 10, on: "eth0")
        let before = try await site.dump([lab.a])
        #expect(try await site.nilo("apply -f \(site.draft(Self.later)) --confirm \(Self.limit)s").contains("nilo confirm"))
        #expect(try await site.mirror("nine").problem == nil)
        #expect(try await lab.a.sh("tc class show dev eth0").contains("20Mbit"))
        #expect(try site.policyFiles() == ["test.yaml": Self.earlier])
        #expect(try await site.nilo("mirror").contains("taken back in"))
        // Another change would leave it open what is taken back.
        #expect(try await site.refusal("sample add x --one-in 7").contains("waits to be confirmed"))
        // To the tenth of a second.
        let left = try #require(try await site.policy().confirmWithinSeconds)
        try await Task.sleep(for: .seconds(left) + .milliseconds(100).stretched)
        #expect(try await site.policy().confirmWithinSeconds == nil)
        site.expectSame(before, try await site.dump([lab.a]))
        #expect(try site.policyFiles() == ["test.yaml": Self.earlier])
        #expect(try await site.policy().mirrors.isEmpty)
        // The rule was there all the time, and so were its counters.
        #expect(try await site.shaper("cap").packets == 10)
        #expect(try agent.outputSoFar().contains("policy not confirmed"))
        #expect(try await site.refusal("confirm").contains("nothing waits"))
        try await site.stop(agent, keep: false)
    }

    @Test func whatIsConfirmedStays() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        try await site.apply(Self.earlier)
        try await site.nilo("apply -f \(site.draft(Self.later)) --confirm \(Self.limit)s")
        let changed = try await site.dump([lab.a])
        try await site.nilo("confirm")
        #expect(try site.policyFiles() == ["test.yaml": Self.later])
        try await Task.sleep(for: .seconds(Self.limit) + .milliseconds(1500))
        site.expectSame(changed, try await site.dump([lab.a]))
        #expect(try await site.nilo("apply").contains("nothing to change"))
        let audit = try contents(of: site.auditLog)
        #expect(audit.contains("policy confirmed"), "\(audit)")
        try await site.stop(agent, keep: false)
    }

    @Test func anAgentKilledMeanwhileLeavesTheEarlierPolicyToTheNext() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        try await site.apply(Self.earlier)
        let before = try await site.dump([lab.a])
        try await site.nilo("apply -f \(site.draft(Self.later)) --confirm 60s")
        try agent.stop(signal: SIGKILL)
        #expect(try await lab.a.sh("tc class show dev eth0").contains("20Mbit"))
        let next = try await site.start()
        site.expectSame(before, try await site.dump([lab.a]))
        #expect(try await site.policy().mirrors.isEmpty)
        #expect(try await site.policy().confirmWithinSeconds == nil)
        #expect(try await site.shaper("cap").ceilingBitsPerSecond == 50_000_000)
        // And it is told.
        #expect(try next.outputSoFar().contains("policy not confirmed; taken back"))
        #expect(try contents(of: site.auditLog).contains("policy taken back"))
        let said = try await site.refusal("confirm")
        #expect(said.contains("nothing waits to be confirmed: the agent ended before that"), "\(said)")
        // Once.
        try await site.stop(next, keep: true)
        let third = try await site.start()
        #expect(!(try third.outputSoFar().contains("taken back")))
        #expect(try await site.status().warnings.isEmpty)
        try await site.stop(third, keep: false)
    }

    @Test func whatWasEditedMeanwhileIsNotOverwritten() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        try await site.apply(Self.earlier)
        try await site.nilo("apply -f \(site.draft(Self.later)) --confirm 60s")
        let edited = Self.earlier + "# somebody's\n"
        try site.writePolicy(edited)
        let said = try await site.refusal("confirm")
        #expect(said.contains("test.yaml in") && said.contains("has changed since"), "\(said)")
        #expect(try site.policyFiles() == ["test.yaml": edited])
        #expect(try await site.policy().confirmWithinSeconds != nil)
        // A file that the change is not about does not matter.
        try site.writePolicy(Self.earlier)
        try site.writePolicy("sample: []\n", "other.yaml")
        try await site.nilo("confirm")
        #expect(try site.policyFiles() == ["test.yaml": Self.later, "other.yaml": "sample: []\n"])
        try await site.stop(agent, keep: false)
    }

    /// Edited in place and not confirmed: the folder still says it, and nothing but `nilo apply` puts it in force.
    @Test func whatWasEditedInPlaceDoesNotComeBackUnasked() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        try await site.apply(Self.earlier)
        let before = try await site.dump([lab.a])
        try site.writePolicy(Self.later)
        try await site.nilo("apply --confirm 5s")
        #expect(try await lab.a.sh("tc class show dev eth0").contains("20Mbit"))
        let left = try #require(try await site.policy().confirmWithinSeconds)
        try await Task.sleep(for: .seconds(left) + .milliseconds(100).stretched)
        func expectEarlier() async throws {
            site.expectSame(before, try await site.dump([lab.a]))
            #expect(try site.policyFiles() == ["test.yaml": Self.later])
            #expect(try await site.status().warnings.contains { $0.contains("test.yaml was not confirmed and taken back") })
            #expect(try await site.nilo("plan").contains("test.yaml was not confirmed and taken back"))
        }
        try await expectEarlier()
        // Another rule does not bring it along.
        let said = try await site.refusal("sample add x --one-in 7")
        #expect(said.contains("test.yaml was not confirmed") && said.contains("hint: nilo apply"), "\(said)")
        kill(agent.pid, SIGHUP)
        let read = try await eventually(within: .seconds(5)) { try agent.outputSoFar().contains("configuration read anew") }
        #expect(read)
        try await expectEarlier()
        // Nor does another agent, also when the change was waiting still.
        try agent.stop(signal: SIGKILL)
        let second = try await site.start()
        try await expectEarlier()
        try await site.nilo("apply --confirm 60s")
        #expect(try await lab.a.sh("tc class show dev eth0").contains("20Mbit"))
        try second.stop(signal: SIGKILL)
        let third = try await site.start()
        try await expectEarlier()
        // Asked for knowingly, it stays.
        try await site.nilo("apply")
        #expect(try await lab.a.sh("tc class show dev eth0").contains("20Mbit"))
        #expect(try await site.status().warnings.isEmpty)
        try await site.nilo("sample add x --one-in 7")
        try await site.stop(third, keep: true)
        let fourth = try await site.start()
        #expect(try await lab.a.sh("tc class show dev eth0").contains("20Mbit"))
        #expect(try await site.status().warnings.isEmpty)
        try await site.stop(fourth, keep: false)
    }

    // MARK: Drift

    @Test(arguments: Hooks.all) func whatOthersTakeAwayIsMadeAgain(mode: String) async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start(mode: mode)
        try await site.apply(PolicyTests.everything)
        func shown() async throws -> [String] {
            // What is made again has another index.
            try await site.dump([lab.a]).map {
                $0.replacing(#/^\d+: |link-netnsid \d+|if\d+|([0-9a-f]{2}:){5}[0-9a-f]{2}|\bid \d+|tag [0-9a-f]+/#, with: "")
            }
        }
        let expected = try await shown()
        let leaves = try #require(try await site.shaper("part").leafClassIDs)
        let first = try #require(leaves.split(separator: "-").first)
        let damages = [
            "tc class del dev eth0 classid \(first)", "tc qdisc del dev eth0 root", "ip link del nilo-m0",
            "tc class change dev eth0 parent 4e49: classid 4e49:fff0 htb rate 1mbit",
        ]
        var took: [Duration] = []
        for (count, damage) in damages.enumerated() {
            try await lab.a.sh(damage)
            let began = ContinuousClock.now
            let mended = try await eventually(within: .seconds(8)) { try await site.policy().repaired > count }
            took.append(ContinuousClock.now - began)
            #expect(mended, "\(damage)")
            site.expectSame(expected.sorted(), try await shown().sorted())
        }
        // Netlink tells of it; looking every five seconds would take ten, give or take three.
        #expect(took.reduce(.zero, +) < .seconds(3).stretched, "\(took)")
        #expect(try await site.policy().repaired == damages.count)
        #expect(try agent.outputSoFar().components(separatedBy: "policy repaired").count - 1 == damages.count)
        // What is shown is what is there.
        #expect(try await site.shaper("part").leafClassIDs == leaves)
        #expect(try await site.mirror("web").problem == nil)
        let list = try await site.nilo("shape")
        #expect(list.contains("part") && list.contains("htb"), "\(list)")
        #expect(try await site.nilo("plan").contains("nothing to change"))
        try await site.stop(agent, keep: false)
    }

    /// A mirror port that is there and does not work is mended as one that is gone.
    @Test func aDamagedMirrorPortIsMended() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        try await site.apply("mirror:\n  - {name: nine, on: eth0, match: udp port 9, to: {interface: span0}, snap: 64}\n")
        let damages = [
            "tc filter del dev nilo-m1 ingress", "tc filter del dev nilo-m0 egress", "tc qdisc del dev nilo-m0 clsact",
            "tc qdisc del dev nilo-m1 clsact", "ip link set nilo-m1 down", "ip link set nilo-m0 down",
        ]
        for (count, damage) in damages.enumerated() {
            try await lab.a.sh(damage)
            let mended = try await eventually(within: .seconds(8)) { try await site.policy().repaired > count }
            #expect(mended, "\(damage)")
            #expect(try await site.nilo("plan").contains("nothing to change"), "\(damage)")
            let before = try await site.mirror("nine").arrived
            // Its queue takes packets some time after it is up.
            let arrived = try await eventually(within: .seconds(5)) {
                try await lab.a.send(Self.frame, times: 5, on: "eth0")
                return try await site.mirror("nine").arrived > before
            }
            #expect(arrived, "\(damage)")
        }
        #expect(try agent.outputSoFar().contains("ip link set nilo-m1 up"))
        try await site.stop(agent, keep: false)
    }

    /// Our filters on the interface itself are the ledger's as well.
    @Test func aFilterThatIsTakenOffComesBack() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start(mode: "clsact")
        try await site.apply("mirror:\n  - {name: nine, on: eth0, match: udp port 9, to: {interface: span0}}\n")
        func filters() async throws -> String { try await lab.a.sh("tc filter show dev eth0 egress | grep -o 'pref [0-9]*' | sort -u") }
        let before = try await filters()
        #expect(!before.isEmpty)
        try await lab.a.sh("tc filter del dev eth0 egress")
        let back = try await eventually(within: .seconds(2)) { (try? await filters()) == before }
        #expect(back)
        try await lab.a.send(Self.frame, times: 7, on: "eth0")
        #expect(try await site.mirror("nine").mirroredPackets == 7)
        try await site.stop(agent, keep: false)
    }
}
