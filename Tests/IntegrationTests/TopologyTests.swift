import Reports
import TestSupport
import Testing

private let nftables = Requirement("nftables") { try await NetworkNamespace().sh("nft add table inet x") }

private let translation = Requirement("translation by nftables and conntrack") {
    try await NetworkNamespace().sh(
        "nft add table ip x; nft 'add chain ip x y { type nat hook prerouting priority -100; }'; nft 'add rule ip x y dnat to 10.0.0.1'"
    )
}

/// The topology that a running agent keeps, beside what the test itself made.
@Suite(.requires(.root, .clsact)) struct TopologyTests {
    private func topology(_ site: AgentSite, _ place: String? = nil) async throws -> TopologyReport {
        try await site.get("/v1/topology", place.map { [("network", $0)] } ?? [])
    }

    private func interfaces(_ report: TopologyReport) -> Set<String> {
        Set(report.entities.filter { $0.kind == "interface" && $0.kernelMade != true }.map(\.name))
    }

    /// Every interface and pair, none extra; what is plugged in, taken down or taken away is told within a second.
    @Test func theMapIsTheLab() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va")
        let agent = try await site.start()
        #expect(try await eventually(within: .seconds(1)) { (try? await topology(site)).map(interfaces) == ["va"] })
        let first = try await topology(site)
        let va = try #require(first.entities.first { $0.name == "va" && $0.kind == "interface" })
        #expect(va.attributes["device"] == .text("veth") && va.attributes["state"] == .text("up"))
        #expect(first.links.contains { $0.kind == "attachment" && $0.from.hasSuffix(Pair.addressA) && $0.to == va.key }, "\(first.links)")

        try await pair.a.sh(
            "ip link add br0 type bridge\nip link add p0 type veth peer name p1\nip link set p0 master br0\nip link set br0 up")
        #expect(
            try await eventually(within: .seconds(1)) {
                let now = try await topology(site)
                return interfaces(now) == ["va", "br0", "p0", "p1"]
                    && now.links.contains { $0.kind == "port" && $0.from.hasSuffix("p0") && $0.to.hasSuffix("br0") }
                    && now.links.contains { $0.kind == "veth" && $0.from.hasSuffix("p0") && $0.to.hasSuffix("p1") }
            })
        try await pair.a.sh("ip link set va down")
        #expect(
            try await eventually(within: .seconds(1)) {
                try await topology(site).entities.first { $0.key == va.key }?.attributes["state"] == .text("down")
            })
        try await pair.a.sh("ip link del br0\nip link del p0")
        #expect(try await eventually(within: .seconds(1)) { interfaces(try await topology(site)) == ["va"] })
        #expect(try await site.refusal("topology --network nowhere").contains("nothing in the topology is called nowhere"))
        try await site.stop(agent, keep: false)
    }

    /// Packets are counted once in the matrix, in both directions, whatever interfaces see them.
    @Test func whoTalksToWhom() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va")
        let agent = try await site.start()
        let transfer = try await TCPTransfer.run(100_000, from: pair.a, to: pair.b, Pair.addressB, port: 8080)
        #expect(transfer.received == 100_000)
        let device = try await site.interface("va")
        var talk: LinkReport?
        let isTold = try await eventually(within: .seconds(4)) {
            guard let links = try? await topology(site).links else { return false }
            talk = links.first {
                $0.kind == "talk" && $0.from.hasSuffix(Pair.addressA) && $0.attributes["port"] == .number(8080)
            }
            return talk?.load?.totals.map {
                $0.packets == device.egress.seen.wirePackets && $0.reversePackets == device.ingress.seen.wirePackets
            } ?? false
        }
        #expect(isTold, "\(String(describing: talk)) beside \(device)")
        #expect(talk?.attributes["protocol"] == .text("tcp") && (talk?.load?.totals?.bytes ?? 0) > 100_000)
        let text = try await site.nilo("topology")
        #expect(text.contains("tcp/8080") && text.contains(Pair.addressB), "\(text)")
        #expect(try await site.nilo("topology --format dot").hasPrefix("graph topology {"))
        #expect(try await site.nilo("topology --format table").contains("attachment"))
        #expect(try await site.nilo("topology --format svg").contains("<svg xmlns"))
        #expect(try await site.nilo("topology --format graphml").contains("<graphml"))
        #expect(try await site.nilo("topology --format picture").contains("╭"))
        #expect(try await site.nilo("topology talks \(Pair.addressA)").contains("tcp/8080"))
        #expect(try await site.nilo("topology path \(Pair.addressA) \(Pair.addressB)").contains("va"))
        try await site.stop(agent, keep: false)
    }

    /// Security rules are in the map as soon as they are made, and go with them.
    @Test(.requires(nftables)) func securityRulesAreTold() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va")
        let agent = try await site.start()
        func security() async throws -> EntityReport? { try await topology(site).entities.first { $0.kind == "security" } }
        #expect(try await eventually(within: .seconds(1)) { (try? await topology(site)).map(interfaces) == ["va"] })
        #expect(try await security() == nil)
        try await pair.a.sh(
            """
            nft add table inet guard; nft 'add chain inet guard in { type filter hook input priority 5; policy accept; }'
            nft add rule inet guard in tcp dport 23 drop
            """)
        var told: EntityReport?
        let isTold = try await eventually(within: .seconds(1)) {
            told = try await security()
            return told?.attributes["rules"]?.description.contains("chain in {  # rules: 1") == true
        }
        #expect(isTold && told?.key.hasSuffix("/ns/init/security") == true, "\(String(describing: told))")
        #expect(
            told?.attributes["rules"]?.description.contains("type filter hook input priority 5; policy accept;\n\t\ttcp dport 23 drop\n")
                == true)
        try await pair.a.sh("nft add rule inet guard in udp dport 69 drop")
        let isMore = try await eventually(within: .seconds(1)) {
            try await security()?.attributes["rules"]?.description.contains("# rules: 2") == true
        }
        #expect(isMore)
        try await pair.a.sh("nft delete table inet guard")
        #expect(try await eventually(within: .seconds(1)) { try await security() == nil })
        try await site.stop(agent, keep: false)
    }

    /// Both sides of what is translated are linked: what is asked for and what answers.
    @Test(.requires(translation)) func translationsAreTold() async throws {
        let pair = try await Pair()
        try await pair.a.sh(
            """
            ip route add 10.9.9.0/24 via 10.0.0.2
            nft add table ip nat; nft 'add chain ip nat out { type nat hook output priority -100; }'
            nft add rule ip nat out ip daddr 10.9.9.9 udp dport 53 dnat to 10.0.0.2:5353
            """)
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va")
        let agent = try await site.start()
        #expect(try await eventually(within: .seconds(1)) { (try? await topology(site)).map(interfaces) == ["va"] })
        #expect(try await !topology(site).links.contains { $0.kind == "translation" })
        try await pair.a.sendUDP(3, size: 10, to: "10.9.9.9", port: 53)
        var told: [LinkReport] = []
        let isTold = try await eventually(within: .seconds(14)) {
            told = try await topology(site).links.filter { $0.kind == "translation" }
            return !told.isEmpty
        }
        #expect(isTold && told.count == 1, "\(told)")
        #expect(told.first?.from.hasSuffix("/ip/10.9.9.9") == true && told.first?.to.hasSuffix("/ip/10.0.0.2") == true, "\(told)")
        #expect(told.first?.attributes["protocol"] == .text("udp") && told.first?.attributes["port"] == .number(53), "\(told)")
        try await site.stop(agent, keep: false)
    }

    /// Three namespaces in a row, of which the agent keeps the one in the middle: as soon as its sysctls say that it forwards no longer, it
    /// is predicted not to.
    @Test func whatDoesNotForwardIsPredictedNotTo() async throws {
        let (left, middle, right) = (try await NetworkNamespace(), try await NetworkNamespace(), try await NetworkNamespace())
        try await middle.sh(
            """
            ip link add ml type veth peer name vl netns \(left.path); ip link add mr type veth peer name vr netns \(right.path)
            ip addr add 10.1.0.1/24 dev ml; ip addr add 10.2.0.1/24 dev mr; ip link set ml up; ip link set mr up
            echo 1 > /proc/sys/net/ipv4/ip_forward
            """)
        try await left.sh("ip addr add 10.1.0.2/24 dev vl; ip link set vl up; ip route add default via 10.1.0.1")
        try await right.sh("ip addr add 10.2.0.2/24 dev vr; ip link set vr up; ip route add default via 10.2.0.1")
        let site = try AgentSite(in: middle)
        try site.configure(interfaces: "ml, mr")
        let agent = try await site.start()
        func whatIf(_ change: String) async throws -> WhatIfAnswerReport { try await site.get("/v1/topology/whatif", [("change", change)]) }
        try await left.sh("ping -q -c 20 -i 0.1 10.2.0.2")
        var answer: WhatIfAnswerReport?
        let isForwarding = try await eventually(within: .seconds(4)) {
            answer = try await whatIf("forwarding off")
            return (answer?.before.deliveredBitsPerSecond ?? 0) > 0
        }
        #expect(isForwarding && answer?.after.deliveredBitsPerSecond == 0, "\(String(describing: answer))")
        #expect(answer?.suppositions.contains { $0.contains("forwarding is on") } == false)
        try await middle.sh("echo 0 > /proc/sys/net/ipv4/ip_forward")
        let isPredicted = try await eventually(within: .seconds(1)) {
            answer = try await whatIf("forwarding on")
            return answer?.before.deliveredBitsPerSecond == 0
        }
        #expect(isPredicted && (answer?.after.deliveredBitsPerSecond ?? 0) > 0, "\(String(describing: answer))")
        try await site.stop(agent, keep: false)
    }
}
