import Flows
import Foundation
import NetworkTypes
import Reports
import TestSupport
import Testing

/// The policy from its files to the kernel and back, by the commands that people type.
@Suite(.requires(.root, .clsact, .htb)) struct PolicyTests {
    /// Something of every kind: a mirror port, a session, a sampler, nested classes.
    static let everything = """
        links:
          - {interface: eth0, capacity: 100 Mbit/s}
        mirror:
          - {name: web, on: eth0, match: tcp port 443, to: {interface: span0}, snap: 64}
        sample:
          - {name: some, on: eth0, one-in: 10}
        shape:
          - {name: gold, on: eth0, direction: egress, match: port 5432, rate: 40 Mbit/s, ceiling: 80 Mbit/s}
          - {name: part, on: eth0, direction: egress, match: port 5433, rate: 10 Mbit/s, parent: gold}
          - {name: cheap, on: eth0, direction: egress, match: port 873, rate: 1 Mbit/s, ceiling: 20 Mbit/s}

        """

    /// What a class could not hold is told as dropped, and what it achieved is what it sent: `tc -s class show` says the same.
    @Test func whatAQueueDropsIsTold() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        try await site.nilo("shape add slow --on eth0 --direction egress --ceiling 100kbit/s udp port 7")
        // One flow, so that all wait in one queue of a thousand; a socket for each fifty, so that none waits for room.
        for _ in 0..<40 { try await lab.a.sendUDP(50, size: 958, to: PolicyLab.addressB, port: 7, from: 4000) }
        let rule = try await site.shaper("slow")
        let classes = try await lab.a.sh("tc -s class show dev eth0 | grep -oE 'dropped [0-9]+' | cut -d' ' -f2")
        let dropped = classes.split(separator: "\n").reduce(0) { $0 + (UInt64($1) ?? 0) }
        #expect(rule.packets == 2000 && rule.queueDrops == dropped, "\(rule)")
        #expect((rule.sentPackets ?? .max) + dropped < 2000 && (rule.backlogBytes ?? 0) > 0, "\(rule)")
        try await site.stop(agent, keep: false)
    }

    @Test(arguments: Hooks.all) func thereAndBackAgain(mode: String) async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start(mode: mode)
        let before = try await site.dump([lab.a])
        let draft = try site.draft(Self.everything)

        let plan = try await site.nilo("plan -f \(draft)")
        for line in [
            "tc qdisc add dev eth0 root handle 4e49: htb", "tc class add dev eth0", "ip link add nilo-m0",
            "web: mirror eth0 to interface span0",
            "some: sample 1 in 10", "filter program", "gold: shape egress by htb",
        ] { #expect(plan.contains(line), "\(line) is not in \(plan)") }
        site.expectSame(before, try await site.dump([lab.a]))
        #expect(try site.policyFiles().isEmpty)

        #expect(try await site.nilo("apply -f \(draft)").contains("applied: "))
        let applied = try await site.dump([lab.a])
        #expect(applied.contains { $0.contains("class htb 4e49:") } && applied.contains { $0.contains("nilo-m0") })
        #expect(try site.policyFiles() == ["test.yaml": Self.everything])
        #expect(try await site.nilo("apply").contains("nothing to change"))
        #expect(try await site.nilo("apply -f \(draft)").contains("nothing to change"))
        #expect(try await site.nilo("plan").contains("nothing to change"))
        site.expectSame(applied, try await site.dump([lab.a]))

        try FileManager.default.removeItem(atPath: "\(site.policies)/test.yaml")
        #expect(try await site.nilo("apply").contains(" removed"))
        site.expectSame(before, try await site.dump([lab.a]))
        #expect(try await site.status().warnings.isEmpty)
        try await site.stop(agent, keep: false)
    }

    /// The commands that `plan` prints, typed on another machine, make the same.
    @Test func thePlansCommandsCanBeTyped() async throws {
        let lab = try await PolicyLab()
        let twin = try await PolicyLab()
        let (site, agent) = try await lab.start()
        let draft = try site.draft(Self.everything)
        let report = try JSONDecoder().decode(PlanReport.self, from: Data(try await site.nilo("plan --json -f \(draft)").utf8))
        let commands = report.steps.compactMap(\.command)
        #expect(commands.count > 10 && !report.applied)
        try await twin.a.sh(commands.joined(separator: "\n"))
        try await site.nilo("apply -f \(draft)")
        func made(_ lab: PolicyLab) async throws -> [String] {
            try await lab.a.sh(
                "tc qdisc show dev eth0 | grep htb | sed 's/direct_packets_stat [0-9]*//'; tc class show dev eth0; ip -o link show dev nilo-m0 | grep -o ' mtu.*state'"
            )
            // tc goes by its own ticks: a few bytes of a burst are lost on the way.
            .replacing(#/burst (\d+)b/#) { "burst \(((Int($0.1) ?? 0) + 50) / 100)00b" }
            .split(separator: "\n").map(String.init).sorted()
        }
        let (ours, typed) = (try await made(lab), try await made(twin))
        site.expectSame(ours, typed)
        try await site.stop(agent, keep: false)
    }

    /// One-line verbs write files of their own, and take them away.
    @Test func aVerbIsAFile() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        let before = try await site.dump([lab.a])
        try site.writePolicy("sets:\n  offices: [192.0.2.0/25]\n", "sets.yaml")
        let line = "mirror add web --on eth0 --to interface:span0 tcp port 443 and net @offices"
        #expect(try await site.nilo("\(line) --dry-run").contains("plan: "))
        #expect(try site.policyFiles().keys.sorted() == ["sets.yaml"])
        try await site.nilo(line)
        #expect(try site.policyFiles().keys.sorted() == ["mirror-web.yaml", "sets.yaml"])
        #expect(try await site.nilo("mirror").contains("web"))
        #expect(try await site.nilo(line).contains("nothing to change"))
        let full = try await site.nilo("mirror web")
        for part in [
            "mirror web  \(site.policies)/mirror-web.yaml:3", "net @offices", "source in 192.0.2.0/25 ? ", "on eth0, both ways, since ",
            "unselected",
        ] {
            #expect(full.contains(part), "\(part) is not in \(full)")
        }
        let report = try JSONDecoder().decode(RuleReport.self, from: Data(try await site.nilo("mirror web --json").utf8))
        #expect(report.mirrors.map(\.target) == ["interface span0"] && report.line == 3 && report.program.last?.hasSuffix("end") == true)
        // Each verb minds its own kind.
        let shown = try await site.refusal("shape web")
        #expect(shown.contains("it is a mirror rule") && shown.contains("hint: nilo mirror web"), "\(shown)")
        let removed = try await site.refusal("sample remove web")
        #expect(
            removed.contains("it is a mirror rule, not a sample rule") && removed.contains("hint: nilo mirror remove web"), "\(removed)")
        #expect(try await site.refusal("mirror lst").contains("did you mean list?"))
        try await site.nilo("mirror remove web")
        #expect(try site.policyFiles().keys.sorted() == ["sets.yaml"])
        #expect(try await site.refusal("mirror remove web").contains("there is no such rule"))
        // What stands with others is not the verb's to take away.
        try await site.apply("sample:\n  - {name: x, one-in: 5}\n  - {name: y, one-in: 6}\n", "two.yaml")
        #expect(try await site.refusal("sample remove x").contains("two.yaml"))
        try FileManager.default.removeItem(atPath: "\(site.policies)/two.yaml")
        try await site.nilo("apply")
        site.expectSame(before, try await site.dump([lab.a]))
        try await site.stop(agent, keep: false)
    }

    // MARK: Bad files

    @Test func everyMistakeIsNamedAndNothingChanges() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        try await site.apply("mirror:\n  - {name: web, on: eth0, match: udp port 9, to: {interface: span0}}\n", "good.yaml")
        let before = try await site.dump([lab.a])
        let bad = """
            mirror:
              - {name: a, on: eth0, match: tcp prot 443, to: {interface: span0}}
              - {name: b, on: eth0, match: net @nowhere, to: {interface: span0}}
              - {name: web, on: eth0, to: {interface: span0}}
            shape:
              - {name: c, on: eth0, direction: egress, ceiling: 50 Mbps}
              - {name: d, on: eth0, direction: egress, rate: 50 Mbit/s, ceiling: 20 Mbit/s}
              - {name: e, on: eth0, directoin: egress, ceiling: 1 Mbit/s}

            """
        let said = try await site.refusal("apply -f \(site.draft(bad, "bad.yaml"))")
        for part in [
            "bad.yaml:2", "mirror[0].match", "column", "bad.yaml:3", "nowhere", "bad.yaml:4", "good.yaml:2", "bad.yaml:6", "50 Mbps",
            "bad.yaml:7",
            "is more than the ceiling", "bad.yaml:8", "directoin", "direction",
        ] { #expect(said.contains(part), "\(part) is not in \(said)") }
        site.expectSame(before, try await site.dump([lab.a]))
        #expect(try site.policyFiles().keys.sorted() == ["good.yaml"])
        // The rule in force still copies.
        try await lab.a.send(PolicyLab.datagram(PolicyLab.addressA, PolicyLab.addressB, port: 9), times: 10, on: "eth0")
        #expect(try await site.mirror("web").mirroredPackets == 10)
        #expect(try await site.nilo("plan").contains("nothing to change"))
        try await site.stop(agent, keep: false)
    }

    /// An agent that finds a bad folder starts, says so, and what an earlier one put in force stays.
    @Test(arguments: Hooks.all) func aBadFolderAtTheStartChangesNothing(mode: String) async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start(mode: mode)
        try await site.apply(Self.everything + "  - {name: nine, on: eth0, direction: egress, match: port 9, ceiling: 20 Mbit/s}\n")
        try await site.apply("mirror:\n  - {name: nine-too, on: eth0, match: port 9, to: {interface: span0}}\n", "more.yaml")
        try await site.stop(agent, keep: true)
        let before = try await site.dump([lab.a])
        let good = try contents(of: "\(site.policies)/test.yaml")
        try site.writePolicy(good + "  - {name: x}\n  - {name: y, bogus: 1}\n")
        let next = try await site.start()
        let warnings = try await site.status().warnings.joined(separator: "\n")
        #expect(warnings.contains("test.yaml:12") && warnings.contains("test.yaml:13") && warnings.contains("bogus"), "\(warnings)")
        #expect(try next.outputSoFar().contains("policy not applied"))
        #expect(try await site.nilo("mirror").contains("bogus"))
        // What the earlier agent left acts on, and is shown for what it is.
        let earlier = try await site.policy()
        #expect(earlier.mirrors.map(\.name).sorted() == ["nine-too", "web"] && earlier.samplers.map(\.name) == ["some"], "\(earlier)")
        #expect(
            earlier.mirrors.allSatisfy {
                $0.problem?.contains("of an earlier agent") == true && $0.problem?.contains("test.yaml:12") == true
            })
        #expect(earlier.shapers.count == 4 && earlier.shapers.allSatisfy { $0.problem != nil }, "\(earlier.shapers)")
        let span = try await CountedDevice("span0", in: lab.a)
        // Two turns of the agent, in which it might put the kernel right.
        try await Task.sleep(for: .milliseconds(2200))
        site.expectSame(before, try await site.dump([lab.a]))
        try await lab.a.send(PolicyLab.datagram(PolicyLab.addressA, PolicyLab.addressB, port: 9), times: 25, on: "eth0")
        #expect(try await span.counts().sent.packets == 25)
        // Mended, it is applied as if nothing had been.
        try site.writePolicy(good)
        try await site.nilo("apply")
        #expect(try await site.status().warnings.isEmpty)
        site.expectSame(before, try await site.dump([lab.a]))
        #expect(try await site.policy().mirrors.map(\.name).sorted() == ["nine-too", "web"])
        try await site.stop(next, keep: false)
    }

    @Test func anEmptySetIsRemarkedOn() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        try Data("# none yet\n".utf8).write(to: URL(fileURLWithPath: "\(site.directory)/partners.txt"))
        let text = "sets:\n  partners: {file: \(site.directory)/partners.txt}\nsample:\n- {name: x, one-in: 5, match: net @partners}\n"
        try site.writePolicy("sample: []\n", "old.yml")
        let plan = try await site.nilo("plan -f \(site.draft(text))")
        #expect(plan.contains("! set partners: there is no prefix in it"), "\(plan)")
        let odd = "\(site.policies)/old.yml is not read: its name does not end in .yaml"
        #expect(plan.contains("! \(odd)"), "\(plan)")
        #expect(try await site.status().warnings == [odd])
        try await site.stop(agent, keep: false)
    }

    // MARK: Foreign qdiscs

    @Test(.requires(.tbf, .u32)) func aForeignRootQdiscStaysUnlessToldOtherwise() async throws {
        let lab = try await PolicyLab()
        let tcx = Hooks.all.contains("tcx")
        let foreign: CInt? =
            tcx ? try await lab.a.run { try TinyProgram.passing().attachTCX(try interfaceIndex("eth0"), ingress: true) } : nil
        defer { if let foreign { close(foreign) } }
        let index = try await lab.a.index(of: "eth0")
        try await lab.a.sh(
            """
            tc qdisc add dev eth0 root handle 8001: tbf rate 900mbit burst 64k latency 20ms
            tc qdisc add dev eth0 clsact
            tc filter add dev eth0 egress protocol ip pref 77 u32 match u32 0 0 classid 1:1
            """)
        func others() async throws -> String {
            // A link whose device is taken from it tells 0.
            if let foreign { #expect(try contents(of: "/proc/self/fdinfo/\(foreign)").contains("ifindex:\t\(index)")) }
            return try await lab.a.sh("tc qdisc show dev eth0; tc filter show dev eth0 egress pref 77")
        }
        let (site, agent) = try await lab.start()
        let before = try await site.dump([lab.a])
        let programs = try await others()
        let rule = "shape add cap --on eth0 --direction egress --ceiling 50Mbit/s --mechanism htb"
        let said = try await site.refusal(rule)
        #expect(said.contains("tbf") && said.contains("hint:") && said.contains("--replace"), "\(said)")
        site.expectSame(before, try await site.dump([lab.a]))
        #expect(try site.policyFiles().isEmpty)

        #expect(try await site.nilo("\(rule) --replace --dry-run").contains("tc qdisc del dev eth0 root handle 8001:"))
        site.expectSame(before, try await site.dump([lab.a]))
        try await site.nilo("\(rule) --replace")
        #expect(try await lab.a.sh("tc qdisc show dev eth0 root").contains("htb 4e49:"))
        #expect(FileManager.default.fileExists(atPath: "\(site.directory)/lib/nilo/replaced-qdiscs.json"))
        // Another agent knows what it has to put back.
        try await site.stop(agent, keep: true)
        let next = try await site.start()
        try await site.nilo("shape remove cap")
        site.expectSame(before, try await site.dump([lab.a]))
        #expect(try await others() == programs)
        #expect(!FileManager.default.fileExists(atPath: "\(site.directory)/lib/nilo/replaced-qdiscs.json"))
        // Told once is not told for good.
        #expect(try await site.refusal(rule).contains("tbf"))
        try await site.stop(next, keep: false)
    }

    // MARK: Coming and going

    @Test func interfacesThatAppearLaterGetTheirRules() async throws {
        let lab = try await PolicyLab()
        let name = "nilo-test-\(UInt32.random(in: 0...UInt32.max))"
        let site = try AgentSite(in: lab.a)
        try site.configure(interfaces: "\"v*\", eth0", namespaces: "host, \(name)")
        let agent = try await site.start()
        try await site.apply(
            """
            mirror:
              - {name: late, on: "v*", to: {interface: span0}, direction: egress}
              - {name: inside, on: "\(name):v?", to: {interface: out}, direction: egress}
            shape:
              - {name: cap, on: v1, direction: egress, ceiling: 50 Mbit/s}

            """)
        #expect(try await site.policy().waiting.map(\.rule) == ["cap", "inside", "late"])
        let list = try await site.nilo("shape")
        #expect(list.contains("cap: waits: v1 is not there") && !list.contains("late"), "\(list)")
        let frame = PolicyLab.datagram(PolicyLab.addressA, PolicyLab.addressB, port: 9)
        for round in 1...2 {
            try await lab.a.sh("ip link add v1 type veth peer name v1 netns \(lab.b.path)\nip link set v1 up")
            try await lab.b.sh("ip link set v1 up")
            try await lab.a.waitForCarrier()
            let came = try await eventually(within: .seconds(2)) { try await site.policy().waiting.map(\.rule) == ["inside"] }
            #expect(came, "round \(round)")
            #expect(try await lab.a.sh("tc class show dev v1").contains("htb 4e49:"))
            let earlier = try await site.mirror("late").mirroredPackets
            try await lab.a.send(frame, times: 10, on: "v1")
            #expect(try await site.mirror("late").mirroredPackets == earlier + 10)
            #expect(try await site.shaper("cap").packets == 10)
            try await lab.b.sh("ip link del v1")
            let went = try await eventually(within: .seconds(2)) {
                try await site.policy().waiting.map(\.rule) == ["cap", "inside", "late"]
            }
            let left = try await site.policy().shapers
            #expect(went && left.isEmpty)
        }
        // Following is no repair.
        #expect(try await site.policy().repaired == 0)
        try await Self.named(name) { namespace in
            try await namespace("ip link add v1 type veth peer name out; ip link set v1 up; ip link set out up")
            let came = try await eventually(within: .seconds(4)) { try await !site.policy().waiting.map(\.rule).contains("inside") }
            let mirror = try await site.mirror("inside")
            #expect(
                came && mirror.interfaces == ["\(name):v1"] && mirror.namespace == "netns \(name)" && mirror.problem == nil, "\(mirror)")
        }
        let went = try await eventually(within: .seconds(4)) { try await site.policy().waiting.map(\.rule) == ["cap", "inside", "late"] }
        #expect(went)
        try await site.stop(agent, keep: false)
    }

    /// A namespace with a name, for as long as `body` takes.
    private static func named(_ name: String, _ body: (_ run: @Sendable (String) async throws -> Void) async throws -> Void) async throws {
        try await onOwnThread { _ = try sh("ip netns add \(name)") }
        let run: @Sendable (String) async throws -> Void = { commands in
            try await onOwnThread { _ = try sh("ip netns exec \(name) sh -ec '\(commands)'") }
        }
        do {
            try await run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")
            try await body(run)
        } catch {
            try await onOwnThread { _ = try sh("ip netns del \(name)") }
            throw error
        }
        try await onOwnThread { _ = try sh("ip netns del \(name)") }
    }

    // MARK: Who may

    @Test func theReadingSocketChangesNothingAndTheAuditLogHasWhoDid() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        let before = try await site.dump([lab.a])
        let draft = try site.draft(Self.everything)
        for line in [
            "apply -f \(draft)", "plan -f \(draft)", "mirror add x --on eth0 --to interface:span0", "confirm", "apply",
        ] { _ = try await site.refusal("\(line) --socket \(site.readSocket)", status: 3) }
        site.expectSame(before, try await site.dump([lab.a]))
        #expect(try site.policyFiles().isEmpty)
        #expect(try await site.nilo("mirror --socket \(site.readSocket)").contains("no mirror sessions"))

        try await site.nilo("sample add few --one-in 100")
        try await site.nilo("sample remove few")
        _ = try await site.refusal("apply -f \(site.draft("mirror: 7\n", "odd.yaml"))")
        let lines = try contents(of: site.auditLog).split(separator: "\n").filter { $0.contains("\"message\":\"policy\"") }
        #expect(lines.count == 3, "\(lines)")
        for line in lines { #expect(line.contains("\"uid\":0") && line.contains("\"pid\":"), "\(line)") }
        #expect(lines[0].contains("sample-few.yaml") && lines[1].contains("few") && lines[2].contains("failed"), "\(lines)")
        try await site.stop(agent, keep: false)
    }

    // MARK: The books

    /// Everything at once on one interface: each rule's counters are the interface's own.
    @Test(arguments: Hooks.all) func allBooksCloseTogether(mode: String) async throws {
        let lab = try await PolicyLab(offloads: .on)
        let (site, agent) = try await lab.start(mode: mode)
        try await site.apply(
            """
            mirror:
              - {name: copy, on: eth0, to: {interface: span0}, limit: none}
            sample:
              - {name: each, on: eth0, one-in: 1}
            shape:
              - {name: class, on: eth0, direction: egress, ceiling: 400 Mbit/s}

            """)
        let earlier = try await site.interface("eth0")
        #expect(earlier.ingress.seen.totals.skbs == 0 && earlier.egress.seen.totals.skbs == 0)
        let span = try await CountedDevice("span0", in: lab.a)
        let receiver = try await UDPReceiver(in: lab.b)
        let bytes = 8_000_000
        #expect(try await TCPTransfer.run(bytes, from: lab.a, to: lab.b, PolicyLab.addressB).received == bytes)
        #expect(try await TCPTransfer.run(bytes, from: lab.b, to: lab.a, PolicyLab.addressA).received == bytes)
        try await lab.a.sendUDP(500, size: 1000, to: PolicyLab.addressB, port: receiver.port)
        #expect(try await receiver.settled(at: 500) == 500)
        // The last acknowledgements may be on their way.
        var totals: [Totals] = []
        _ = try await eventually(within: .seconds(3)) {
            let device = try await site.interface("eth0")
            let now = [device.ingress.seen.totals, device.egress.seen.totals]
            defer { totals = now }
            return now == totals
        }
        let (mirror, sample, shape) = (try await site.mirror("copy"), try await site.sampler("each"), try await site.shaper("class"))
        let device = try await site.interface("eth0")
        let (ingress, egress) = (device.ingress.seen.totals, device.egress.seen.totals)
        #expect(mirror.matched == ingress.skbs + egress.skbs && mirror.matched == mirror.mirroredPackets, "\(mirror)")
        #expect(mirror.capped == 0 && mirror.truncated == 0 && mirror.failed.values.allSatisfy { $0 == 0 }, "\(mirror)")
        #expect(try await span.counts().sent == .init(packets: mirror.mirroredPackets, bytes: mirror.mirroredBytes))
        #expect(
            sample.pool == ingress.wirePackets + egress.wirePackets && sample.hits + sample.lost == sample.pool,
            "\(sample) \(ingress) \(egress)")
        #expect(shape.packets + shape.droppedPackets == egress.wirePackets && shape.bytes == egress.wireBytes, "\(shape) \(egress)")
        device.expectClosed()
        try await site.stop(agent, keep: false)
    }
}

extension Requirement {
    static let u32 = Requirement("the u32 classifier") {
        try await NetworkNamespace().sh(
            "tc qdisc add dev lo clsact; tc filter add dev lo egress protocol ip pref 77 u32 match u32 0 0 classid 1:1")
    }
}
