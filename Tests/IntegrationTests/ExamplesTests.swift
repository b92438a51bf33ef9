import Foundation
import NetworkTypes
import Reports
import TestSupport
import Testing

/// docs/examples.md, applied as written: its code blocks are read from the document itself.
@Suite(.requires(.root, .clsact, .htb)) struct ExamplesTests {
    /// A code block of the document.
    struct Example: Sendable, CustomTestStringConvertible {
        var title: String
        /// `yaml` or `sh`.
        var language: String
        var text: String
        var testDescription: String { "\(title), \(language)" }
    }

    static let document = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../../docs/examples.md").standardizedFileURL.path

    static let examples: [Example] = {
        var examples: [Example] = []
        var title = ""
        var open: (language: String, lines: [String])?
        for line in ((try? contents(of: document)) ?? "").components(separatedBy: "\n") {
            if let block = open, line == "```" {
                examples.append(Example(title: title, language: block.language, text: block.lines.joined(separator: "\n") + "\n"))
                open = nil
            } else if open != nil {
                open?.lines.append(line)
            } else if line.hasPrefix("```") {
                open = (String(line.dropFirst(3)), [])
            } else if line.hasPrefix("## ") {
                title = String(line.dropFirst(3))
            }
        }
        return examples
    }()

    /// What is to be seen after an example was applied.
    typealias Check = @Sendable (ExamplesTests, PolicyLab, AgentSite, Example) async throws -> Void

    static let checks: [String: Check] = [
        "Mirror a service to a local interface": { test, lab, site, _ in try await test.mirroredService(lab, site) },
        "Mirror to a remote collector": { test, lab, site, _ in try await test.mirroredToCollector(lab, site) },
        "Mirror one tenant of an overlay": { test, lab, site, _ in try await test.mirroredTenant(lab, site) },
        "Capture one flow in a hundred": { test, lab, site, _ in try await test.capturedFlows(lab, site) },
        "Sample one packet in a thousand": { test, lab, site, _ in try await test.sampledPackets(lab, site) },
        "Sample at a steady load, and see how flows begin": { test, lab, site, _ in try await test.sampledBeginnings(lab, site) },
        "Cap a backup": { test, lab, site, _ in try await test.cappedBackup(lab, site) },
        "Protect a database": { test, lab, site, _ in try await test.protectedDatabase(lab, site) },
        "Limit each guest": { test, lab, site, _ in try await test.limitedGuests(lab, site) },
        "Voice first, and tenants within their share": { test, lab, site, example in try await test.voiceFirst(lab, site, example) },
    ]

    @Test func everyExampleIsTested() {
        let titles = Set(Self.examples.map(\.title))
        #expect(titles == Set(Self.checks.keys) && titles.count == 10)
        #expect(Self.examples.count { $0.language == "sh" } == 9 && Self.examples.count { $0.language == "yaml" } == 10)
    }

    @Test(arguments: examples) func asWritten(example: Example) async throws {
        let lab = try await PolicyLab(offloads: .on)
        let (site, agent) = try await lab.start()
        let before = try await site.dump([lab.a])
        if example.language == "yaml" {
            try await site.nilo("apply -f \(site.draft(example.text, "example.yaml"))")
        } else {
            try await site.shell(example.text)
        }
        let policy = try await site.policy()
        #expect(policy.refusals.isEmpty && policy.waiting.isEmpty && policy.files.count == 1, "\(policy)")
        let check = try #require(Self.checks[example.title])
        try await check(self, lab, site, example)
        // Acknowledgements may still be on their way.
        _ = try await eventually(within: .seconds(3)) { try await site.interface("eth0").isClosed }
        try await site.interface("eth0").expectClosed()
        for file in try site.policyFiles().keys { try FileManager.default.removeItem(atPath: "\(site.policies)/\(file)") }
        try await site.nilo("apply")
        site.expectSame(before, try await site.dump([lab.a]))
        try await site.stop(agent, keep: false)
    }

    // MARK: Mirrors

    private func frames(_ flows: Int, port: UInt16, size: Int = 100, to address: String = PolicyLab.addressB) -> [[UInt8]] {
        (0..<flows).map {
            PolicyLab.datagram(PolicyLab.addressA, address, port: port, source: UInt16(10_000 + $0), size: size).bytes
        }
    }

    private func mirroredService(_ lab: PolicyLab, _ site: AgentSite) async throws {
        let span = try await CountedDevice("span0", in: lab.a)
        try await lab.a.send(frames(50, port: 443), on: "eth0")
        let transfer = try await TCPTransfer.run(200_000, from: lab.a, to: lab.b, PolicyLab.addressB, port: 443)
        #expect(transfer.received == 200_000)
        func connection() async throws -> UInt64 {
            try await site.flows("tcp port 443").reduce(0) { $0 + $1.totals.totals.skbs }
        }
        let inTime = try await eventually(within: .seconds(3)) {
            let mirror = try await site.mirror("web")
            return try await connection() == mirror.matched && mirror.matched == mirror.mirroredPackets
        }
        let mirror = try await site.mirror("web")
        let sent = try await span.counts().sent
        #expect(inTime && mirror.matched > 0 && mirror.capped == 0 && mirror.failed.values.allSatisfy { $0 == 0 }, "\(mirror)")
        #expect(sent == .init(packets: mirror.mirroredPackets, bytes: mirror.mirroredBytes))
    }

    private func mirroredToCollector(_ lab: PolicyLab, _ site: AgentSite) async throws {
        let collector = try await UDPReceiver(in: lab.b, port: 4789)
        let other = try await UDPReceiver(in: lab.b, port: 9)
        try await lab.a.sendUDP(500, size: 100, to: PolicyLab.addressB, port: 9)
        #expect(try await other.settled(at: 500) == 500)
        // Copies that leave by eth0 are not copied again.
        #expect(try await collector.settled(at: 500) == 500)
        // VXLAN's own header and the frame.
        #expect(collector.bytes == 500 * (8 + 142))
        let mirror = try await site.mirror("all")
        #expect(mirror.matched == 500 && mirror.mirroredPackets == 500 && mirror.truncated == 0, "\(mirror)")
    }

    private func mirroredTenant(_ lab: PolicyLab, _ site: AgentSite) async throws {
        let span = try await CountedDevice("span0", in: lab.a)
        let inner = Frame(EthernetHeader(), IPv4Header(), UDPHeader(), RawBytes(count: 50))
        for (vni, count) in [(UInt32(100), 30), (200, 40)] {
            try await lab.a.send(inner.inVXLAN(vni: vni), times: count, on: "eth0")
        }
        let mirror = try await site.mirror("tenant-100")
        #expect(mirror.matched == 30 && mirror.mirroredPackets == 30, "\(mirror)")
        #expect(try await span.counts().sent.packets == 30)
    }

    private func capturedFlows(_ lab: PolicyLab, _ site: AgentSite) async throws {
        let capture = try await FrameCapture(on: "span1", in: lab.span)
        try await lab.a.send(frames(3000, port: 9, size: 600), times: 3, on: "eth0")
        let mirror = try await site.mirror("capture")
        #expect(
            mirror.matched == 9000 && mirror.truncated == mirror.mirroredPackets && mirror.mirroredPackets == mirror.selected, "\(mirror)")
        var seen: [[UInt8]] = []
        _ = try await eventually(within: .seconds(5)) {
            seen += try capture.take().map(\.bytes)
            return seen.count >= Int(mirror.mirroredPackets)
        }
        #expect(seen.count == Int(mirror.mirroredPackets) && seen.allSatisfy { $0.count == 128 })
        // Whole flows: each of its three packets or none.
        let flows = Dictionary(grouping: seen) { Array($0[34..<36]) }.mapValues(\.count)
        #expect(flows.values.allSatisfy { $0 == 3 } && (5...80).contains(flows.count), "\(flows.count) flows")
    }

    // MARK: Samples

    private func sampledPackets(_ lab: PolicyLab, _ site: AgentSite) async throws {
        try await lab.a.send(frames(1000, port: 9), times: 30, on: "eth0")
        let sample = try await site.sampler("all")
        #expect(sample.pool == 30_000 && sample.oneIn == 1000, "\(sample)")
        // 30 expected; outside of these bounds once in a million times.
        #expect((8...65).contains(sample.hits) && sample.lost == 0, "\(sample)")
    }

    private func sampledBeginnings(_ lab: PolicyLab, _ site: AgentSite) async throws {
        let flows = (0..<50).map {
            Frame(
                EthernetHeader(to: Wiring.mac(99)), IPv4Header(from: PolicyLab.addressA, to: PolicyLab.addressB),
                TCPHeader(from: UInt16(20_000 + $0), to: 443), RawBytes(count: 100)
            ).bytes
        }
        try await lab.a.send(flows, times: 30, on: "eth0")
        try await lab.a.send(frames(10, port: 443), on: "eth0")
        let sample = try await site.sampler("https")
        #expect(sample.pool == 1500, "\(sample)")
        // A sender that changes its CPU has a slot, and so a beginning, on both.
        #expect((50 * 8...50 * 16).contains(sample.samples["first"] ?? 0), "\(sample)")
    }

    // MARK: Shapes

    private func cappedBackup(_ lab: PolicyLab, _ site: AgentSite) async throws {
        let clock = ContinuousClock()
        let bytes = 5_000_000
        let began = clock.now
        _ = try await TCPTransfer.run(bytes, from: lab.a, to: lab.b, PolicyLab.addressB, port: 873)
        let seconds = (clock.now - began) / .seconds(1)
        // The class's first tokens pass at once; the frames' headers are more than that.
        #expect(seconds > Double(bytes) * 8 / 50e6 * 0.97, "\(seconds) s")
        let rule = try await site.shaper("backup", "egress")
        #expect(rule.mechanism == "htb" && rule.bytes > UInt64(bytes), "\(rule)")
        let shaped = rule.packets
        try await lab.a.send(frames(20, port: 80), on: "eth0")
        #expect(try await site.shaper("backup").packets == shaped)
    }

    private func protectedDatabase(_ lab: PolicyLab, _ site: AgentSite) async throws {
        // Two senders, each as fast as it can. Not TCP, which leaves its share to others when it waits for a CPU.
        let (flood, queries) = (frames(1, port: 9, size: 1400), frames(1, port: 5432, size: 1400))
        let a = lab.a
        let sender = Task {
            var rounds = 0
            while !Task.isCancelled {
                try await a.send(flood, times: 200, on: "eth0")
                rounds += 200
            }
            return rounds
        }
        try await Task.sleep(for: .milliseconds(200).stretched)
        let device = try await CountedDevice("eth0", in: lab.b)
        let bytes = 3000 * queries[0].count
        try await a.send(queries, times: 3000, on: "eth0")
        let all = try await device.counts().received.bytes
        sender.cancel()
        _ = try? await sender.value
        // Of what the link carried meanwhile four fifths are the database's; two equals would have half each.
        #expect(Double(bytes) / Double(all) > 0.65, "\(bytes) of \(all) bytes")
        let rule = try await site.shaper("database", "egress")
        #expect(rule.mechanism == "htb" && rule.bytes >= UInt64(bytes), "\(rule)")
    }

    private func limitedGuests(_ lab: PolicyLab, _ site: AgentSite) async throws {
        let clock = ContinuousClock()
        let guests = ["192.0.2.130", "192.0.2.131"].map {
            PolicyLab.datagram($0, PolicyLab.addressA, port: 9, size: 1000).bytes
        }
        let other = PolicyLab.datagram(PolicyLab.addressB, PolicyLab.addressA, port: 9, size: 1000)
        let began = clock.now
        try await lab.b.send(guests, times: 500, on: "eth0")
        try await lab.b.send(other, times: 50, on: "eth0")
        _ = try await eventually(within: .seconds(3)) {
            let rule = try await site.shaper("guests")
            return rule.packets + rule.droppedPackets >= 1000
        }
        let seconds = (clock.now - began) / .seconds(1)
        let rule = try await site.shaper("guests")
        #expect(rule.mechanism == "police" && rule.packets + rule.droppedPackets == 1000, "\(rule)")
        // Each guest has a bucket of its own: 12,500 bytes at once, 10 Mbit/s after that.
        #expect(rule.bytes >= 2 * 12_000 && Double(rule.bytes) <= 2 * (12_500 + 1000 + 1.25e6 * seconds), "\(rule) in \(seconds) s")
        #expect(rule.droppedPackets > 0)
    }

    private func voiceFirst(_ lab: PolicyLab, _ site: AgentSite, _ example: Example) async throws {
        let capture = try await FrameCapture(on: "eth0", in: lab.b)
        try await lab.a.send(frames(10, port: 20_000, to: "10.1.0.5"), on: "eth0")
        try await lab.a.send(frames(20, port: 80, to: "10.1.0.5"), on: "eth0")
        try await lab.a.send(frames(40, port: 80, to: "10.2.0.5"), on: "eth0")
        var marks: [UInt16: [UInt8: Int]] = [:]
        var count = 0
        _ = try await eventually(within: .seconds(5)) {
            for frame in try capture.take() where !frame.isOutgoing {
                count += 1
                marks[UInt16(frame.bytes[36]) << 8 | UInt16(frame.bytes[37]), default: [:]][frame.bytes[15] >> 2, default: 0] += 1
            }
            return count >= 70
        }
        #expect(marks == [20_000: [46: 10], 80: [0: 60]], "\(marks)")
        #expect(try await site.shaper("voice").packets == 10)
        guard example.language == "yaml" else { return }
        #expect(try await site.shaper("tenant-a").packets == 20)
        #expect(try await site.shaper("tenant-b").packets == 40)
        let list = try await site.nilo("shape")
        #expect(list.contains("\n voice"), "\(list)")
    }
}
