import NetworkTypes
import Testing

@testable import Configuration

private func parse(_ text: String) throws -> AgentConfiguration { try AgentConfiguration.parse(Array(text.utf8), file: "agent.yaml") }

private func problems(_ text: String) -> [ConfigurationProblem] {
    do throws(ConfigurationError) {
        _ = try AgentConfiguration.parse(Array(text.utf8), file: "agent.yaml")
        return []
    } catch {
        return error.problems
    }
}

/// Every value other than its default.
private func unusual() -> AgentConfiguration {
    var c = AgentConfiguration()
    c.interfaces = [.named(Glob("veth*")), .named(Glob("eth0")), .allButLoopback, .named(Glob("[a-c]\"\\é"))]
    c.exclude = [Glob("*"), Glob("null"), Glob("-x")]
    c.namespaces = [.host, .named(Glob("blue #1")), .all]
    c.attach = .init(mode: .clsact, order: .last)
    c.datapath = .init(flows: 2048, logRecords: 512, interfaces: 17, vxlanPorts: [4789, 8472], tcpAnalysis: false)
    c.flows = .init(limit: 5000, idleTimeout: .milliseconds(1500), activeTimeout: .seconds(7200), interval: .milliseconds(250))
    c.control = .init(socket: "/tmp/a b: #c.sock", readSocket: "/tmp/\u{85}r.sock", group: "adm", readGroup: "users")
    c.metricsListen = nil
    var one = AgentConfiguration.Export(collector: HostPort(host: "2001:db8::1", port: 4739))
    one.transport = .tcp
    one.observationPointInterfaces = [Glob("eth?")]
    one.templateRefresh = .seconds(90)
    c.export = [one, .init(collector: HostPort(host: "collector.example.net", port: 2055))]
    var samples = AgentConfiguration.SFlow(collector: HostPort(host: "2001:db8::1", port: 6343))
    samples.agent = .v6(high: 0x2001_0db8_0000_0000, low: 7)
    samples.headerBytes = 0
    samples.counterInterval = .milliseconds(2500)
    samples.interfaces = [Glob("eth[0-3]")]
    c.sflow = [samples, .init(collector: HostPort(host: "collector.example.net", port: 6343))]
    c.applications = .init(isOn: false, snap: 256, samplesPerSecond: 500, cpuPercent: 11)
    c.anomalies.suspicions = .init(isOn: false, sketches: false, scanTargets: 20, floodOpenings: 5000, heavyPercent: 7)
    c.log = .init(format: .json, level: .debug)
    c.bpffs = .path("/run/bpf: x")
    c.topology = .init()
    c.topology.isKept = false
    c.topology.nodes = 2048
    c.topology.idle = .seconds(90)
    c.topology.networks = [
        .init(name: "shop: the new one", prefixes: [IPPrefix("10.1.0.0/16")!, IPPrefix("2001:db8::/32")!]),
        .init(name: "off", prefixes: []),
    ]
    c.topology.zones = [.init(name: "dmz", prefixes: [IPPrefix("192.0.2.0/24")!])]
    c.history.file = "/srv/a b/history.db"
    c.history.size = 5_000_001
    c.history.keep.hour = .seconds(3600)
    c.page.listen = HostPort(host: "::", port: 443)
    c.page.names = ["nilo.example.org"]
    c.page.tokenFile = "/etc/nilo/token"
    c.page.certificate = "/etc/nilo/page.crt"
    c.page.key = "/etc/nilo/page.key"
    return c
}

@Suite struct ConfigurationTests {
    @Test func nothingWrittenIsTheDefaults() throws {
        for text in ["", "# only a comment\n", "---\n", "interfaces:\ndatapath: ~\nlog: {level: null}\n"] {
            #expect(try parse(text) == AgentConfiguration(), "\(text)")
        }
    }

    @Test(arguments: [AgentConfiguration(), unusual()]) func renderedTextReadsBackEqual(_ configuration: AgentConfiguration) throws {
        let text = configuration.render()
        #expect(try parse(text) == configuration, "\(text)")
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 140 })
    }

    @Test func valuesAreRead() throws {
        let c = try parse(
            """
            interfaces: default-route
            datapath: {flows: 256Ki, tcp-analysis: off, vxlan-ports: []}
            flows: {idle-timeout: 2m, interval: 500ms}
            metrics: {listen: "[::1]:9000"}
            export:
              - collector: 192.0.2.1:4739
                observation-point-interfaces: "eth*"
            """)
        #expect(c.interfaces == [.defaultRoute])
        #expect(c.datapath.flows == 262_144 && !c.datapath.tcpAnalysis && c.datapath.vxlanPorts.isEmpty)
        #expect(c.flows.idleTimeout == .seconds(120) && c.flows.interval == .milliseconds(500))
        #expect(c.metricsListen == HostPort(host: "::1", port: 9000))
        #expect(c.export.count == 1 && c.export[0].observationPointInterfaces == [Glob("eth*")] && c.export[0].transport == .udp)
    }

    @Test func anUnknownKeyNamesItsLineAndTheClosestKey() {
        let found = problems("log:\n  level: info\n\ndatapath:\n  vxlan-prots: [4789]\n")
        #expect(
            found == [
                .init(line: 5, keyPath: "datapath.vxlan-prots", value: nil, reason: "unknown key", hint: "did you mean \"vxlan-ports\"?")
            ])
        #expect(problems("zzzzzzzzz: 1")[0].hint?.hasPrefix("known keys: interfaces") == true)
    }

    @Test func aDuplicateKeyNamesTheFirst() {
        let found = problems("flows:\n  limit: 2000\n  limit: 3000\n")
        #expect(found.count == 1 && found[0].line == 3 && found[0].keyPath == "flows.limit" && found[0].reason.contains("line 2"))
    }

    @Test func applicationsAreSwitchedByAWordOrAKey() throws {
        #expect(AgentConfiguration().applications.isOn)
        for text in ["applications: off", "applications: false", "applications: {enabled: no}"] {
            #expect(try !parse(text).applications.isOn, "\(text)")
        }
        let c = try parse("applications: {snap: 256, samples-per-second: 2k, cpu-percent: 20}").applications
        #expect(c == .init(isOn: true, snap: 256, samplesPerSecond: 2000, cpuPercent: 20))
    }

    @Test(arguments: [
        ("anomalies: {suspicions: maybe}", "anomalies.suspicions", "expected true or false"),
        ("anomalies: {suspicions: {scan-targets: 3}}", "anomalies.suspicions.scan-targets", "out of range: must be 10 to 65536"),
        ("applications: maybe", "applications", "expected true or false"),
        ("applications: {snap: 4096}", "applications.snap", "out of range: must be 128 to 2048"),
        ("applications: {cpu-percent: 0}", "applications.cpu-percent", "out of range: must be 1 to 100"),
        ("datapath: {flows: 1023}", "datapath.flows", "out of range: must be 1024 to 16777216"),
        ("datapath: {flows: 16777217}", "datapath.flows", "out of range: must be 1024 to 16777216"),
        ("datapath: {flows: 99999999999999999999}", "datapath.flows", "expected a whole number such as 262144 or 256Ki"),
        ("datapath: {flows: 9223372036854775807G}", "datapath.flows", "expected a whole number such as 262144 or 256Ki"),
        ("datapath: {flows: -5}", "datapath.flows", "expected a whole number such as 262144 or 256Ki"),
        ("datapath: {flows: [1]}", "datapath.flows", "expected one value, found a list"),
        ("datapath: 5", "datapath", "expected a mapping (key: value), found \"5\""),
        ("datapath: {vxlan-ports: [1, 2, 3]}", "datapath.vxlan-ports", "more than 2 ports"),
        ("datapath: {vxlan-ports: [4789, 0]}", "datapath.vxlan-ports[1]", "expected a port from 1 to 65535"),
        ("datapath: {tcp-analysis: maybe}", "datapath.tcp-analysis", "expected true or false"),
        ("flows: {interval: 5}", "flows.interval", "expected a duration with its unit, such as 500ms, 30s, 5m or 1h"),
        ("flows: {interval: 99ms}", "flows.interval", "out of range: must be 100ms to 1m"),
        (
            "interfaces: [averyveryverylongname]", "interfaces[0]",
            "expected an interface name of at most 15 bytes, a pattern, default-route, all or all-but-loopback"
        ),
        ("interfaces: {a: b}", "interfaces", "expected a list, found a mapping"),
        ("attach: {mode: xdp}", "attach.mode", "expected one of auto, tcx, clsact"),
        ("metrics: {listen: '0.0.0.0:9411'}", "metrics.listen", "expected a loopback address with its port such as 127.0.0.1:9411, or off"),
        ("control: {socket: relative}", "control.socket", "expected an absolute path of at most 107 bytes"),
        ("control: {socket: /a, read-socket: /a}", "control", "socket and read-socket are the same path"),
        ("export: [{protocol: tcp}]", "export[0]", "has no collector"),
        ("export: [{collector: 'nowhere'}]", "export[0].collector", "expected host:port such as 192.0.2.1:4739 or [2001:db8::1]:4739"),
        ("sflow: {collector: 'a:1'}", "sflow", "expected a list, found a mapping"),
        ("sflow: [{header-bytes: 64}]", "sflow[0]", "has no collector"),
        ("sflow: [{collector: 'a:1', header-bytes: 513}]", "sflow[0].header-bytes", "out of range: must be 0 to 512"),
        ("sflow: [{collector: 'a:1', counter-interval: 10ms}]", "sflow[0].counter-interval", "out of range: must be 1s to 24h"),
        ("sflow: [{collector: 'a:1', agent: here}]", "sflow[0].agent", "expected an IPv4 or IPv6 address"),
        ("sflow: [{collector: 'a:1', agnet: 192.0.2.1}]", "sflow[0].agnet", "unknown key"),
        ("topology: {nodes: 5}", "topology.nodes", "out of range: must be 1024 to 10000000"),
        ("topology: {networks: [10.0.0.0/8]}", "topology.networks", "expected a mapping of names to prefixes, found a list"),
        ("topology: {networks: {a: 10.0.0.0/33}}", "topology.networks.a", "expected a prefix such as 10.1.0.0/16"),
        ("topology: {zones: {'': 10.0.0.0/8}}", "topology.zones.", "a name has 1 to 64 bytes, none of them a control character"),
        ("history: {file: here}", "history.file", "expected an absolute path of at most 1024 bytes"),
        ("history: {size: 1Mi}", "history.size", "out of range: must be 4194304 to 17592186044416"),
        ("history: {keep: {second: 5s}}", "history.keep.second", "out of range: must be 1m to 175680h"),
        ("page: {listen: 8643}", "page.listen", "expected an address with its port such as 127.0.0.1:8643, or off"),
        ("page: {listen: '0.0.0.0:8643'}", "page.listen", "an address other than of the loopback needs TLS and a token"),
        ("page: {listen: '0.0.0.0:8643', token-file: /t}", "page.listen", "an address other than of the loopback needs TLS and a token"),
        ("page: {key: /k}", "page.certificate", "TLS needs both a certificate and its key"),
        ("page: {names: [a_b]}", "page.names[0]", "expected a host name"),
        ("bpffs: here", "bpffs", "expected an absolute path of at most 1024 bytes"),
    ]) func aBadValueIsNamed(_ text: String, _ path: String, _ reason: String) {
        let found = problems(text)
        #expect(found.count == 1)
        #expect(found.first?.keyPath == path)
        #expect(found.first?.reason == reason)
        #expect(found.first?.line == 1)
    }

    @Test func everyProblemIsToldInTheOrderOfTheLines() {
        let found = problems("log:\n  level: loud\nflows:\n  limit: 1\nattach:\n  mode: txc\n")
        #expect(found.map(\.line) == [2, 4, 6])
        #expect(found.last?.hint == "did you mean \"tcx\"?")
        let text = ConfigurationError(file: "agent.yaml", problems: found).description
        #expect(text.contains("agent.yaml:6: attach.mode: \"txc\": expected one of auto, tcx, clsact\nhint: did you mean \"tcx\"?"))
    }

    @Test(arguments: [
        ("a: b: c", 1), ("log:\n  level: &x info\nattach: *x\n", 3), ("log: {}\n---\nlog: {}\n", 2), ("flows:\n\tlimit: 1\n", 2),
        ("interfaces: [a\n", 2), ("? [a]\n: b\n", 1), (String(repeating: "[", count: 100_000), 1),
    ]) func whatIsNotOurYAMLIsRefusedWithItsLine(_ text: String, _ line: Int) {
        let found = problems(text)
        #expect(found.count == 1)
        #expect(found.first?.line == line, "\(found)")
    }

    @Test func aFileThatIsTooLargeOrNotThereIsRefused() {
        #expect(problems(String(repeating: "#", count: 300_000)).count == 1)
        #expect(throws: ConfigurationError.self) { try AgentConfiguration.load("/nonexistent/agent.yaml") }
        #expect(throws: ConfigurationError.self) { try AgentConfiguration.load("/dev/zero") }
        #expect(throws: ConfigurationError.self) { try AgentConfiguration.load("/") }
    }

    @Test func globs() {
        #expect(Glob("veth*").matches("veth0") && !Glob("veth*").matches("eth0") && Glob("*").matches(""))
        #expect(Glob("e?h[0-2]").matches("eth1") && !Glob("e?h[!0-2]").matches("eth1") && Glob("[]]").matches("]"))
        #expect(Glob("a[").matches("a[") && !Glob("a").matches("ab") && Glob("*a*b*c").matches("xxaxxbxxbc"))
        #expect(!Glob(String(repeating: "*a", count: 200)).matches(String(repeating: "a", count: 199)))
    }

    @Test func distances() {
        #expect(editDistance(Array("prots".utf8), Array("ports".utf8)) == 1)
        #expect(editDistance([], Array("abc".utf8)) == 3 && editDistance(Array("kitten".utf8), Array("sitting".utf8)) == 3)
    }
}

/// Bytes from outside: whatever they are, the answer is a configuration or an error with at least one problem, and what is accepted can be
/// rendered and read back.
@Suite struct ConfigurationFuzzTests {
    private func check(_ bytes: [UInt8]) throws -> Bool {
        do throws(ConfigurationError) {
            let configuration = try AgentConfiguration.parse(bytes, file: "f")
            let again = try AgentConfiguration.parse(Array(configuration.render().utf8), file: "rendered")
            #expect(again == configuration, "\(String(decoding: bytes, as: UTF8.self))")
            return true
        } catch {
            #expect(!error.problems.isEmpty && error.file == "f" && !error.description.isEmpty, "\(error) from \(bytes)")
            return false
        }
    }

    @Test func randomBytes() throws {
        var random = SplitMix(state: 1)
        for _ in 0..<2000 {
            _ = try check((0..<Int.random(in: 0...200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
    }

    @Test func mutatedDocuments() throws {
        var random = SplitMix(state: 2)
        let seeds = [Array(AgentConfiguration().render().utf8), Array(unusual().render().utf8)]
        let words = [
            "[", "]", "{", "}", "*", "&a ", "!!int ", "\n", "- ", ": ", "\"", "'", "|\n", "0", "-1", "~", "\u{feff}", "%YAML 9.9\n", "\t",
            "é",
        ]
        var accepted = 0
        for _ in 0..<1500 {
            var bytes = seeds.randomElement(using: &random)!
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...30, using: &random)))
                case 2: bytes.insert(contentsOf: Array(words.randomElement(using: &random)!.utf8), at: at)
                default:
                    bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 40)], at: Int.random(in: 0..<bytes.count, using: &random))
                }
                if bytes.isEmpty { break }
            }
            if try check(bytes) { accepted += 1 }
        }
        // Neither all nor none: the mutations reach both ends.
        #expect((50..<1450).contains(accepted), "\(accepted)")
    }
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
