import Flows
import Foundation
import NetworkTypes
import Reports
import TestSupport
import Testing

/// Real scans, floods and loads, and an agent that says what it thinks of them.
@Suite(.requires(.root, .clsact)) struct SuspicionTests {
    /// A line of the log about something that has begun.
    private static func begun(_ log: String) -> [Substring] {
        log.split(separator: "\n").filter { $0.contains("suspicious traffic") && !$0.contains("has ended") }
    }

    private func site(flows: Int = 16384, logRecords: Int = 4096) async throws -> (Pair, AgentSite, BackgroundProcess) {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.b)
        try site.configure(interfaces: "vb", flows: flows, logRecords: logRecords, more: "history: {file: \"off\"}")
        return (pair, site, try await site.start())
    }

    /// Waits for a line, and returns how long that took.
    private func wait(
        for text: String, of agent: BackgroundProcess, since: ContinuousClock.Instant, within limit: Duration = .seconds(15)
    ) async throws -> Duration {
        try await agent.waitFor(output: text, within: limit)
        return ContinuousClock.now - since
    }

    /// How long after a script wrote the time of its first packet into a file: how long an interpreter takes to start is not ours.
    private static func sinceBegun(_ file: String, until told: Date) throws -> Duration {
        let begun = try #require(Double(String(contentsOfFile: file, encoding: .utf8)))
        return .seconds(told.timeIntervalSince1970 - begun)
    }

    /// A thousand connections to closed ports, one after the other, as fast as a script makes them.
    @Test func aScanOfAThousandPortsIsToldWithinTwoSeconds() async throws {
        let (pair, site, agent) = try await site()
        try await Task.sleep(for: .seconds(2))
        let begun = "\(site.directory)/begun"
        async let scan: String = pair.a.sh(
            """
            python3 - <<'EOF'
            import socket, time
            with open("\(begun)", "w") as file: file.write(str(time.time()))
            for port in range(1, 1001):
                s = socket.socket()
                s.settimeout(0.2)
                s.connect_ex(("\(Pair.addressB)", port))
                s.close()
            EOF
            """)
        _ = try await wait(for: "kind=port-scan", of: agent, since: .now)
        let took = try Self.sinceBegun(begun, until: Date())
        _ = try await scan
        print("port scan: told after \(took)")
        #expect(took < .seconds(2).stretched)
        let log = try agent.outputSoFar()
        #expect(Self.begun(log).count == 1 && log.contains("source=\(Pair.addressA)"), "\(log)")
        #expect(try await site.metrics().contains("nilo_suspicions_total{kind=\"port-scan\"} 1\n"))
        // And it is among the incidents, with what speaks for it.
        var list: IncidentListReport?
        let isTold = try await eventually(within: .seconds(5)) {
            list = try await site.get("/v1/anomalies")
            return list?.incidents.contains { $0.members.contains { $0.kind == "port-scan" } } ?? false
        }
        let member = list?.incidents.flatMap(\.members).first { $0.kind == "port-scan" }
        #expect(isTold && member?.key.contains(Pair.addressA) == true && member?.evidence?.isEmpty == false, "\(String(describing: list))")
        try await site.stop(agent, keep: false)
    }

    private static func frames(_ count: Int, seed: UInt64, _ layer: (Int, inout SplitMix64) -> (String, TCPHeader)) -> [[UInt8]] {
        var random = SplitMix64(seed: seed)
        return (0..<count).map { n in
            let (source, tcp) = layer(n, &random)
            return Frame(
                EthernetHeader(to: Wiring.mac(2)), IPv4Header(from: source, to: Pair.addressB), tcp, RawBytes(count: 0)
            ).bytes
        }
    }

    /// 20,000 openings a round from made-up sources, with room for 1,024 flows: few of them ever have a slot when the agent is behind.
    @Test(arguments: [1024, 16384]) func aFloodFromMadeUpSourcesIsTold(flows: Int) async throws {
        let (pair, site, agent) = try await site(flows: flows, logRecords: flows == 1024 ? 256 : 4096)
        try await Task.sleep(for: .seconds(2))
        let frames = Self.frames(20_000, seed: 3) { _, random in
            let source = (0..<4).map { $0 == 0 ? Int.random(in: 20...99, using: &random) : Int.random(in: 1...254, using: &random) }
            return (source.map(String.init).joined(separator: "."), TCPHeader(from: UInt16.random(in: 1025...65535, using: &random), .syn))
        }
        let start = ContinuousClock.now
        async let flood: Void = {
            while ContinuousClock.now - start < .seconds(4) { try await pair.a.send(frames, on: "va") }
        }()
        let took = try await wait(for: "kind=syn-flood", of: agent, since: start)
        try await flood
        print("flood with \(flows) slots: told after \(took)")
        #expect(took < .seconds(3).stretched)
        let report = try await site.interface("vb")
        report.expectClosed()
        let overflow = report.ingress.overflow.reduce(0) { $0 + $1.totals.skbs }
        let metrics = try await site.metrics()
        let sketched = metrics.split(separator: "\n").first { $0.hasPrefix("nilo_sketched_packets_total ") }
        print("overflow \(overflow), \(sketched ?? "")")
        let log = try agent.outputSoFar()
        #expect(Self.begun(log).allSatisfy { $0.contains("kind=syn-flood") }, "\(log)")
        try await site.stop(agent, keep: false)
    }

    /// Clients of a small server, each with a connection and an answer now and then, names, and a transfer at a steady rate; then a sender that
    /// nobody asked, and that is far above.
    @Test func anOrdinaryLoadIsNoneAndAHeavyHitterIs() async throws {
        let (pair, site, agent) = try await site()
        let load = try await OrdinaryLoad(pair, seconds: 60)
        try await Task.sleep(for: .seconds(45))
        let log = try agent.outputSoFar()
        #expect(Self.begun(log) == [], "\(log)")
        let begun = "\(site.directory)/begun"
        async let heavy: String = pair.a.sh(
            """
            python3 - <<'EOF'
            import socket, time
            with open("\(begun)", "w") as file: file.write(str(time.time()))
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            end = time.monotonic() + 4
            while time.monotonic() < end:
                for _ in range(60): s.sendto(bytes(1400), ("\(Pair.addressB)", 9))
                time.sleep(0.002)
            EOF
            """)
        _ = try await wait(for: "kind=heavy-hitter", of: agent, since: .now)
        let took = try Self.sinceBegun(begun, until: Date())
        _ = try await heavy
        print("heavy hitter: told after \(took)")
        #expect(took < .seconds(2).stretched)
        try load.stop()
        try await site.stop(agent, keep: false)
    }

    /// The next agent, over maps of the one before, looks on.
    @Test func theNextAgentLooksOn() async throws {
        let (pair, site, first) = try await site(flows: 1024, logRecords: 256)
        try await Task.sleep(for: .seconds(1))
        try first.stop(signal: SIGKILL)
        let frames = Self.frames(1000, seed: 4) { n, _ in (Pair.addressA, TCPHeader(from: 41_000, to: UInt16(1 + n), .syn)) }
        try await pair.a.send(frames, on: "va")
        let second = try await site.start()
        try await Task.sleep(for: .seconds(5))
        // What was there before it is not of its time.
        let start = ContinuousClock.now
        try await pair.a.send(
            Self.frames(1000, seed: 4) { n, _ in (Pair.addressA, TCPHeader(from: 42_000, to: UInt16(2001 + n), .syn)) }, on: "va")
        let took = try await wait(for: "kind=port-scan", of: second, since: start)
        #expect(took < .seconds(2).stretched)
        try await site.stop(second, keep: false)
    }
}

/// What a few hosts do all day: pages of different sizes, datagrams that are answered, a transfer at a steady rate. From b's interface seen as
/// clients at a with a server at b.
private struct OrdinaryLoad {
    private let server: BackgroundProcess
    private let clients: BackgroundProcess

    init(_ pair: Pair, seconds: Int) async throws {
        server = try await BackgroundProcess.start(["python3", "-u", "-c", Self.server], in: pair.b)
        try await server.waitFor(output: "serving")
        clients = try await BackgroundProcess.start(["python3", "-u", "-c", Self.clients, "\(seconds)"], in: pair.a)
    }

    func stop() throws {
        let clientWords = try clients.stop()
        let serverWords = try server.stop()
        #expect(!clientWords.output.contains("Traceback") && !serverWords.output.contains("Traceback"), "\(clientWords) \(serverWords)")
    }

    private static let server = """
        import socket, threading, time
        def tcp(port, answer):
            s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("10.0.0.2", port)); s.listen(128)
            def one(c):
                try: answer(c)
                except OSError: pass
                finally: c.close()
            while True:
                c, _ = s.accept(); threading.Thread(target=one, args=(c,), daemon=True).start()
        def page(c): c.sendall(bytes(int(c.recv(100))))
        def backup(c):
            c.recv(10)
            while True: c.sendall(bytes(100_000)); time.sleep(0.1)
        threading.Thread(target=tcp, args=(8080, page), daemon=True).start()
        threading.Thread(target=tcp, args=(8730, backup), daemon=True).start()
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("10.0.0.2", 5353))
        print("serving")
        while True:
            data, peer = u.recvfrom(500); u.sendto(data + bytes(100), peer)
        """
    private static let clients = """
        import random, socket, sys, threading, time
        end = time.monotonic() + int(sys.argv[1]); r = random.Random(1)
        def backup():
            time.sleep(20); s = socket.create_connection(("10.0.0.2", 8730)); s.sendall(b"go")
            while time.monotonic() < end and s.recv(65536): pass
        threading.Thread(target=backup, daemon=True).start()
        while time.monotonic() < end:
            for _ in range(r.randrange(1, 6)):
                u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(2)
                u.sendto(b"name", ("10.0.0.2", 5353)); u.recv(500); u.close()
            s = socket.create_connection(("10.0.0.2", 8080)); s.sendall(str(500 << r.randrange(0, 12)).encode())
            while s.recv(65536): pass
            s.close()
            time.sleep(r.random() * 0.1)
        """
}
