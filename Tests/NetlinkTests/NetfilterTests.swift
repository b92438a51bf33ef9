import Foundation
import NetworkTypes
import TestSupport
import Testing
import Topology

@testable import Netlink

private let nftables = Requirement("nftables") { try await TestNamespace().sh("nft add table inet x") }
private let translation = Requirement("translation by nftables and conntrack") {
    try await TestNamespace().sh(
        "nft add table ip x; nft 'add chain ip x y { type nat hook prerouting priority -100; }'; nft 'add rule ip x y dnat to 10.0.0.1'; conntrack -L"
    )
}

/// The parts of `nft -j list ruleset` that are compared.
private struct NFTListing: Decodable {
    struct Chain: Decodable {
        var family, table, name: String
        var type, hook, policy: String?
        var prio: Int32?
    }
    struct Rule: Decodable { var family, table, chain: String }
    struct Object: Decodable {
        var chain: Chain?
        var rule: Rule?
    }
    var nftables: [Object]
}

@Suite(.requires(nftables)) struct NetfilterRulesTests {
    private static let rules = """
        table inet filter {
            set banned { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.2 }; }
            chain input {
                type filter hook input priority 0; policy drop;
                tcp dport 22 counter accept comment "ssh { and }"
                ip saddr @banned drop
                iifname "lo" accept
                jump mine
            }
            chain mine {
            }
        }
        table ip nat {
            chain pre {
                type nat hook prerouting priority dstnat;
                ip daddr 10.9.9.9 dnat to 10.0.0.2
            }
        }
        table netdev edge {
            chain in {
                type filter hook ingress device "lo" priority -500;
                ip saddr 203.0.113.7 drop
            }
        }
        table arp quiet {
            chain out {
                type filter hook output priority 5;
            }
        }
        """

    private static func load(_ namespace: TestNamespace) async throws {
        try await namespace.sh("nft -f - <<'END'\n\(rules)\nEND")
    }

    @Test func chainsEqualThoseOfNFT() async throws {
        let namespace = try await TestNamespace()
        try await Self.load(namespace)
        let listing = try JSONDecoder().decode(NFTListing.self, from: Data(try await namespace.sh("nft -j list ruleset").utf8))
        let shown = listing.nftables.compactMap(\.chain)
        let read = try await namespace.run { try NetlinkSocket.netfilter().netfilterRules() }
        #expect(read.chains.count == 5 && shown.count == 5)
        for chain in shown {
            let ours = try #require(
                read.chains.first { "\($0.family)" == chain.family && $0.table == chain.table && $0.name == chain.name })
            #expect(ours.hook?.name == chain.hook && ours.hook?.type == chain.type && ours.hook?.priority == chain.prio)
            #expect((ours.hook.map { $0.accepts ? "accept" : "drop" }) == chain.policy)
            let rules = listing.nftables.compactMap(\.rule).filter {
                $0.family == chain.family && $0.table == chain.table && $0.chain == chain.name
            }
            #expect(ours.rules == rules.count)
        }
        #expect(read.chains.first { $0.table == "edge" }?.hook?.devices == ["lo"])
        #expect(read.chains.first { $0.name == "input" }?.rules == 4)
    }

    @Test func textIsThatOfNFT() async throws {
        let namespace = try await TestNamespace()
        try await Self.load(namespace)
        let opened = namespace.path
        let rules = try await onOwnThread {
            let namespace = try Netlink.NetworkNamespace.at(path: opened)
            var rules = try NetlinkSocket.netfilter(in: namespace).netfilterRules()
            try NetfilterText.describe(&rules, in: namespace)
            return rules
        }
        func text(_ table: String, _ name: String) -> String? { rules.chains.first { $0.table == table && $0.name == name }?.text }
        #expect(
            text("filter", "input") == """
                tcp dport 22 counter accept comment "ssh { and }"
                ip saddr @banned drop
                iifname "lo" accept
                jump mine
                """)
        #expect(text("filter", "mine") == "" && text("quiet", "out") == "")
        #expect(text("nat", "pre") == "ip daddr 10.9.9.9 dnat to 10.0.0.2" && text("edge", "in") == "ip saddr 203.0.113.7 drop")
    }

    /// Our own words for what is common are those of nft, and never a guess for what is not.
    @Test func wordsAreThoseOfNFT() async throws {
        let namespace = try await TestNamespace()
        let same = [
            "ct state established,related accept", "tcp dport 22 counter accept", "ip saddr 10.0.0.0/8 udp dport 53 accept",
            "ip6 saddr fd00::/64 drop", "ip saddr 10.1.16.0/20 drop", "ip daddr != 192.0.2.1 return", "iifname \"lo\" accept",
            "oifname \"eth*\" drop", "ip saddr @banned drop", "jump mine", "tcp sport 1024 goto mine", "meta nfproto ipv6 drop",
            "log prefix \"odd \" drop", "meta l4proto icmp accept",
        ]
        let others = [
            ("tcp dport 1000-2000 reject", "tcp dport >= 1000 tcp dport <= 2000 reject"), ("tcp flags syn drop", "@th,104,8"),
            ("meta mark 16 accept", "meta mark 16 accept"), ("fib daddr type local accept", "[fib]"),
            ("ip daddr 10.9.9.9 limit rate 5/second", "ip daddr 10.9.9.9 limit"),
        ]
        let rules = (same + others.map(\.0)).map { "\t\t" + $0 }.joined(separator: "\n")
        try await namespace.sh(
            """
            nft -f - <<'END'
            table inet filter {
                set banned { type ipv4_addr; }
                chain mine {
                }
                chain every {
            \(rules)
                }
            }
            table ip nat {
                chain pre {
                    type nat hook prerouting priority dstnat;
                    ip daddr 10.9.9.9 udp dport 53 dnat to 10.0.0.2:5353
                    ip daddr 10.9.9.8 dnat to 10.0.0.2
                }
                chain post {
                    type nat hook postrouting priority srcnat;
                    masquerade
                }
            }
            END
            """)
        let read = try await namespace.run { try NetlinkSocket.netfilter().netfilterRules(words: 65_536) }
        func lines(_ name: String) -> [String] {
            read.chains.first { $0.name == name }?.text?.split(separator: "\n").map(String.init) ?? []
        }
        let all = lines("every")
        #expect(all.count == same.count + others.count)
        #expect(Array(all.prefix(same.count)) == same)
        for (line, (_, words)) in zip(all.dropFirst(same.count), others) { #expect(line.contains(words), "\(line)") }
        #expect(lines("pre") == ["ip daddr 10.9.9.9 udp dport 53 dnat to 10.0.0.2:5353", "ip daddr 10.9.9.8 dnat to 10.0.0.2"])
        #expect(lines("post") == ["masquerade"] && lines("mine") == [])
        // Bounded: what is beyond is counted, and not told.
        let few = try await namespace.run { try NetlinkSocket.netfilter().netfilterRules(words: 50) }
        #expect(few.chains.map(\.rules) == read.chains.map(\.rules))
        #expect(few.chains.compactMap(\.text).joined().split(separator: "\n").count == 2)
        #expect(try await namespace.run { try NetlinkSocket.netfilter().netfilterRules() }.chains.allSatisfy { $0.text == nil })
    }

    @Test func digestFollowsTheRulesAndGenerationEveryChange() async throws {
        let namespace = try await TestNamespace()
        @Sendable func read() throws -> NetfilterRules {
            var rules = try NetlinkSocket.netfilter().netfilterRules()
            try NetfilterText.describe(&rules)
            return rules
        }
        let empty = try await namespace.run(read)
        #expect(empty.chains.isEmpty)
        try await Self.load(namespace)
        let loaded = try await namespace.run(read)
        #expect(loaded.digest != empty.digest && loaded.generation != empty.generation)
        #expect(try await namespace.run(read) == loaded)
        try await namespace.sh("nft add rule inet filter mine accept")
        let more = try await namespace.run(read)
        #expect(more.digest != loaded.digest)
        try await namespace.sh("nft flush chain inet filter mine; nft add rule inet filter mine drop")
        let other = try await namespace.run(read)
        #expect(other.digest != more.digest && other.chains.map(\.rules) == more.chains.map(\.rules))
        try await namespace.sh("nft flush chain inet filter mine")
        let back = try await namespace.run(read)
        #expect(back.digest == loaded.digest && back.generation != loaded.generation)
    }

    @Test func changesAreAnnounced() async throws {
        try await TestNamespace().run {
            let monitor = try NetfilterMonitor()
            #expect(try !monitor.drain())
            try sh("nft add table ip x")
            #expect(try monitor.drain())
            #expect(try !monitor.drain())
            try sh("nft list ruleset")
            #expect(try !monitor.drain())
            try sh("nft delete table ip x")
            #expect(try monitor.drain())
        }
    }

    /// A chain's own words cannot make others of another chain: whatever does not look like nft's listing leaves the text out.
    @Test func listingsAreReadByTheirIndentation() {
        func chains(_ text: String) -> [String: String] {
            Dictionary(uniqueKeysWithValues: NetfilterText.chains(text).map { ("\($0.key.table)/\($0.key.name)", $0.value) })
        }
        #expect(
            chains("table ip a { # progname x\n\tchain b {\n\t\ttype filter hook input priority 0; policy accept;\n\t\tdrop\n\t}\n}\n") == [
                "a/b": "drop"
            ])
        #expect(
            chains("table ip a {\n\tset chain {\n\t\ttype ipv4_addr\n\t}\n\n\tchain b {\n\t\tcounter\n\t\taccept\n\t}\n}") == [
                "a/b": "counter\naccept"
            ])
        #expect(chains("table ip a {\n\tchain b {\n\t\tdrop\n") == [:])
        #expect(chains("table nonsense a {\n\tchain b {\n\t}\n}") == [:])
        #expect(chains("table\n\tchain {\n\t}\ntable ip\n\tchain x {\n\t}\n") == [:])
        #expect(chains("") == [:])
    }
}

@Suite(.requires(translation)) struct TranslatedFlowTests {
    /// a (10.0.0.1) sends to 10.9.9.9, which its own rules turn to b (10.0.0.2), from an address that they change as well.
    @Test func bothSidesOfATranslatedFlow() async throws {
        let pair = try await Pair()
        try await pair.a.sh(
            """
            ip route add 10.9.9.0/24 via 10.0.0.2; ip addr add 10.0.0.77/32 dev va
            nft add table ip nat; nft 'add chain ip nat out { type nat hook output priority -100; }'
            nft 'add chain ip nat post { type nat hook postrouting priority 100; }'
            nft add rule ip nat out ip daddr 10.9.9.9 udp dport 53 dnat to 10.0.0.2:5353
            nft add rule ip nat out ip daddr 10.9.9.8 dnat to 10.0.0.2
            nft add rule ip nat post udp dport 5353 snat to 10.0.0.77:4000
            """)
        try await pair.a.sendUDP(3, size: 10, to: "10.9.9.9", port: 53)
        try await pair.a.sendUDP(1, size: 10, to: "10.9.9.8", port: 99)
        // Not translated: not to be listed.
        try await pair.a.sendUDP(1, size: 10, to: Pair.addressB, port: 7)
        let (flows, beyond) = try await pair.a.run { try NetlinkSocket.netfilter().translatedFlows(most: 100) }
        #expect(flows.count == 2 && beyond == 0)
        let both = try #require(flows.first { $0.isSourceTranslated })
        #expect(both.transport == .udp && both.isDestinationTranslated)
        #expect(
            both.original.source == .v4(0x0A00_0001) && both.original.destination == .v4(0x0A09_0909) && both.original.destinationPort == 53
        )
        #expect(both.reply == .init(source: .v4(0x0A00_0002), destination: .v4(0x0A00_004D), sourcePort: 5353, destinationPort: 4000))
        let one = try #require(flows.first { !$0.isSourceTranslated })
        #expect(one.isDestinationTranslated && one.original.destinationPort == 99 && one.reply.source == .v4(0x0A00_0002))
        #expect(one.reply.destination == one.original.source && one.reply.destinationPort == one.original.sourcePort)

        let shown = try await pair.a.sh("conntrack -L --any-nat -o extended 2>/dev/null").split(separator: "\n")
        #expect(shown.count == 2)
        for flow in flows {
            let (there, back) = (flow.original, flow.reply)
            let words =
                "src=\(there.source) dst=\(there.destination) sport=\(there.sourcePort) dport=\(there.destinationPort) [UNREPLIED] "
                + "src=\(back.source) dst=\(back.destination) sport=\(back.sourcePort) dport=\(back.destinationPort)"
            #expect(shown.contains { $0.contains(words) }, "\(words)\n\(shown)")
        }

        let (few, more) = try await pair.a.run { try NetlinkSocket.netfilter().translatedFlows(most: 1) }
        #expect(few.count == 1 && more == 1)
    }

    @Test func iPv6() async throws {
        let namespace = try await TestNamespace(ipv6: true)
        try await namespace.sh(
            """
            ip -6 addr add fd00::1/64 dev lo; nft add table ip6 nat; nft 'add chain ip6 nat out { type nat hook output priority -100; }'
            nft add rule ip6 nat out ip6 daddr fd00::1 udp dport 53 dnat to '[::1]:5353'
            """)
        try await namespace.sendUDP(1, size: 10, to: "fd00::1", port: 53)
        let flows = try await namespace.run { try NetlinkSocket.netfilter().translatedFlows(most: 10).flows }
        #expect(flows.count == 1)
        #expect(flows.first?.original.destination == IPAddress("fd00::1") && flows.first?.reply.source == IPAddress("::1"))
        #expect(flows.first?.reply.sourcePort == 5353 && flows.first?.isDestinationTranslated == true)
    }
}
