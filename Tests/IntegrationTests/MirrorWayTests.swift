import Foundation
import Reports
import TestSupport
import Testing

/// The way to a collector: what cannot get there is not counted as if it had, and two agents do not take each other's mirror port.
@Suite(.requires(.root, .clsact)) struct MirrorWayTests {
    private static let frame = PolicyLab.datagram(PolicyLab.addressA, PolicyLab.addressB, port: 9)

    private static func rule(_ remote: String) -> String {
        "mirror:\n  - {name: far, on: eth0, match: udp port 9, to: {vxlan: {remote: \(remote), vni: 0xff0001}}}\n"
    }

    /// The very first copy arrives: the nexthop is known before the rule is in force.
    @Test func theFirstCopyArrives() async throws {
        let lab = try await PolicyLab()
        try await lab.a.sh("ip neigh del \(PolicyLab.collector) dev eth0")
        let collector = try await UDPReceiver(in: lab.b, port: 4789)
        let (site, agent) = try await lab.start()
        try await site.apply(Self.rule(PolicyLab.collector))
        try await lab.a.send(Self.frame, times: 1, on: "eth0")
        #expect(try await collector.settled(at: 1) == 1)
        let report = try await site.mirror("far")
        #expect(report.mirroredPackets == 1 && report.failed.isEmpty && report.problem == nil, "\(report)")
        try await site.stop(agent, keep: false)
    }

    /// Copies are counted where they pass, and are not what anybody says; the mirror port is nobody's interface.
    @Test(arguments: ["interface:span0", "interface:span0 --snap 64", "vxlan:\(PolicyLab.collector),vni=0xff0001"])
    func copiesAreNotInTheTopology(to target: String) async throws {
        let lab = try await PolicyLab()
        let collector = try await UDPReceiver(in: lab.b, port: 4789)
        let (site, agent) = try await lab.start(interfaces: "all-but-loopback")
        try await site.nilo("mirror add web --on eth0 --to \(target) icmp")
        try await lab.a.sh("ping -q -c 20 -i 0.1 \(PolicyLab.addressB)")
        #expect(try await site.mirror("web").mirroredPackets >= 40)
        let filter = target.hasPrefix("vxlan") ? "vni 16711681 and egress" : "interface host:span0 and icmp and egress"
        let copies = try await site.flows(filter)
        #expect(!copies.isEmpty && copies.allSatisfy { $0.notes.contains("copy") }, "\(copies)")
        // Two readings and a turn later all is told.
        try await Task.sleep(for: .seconds(2.5))
        let topology: TopologyReport = try await site.get("/v1/topology")
        let talks = topology.links.filter { $0.kind == "talk" && $0.attributes["protocol"] == .text("icmp") }
        #expect(talks.count == 1 && talks.first?.load?.totals?.packets == 20, "\(talks)")
        let strange = topology.entities.map(\.key).filter { $0.contains("nilo-m") || $0.contains("span0/ip/") || $0.contains("vni/") }
        #expect(strange.isEmpty && !topology.links.contains { $0.kind == "tunnel" }, "\(strange)")
        #expect(try await site.interfaces().map(\.name).sorted() == ["eth0", "span0"])
        #expect(try await site.status().interfacesInDoubt.filter { $0.contains("nilo-m") }.isEmpty)
        withExtendedLifetime(collector) {}
        try await site.stop(agent, keep: false)
    }

    @Test func aNexthopThatDoesNotAnswerIsTold() async throws {
        let lab = try await PolicyLab()
        let collector = try await UDPReceiver(in: lab.b, port: 4789)
        let (site, agent) = try await lab.start()
        try await site.apply(Self.rule("192.0.2.77"))
        try await lab.a.send(Self.frame, times: 5, on: "eth0")
        let silent = try await site.mirror("far")
        #expect(silent.mirroredPackets == 0 && silent.failed == ["noRoute": 5], "\(silent)")
        #expect(silent.problem == "192.0.2.77, the nexthop of the collector, does not answer")
        #expect(try await site.nilo("plan").contains("nothing to change"))
        // It comes.
        try await lab.b.sh("ip addr add 192.0.2.77/24 dev eth0")
        let answers = try await eventually(within: .seconds(10)) { try await site.mirror("far").problem == nil }
        #expect(answers)
        try await lab.a.send(Self.frame, times: 3, on: "eth0")
        #expect(try await collector.settled(at: 3) == 3)
        #expect(try await site.mirror("far").mirroredPackets == 3)
        // Nobody did that: it is no drift.
        #expect(try await site.policy().repaired == 0)
        // It goes.
        try await lab.b.sh("ip addr del 192.0.2.77/24 dev eth0")
        try await lab.a.sh("ip neigh replace 192.0.2.77 dev eth0 nud failed")
        let isGone = try await eventually(within: .seconds(3)) { try await site.mirror("far").problem != nil }
        #expect(isGone)
        try await site.stop(agent, keep: false)
    }

    @Test(arguments: [true, false]) func aWayWithoutCarrierIsTold(isTunnel: Bool) async throws {
        let lab = try await PolicyLab()
        try await lab.a.sh("ip addr add 198.51.100.1/24 dev span0; ip neigh replace 198.51.100.2 lladdr 02:00:00:00:00:77 dev span0")
        let (site, agent) = try await lab.start()
        let local = "mirror:\n  - {name: far, on: eth0, match: udp port 9, to: {interface: span0}}\n"
        try await site.apply(isTunnel ? Self.rule("198.51.100.2") : local)
        try await lab.a.send(Self.frame, times: 2, on: "eth0")
        #expect(try await site.mirror("far").mirroredPackets == 2)
        try await lab.span.sh("ip link set span1 down")
        let isTold = try await eventually(within: .seconds(5)) { try await site.mirror("far").problem?.contains("carrier") == true }
        #expect(isTold)
        try await lab.a.send(Self.frame, times: 5, on: "eth0")
        let report = try await site.mirror("far")
        #expect(report.mirroredPackets == 2 && report.failed == ["targetDown": 5], "\(report)")
        try await lab.span.sh("ip link set span1 up")
        let isBack = try await eventually(within: .seconds(10)) { try await site.mirror("far").problem == nil }
        #expect(isBack)
        try await lab.a.send(Self.frame, times: 1, on: "eth0")
        #expect(try await site.mirror("far").mirroredPackets == 3)
        try await site.stop(agent, keep: false)
    }

    @Test func aCollectorIsAnotherHost() async throws {
        let lab = try await PolicyLab()
        let (site, agent) = try await lab.start()
        for (target, key) in [("vxlan:192.0.2.1,vni=0xff0001", "vxlan"), ("erspan:192.0.2.1,session=7", "erspan")] {
            let said = try await site.refusal("mirror add self --on eth0 --to \(target)")
            #expect(said.contains("self: to.\(key).remote: 192.0.2.1 is an address of this host itself"), "\(said)")
        }
        #expect(try site.policyFiles().isEmpty)
        try await site.stop(agent, keep: false)
    }

    @Test func twoAgentsDoNotFightOverTheMirrorPort() async throws {
        let lab = try await PolicyLab()
        let (one, first) = try await lab.start()
        let (other, second) = try await lab.startSecond()
        let rule = "--on eth0 --to interface:span0 --snap 64 udp port 9"
        try await one.nilo("mirror add nine \(rule)")
        let said = try await other.refusal("mirror add mine \(rule)")
        #expect(said.contains("mirror port") && said.contains("another agent has it: process \(first.pid) works it"), "\(said)")
        // A rule that needs none is none of its business, whatever else it looks at from then on.
        try await other.nilo("sample add each --on eth0 --one-in 1")
        try await Task.sleep(for: .seconds(7))
        try await lab.a.send(Self.frame, times: 5, on: "eth0")
        let arrived = try await eventually(within: .seconds(3)) { try await one.mirror("nine").arrived == 5 }
        #expect(arrived)
        #expect(try await one.policy().repaired == 0)
        try await other.stop(second, keep: false)
        #expect(try await lab.a.sh("ip -o link").contains("nilo-m0"))
        // The first one's end makes room.
        let third = try await other.start()
        #expect(try await other.refusal("mirror add mine \(rule)").contains("another agent"))
        try await one.stop(first, keep: false)
        try await other.nilo("mirror add mine \(rule)")
        try await other.stop(third, keep: false)
        #expect(try await !lab.a.sh("ip -o link").contains("nilo-m0"))
    }
}
