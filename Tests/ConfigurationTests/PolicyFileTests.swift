import Flows
import Foundation
import NetworkTypes
import Policy
import Testing

@testable import Configuration

private let noLists = PrefixListReader { (path) throws(PolicyDirectory.Failure) in
    throw PolicyDirectory.Failure(operation: "open \(path)", code: 2)
}

private func read(_ files: [(String, String)], lists: PrefixListReader = noLists) throws -> PolicyFile {
    try PolicyFile.parse(files.map { .init(name: $0.0, bytes: Array($0.1.utf8)) }, readList: lists)
}

private func policy(_ text: String) throws -> Policy { try read([("p.yaml", text)]).policy }

private func refusal(_ files: [(String, String)], lists: PrefixListReader = noLists) -> [String] {
    do throws(PolicyFile.Failure) {
        _ = try PolicyFile.parse(files.map { .init(name: $0.0, bytes: Array($0.1.utf8)) }, readList: lists)
        return []
    } catch {
        return error.description.split(separator: "\n").map(String.init)
    }
}

@Suite struct PolicyFileTests {
    @Test func everyKeyIsRead() throws {
        let read = try policy(
            """
            sets:
              offices: [192.0.2.0/24, 2001:db8::/32, 198.51.100.7]
            links:
              - {interface: eth0, capacity: 1 Gbit/s, criticality: 80, alternatives: [eth1]}
            mirror:
              - name: web
                on: [eth0, "blue:veth*"]
                direction: ingress
                match: tcp port 443 and net @offices
                to: {interface: span0}
                one-in: {packets: 10}
                snap: 128
                limit: 100 Mbit/s
                priority: 10
                segments: wire
              - {name: far, to: {vxlan: {remote: 192.0.2.9, local: 192.0.2.1, vni: 0xff0001}}, one-in: {flows: 10}, limit: 10 kpps}
              - {name: gre, to: {erspan: {remote: "2001:db8::9", session: 7}}, limit: none, segments: super}
              - {name: keep, to: {file: {path: /var/lib/nilometer/keep.pcapng, size: 1.5 MB, files: 3}}}
            sample:
              - {name: all, match: not arp, one-in: 1000, first: 8, always: [syn, fin, rst], snap: 96}
              - {name: budget, budget: 500 samples/s}
              - {name: share, budget: 1.5 %}
            shape:
              - {name: tenants, on: eth0, direction: egress, ceiling: 1 Gbit/s}
              - name: tenant-a
                on: eth0
                direction: egress
                rate: 50Mbit/s
                ceiling: 100 Mbit/s
                burst: 64 kB
                priority: 1
                match: net 10.0.0.0/8
                per: host source
                dscp: cs1
                parent: tenants
                mechanism: htb
                overhead: 24
                ecn: false
              - {name: flows, rate: 1 Mbit/s, per: flow}
              - name: each
                prefixes: {side: destination, list: [{net: 10.0.0.0/24, rate: 10 Mbit/s}, {net: "2001:db8::/48", rate: 64 kbit/s}]}
            """)
        var wanted = Policy()
        wanted.prefixSets = ["offices": [IPPrefix("192.0.2.0/24")!, IPPrefix("2001:db8::/32")!, IPPrefix("198.51.100.7/32")!]]
        wanted.links = [.init(interface: "eth0", capacity: BitRate(bitsPerSecond: 1e9), criticality: 80, alternatives: ["eth1"])]
        func filter(_ text: String) throws -> FlowFilter { try FlowFilter(parsing: text, prefixSets: ["offices"]) }
        wanted.mirrors = [
            .init(
                name: "web",
                scope: .init(
                    interfaces: ["eth0", "blue:veth*"], direction: .ingress, filter: try filter("tcp port 443 and net @offices")),
                target: .interface("span0"), selection: .packets(oneIn: 10), snapLength: 128, limit: .bits(BitRate(bitsPerSecond: 1e8)),
                priority: 10, segmentation: .wire),
            .init(
                name: "far", scope: .init(),
                target: .vxlan(.init(remote: IPAddress("192.0.2.9")!, local: IPAddress("192.0.2.1")!, vni: 0xFF_0001)),
                selection: .flows(oneIn: 10), limit: .packets(PacketRate(packetsPerSecond: 10_000))),
            .init(
                name: "gre", scope: .init(), target: .erspan(.init(remote: IPAddress("2001:db8::9")!, session: 7)), limit: .unlimited),
            .init(
                name: "keep", scope: .init(),
                target: .file(.init(path: "/var/lib/nilometer/keep.pcapng", size: ByteCount(1_500_000), files: 3))),
        ]
        wanted.samplers = [
            .init(
                name: "all", scope: .init(filter: try filter("not arp")), rate: .oneIn(1000), firstPackets: 8, always: [.syn, .fin, .rst],
                snapLength: 96),
            .init(name: "budget", scope: .init(), rate: .samplesPerSecond(500)), .init(name: "share", scope: .init(), rate: .cpu(0.015)),
        ]
        let egress = RuleScope(interfaces: ["eth0"], direction: .egress)
        var tenant = ShapeRule(name: "tenant-a", scope: egress, rate: BitRate(bitsPerSecond: 5e7), ceiling: BitRate(bitsPerSecond: 1e8))
        tenant.scope.filter = try filter("net 10.0.0.0/8")
        (tenant.burst, tenant.priority, tenant.aggregation, tenant.dscp) = (ByteCount(64000), 1, .host(.source), 8)
        (tenant.parent, tenant.mechanism, tenant.overhead, tenant.ecn) = ("tenants", .htb, 24, false)
        wanted.shapers = [
            .init(name: "tenants", scope: egress, ceiling: BitRate(bitsPerSecond: 1e9)), tenant,
            .init(name: "flows", scope: .init(), rate: BitRate(bitsPerSecond: 1e6), aggregation: .flow),
            .init(
                name: "each", scope: .init(),
                aggregation: .prefixes(
                    .destination,
                    [
                        .init(prefix: IPPrefix("10.0.0.0/24")!, rate: BitRate(bitsPerSecond: 1e7)),
                        .init(prefix: IPPrefix("2001:db8::/48")!, rate: BitRate(bitsPerSecond: 64000)),
                    ])),
        ]
        #expect(read == wanted)
        #expect(try policy(PolicyFile.render(wanted)) == wanted)
        #expect(try policy("") == Policy() && policy("mirror:\nsets: ~\nshape: []\n") == Policy())
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>) func renderedPoliciesReadBackEqual(seed: UInt64) throws {
        var random = RandomPolicies(seed: seed)
        var rules = 0
        for _ in 0..<400 {
            let wanted = random.policy()
            let text = PolicyFile.render(wanted)
            do throws(PolicyFile.Failure) {
                let read = try PolicyFile.parse(Array(text.utf8), file: "p.yaml", readList: noLists)
                #expect(read.policy == wanted, "seed \(seed): \(text)")
                rules += read.places.count
            } catch {
                Issue.record("seed \(seed): \(error)\n\(text)")
            }
        }
        #expect(rules > 1000)
    }

    @Test func whatHasNoErrorNumberHasNoTail() {
        let failure = PolicyDirectory.Failure(operation: "read /x/a.yaml: it is no regular file", code: 0)
        #expect("\(failure)" == "read /x/a.yaml: it is no regular file")
    }

    /// Each line of a rule that is wrong is named with its key, its value and the reason.
    @Test(arguments: [
        ("mirror: [{to: {interface: a}}]", "p.yaml:1: mirror[0]: has no name"),
        ("mirror: [{name: a}]", "p.yaml:1: mirror[0]: has no to"),
        (
            "mirror:\n- {name: a, to: {file: {path: /x}}}\n- {name: b, to: {file: {path: /x}}}",
            "p.yaml:3: mirror[1].to.file.path: \"/x\": is where a writes its files (mirror[0] in p.yaml:2)"
        ),
        ("mirror:\n- {name: a, to: {vxlan: {remote: 1.2.3.4}}}", "p.yaml:2: mirror[0].to.vxlan: has no vni"),
        (
            "mirror: [{name: a, to: {vxlan: {remote: 1.2.3.4, vni: 42}}}]",
            "p.yaml:1: mirror[0].to.vxlan.vni: \"42\": must be 16711680 to 16777215 (0xff0000 to 0xffffff)"
        ),
        (
            "mirror: [{name: a, to: {vxlan: {remote: 1.2.3.4, local: \"::1\", vni: 0xff0000}}}]",
            "p.yaml:1: mirror[0].to.vxlan.local: \"::1\": must be of the same family as remote"
        ),
        (
            "mirror: [{name: a, to: {interface: nilo-m1}}]",
            "p.yaml:1: mirror[0].to.interface: \"nilo-m1\": is the mirror port, through which copies go on their way"
        ),
        (
            "mirror: [{name: a, to: {erspan: {remote: \"127.0.0.1\", session: 1}}}]",
            "p.yaml:1: mirror[0].to.erspan.remote: \"127.0.0.1\": is a loopback address: copies go out to another host"
        ),
        (
            "mirror: [{name: a, to: {erspan: {remote: \"255.255.255.255\", session: 1}}}]",
            "p.yaml:1: mirror[0].to.erspan.remote: \"255.255.255.255\": is the broadcast address: a collector has one of its own"
        ),
        (
            "mirror: [{name: a, to: {erspan: {remote: \"239.1.1.1\", session: 1}}}]",
            "p.yaml:1: mirror[0].to.erspan.remote: \"239.1.1.1\": is a multicast address: a collector has one of its own"
        ),
        (
            "mirror: [{name: a, to: {erspan: {remote: \"::1\", session: 1}}}]",
            "p.yaml:1: mirror[0].to.erspan.remote: \"::1\": is a loopback address: copies go out to another host"
        ),
        (
            "mirror: [{name: a, to: {erspan: {remote: \"ff02::1\", session: 1}}}]",
            "p.yaml:1: mirror[0].to.erspan.remote: \"ff02::1\": is a multicast address: a collector has one of its own"
        ),
        (
            "mirror: [{name: a, to: {erspan: {remote: \"::ffff:192.0.2.1\", session: 1}}}]",
            "p.yaml:1: mirror[0].to.erspan.remote: \"::ffff:192.0.2.1\": is an IPv4-mapped address: write it as IPv4"
        ),
        (
            "mirror: [{name: a, to: {vxlan: {remote: host, vni: 0xff0000}}}]",
            "p.yaml:1: mirror[0].to.vxlan.remote: \"host\": expected an IPv4 or IPv6 address"
        ),
        (
            "mirror: [{name: a, to: {erspan: {remote: 1.2.3.4, session: 1024}}}]",
            "p.yaml:1: mirror[0].to.erspan.session: \"1024\": must be 0 to 1023"
        ),
        (
            "mirror: [{name: a, to: {interface: b, file: {path: /x}}}]",
            "p.yaml:1: mirror[0].to: expected one of interface, vxlan, erspan, file"
        ),
        (
            "mirror: [{name: a, to: {file: {path: x}}}]",
            "p.yaml:1: mirror[0].to.file.path: \"x\": expected an absolute path of at most 4000 bytes"
        ),
        ("mirror: [{name: a, to: {file: {path: /x, size: 1 kB}}}]", "p.yaml:1: mirror[0].to.file.size: \"1 kB\": must be at least 65536 B"),
        (
            "mirror: [{name: a, on: [x, \"s*\"], to: {interface: s0}}]",
            "p.yaml:1: mirror[0].to.interface: \"s0\": the target is one of the rule's own sources (on: s*)"
        ),
        (
            "mirror: [{name: a, on: \"ns:s0\", to: {interface: s0}}]",
            "p.yaml:1: mirror[0].to.interface: \"s0\": the target is one of the rule's own sources (on: ns:s0)"
        ),
        ("mirror: [{name: a, on: [], to: {interface: s0}}]", "p.yaml:1: mirror[0].on: is empty"),
        (
            "mirror: [{name: a, on: all, to: {interface: s0}}]",
            "p.yaml:1: mirror[0].on: \"all\": expected an interface name of at most 15 bytes"
        ),
        ("mirror: [{name: a, to: {interface: s0}, snap: 63}]", "p.yaml:1: mirror[0].snap: \"63\": must be 64 to 65535 bytes"),
        (
            "mirror: [{name: a, to: {interface: s0}, limit: 100 Mbps}]",
            "p.yaml:1: mirror[0].limit: \"100 Mbps\": expected a rate such as 100 Mbit/s or 10 kpps, or none"
        ),
        (
            "mirror: [{name: a, to: {interface: s0}, limit: 100}]",
            "p.yaml:1: mirror[0].limit: \"100\": expected a rate such as 100 Mbit/s or 10 kpps, or none"
        ),
        (
            "mirror: [{name: a, to: {interface: s0}, one-in: 10}]",
            "p.yaml:1: mirror[0].one-in: \"10\": expected a mapping (key: value), found \"10\""
        ),
        ("mirror: [{name: a, to: {interface: s0}, one-in: {packets: 0}}]", "p.yaml:1: mirror[0].one-in.packets: \"0\": must be at least 1"),
        (
            "mirror: [{name: a, to: {interface: s0}, match: prot 6}]",
            "p.yaml:1: mirror[0].match: \"prot 6\": expected a predicate, found \"prot\" at column 1"
        ),
        (
            "mirror: [{name: a, to: {interface: s0}, match: net @x}]",
            "p.yaml:1: mirror[0].match: \"net @x\": expected a network: no prefix sets are known here, found \"@x\" at column 5"
        ),
        (
            "mirror: [{name: A, to: {interface: s0}}]",
            "p.yaml:1: mirror[0].name: \"A\": a name is 1 to 32 of a-z, 0-9, dot, dash and underscore"
        ),
        ("mirror: {name: a}", "p.yaml:1: mirror: expected a list, found a mapping"),
        ("miror: []", "p.yaml:1: miror: unknown key"),
        ("sample: [{name: a}]", "p.yaml:1: sample[0]: samples nothing"),
        ("sample: [{name: a, one-in: 0}]", "p.yaml:1: sample[0].one-in: \"0\": must be at least 1"),
        ("sample: [{name: a, one-in: 5, budget: 1 %}]", "p.yaml:1: sample[0].budget: \"1 %\": one-in is given too"),
        ("sample: [{name: a, budget: 101 %}]", "p.yaml:1: sample[0].budget: \"101 %\": must be 0.01 % to 100 % of a CPU"),
        (
            "sample: [{name: a, one-in: 5, always: [syn, nix]}]",
            "p.yaml:1: sample[0].always[1]: \"nix\": expected one of fin, syn, rst, psh, ack, urg, ece, cwr, ae"
        ),
        ("shape: [{name: a}]", "p.yaml:1: shape[0]: does nothing"),
        ("shape: [{name: a, rate: 2 Mbit/s, ceiling: 1 Mbit/s}]", "p.yaml:1: shape[0].rate: \"2 Mbit/s\": is more than the ceiling"),
        (
            "shape: [{name: a, rate: 0.0001 kbit/s}]",
            "p.yaml:1: shape[0].rate: \"0.0001 kbit/s\": expected a rate with its unit, such as 100 Mbit/s"
        ),
        ("shape: [{name: a, rate: 1 bit/s}]", "p.yaml:1: shape[0].rate: \"1 bit/s\": must be 1 kbit/s to 1 Tbit/s"),
        ("shape: [{name: a, rate: 1 Mbit/s, burst: 100 B}]", "p.yaml:1: shape[0].burst: \"100 B\": must be 1514 B to 1 GiB"),
        ("shape: [{name: a, rate: 1 Mbit/s, priority: 8}]", "p.yaml:1: shape[0].priority: \"8\": must be 0 (first) to 7"),
        ("shape: [{name: a, rate: 1 Mbit/s, dscp: 64}]", "p.yaml:1: shape[0].dscp: \"64\": must be 0 to 63"),
        (
            "shape: [{name: a, rate: 1 Mbit/s, per: host}]",
            "p.yaml:1: shape[0].per: \"host\": expected one of aggregate, host source, host destination, flow"
        ),
        ("shape: [{name: a, rate: 1 Mbit/s, mechanism: htb}]", "p.yaml:1: shape[0].mechanism: \"htb\": htb works on egress only"),
        (
            "shape: [{name: a, rate: 1 Mbit/s, mechanism: hbt}]",
            "p.yaml:1: shape[0].mechanism: \"hbt\": expected one of auto, htb, edt, police"
        ),
        ("shape: [{name: a, rate: 1 Mbit/s, parent: b}]", "p.yaml:1: shape[0].parent: \"b\": there is no shaping rule of this name"),
        ("shape: [{name: a, rate: 1 Mbit/s, parent: a}]", "p.yaml:1: shape[0].parent: \"a\": goes round in a circle: a, a"),
        (
            "shape:\n- {name: a, rate: 1 Mbit/s, on: x}\n- {name: b, rate: 1 Mbit/s, on: y, parent: a}",
            "p.yaml:3: shape[1].on: \"y\": must be the same as the parent's (shape[0] in p.yaml:2)"
        ),
        (
            "shape:\n- {name: a, ceiling: 1 Mbit/s}\n- {name: b, rate: 600 kbit/s, parent: a}\n- {name: c, rate: 600 kbit/s, parent: a}",
            "p.yaml:2: shape[0].ceiling: \"1 Mbit/s\": the rules within are granted 1.2 Mb/s together, more than the 1.0 Mb/s there are"
        ),
        (
            "shape:\n- {name: a, ceiling: 1 Mbit/s, per: flow}\n- {name: b, rate: 600 kbit/s, parent: a}",
            "p.yaml:3: shape[1].parent: \"a\": gives each host, flow or prefix its own rate, and cannot be shared out (shape[0] in p.yaml:2)"
        ),
        (
            "shape:\n- name: a\n  prefixes:\n    side: source\n    list:\n    - {net: 10.0.0.0/8, rate: 1 Mbit/s}\n    - {net: 10.0.0.0/8, rate: 2 Mbit/s}",
            "p.yaml:7: shape[0].prefixes.list[1].net: \"10.0.0.0/8\": 10.0.0.0/8 is there twice"
        ),
        (
            "shape: [{name: a, prefixes: {side: both, list: []}}]",
            "p.yaml:1: shape[0].prefixes.side: \"both\": expected source or destination"
        ),
        ("sets: {a: [10.0.0.1/8]}", "p.yaml:1: sets.a[0]: \"10.0.0.1/8\": has bits beyond its length"),
        ("sets: {a: [10.0.0.0/33]}", "p.yaml:1: sets.a[0]: \"10.0.0.0/33\": has no length of 0 to 32 (IPv4) or 0 to 128 (IPv6)"),
        ("sets:\n  a: [10.0.0.0/8, 10.0.0.0/8]", "p.yaml:2: sets.a: 10.0.0.0/8 is there twice"),
        ("sets: {A: []}", "p.yaml:1: sets.A: a name is 1 to 32 of a-z, 0-9, dot, dash and underscore"),
        ("sets: {a: {file: /none}}", "p.yaml:1: sets.a.file: \"/none\": open /none: No such file or directory"),
        (
            "links: [{interface: a, criticality: 101}]",
            "p.yaml:1: links[0].criticality: \"101\": must be 0 (may be lost) to 100 (must not fail)"
        ),
        (
            "links:\n- {interface: a}\n- {interface: a}",
            "p.yaml:3: links[1].interface: \"a\": the link is declared twice (links[0] in p.yaml:2)"
        ),
        ("a: [", "p.yaml:1: not valid YAML: did not find expected node content while parsing a flow node"),
    ]) func aMistakeIsNamed(text: String, message: String) {
        let lines = refusal([("p.yaml", text)]).filter { !$0.hasPrefix("hint: ") }
        #expect(lines.count == 1 && (lines.first == message || text == "a: [" && lines.first?.hasPrefix("p.yaml:") == true), "\(lines)")
    }

    /// What is far too much is refused in one line, before anything is compared with anything.
    @Test func tooMuchIsToldShortly() {
        let many = "shape: [" + (0..<4000).map { "{name: s\($0), ceiling: 1 Mbit/s}" }.joined(separator: ", ") + "]"
        #expect(refusal([("p.yaml", many)]) == ["p.yaml:1: shape[1023]: there are 4000 shape rules, 1023 are possible"])
        let far = "shape: [" + String(repeating: "x,", count: 200_000) + "]"
        #expect(refusal([("p.yaml", far)]) == ["p.yaml:1: shape: has 200000 entries; 4096 are read at most"])
        let long = refusal([("p.yaml", "mirror: \(String(repeating: "x", count: 1_000_000))")])
        #expect(long.count >= 1 && long.allSatisfy { $0.utf8.count < 2000 } && long[0].contains("… (1000000 bytes)"), "\(long)")
    }

    /// A mistake in one key hides none in another, and is not told again as what follows from it.
    @Test func aRuleTellsAllItsMistakes() {
        #expect(
            refusal([("p.yaml", "shape:\n- {name: A, rate: 1 Mbit/s, priority: 8, burts: 1, dscp: 99, mechanism: hbt}\n")]) == [
                "p.yaml:2: shape[0].burts: unknown key", "hint: did you mean \"burst\"?",
                "p.yaml:2: shape[0].mechanism: \"hbt\": expected one of auto, htb, edt, police", "hint: did you mean \"htb\"?",
                "p.yaml:2: shape[0].name: \"A\": a name is 1 to 32 of a-z, 0-9, dot, dash and underscore",
                "p.yaml:2: shape[0].priority: \"8\": must be 0 (first) to 7", "p.yaml:2: shape[0].dscp: \"99\": must be 0 to 63",
            ])
        // The target is not known, and no more is said of it.
        #expect(
            refusal([("p.yaml", "mirror:\n- {name: a, on: \"*\", to: {vxlan: {remote: 192.0.2.1, vin: 7}}, snap: 1}\n")]) == [
                "p.yaml:2: mirror[0].to.vxlan.vin: unknown key", "hint: did you mean \"vni\"?",
                "p.yaml:2: mirror[0].to.vxlan: has no vni", "hint: add vni:", "p.yaml:2: mirror[0].snap: \"1\": must be 64 to 65535 bytes",
            ])
        #expect(
            refusal([("p.yaml", "sample:\n- {name: a, on-in: 5, snap: 1}\n")]).filter { !$0.hasPrefix("hint: ") } == [
                "p.yaml:2: sample[0].on-in: unknown key", "p.yaml:2: sample[0].snap: \"1\": must be 64 to 2048 bytes",
            ])
    }

    @Test func allProblemsOfAllFilesAreTold() {
        let lines = refusal([
            ("10-a.yaml", "mirror:\n- {name: web, to: {interface: s0}, snpa: 1}\n- {name: x, to: {interface: toolonganinterface}}\n"),
            ("20-b.yaml", "# nothing wrong\nsample: [{name: all, one-in: 10}]\n"),
            ("30-c.yaml", "\n\nsample:\n- {name: all, one-in: 10}\n- {name: web, one-in: 0}\n"),
        ])
        #expect(
            lines == [
                "10-a.yaml:2: mirror[0].snpa: unknown key", "hint: did you mean \"snap\"?",
                "10-a.yaml:3: mirror[1].to.interface: \"toolonganinterface\": expected an interface name of at most 15 bytes",
                "30-c.yaml:4: sample[0].name: \"all\": another rule has this name (sample[0] in 20-b.yaml:2)",
                "hint: names are unique over all kinds and files",
                "30-c.yaml:5: sample[1].name: \"web\": another rule has this name (mirror[0] in 10-a.yaml:2)",
                "hint: names are unique over all kinds and files",
                "30-c.yaml:5: sample[1].one-in: \"0\": must be at least 1",
            ])
    }

    /// Rules of all files in the order of the files; sets and parents may stand in a later one.
    /// What a value holds starts no line of its own in what is said of it.
    @Test func valuesStayInTheirLine() {
        let said = refusal([("p.yaml", "mirror:\n- {name: \"a\\nhint: all is well\\e[2J\", to: {interface: x}}\n")])
        #expect(
            said.first
                == #"p.yaml:2: mirror[0].name: "a\nhint: all is well\u001b[2J": a name is 1 to 32 of a-z, 0-9, dot, dash and underscore"#)
        #expect(said.count == 1, "\(said)")
    }

    @Test func whatIsNotReadIsTold() throws {
        let folder = NSTemporaryDirectory() + "nilo-policy-\(UUID().uuidString)"
        let directory = PolicyDirectory(path: folder)
        #expect(try directory.unread().isEmpty)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for name in ["a.yaml", ".b.yaml", "a.yaml~", "#a.yaml#", ".a.yaml.swp", "a.swp", "b.yml", "my rules.yaml", "n\no.yaml"] {
            try Data("sets: {}\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        #expect(try directory.read().map(\.name) == ["a.yaml"])
        #expect(
            try directory.unread() == [
                "\(folder)/b.yml is not read: its name does not end in .yaml",
                "\(folder)/my rules.yaml is not read: its name has a blank or another character that no policy file's name may have",
                #"\#(folder)/n\no.yaml is not read: its name has a blank or another character that no policy file's name may have"#,
            ])
    }

    @Test func filesAreOnePolicy() throws {
        let file = try read([
            ("1.yaml", "sample:\n- {name: a, one-in: 1, match: net @late}\nshape:\n- {name: part, rate: 1 Mbit/s, parent: whole}\n"),
            ("2.yaml", "sets: {late: [10.0.0.0/8]}\nsample:\n- {name: b, one-in: 2}\nshape: [{name: whole, ceiling: 2 Mbit/s}]\n"),
        ])
        #expect(file.policy.samplers.map(\.name) == ["a", "b"])
        #expect(file.places["b"]?.description == "2.yaml:3" && file.places["part"]?.description == "1.yaml:4")
        let twice = refusal([("1.yaml", "sets: {a: []}\n"), ("2.yaml", "sets:\n  a: [10.0.0.0/8]\n")])
        #expect(twice == ["2.yaml:2: sets.a: the set is already declared in 1.yaml:1"])
    }

    @Test func prefixListsMayBeFilesOfTheirOwn() throws {
        func lists(_ text: String) -> PrefixListReader { PrefixListReader { (_) throws(PolicyDirectory.Failure) in Array(text.utf8) } }
        let sets = "sets: {a: {file: /etc/a.txt}}\n"
        let good = try read([("p.yaml", sets)], lists: lists("# offices\n10.0.0.0/8\n\n 192.0.2.1 # one\r\n2001:db8::/32"))
        #expect(good.policy.prefixSets == ["a": ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"].map { IPPrefix($0)! }])
        #expect(
            refusal([("p.yaml", sets)], lists: lists("10.0.0.0/8\n10.0.0.1/8\n1.2.3.4 5\n")) == [
                "/etc/a.txt:2: \"10.0.0.1/8\": has bits beyond its length", "hint: did you mean 10.0.0.0/8?",
                "/etc/a.txt:3: \"1.2.3.4\": more than one word in the line", "hint: one prefix a line, # starts a comment",
            ])
        let many = refusal([("p.yaml", sets)], lists: lists(String(repeating: "x\n", count: 1000)))
        #expect(many.count == 21 && many.last == "/etc/a.txt: 980 more lines are no prefixes")
        let long = try read([("p.yaml", sets)], lists: lists((0..<50_000).map { "10.\($0 >> 8).\($0 & 255).0/24\n" }.joined()))
        #expect(long.policy.prefixSets["a"]?.count == 50_000)
    }

    @Test(arguments: [
        ("100 Mbit/s", 100_000_000), ("100Mbit/s", 100_000_000), ("1.5 Gbit/s", 1_500_000_000), ("64kbit", 64000), ("8 b/s", 8),
        ("0.001 kbit/s", 1), ("1 Tbit/s", 1_000_000_000_000),
    ]) func ratesAreRead(text: String, bits: UInt64) { #expect(BitRate(policy: text)?.bitsPerSecond == Double(bits)) }

    @Test(arguments: [
        "", "Mbit/s", "100", "1.Mbit/s", ".5 Mbit/s", "1.5 bit/s", "-1 Mbit/s", "1 mbit/s", "1 Mbps", "1 MB/s", "1 MMbit/s", "1 Mbit/s ",
        "99999999999999999999 bit/s", "9999999 Tbit/s", "1e3 bit/s", "1.0000000000000000001 Mbit/s",
    ]) func otherTextsAreNoRates(text: String) { #expect(BitRate(policy: text) == nil) }

    /// The examples of the reference are read as they stand.
    @Test func theReferenceIsRight() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let reference = try String(contentsOf: root.appendingPathComponent("docs/policy.md"), encoding: .utf8)
        let blocks = reference.components(separatedBy: "```yaml\n").dropFirst().map { $0.components(separatedBy: "```")[0] }
        #expect(blocks.count == 1)
        for block in blocks {
            let partners = PrefixListReader { (_) throws(PolicyDirectory.Failure) in Array("203.0.113.0/24".utf8) }
            let file = try read([("policy.md", block)], lists: partners)
            #expect(!file.policy.mirrors.isEmpty && !file.policy.samplers.isEmpty && !file.policy.shapers.isEmpty)
        }
        // Every key has its line.
        for key in [
            "name", "on", "direction", "match", "to", "one-in", "snap", "limit", "priority", "segments", "budget", "first", "always",
            "rate", "ceiling", "burst", "per", "prefixes", "dscp", "parent", "mechanism", "overhead", "ecn", "capacity", "criticality",
            "alternatives", "interface", "class", "quantile", "lead", "headroom", "floor", "weight", "change", "hold", "freeze", "paths",
            "below",
        ] {
            #expect(reference.contains("\n| `\(key)` |"), "\(key)")
        }
    }
}
