import Foundation
import Reports
import TestSupport
import Testing

/// What the agent tells sFlow collectors, as sfcapd and tshark read it.
@Suite(.requires(.root, .clsact)) struct SampleExportTests {
    private struct Collected: Decodable {
        var src_port: Int?
        var in_packets: UInt64
    }

    @Test(.requires(.command("sfcapd"), .command("nfdump"), .command("tshark"), .command("tcpdump")))
    func collectorsGetSamplesAndCounters() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        let files = "\(site.directory)/sfcapd"
        let capture = "\(site.directory)/sflow.pcap"
        try await pair.a.sh("mkdir \(files)")
        let tcpdump = try await BackgroundProcess.start(
            ["tcpdump", "--immediate-mode", "-B", "32768", "-U", "-i", "lo", "-w", capture, "udp dst port 6343"], in: pair.a)
        try await tcpdump.waitFor(output: "listening on")
        let collector = try await BackgroundProcess.start(
            ["sfcapd", "-w", files, "-p", "6343", "-b", "127.0.0.1", "-t", "3600"], in: pair.a)
        _ = try await eventually(within: .seconds(10)) { try await pair.a.sh("ss -Huln sport = 6343").contains("6343") }
        try site.configure(
            interfaces: "va, lo",
            sflow: "\n  - collector: 127.0.0.1:6343\n    counter-interval: 1s\n    interfaces: [va]\n    agent: 192.0.2.7")
        try site.write(policy: "sample:\n  - name: some\n    one-in: 4\n    on: [va]\n")
        let agent = try await site.start()
        func export() async throws -> StatusReport.Export { try #require(try await site.status().exports.first) }
        let isConnected = try await eventually(within: .seconds(10)) { try await export().records > 0 }
        #expect(isConnected)
        let receiver = try await UDPReceiver(in: pair.b)
        // A collector reads datagrams one by one.
        for _ in 0..<20 {
            try await pair.a.sendUDP(200, size: 300, to: Pair.addressB, port: receiver.port, from: 5000)
            try await Task.sleep(for: .milliseconds(50))
        }
        // Two rounds of counters later all is told.
        try await Task.sleep(for: .seconds(2.5).stretched)
        let rule = try #require(try await site.policy().samplers.first)
        let told = try await export()
        #expect(told.notSent == 0 && told.problem == nil && told.target == "sflow udp 127.0.0.1:6343", "\(told)")
        #expect(rule.lost == 0 && rule.hits > 800 && rule.hits < 1200, "\(rule)")
        let device = try await pair.a.counters(of: "va")
        try await Task.sleep(for: .seconds(1.2).stretched)
        #expect(try await pair.a.counters(of: "va") == device)
        try await site.stop(agent, keep: false)
        let (output, _) = try collector.stop()
        try tcpdump.stop(signal: SIGINT)

        let json = try await pair.a.sh("nfdump -q -R \(files) -o json")
        let collected = try JSONDecoder().decode([Collected].self, from: Data((json.hasPrefix("[") ? json : "[\(json)]").utf8))
        let mine = collected.filter { $0.src_port == 5000 }
        let all = collected.reduce(0) { $0 + $1.in_packets }
        #expect(all == 4 * rule.hits, "\(output)")
        // Within four standard deviations of what was sent.
        let sum = Double(mine.reduce(0) { $0 + $1.in_packets })
        #expect(abs(sum - 4000) < 4 * (4000 * 3.0).squareRoot())

        let text = try await pair.a.sh("tshark -r \(capture) -d udp.port==6343,sflow -O sflow 2>/dev/null")
        #expect(!text.contains("Malformed") && text.contains("Agent address: 192.0.2.7"))
        func last(_ label: String) -> String? {
            text.split(separator: "\n").map { $0.drop { $0 == " " } }.last { $0.hasPrefix("\(label): ") }
                .map { String($0.dropFirst(label.count + 2)) }
        }
        #expect(last("Input Octets") == "\(device.received.bytes)" && last("Output Octets") == "\(device.sent.bytes)")
        #expect(last("Output Packets") == "\(device.sent.packets)")
        #expect(last("Interface index") == String(try await pair.a.index(of: "va")))
    }

    /// Nobody listens: counted. Another collector after SIGHUP gets what follows.
    @Test(.requires(.command("tcpdump"))) func whatIsNotTakenIsCounted() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        func configure(_ port: Int) throws {
            try site.configure(interfaces: "va", sflow: "\n  - collector: 127.0.0.1:\(port)\n    counter-interval: 1s")
        }
        try configure(6343)
        try site.write(policy: "sample:\n  - name: every\n    one-in: 1\n    on: [va]\n")
        let agent = try await site.start()
        let receiver = try await UDPReceiver(in: pair.b)
        func export() async throws -> StatusReport.Export { try #require(try await site.status().exports.first) }
        let isRefused = try await eventually(within: .seconds(20)) {
            try await pair.a.sendUDP(20, size: 100, to: Pair.addressB, port: receiver.port)
            let now = try await export()
            return now.notSent > 0 && now.problem?.contains("refused") == true
        }
        #expect(isRefused)
        // A new socket, every 5 s, proves nothing.
        for _ in 0..<13 {
            try await pair.a.sendUDP(20, size: 100, to: Pair.addressB, port: receiver.port)
            try await Task.sleep(for: .milliseconds(500))
            #expect(try await site.sampler("every").problem?.contains("collector 127.0.0.1:6343: send: Connection refused") == true)
        }
        let listener = try await UDPReceiver(in: pair.a)
        try configure(Int(listener.port))
        kill(try await site.status().pid, SIGHUP)
        let isTold = try await eventually(within: .seconds(20)) {
            try await pair.a.sendUDP(20, size: 100, to: Pair.addressB, port: receiver.port)
            let now = try await export()
            return now.target.hasSuffix(":\(listener.port)") && now.records > 40 && now.problem == nil
        }
        #expect(isTold)
        #expect(try await site.metrics().contains("nilo_export_records_total{target=\"sflow udp 127.0.0.1:\(listener.port)\"}"))
        try await site.stop(agent, keep: false)
    }
}
