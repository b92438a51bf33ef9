import Configuration
import Foundation
import Reports
import Synchronization
import Testing

@testable import Commands

/// Every verb against an agent that answers over a real socket. Serialised: each case has an agent, and the machine few cores.
@Suite(.serialized) struct VerbTests {
    private struct Outcome {
        var code: ExitCode
        var out: String
        var err: String
    }

    /// Off the pool of tasks: verbs block.
    private static func run(_ words: [String], agent: FakeAgent? = nil, socket: String? = nil, width: Int = 80, closesAfter: Int = .max)
        async -> Outcome
    {
        await withCheckedContinuation { continuation in
            let thread = Thread {
                let screen = Screen()
                let environment = (agent?.socket ?? socket).map { [AgentConnection.environmentVariable: $0] } ?? [:]
                let code = NiloCommands.table.run(
                    words, context: screen.context(width: width, closesAfter: closesAfter, environment: environment))
                // An agent ends with its last reference.
                withExtendedLifetime(agent) {}
                continuation.resume(returning: Outcome(code: code, out: screen.written, err: screen.complaints))
            }
            thread.stackSize = 4 << 20
            thread.start()
        }
    }

    @Test func flows() async throws {
        let agent = try FakeAgent()
        let result = await Self.run(["flows", "--top", "3", "tcp"], agent: agent)
        #expect(result.code == .success && result.err.isEmpty)
        #expect(
            result.out == """
                PROTO     SOURCE            DESTINATION         AT                  RATE   BYTES
                tcp       10.0.0.9:40000    10.0.0.1:postgresql veth4f1a9c2 in  940 Mb/s  141 MB
                tcp       203.0.113.7:https 192.168.17.20:51344 eth0 in         180 Mb/s 27.0 MB
                tcp/vni42 10.1.0.1:42000    10.1.0.2:http       eth0 in        40.0 Mb/s  6.0 MB
                3 of 34 flows that match, 36 known; by rate; seen at 2 points: a packet can be …

                """)
        #expect(agent.requests == ["GET /v1/flows?filter=tcp&reverse=0&sort=rate&top=3"])
        // The measure that the list is sorted by is never left out.
        let byRTT = await Self.run(["flows", "--sort", "rtt", "--top", "1", "--numeric", "host", "203.0.113.7"], agent: agent)
        #expect(byRTT.out.contains("RTT") && byRTT.out.contains("12.3 ms") && byRTT.out.contains("203.0.113.7:443"))
        let unbound = await Self.run(["flows", "--top", "2", "--sort", "retransmissions"], agent: agent, width: 0)
        #expect(unbound.out.split(separator: "\n")[0].split(separator: " ").suffix(3) == ["PACKETS", "RTT", "RETR"])
        let json = await Self.run(["flows", "--json", "udp port 53"], agent: agent)
        let list = try JSONDecoder().decode(FlowListReport.self, from: Data(json.out.utf8))
        #expect(list.flows.map(\.tuple.destinationPort) == [53] && list.known == 36)
    }

    @Test func groups() async throws {
        let agent = try FakeAgent()
        let result = await Self.run(["flows", "--by", "host", "--top", "2", "--reverse", "--innermost"], agent: agent)
        #expect(result.code == .success)
        #expect(result.out.hasPrefix("HOST") && result.out.contains("\n2 of 37 rows by host; sorted by rate"))
        #expect(result.out.split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(agent.requests == ["GET /v1/groups?by=host&filter=&reverse=1&sort=rate&top=2&tuple=innermost"])
    }

    @Test func follow() async throws {
        let agent = try FakeAgent()
        let began = ContinuousClock.now
        let result = await Self.run(
            ["flows", "--follow", "--interval", "100ms", "--top", "1", "icmp"], agent: agent, closesAfter: 3)
        #expect(result.code == .success)
        #expect(result.out.components(separatedBy: "PROTO").count == 4)
        #expect(result.out.components(separatedBy: "\n\nPROTO").count == 3)
        #expect(agent.requests.count == 4)
        #expect(ContinuousClock.now - began >= .milliseconds(300))
        // For a script: a document a line.
        let json = await Self.run(["flows", "--follow", "--interval", "100ms", "--json"], agent: agent, closesAfter: 2)
        let lines = json.out.split(separator: "\n")
        #expect(lines.count == 2)
        for line in lines { _ = try JSONDecoder().decode(FlowListReport.self, from: Data(line.utf8)) }
    }

    @Test func interfaces() async throws {
        let agent = try FakeAgent()
        let result = await Self.run(["interfaces"], agent: agent)
        #expect(
            result.out == """
                INTERFACE   NAMESPACE        IN       OUT NO FLOW BOOKS
                eth0        -          260 Mb/s  7.0 Mb/s       0 close
                veth4f1a9c2 tenant-a   1.2 Gb/s  480 kb/s       5 device differs

                """)
        let ledger = await Self.run(["interfaces", "--ledger", "--closed", "eth*", "tap9"], agent: agent)
        #expect(agent.requests.last == "GET /v1/interfaces?closed=1&name=eth*,tap9")
        #expect(ledger.out.hasPrefix("eth0 (tcx, since ") && ledger.out.contains("\n\ntap9 (tcx, since "))
        #expect(ledger.out.contains("not seen at the hook") && ledger.out.split(separator: "\n").allSatisfy { $0.count <= 80 })
        let none = await Self.run(["interfaces", "nope"], agent: agent)
        #expect(none.code == .failed && none.out.isEmpty)
        #expect(none.err.hasPrefix("nilo: list interfaces: none that is measured has the name nope\nhint: "))
        #expect(await Self.run(["interfaces", "a,b"], agent: agent).code == .usage)
        let json = await Self.run(["interfaces", "--json", "eth0"], agent: agent)
        #expect(try JSONDecoder().decode(InterfaceListReport.self, from: Data(json.out.utf8)).interfaces.map(\.name) == ["eth0"])
    }

    @Test func status() async throws {
        let agent = try FakeAgent()
        // The option wins over the environment.
        let result = await Self.run(["status", "--socket", agent.socket], socket: "/nonexistent.sock")
        #expect(
            result.out == """
                agent       nilo 9.9, pid 4711, up 1h 01m
                kernel      6.12.0, records of version 3
                interfaces  2 measured, to be looked at: veth4f1a9c2 (nilo interfaces --ledger)
                flows       36 of at most 1000000
                slots       36 of 262144 in use
                spill log   at most 1% full; what finds it full is in no flow
                collector   99 readings, the last took 1.3 ms
                memory      34.0 MB private, 120 MB in kernel maps
                cost        17 ns per packet

                """)
        let json = await Self.run(["status", "--json"], agent: agent)
        #expect(try JSONDecoder().decode(StatusReport.self, from: Data(json.out.utf8)).pid == 4711)
    }

    @Test func stop() async throws {
        let agent = try FakeAgent()
        let result = await Self.run(["stop", "--keep"], agent: agent)
        #expect(result.code == .success && result.out.hasPrefix("the agent has ended, the kernel goes on counting"))
        #expect(result.out.hasSuffix(" 2 interfaces; in force: 1 mirror, 3 shapers\n"))
        #expect(agent.requests.first == "POST /v1/stop?keep=1")
        // It is gone when the command says so.
        #expect(await Self.run(["stop"], agent: agent).code == .agentUnreachable)
        #expect(await Self.run(["stop"], agent: try FakeAgent()).out == "the agent has ended\nleft: a trace\n")
        let json = await Self.run(["stop", "--json"], agent: try FakeAgent())
        #expect(try JSONDecoder().decode(StopReport.self, from: Data(json.out.utf8)).left == ["a trace"])
        let stubborn = try FakeAgent(endsOnStop: false)
        #expect(throws: CommandFailure.self) {
            try AgentConnection(socket: stubborn.socket).stop(keep: false, patience: .milliseconds(300))
        }
        #expect(stubborn.requests.count > 2)
    }

    @Test func confirm() async throws {
        let agent = try FakeAgent()
        #expect(await Self.run(["confirm"], agent: agent).out == "confirmed: the policy stays\n")
        #expect(await Self.run(["confirm", "--json"], agent: agent).out == "{\"confirmed\":true}\n")
    }

    @Test func filesThatAreNone() async throws {
        func refusal(_ path: String) async -> String { await Self.run(["apply", "-f", path], socket: "/nonexistent/nilo.sock").err }
        #expect(await refusal("/dev/null").hasPrefix("nilo: read /dev/null: it is no regular file\nhint: "))
        let path = NSTemporaryDirectory() + "nilo-empty-\(UUID().uuidString.prefix(8)).yaml"
        defer { try? FileManager.default.removeItem(atPath: path) }
        for text in ["", " \n\n"] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
            #expect(await refusal(path).hasPrefix("nilo: read \(path): it is empty\nhint: "))
        }
        try Data([0xff, 0xfe]).write(to: URL(fileURLWithPath: path))
        #expect(await refusal(path).contains("it is no UTF-8 text"))
    }

    @Test(arguments: ["flows", "interfaces", "status", "stop"]) func noAgent(verb: String) async throws {
        let result = await Self.run([verb], socket: "/nonexistent/nilo.sock")
        #expect(result.code == .agentUnreachable && result.out.isEmpty)
        #expect(result.err.contains("the agent is not running: nothing answers on /nonexistent/nilo.sock\n"))
        #expect(result.err.hasSuffix(verb == "stop" ? "nilo cleanup --dry-run\n" : "hint: start it with: sudo nilo agent\n"))
        #expect(verb != "stop" || result.err.contains("hint: there is nothing to stop"))
    }

    @Test(arguments: [(UInt32(403), ExitCode.permission), (400, .failed), (500, .failed)] as [(UInt32, ExitCode)]) func refusals(
        status: UInt32, code: ExitCode
    ) async throws {
        let agent = try FakeAgent(refusal: (status, "it will not", "ask again"))
        let result = await Self.run(["flows"], agent: agent)
        #expect(result.code == code)
        #expect(result.err == "nilo: list flows: it will not\nhint: ask again\n")
    }

    @Test(.enabled(if: geteuid() != 0, "root may do everything")) func readSocketStandsInWhereTheOtherIsClosed() async throws {
        let control = try FakeAgent()
        let read = try FakeAgent()
        chmod(control.socket, 0)
        let connection = AgentConnection(socket: control.socket, readSocket: read.socket)
        let status: StatusReport = try connection.ask("/v1/status", for: "x")
        #expect(status.pid == 4711 && control.requests.isEmpty && read.requests == ["GET /v1/status"])
    }

    @Test func topNeedsATerminal() async throws {
        let result = await Self.run(["top"], socket: "/nonexistent.sock")
        #expect(result.code == .usage && result.err.contains("it needs a terminal"))
    }

    // MARK: agent

    private static func configuration(_ words: String..., file: String? = nil) throws -> AgentConfiguration {
        try AgentVerb.configuration(ParsedArguments(words, for: AgentVerb.specification), defaultFile: file ?? "/nonexistent/agent.yaml")
    }

    @Test func agentOptionsOverrideTheFile() throws {
        #expect(try Self.configuration() == AgentConfiguration())
        let file = NSTemporaryDirectory() + "nilo-\(UUID().uuidString).yaml"
        try "interfaces: [eth7]\nlog: {level: debug}\nmetrics: {listen: \"127.0.0.1:1\"}\n".write(
            toFile: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let configuration = try Self.configuration(
            "--interface", "veth*", "--interface", "lo", "--netns", "all", "--socket", "/tmp/a/x.sock", "--bpffs", "/mnt/bpf", "--attach",
            "clsact", "--order", "first", "--export", "udp:192.0.2.1:4739", "--export", "tcp:[2001:db8::1]:1", "--metrics", "off",
            "--log-format", "json", file: file)
        var expected = AgentConfiguration()
        expected.interfaces = ["veth*", "lo"].compactMap { InterfaceSelector($0) }
        expected.namespaces = [.all]
        expected.control.socket = "/tmp/a/x.sock"
        expected.control.readSocket = "/tmp/a/read.sock"
        expected.bpffs = .path("/mnt/bpf")
        expected.attach.mode = .clsact
        expected.attach.order = .first
        expected.export = [.init(collector: HostPort("192.0.2.1:4739")!), .init(collector: HostPort("[2001:db8::1]:1")!)]
        expected.export[1].transport = .tcp
        expected.metricsListen = nil
        expected.log.format = .json
        expected.log.level = .debug
        #expect(configuration == expected)
        // Not overridden.
        #expect(try Self.configuration(file: file).interfaces == [InterfaceSelector("eth7")!])
    }

    @Test(arguments: [
        ["--config", "/nonexistent/agent.yaml"], ["--interface", "a/b"], ["--netns", "a/b"], ["--socket", "relative"],
        ["--bpffs", "relative"],
        ["--attach", "xdp"], ["--export", "192.0.2.1:4739"], ["--export", "udp:192.0.2.1"], ["--metrics", "192.0.2.1:9411"],
        ["--log-level", "loud"],
    ]) func agentRefuses(words: [String]) async throws {
        let result = await Self.run(["agent", "--print-config"] + words)
        #expect(result.code == .usage && result.out.isEmpty && result.err.contains("\nhint: "), "\(result)")
    }

    @Test func printedConfigurationReadsBack() async throws {
        let result = await Self.run(["agent", "--print-config", "--interface", "veth*", "--metrics", "off"])
        let read = try AgentConfiguration.parse(Array(result.out.utf8), file: "x")
        #expect(try read == Self.configuration("--interface", "veth*", "--metrics", "off"))
    }

    @Test func exactNumbers() async throws {
        let agent = try FakeAgent()
        let flows = await Self.run(["flows", "--exact", "--top", "1", "--sort", "bytes", "tcp port 5432"], agent: agent)
        let lines = flows.out.split(separator: "\n").map { $0.split { $0 == " " }.map(String.init) }
        #expect(lines[0].joined(separator: " ").contains("AT RATE b/s BYTES"))
        #expect(lines[1].contains("940000000") && lines[1].contains("141000000"), "\(flows.out)")
        let interfaces = await Self.run(["interfaces", "--exact", "eth0"], agent: agent, width: 0)
        #expect(interfaces.out.contains("260000000") && interfaces.out.contains("4000000000"), "\(interfaces.out)")
        #expect(await Self.run(["status", "--exact"], agent: agent).out.contains("34000000 B private, 120000000 B in kernel maps"))
        let hosts = await Self.run(["flows", "--by", "host", "--exact", "--top", "1"], agent: agent, width: 0)
        #expect(hosts.out.hasPrefix("HOST") && !hosts.out.contains(" M"), "\(hosts.out)")
    }

    /// Every row has its own subject, and no column is 0 by its nature.
    @Test(arguments: ["vni", "protocol", "interface", "port", "host", "conversation"]) func rowsDiffer(grouping: String) async throws {
        let agent = try FakeAgent()
        let result = await Self.run(["flows", "--by", grouping, "--top", "100"], agent: agent, width: 0)
        let lines = result.out.split(separator: "\n").map(String.init).dropLast()
        let subjects = lines.dropFirst().map { line in
            line.components(separatedBy: "/s")[0].split { $0 == " " }.dropLast(2).joined(separator: " ")
        }
        #expect(Set(subjects).count == subjects.count && !subjects.isEmpty, "\(result.out)")
        #expect(lines[0].contains("RECV/s") == ["port", "host", "conversation"].contains(grouping))
        if grouping == "vni" { #expect(subjects.sorted() == ["42 eth0", "none eth0", "none veth4f1a9c2"]) }
    }

    // MARK: help

    @Test func overviewTellsOfTheVersion() async throws {
        #expect(await Self.run(["help"]).out.contains("nilo --version"))
    }

    @Test func helpFitsAndCompletionKnowsAll() async throws {
        for specification in NiloCommands.table.specifications {
            let page = await Self.run(["help", specification.name])
            #expect(page.code == .success)
            for line in page.out.split(separator: "\n") { #expect(line.count <= 80, "\(specification.name): \(line)") }
        }
    }
}

@Suite struct ReverseDNSTests {
    @Test func looksUpOnceAndKeepsToItsBudget() {
        let asked = Mutex<[String]>([])
        let names = ReverseDNS(budget: .milliseconds(400)) { address in
            asked.withLock { $0.append(address) }
            switch address {
            case "10.0.0.1": return "one.example"
            case "10.0.0.2": return nil
            default:
                Thread.sleep(forTimeInterval: 3)
                return "late.example"
            }
        }
        #expect(names.names(of: ["10.0.0.1", "10.0.0.2"]) == ["10.0.0.1": "one.example"])
        let began = ContinuousClock.now
        #expect(names.names(of: ["10.0.0.1", "10.0.0.2", "10.0.0.3"]) == ["10.0.0.1": "one.example"])
        #expect(ContinuousClock.now - began < .seconds(2))
        #expect(names.names(of: []) == [:])
        #expect(asked.withLock { $0.sorted() } == ["10.0.0.1", "10.0.0.2", "10.0.0.3"])
    }

    @Test func system() {
        #expect(ReverseDNS.systemName(of: "no address") == nil)
        #expect(ReverseDNS.systemName(of: "127.0.0.1") == "localhost")
    }
}
