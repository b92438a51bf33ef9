import CLinux
import Foundation
import Reports
import TestSupport
import Testing

/// Real clients and servers, and what the agent's classifier makes of their first packets.
@Suite(.requires(.root, .clsact, .command("openssl"), .command("python3"), .command("curl")), .serialized) struct ApplicationTests {
    /// HTTP on 8080; DNS on 53, which says of every name that it is 10.0.0.1; TLS on 8443.
    private struct Servers {
        let processes: [BackgroundProcess]

        init(_ pair: Pair, _ directory: String) async throws {
            try Data(Self.script.utf8).write(to: URL(fileURLWithPath: "\(directory)/servers.py"))
            _ = try sh(
                "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -keyout \(directory)/key.pem -out \(directory)/cert.pem")
            let plain = try await BackgroundProcess.start(["python3", "\(directory)/servers.py"], in: pair.b)
            let tls = try await BackgroundProcess.start(
                ["openssl", "s_server", "-accept", "8443", "-key", "\(directory)/key.pem", "-cert", "\(directory)/cert.pem", "-www"],
                in: pair.b)
            processes = [plain, tls]
            try await plain.waitFor(output: "serving")
            try await tls.waitFor(output: "ACCEPT")
        }

        private static let script = """
            import http.server, socket, threading
            dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            dns.bind(("10.0.0.2", 53))
            def answer():
                while True:
                    asked, client = dns.recvfrom(512)
                    head = asked[:2] + bytes.fromhex("81800001000100000000")
                    dns.sendto(head + asked[12:] + bytes.fromhex("c00c00010001000000b40004") + bytes([10, 0, 0, 1]), client)
            threading.Thread(target=answer, daemon=True).start()
            server = http.server.ThreadingHTTPServer(("10.0.0.2", 8080), http.server.SimpleHTTPRequestHandler)
            print("serving", flush=True)
            server.serve_forever()

            """

        static let question = """
            import socket
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.settimeout(5)
            name = b"".join(bytes([len(p)]) + p for p in b"db.example.net".split(b".")) + b"\\0"
            s.sendto(bytes.fromhex("123401000001000000000000") + name + bytes.fromhex("00010001"), ("10.0.0.2", 53))
            assert s.recv(512)[-4:] == bytes([10, 0, 0, 1])
            """
    }

    private func talk(_ pair: Pair, host: String = "www.example.org") async throws {
        _ = try await pair.a.sh("curl -sS -o /dev/null -H 'Host: \(host)' http://10.0.0.2:8080/")
    }

    private func ask(_ pair: Pair, _ site: AgentSite) async throws {
        try Data(Servers.question.utf8).write(to: URL(fileURLWithPath: "\(site.directory)/question.py"))
        _ = try await pair.a.sh("python3 \(site.directory)/question.py")
    }

    private func classifier(_ site: AgentSite) async throws -> StatusReport.Applications {
        try #require(try await site.status().applications)
    }

    private func start(_ pair: Pair, _ applications: String) async throws -> (AgentSite, BackgroundProcess) {
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va", applications: applications)
        return (site, try await site.start())
    }

    @Test func applicationsAndNamesAreTold() async throws {
        let pair = try await Pair()
        let (site, agent) = try await start(pair, AgentSite.applicationsOn())
        let servers = try await Servers(pair, site.directory)
        // Each is looked at as soon as it was: ended ones leave after ten seconds. Both directions, in the language of filters.
        func told(_ application: String, _ name: String, _ filter: String) async throws -> [FlowReport] {
            var flows: [FlowReport] = []
            let isTold = try await eventually(within: .seconds(10)) {
                flows = try await site.flows(filter)
                return flows.count == 2
                    && flows.allSatisfy { $0.application == application && $0.serverName == name && $0.applicationBasis == "inspection" }
            }
            #expect(isTold, "\(application): \(flows.map { ($0.tuple, $0.application, $0.serverName, $0.applicationBasis) })")
            return flows
        }
        try await talk(pair)
        #expect(try await told("http", "www.example.org", "app http and port 8080").allSatisfy { $0.encrypted == false })
        #expect(try await site.nilo("flows --wide 'app http'").contains("www.example.org"))
        _ = try await pair.a.sh("openssl s_client -connect 10.0.0.2:8443 -servername tls.example.org </dev/null >/dev/null 2>&1")
        #expect(try await told("tls", "tls.example.org", "app=tls").allSatisfy { $0.encrypted == true })
        try await ask(pair, site)
        _ = try await told("dns", "db.example.net", "app dns")
        #expect(try await site.flows("not app *").allSatisfy { $0.application == nil })

        // The latest that its clients said.
        let isMapped = try await eventually(within: .seconds(10)) {
            let map: TopologyReport = try await site.get("/v1/topology")
            let talks = Set(map.links.compactMap { $0.attributes["application"]?.description })
            let names = Dictionary(
                map.entities.compactMap { entity in
                    entity.attributes["address"].map { ($0.description, entity.attributes["name"]?.description) }
                }
            ) { $1 ?? $0 }
            return talks.isSuperset(of: ["http", "dns", "tls"])
                && Set(map.entities.filter { $0.kind == "application" }.map(\.name)).isSuperset(of: talks)
                && (names["10.0.0.1"] ?? nil) == "db.example.net" && (names["10.0.0.2"] ?? nil)?.hasSuffix(".example.org") == true
        }
        let map = try await site.nilo("topology --format table")
        #expect(isMapped, "\(map)")

        let status = try await classifier(site)
        #expect(status.state == "running" && status.identified >= 3 && status.inspected >= 6 && status.restarts == 0, "\(status)")
        #expect(status.refused == 0 && status.passedOver == 0 && status.names >= 1, "\(status)")
        #expect(try await site.nilo("status").contains("conversations told"))
        let metrics = try await site.metrics()
        #expect(metrics.contains("nilo_classifier_up 1\n") && metrics.contains("nilo_classifier_verdicts_total{basis=\"identified\"}"))
        #expect(try await site.refusal("sample add web --one-in 10 app http").contains("app is known only after"))
        let process = try #require(status.process)
        try await site.stop(agent, keep: false)
        // It ends with the agent.
        #expect(try await eventually(within: .seconds(5)) { kill(process, 0) != 0 })
        withExtendedLifetime(servers) {}
    }

    /// Killed, or its socket taken over: it is replaced by another nobody, and what the agent holds is as it was.
    @Test func aLostClassifierIsReplaced() async throws {
        let pair = try await Pair()
        let (site, agent) = try await start(pair, AgentSite.applicationsOn(cpuPercent: 20))
        let servers = try await Servers(pair, site.directory)
        // What is to be held: unlike those of TCP it does not end.
        try await ask(pair, site)
        #expect(try await eventually(within: .seconds(10)) { try await site.flows("app dns").count == 2 })
        var last: Int32 = 0
        for (round, harm) in ["kill", "garbage"].enumerated() {
            try await talk(pair, host: "round\(round).example.org")
            let isTold = try await eventually(within: .seconds(10)) {
                try await site.flows("app http").contains { $0.serverName == "round\(round).example.org" }
            }
            #expect(isTold)
            let before = try await classifier(site)
            let process = try #require(before.process)
            #expect(process != last && before.restarts == round)
            last = process
            let identity = try contents(of: "/proc/\(process)/status")
            #expect(
                identity.contains("\nUid:\t65534\t65534\t65534\t65534\n") && identity.contains("\nCapPrm:\t0000000000000000\n"),
                "\(identity)")
            #expect(identity.contains("\nSeccomp:\t2\n") && identity.contains("\nNoNewPrivs:\t1\n"))
            if harm == "kill" {
                #expect(kill(process, SIGKILL) == 0)
            } else {
                // Into the socket, as if the classifier had written it.
                _ = try sh(
                    """
                    python3 -c 'import ctypes, os, socket
                    fd = ctypes.CDLL(None, use_errno=True).syscall(438, os.pidfd_open(\(process)), 3, 0)
                    assert fd >= 0, os.strerror(ctypes.get_errno())
                    socket.socket(fileno=fd).send(bytes(i * 37 % 256 for i in range(400)))'
                    """)
            }
            let isReplaced = try await eventually(within: .seconds(20)) {
                let now = try await classifier(site)
                return now.restarts == before.restarts + 1 && now.state == "running" && now.process != process
            }
            #expect(isReplaced, "\(harm)")
            #expect(try await site.flows("app dns").count == 2, "\(harm)")
        }
        try await talk(pair, host: "after.example.org")
        #expect(
            try await eventually(within: .seconds(10)) {
                try await site.flows("app http").contains { $0.serverName == "after.example.org" }
            })
        #expect(try await site.metrics().contains("nilo_classifier_restarts_total 2\n"))
        try await site.stop(agent, keep: false)
        withExtendedLifetime(servers) {}
    }

    @Test func switchedOffThereIsNone() async throws {
        let pair = try await Pair()
        let (site, agent) = try await start(pair, "off")
        let servers = try await Servers(pair, site.directory)
        try await talk(pair)
        let status = try await classifier(site)
        #expect(status.state == "off" && status.process == nil && status.packets == 0)
        #expect(try contents(of: "/proc/\(agent.pid)/task/\(agent.pid)/children").isEmpty)
        let flows = try await site.flows()
        #expect(!flows.isEmpty && flows.allSatisfy { $0.application == nil })
        #expect(try await site.nilo("status").contains("applications  off"))
        try await site.stop(agent, keep: false)
        withExtendedLifetime(servers) {}
    }
}
