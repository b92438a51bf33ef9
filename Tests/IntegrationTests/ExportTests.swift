import Flows
import Foundation
import NetworkTypes
import Reports
import TestSupport
import Testing

/// Other people's programs read what the agent exports: nfcapd, tshark and promtool.
@Suite(.requires(.root, .clsact)) struct ExportTests {
    /// Only one flow record of the collector for each flow of the agent: packets and IP octets, by source port.
    private struct Collected: Decodable {
        var src_port: Int?
        var proto: Int
        var in_packets: UInt64
        var in_bytes: UInt64
    }

    @Test(.requires(.command("nfcapd"), .command("nfdump")), arguments: Hooks.all)
    func nfcapdReceivesTheSameTotals(mode: String) async throws {
        let pair = try await Pair(ipv6: true, offloads: .on)
        let site = try AgentSite(in: pair.a)
        let files = "\(site.directory)/nfcapd"
        try await pair.a.sh("mkdir \(files)")
        let collector = try await BackgroundProcess.start(
            ["nfcapd", "-w", files, "-p", "4739", "-b", "127.0.0.1", "-t", "3600", "-e"], in: pair.a)
        _ = try await eventually(within: .seconds(10)) { try await pair.a.sh("ss -Huln sport = 4739").contains("4739") }
        try site.configure(interfaces: "va", mode: mode, export: "\n  - collector: 127.0.0.1:4739\n    protocol: udp")
        let agent = try await site.start()
        let receiver = try await UDPReceiver(in: pair.b, ipv6: true)
        for port in 0..<300 { try await pair.a.sendUDP(1 + port % 3, size: 100, to: Pair.addressB, port: 9, from: UInt16(20_000 + port)) }
        try await pair.a.sendUDP(50, size: 100, to: Pair.addressB6, port: receiver.port, from: 5000)
        let transfer = try await TCPTransfer.run(1_000_000, from: pair.a, to: pair.b, Pair.addressB)
        let payload: [any PacketLayer] = [IPv4Header(), UDPHeader(from: 6000), RawBytes(count: 30)]
        try await pair.a.send(Frame(layers: [EthernetHeader(), VLANTag(5)] + payload), times: 11, on: "va")
        try await pair.a.send(Frame(EthernetHeader(), ARPMessage()), times: 4, on: "va")
        // What follows the last datagram.
        try await Task.sleep(for: .milliseconds(300).stretched)
        let flows = try await site.flows().filter { $0.tuple.protocol != nil }
        try await site.stop(agent, keep: false)
        try await Task.sleep(for: .milliseconds(300).stretched)
        let (output, _) = try collector.stop()
        let json = try await pair.a.sh("nfdump -q -R \(files) -o json")
        // Some versions write a list, others only what would be in it.
        let list = json.hasPrefix("[") ? json : "[\(json)]"
        let collected = try JSONDecoder().decode([Collected].self, from: Data(list.utf8)).filter { $0.in_packets > 0 }
        #expect(collected.count == flows.count, "\(output)")
        let wire = flows.map(\.totals.totals).reduce(Totals(), +)
        let octets = flows.reduce(UInt64(0)) { sum, flow in
            let tags = UInt64((flow.vlan == nil ? 0 : 1) + (flow.innerVLAN == nil ? 0 : 1))
            return sum + flow.totals.wireBytes - flow.totals.wirePackets * (14 + 4 * tags)
        }
        #expect(collected.map(\.in_packets).reduce(0, +) == wire.wirePackets)
        #expect(collected.map(\.in_bytes).reduce(0, +) == octets)
        func one(_ port: UInt16) -> [UInt64] { collected.filter { $0.src_port == Int(port) }.flatMap { [$0.in_packets, $0.in_bytes] } }
        #expect(one(5000) == [50, 50 * 148] && one(6000) == [11, 11 * 58] && one(20_002) == [3, 3 * 128])
        #expect(collected.contains { $0.src_port == Int(transfer.clientPort) && $0.in_bytes > 1_000_000 })
    }

    /// Nobody listens, then nfcapd does: what could not arrive is counted, then it goes on with the templates said anew.
    @Test(.requires(.command("nfcapd"), .command("nfdump"))) func aCollectorThatComesLateGetsWhatFollows() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(
            interfaces: "va", timeouts: "idle-timeout: 1s\n  active-timeout: 1h",
            export: "\n  - collector: 127.0.0.1:4739\n    protocol: udp")
        let agent = try await site.start()
        let receiver = try await UDPReceiver(in: pair.b)
        func send(from first: UInt16) async throws {
            for port in 0..<20 { try await pair.a.sendUDP(1, size: 10, to: Pair.addressB, port: receiver.port, from: first + UInt16(port)) }
        }
        func export() async throws -> StatusReport.Export { try #require(try await site.status().exports.first) }
        try await send(from: 20_000)
        let isLost = try await eventually(within: .seconds(30)) { try await export().notSent >= 20 }
        let before = try await export()
        #expect(isLost && before.notSent == 20, "\(before)")
        let files = "\(site.directory)/nfcapd"
        try await pair.a.sh("mkdir \(files)")
        let collector = try await BackgroundProcess.start(
            ["nfcapd", "-w", files, "-p", "4739", "-b", "127.0.0.1", "-t", "3600", "-e"], in: pair.a)
        _ = try await eventually(within: .seconds(10)) { try await pair.a.sh("ss -Huln sport = 4739").contains("4739") }
        // It is tried again every five seconds, and hears of a refusal within one.
        try await Task.sleep(for: .seconds(5) + .seconds(1.5).stretched)
        #expect(try await export().problem == nil)
        try await send(from: 30_000)
        try await Task.sleep(for: .milliseconds(300).stretched)
        #expect(try await export().notSent == 20)
        try await site.stop(agent, keep: false)
        try await Task.sleep(for: .milliseconds(300).stretched)
        try collector.stop()
        let ports = try await pair.a.sh("nfdump -q -R \(files) -o 'fmt:%sp'").split { $0.isWhitespace }.compactMap { UInt16($0) }
        #expect(ports.sorted() == Array(30_000..<30_020))
    }

    /// Over TCP, as tshark decodes the stream; the collector goes away and comes back.
    @Test(.requires(.command("tshark"), .command("python3"), .command("tcpdump"))) func tsharkDecodesTheStream() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        let capture = "\(site.directory)/export.pcap"
        try site.configure(
            interfaces: "va", timeouts: "idle-timeout: 1s\n  active-timeout: 1h",
            export: "\n  - collector: 127.0.0.1:4739\n    protocol: tcp")
        let agent = try await site.start()
        func export() async throws -> StatusReport.Export { try #require(try await site.status().exports.first) }
        // Nothing comes back that would be a flow too.
        let receiver = try await UDPReceiver(in: pair.b)
        // Nobody listens: every flow that is due is lost, and counted.
        for port in 0..<20 { try await pair.a.sendUDP(1, size: 10, to: Pair.addressB, port: receiver.port, from: UInt16(20_000 + port)) }
        let isLost = try await eventually(within: .seconds(30)) { try await export().notSent >= 20 }
        let before = try await export()
        #expect(isLost && before.notSent == 20 && before.problem?.contains("refused") == true, "\(before)")
        // Room for many frames of 64 kB: a capture without delay has slots of the full size.
        let tcpdump = try await BackgroundProcess.start(
            ["tcpdump", "--immediate-mode", "-B", "32768", "-s", "70000", "-U", "-i", "lo", "-w", capture, "tcp", "port", "4739"],
            in: pair.a)
        try await tcpdump.waitFor(output: "listening on")
        let listen = """
            import socket
            connection, _ = socket.create_server(("127.0.0.1", 4739)).accept()
            total = 0
            while piece := connection.recv(65536): total += len(piece)
            print("received", total, flush=True)
            """
        let collector = try await BackgroundProcess.start(["python3", "-c", listen], in: pair.a)
        let isThere = try await eventually(within: .seconds(10)) { try await export().problem == nil }
        #expect(isThere)
        for port in 0..<400 { try await pair.a.sendUDP(2, size: 10, to: Pair.addressB, port: receiver.port, from: UInt16(30_000 + port)) }
        let after = try await export()
        #expect(after.notSent == 20, "\(after)")
        // At its end the agent tells of every flow that it has.
        try await site.stop(agent, keep: false)
        try await collector.waitFor(output: "received")
        let received = try #require(Int(try collector.stop().output.split { $0.isWhitespace }.last ?? ""))
        // The capture lags behind: the bytes, and 66 of headers and 16 of its own for each packet at least.
        let isWhole = try await eventually(within: .seconds(10)) {
            try FileManager.default.attributesOfItem(atPath: capture)[.size] as? Int ?? 0 > received + 500
        }
        #expect(isWhole)
        try await Task.sleep(for: .milliseconds(200).stretched)
        try tcpdump.stop(signal: SIGINT)
        let decode = "tshark -r \(capture) -d tcp.port==4739,cflow"
        let bad = try await pair.a.sh("\(decode) -Y '_ws.malformed || cflow.no_template_found || _ws.expert.severity == error' 2>/dev/null")
        #expect(bad.isEmpty, "\(bad)")
        let ports = try await pair.a.sh("\(decode) -Y cflow -T fields -e cflow.srcport 2>/dev/null")
            .split { $0 == "\n" || $0 == "," }.compactMap { UInt16($0) }
        #expect(Set(ports).isSuperset(of: 30_000..<30_400) && ports.filter { $0 >= 30_000 }.count == 400)
    }

    @Test(.requires(.command("promtool"), .command("curl"))) func promtoolAcceptsTheMetrics() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va", export: "\n  - collector: 127.0.0.1:4739\n    protocol: tcp")
        let agent = try await site.start()
        try await pair.a.sendUDP(321, size: 100, to: Pair.addressB, port: 9)
        let page = "\(site.directory)/metrics"
        try Data(try await site.metrics().utf8).write(to: URL(fileURLWithPath: page))
        // It tells what it finds wrong, and is silent otherwise.
        #expect(try await pair.a.sh("promtool check metrics < \(page)") == "")
        let text = try await site.metrics()
        let seen = try await site.interface("va")
        func value(_ series: String) -> String? {
            text.split(separator: "\n").first { $0.hasPrefix(series + " ") }?.split(separator: " ").last.map(String.init)
        }
        for (direction, ledger) in [("ingress", seen.ingress), ("egress", seen.egress)] {
            let labels = "{interface=\"va\",namespace=\"host\",id=\"\(seen.id)\",direction=\"\(direction)\"}"
            #expect(value("nilo_skbs_total\(labels)") == "\(ledger.seen.skbs)", "\(text)")
            #expect(value("nilo_skb_bytes_total\(labels)") == "\(ledger.seen.skbBytes)")
            #expect(value("nilo_wire_packets_total\(labels)") == "\(ledger.seen.wirePackets)")
            #expect(value("nilo_wire_bytes_total\(labels)") == "\(ledger.seen.wireBytes)")
            #expect(value("nilo_ledger_unaccounted_skbs\(labels)") == "0")
            #expect(value("nilo_ledger_not_seen_at_hook_packets\(labels)") == "0")
        }
        #expect(seen.egress.seen.skbs == 321)
        // A flow may come between the two, as of a neighbour that looks around.
        let isTold = try await eventually(within: .seconds(10)) {
            let flows = try await site.status().flows
            return try await site.metrics().split(separator: "\n").contains("nilo_flows \(flows)")
        }
        #expect(isTold)
        #expect(value("nilo_interfaces") == nil || value("nilo_interfaces") == "1")
        try await site.stop(agent, keep: false)
    }

    @Test(.requires(.command("promtool"), .command("curl"), .command("ping"))) func promtoolAcceptsTheMetricsOfRules() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va")
        try await pair.a.sh("ip link add span0 type veth peer name span1; ip link set span0 up; ip link set span1 up")
        try site.write(
            policy: """
                mirror:
                  - {name: pings, on: va, match: icmp, to: {interface: span0}}
                sample:
                  - {name: some, on: va, one-in: 2}
                shape:
                  - {name: out, on: va, direction: egress, rate: 8 Mbit/s, ceiling: 80 Mbit/s, mechanism: police}
                  - {name: absent, on: nowhere, rate: 1 Mbit/s}

                """)
        let agent = try await site.start()
        try await pair.a.sh("ping -q -c 5 -i 0.2 \(Pair.addressB)")
        let page = "\(site.directory)/metrics"
        let text = try await site.metrics()
        try Data(text.utf8).write(to: URL(fileURLWithPath: page))
        #expect(try await pair.a.sh("promtool check metrics < \(page)") == "")
        func value(_ series: String) -> Double? {
            text.split(separator: "\n").first { $0.hasPrefix(series + " ") }?.split(separator: " ").last.flatMap { Double($0) }
        }
        let mirror = "{rule=\"pings\",namespace=\"host\",direction=\"both\"}"
        for name in ["matched_skbs", "selected_skbs", "packets"] { #expect(value("nilo_mirror_\(name)_total\(mirror)") == 10, "\(text)") }
        #expect(value("nilo_mirror_bytes_total\(mirror)") == 980 && value("nilo_mirror_capped_skbs_total\(mirror)") == 0)
        for reason in ["targetDown", "noRoute", "outranked"] {
            #expect(value("nilo_mirror_failed_total\(mirror.dropLast()),reason=\"\(reason)\"}") == 0, "\(text)")
        }
        let sampler = "{rule=\"some\",namespace=\"host\",direction=\"both\"}"
        #expect(value("nilo_sampler_one_in\(sampler)") == 2 && value("nilo_sampler_packets_total\(sampler)").map { $0 >= 10 } == true)
        #expect(value("nilo_sampler_lost_samples_total\(sampler)") == 0 && text.contains("reason=\"random\""))
        let shaper = "{rule=\"out\",namespace=\"host\",direction=\"egress\",interface=\"va\"}"
        #expect(value("nilo_shaper_packets_total\(shaper)").map { $0 >= 5 } == true, "\(text)")
        #expect(value("nilo_shaper_rate_bytes_per_second\(shaper)") == 1e6)
        #expect(value("nilo_shaper_ceiling_bytes_per_second\(shaper)") == 1e7)
        #expect(value("nilo_policy_waiting_rules") == 1 && value("nilo_policy_refused_rules") == 0 && value("nilo_policy_problem") == 0)
        #expect(value("nilo_policy_repaired_total") == 0 && value("nilo_policy_generation").map { $0 > 0 } == true)
        try await site.stop(agent, keep: false)
    }
}
