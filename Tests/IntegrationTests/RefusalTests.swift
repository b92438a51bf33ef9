import Foundation
import TestSupport
import Testing

/// What the agent will not do, said clearly, with nothing touched.
@Suite(.requires(.root, .clsact)) struct RefusalTests {
    private func attached(_ pair: Pair) async throws -> String {
        // By preference, handle and program: how tc words the rest is its own affair, and varies with what it may read at the time.
        try await pair.a.sh(
            """
            tc qdisc show dev va | grep -o clsact || true
            for way in ingress egress; do
                tc filter show dev va $way | grep -oE 'pref [0-9]+|handle 0x[0-9a-f]+| id [0-9]+' || true
            done
            """)
    }

    /// A namespace is no end of a packet's way; what answers call an interface by is one.
    @Test func aWayIsFromOneEndToAnother() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va")
        let agent = try await site.start()
        try await site.waitForTopology()
        let isKnown = try await eventually(within: .seconds(3)) {
            try await site.nilo("topology --network host:va").contains(Pair.addressA)
        }
        #expect(isKnown)
        let said = try await site.refusal("topology path init host:va")
        #expect(said.contains("init is a namespace") && said.contains("hint: "), "\(said)")
        #expect(try await site.refusal("topology path host:va init").contains("init is a namespace"))
        #expect(try await site.nilo("topology path host:va \(Pair.addressA)").contains("arrived"))
        try await site.stop(agent, keep: false)
    }

    @Test func aSecondAgentIsRefusedAndDoesNotDisturbTheFirst() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va", mode: "clsact")
        let device = try await CountedDevice("va", in: pair.a)
        let first = try await site.start()
        let filters = try await attached(pair)
        let (output, status) = try await site.refused()
        #expect(status == 1 && output.contains("another instance is running") && output.contains("hint: "), "\(output)")
        let after = try await attached(pair)
        #expect(after == filters, "before: \(filters)\nafter: \(after)")
        try await pair.a.sendUDP(50, size: 10, to: Pair.addressB, port: 9)
        try await device.expectAgreement(of: site)
        try await site.stop(first, keep: false)
    }

    @Test func aBadConfigurationIsRefusedByItsLine() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.write("interfaces: [va]\nbpffs: \(site.directory)/bpf\nflows:\n  limit: many\n  intervall: 1s\n")
        let (output, status) = try await site.refused()
        #expect(status == 1 && output.contains("agent.yaml:4") && output.contains("agent.yaml:5"), "\(output)")
        #expect(output.contains("flows.limit") && output.contains("interval"), "\(output)")
        #expect(try await attached(pair).isEmpty)
        #expect(!FileManager.default.fileExists(atPath: site.pins))
    }

    @Test func aDirectoryThatIsNoBPFFSIsRefused() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va", mode: "clsact", bpffs: "\(site.directory)/log")
        let (output, status) = try await site.refused()
        #expect(status == 1 && output.contains("is not a bpffs") && output.contains("hint: mount -t bpf"), "\(output)")
        #expect(try await attached(pair).isEmpty)
    }

    @Test(.requires(.command("setpriv"))) func nobodyMayNot() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va", mode: "clsact")
        let (output, status) = try await site.refused(as: "nobody")
        #expect(status == 3 && output.contains("root") && output.contains("hint: "), "\(output)")
        #expect(try await attached(pair).isEmpty)
    }

    @Test func countersOfAnotherVersionAreNotTouched() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va", mode: "clsact")
        try await pair.a.sh("mkdir -p \(site.pins)/v99/maps")
        let (output, status) = try await site.refused()
        #expect(status == 1 && output.contains("v99") && output.contains("hint: "), "\(output)")
        #expect(try await attached(pair).isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(site.pins)") == ["v99"])
    }
}
