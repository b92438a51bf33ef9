import API
import Foundation
import NetworkTypes
import Reports
import TestSupport
import Testing

/// An agent whose day has 288 seconds, so that each is a step: it learns, foretells, is held to that, notices what is unusual, and knows all of it
/// again after kill -9.
@Suite(.requires(.root, .clsact)) struct ForecastTests {
    /// Datagrams a second; more of them while the file is there.
    private static let sender = """
        import os, socket, sys, time
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        due = time.monotonic()
        while True:
            for _ in range(60 if os.path.exists(sys.argv[2]) else 2):
                udp.sendto(bytes(472), (sys.argv[1], 9000))
            # What was missed while others had the CPU is not made up for: that would be a burst, too.
            due = max(due + 0.02, time.monotonic() - 0.1)
            time.sleep(max(0, due - time.monotonic()))
        """
    /// A datagram's frame: 472 + 8 + 20 + 14 bytes.
    private static let rate = 2.0 * 50 * 514 * 8

    private func forecast(_ site: AgentSite, _ key: String, _ query: [(String, String)] = []) async throws -> ForecastReport {
        try await site.get("/v1/forecast", [("key", key)] + query)
    }

    private func incidents(_ site: AgentSite) async throws -> IncidentListReport {
        try await site.get("/v1/anomalies", [("since", "2001-01-01T00:00:00Z")])
    }

    @Test func whatComesIsForetoldAndWhatIsUnusualIsNoticed() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va", more: "forecast: {day: 288s}\nanomalies: {webhook: \"http://127.0.0.1:8099/hook\"}")
        let agent = try await site.start()
        try await site.waitForTopology()
        let (flag, program, hook) = ("\(site.directory)/more", "\(site.directory)/send.py", "\(site.directory)/hook.json")
        try Data(Self.sender.utf8).write(to: URL(fileURLWithPath: program))
        let receiver = try await BackgroundProcess.start(["python3", "-c", Self.hookReceiver, hook], in: pair.a)
        let traffic = try await BackgroundProcess.start(["python3", program, Pair.addressB, flag], in: pair.a)
        defer { for process in [traffic, receiver] { _ = try? process.stop() } }

        // What has been steady goes on, says the forecast: within a fifth, as bits and as packets.
        var report: ForecastReport?
        let isKnown = try await eventually(within: .seconds(60)) {
            report = try? await forecast(site, "va")
            guard let sent = report?.directions.last, let steps = sent.quantiles, let first = steps.first else { return false }
            return sent.measured >= 40 && abs(first[5] - Self.rate) < 0.2 * Self.rate && first == first.sorted()
        }
        #expect(isKnown, "\(String(describing: report))")
        #expect(report?.stepSeconds == 1 && report?.unit == "bit/s" && report?.directions.map(\.direction) == ["received", "sent"])
        let packets = try await forecast(site, "va", [("measure", "packets"), ("steps", "3")])
        #expect(packets.unit == "packet/s" && abs((packets.directions.last?.quantiles?.first?[5] ?? 0) - 100) < 20, "\(packets)")
        let accuracies: ForecastAccuracyReport = try await site.get("/v1/forecast/accuracy", [("top", "1000")])
        #expect(accuracies.series.contains { $0.key.hasSuffix("service/udp/9000") }, "\(accuracies.series.map(\.key))")
        for key in ["cpu", "memory", "space", "flows", "disk"] {
            let host = try await forecast(site, key)
            #expect(host.directions.count == (key == "disk" ? 2 : 1) && host.directions[0].measured > 10, "\(key): \(host)")
        }

        // And it is held against what comes.
        var accuracy: ForecastAccuracyReport?
        let isScored = try await eventually(within: .seconds(60)) {
            accuracy = try? await site.get("/v1/forecast/accuracy", [("key", "total")])
            return accuracy?.series.first?.scores.first.map { $0.count >= 20 } ?? false
        }
        let score = try #require(accuracy?.series.first?.scores.first, "\(String(describing: accuracy))")
        #expect(isScored && score.leadSeconds == 1 && score.within90 > 0.5 && score.meanError < 0.3 * Self.rate, "\(score)")

        // An hour of looks at its use has to pass; then thirty times as much is an incident, with who it was. A busy machine misses seconds.
        let used = report?.directions.last?.measured ?? 0
        let isWarm = try await eventually(within: .seconds(300)) {
            try await forecast(site, "va").directions.last?.measured ?? 0 >= used + 65
        }
        #expect(isWarm)
        // Before it a busy machine's jerks may be unusual too, or the host's CPU.
        func burst(_ incident: IncidentReport) -> IncidentReport.Member? {
            incident.members.first { $0.name.hasSuffix("va sent") && $0.unit == "bit/s" && ($0.extreme ?? 0) > 10 * Self.rate }
        }
        let before = try await incidents(site).incidents
        #expect(!before.contains { burst($0) != nil }, "\(before)")
        try Data().write(to: URL(fileURLWithPath: flag))
        var list: IncidentListReport?
        let isNoticed = try await eventually(within: .seconds(60)) {
            list = try? await incidents(site)
            return list?.incidents.contains { burst($0) != nil } ?? false
        }
        #expect(isNoticed, "\(String(describing: list))")
        try await Task.sleep(for: .seconds(3))
        list = try await incidents(site)
        let incident = try #require(list?.incidents.first { burst($0) != nil }, "\(String(describing: list))")
        let member = try #require(burst(incident))
        #expect((member.expectedHigh ?? 1e12) < (member.extreme ?? 0), "\(member)")
        let talk = incident.contributors.first { $0.kind == "conversation" }
        #expect(talk.map { $0.key.contains(Pair.addressB) && $0.share > 0.8 } == true, "\(incident.contributors)")
        // One cause, one incident. Whether the total is unusual by itself hangs on how steady a busy machine let it be.
        let others = list?.incidents.filter { other in
            other.id != incident.id && other.start >= incident.start
                && other.members.contains { $0.unit == "bit/s" && $0.name.hasPrefix("all traffic") }
        }
        #expect(others?.isEmpty == true, "\(String(describing: list?.incidents))")
        #expect(try await site.metrics().contains("nilo_incidents_total"))
        let isPosted = try await eventually(within: .seconds(10)) {
            guard let text = try? String(contentsOfFile: hook, encoding: .utf8) else { return false }
            return text.split(separator: "\n").contains { line in
                (try? JSONDecoder().decode(IncidentEventReport.self, from: Data(line.utf8)))?.incident.id == incident.id
            }
        }
        #expect(isPosted)
        try await judge(site, incident.id)

        // All of it is known again after kill -9: the incident and its verdict, over since nobody looks, and the values out of the history.
        let known = try await forecast(site, "va").directions.last?.measured ?? 0
        kill(agent.pid, SIGKILL)
        _ = try await eventually(within: .seconds(10)) { agent.hasEnded }
        _ = try? agent.stop()
        let second = try await site.start()
        try await site.waitForTopology()
        let again = try await incidents(site).incidents.first { $0.id == incident.id }
        #expect(again?.verdict == "false-alarm" && again?.end != nil, "\(String(describing: again))")
        let isRecalled = try await eventually(within: .seconds(30)) {
            (try? await forecast(site, "va").directions.last?.measured).flatMap { $0 }.map { $0 >= known } ?? false
        }
        #expect(isRecalled)
        try await site.stop(second, keep: false)
    }

    private func judge(_ site: AgentSite, _ id: Int) async throws {
        let socket = site.socket
        _ = try await onOwnThread {
            let client = ControlClient(socket: socket)
            _ = try client.post("/v1/anomalies/judge", query: [("id", "\(id)"), ("verdict", "false-alarm")])
            #expect(throws: ControlClientError.self) { try client.post("/v1/anomalies/judge", query: [("id", "100000")]) }
            #expect(throws: ControlClientError.self) { try client.post("/v1/anomalies/silence", query: [("seconds", "5")]) }
        }
        let readSocket = site.readSocket
        _ = try await onOwnThread {
            #expect(throws: ControlClientError.self) {
                try ControlClient(socket: readSocket).post("/v1/anomalies/judge", query: [("id", "\(id)")])
            }
        }
    }

    /// Writes each body that is posted as a line.
    private static let hookReceiver = """
        import http.server, sys
        class Hook(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with open(sys.argv[1], "ab") as file: file.write(body + b"\\n")
                self.send_response(204)
                self.end_headers()
            def log_message(self, *words): pass
        http.server.HTTPServer(("127.0.0.1", 8099), Hook).serve_forever()
        """

    @Test func withoutForecastsNothingIsAnswered() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va", more: "forecast: {enabled: false}")
        let agent = try await site.start()
        try await site.waitForTopology()
        for path in ["/v1/forecast", "/v1/forecast/accuracy", "/v1/anomalies", "/v1/anomalies/events"] {
            await #expect(throws: ControlClientError.self) { let _: IncidentListReport = try await site.get(path) }
        }
        try await site.stop(agent, keep: false)
    }
}
