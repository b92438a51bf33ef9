import API
import Flows
import Foundation
import NetworkTypes
import TestSupport
import Testing

/// What goes wrong around the agent, while it counts.
@Suite(.requires(.root, .clsact)) struct FaultTests {
    private func frames(_ range: Range<Int>) -> [[UInt8]] {
        range.map {
            let source = "10.\(1 + $0 >> 16).\($0 >> 8 & 255).\($0 & 255)"
            return Frame(EthernetHeader(), IPv4Header(from: source), UDPHeader(), RawBytes(count: 18)).bytes
        }
    }

    /// Clients that talk nonsense, stop in the middle or never begin, while frames pass.
    @Test(.requires(.command("python3"))) func nonsenseOnTheSocketsDisturbsNothing() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va")
        let device = try await CountedDevice("va", in: pair.a)
        let agent = try await site.start()
        let sender = Task { try await pair.a.send(frames(0..<500), times: 100, on: "va") }
        let nonsense = """
            import os, random, socket, sys
            random.seed(7)
            silent = []
            for path in sys.argv[1:]:
                for i in range(60):
                    s = socket.socket(socket.AF_UNIX); s.settimeout(0.05); s.connect(path)
                    try:
                        s.sendall([random.randbytes(3000), b"GET /v1/status HTTP/1.1\\r\\nHost", b"POST /v1/stop?keep=0 HTTP/9.9\\r\\n\\r\\n",
                                   b"GET /v1/flows?filter=%zz%00((( HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n", b"\\r\\n" * 500,
                                   b"GET /" + b"x" * 100000 + b" HTTP/1.1\\r\\n\\r\\n"][i % 6])
                        if i % 2: s.recv(100)
                    except OSError: pass
                    if i % 3: s.close()
                    else: silent.append(s)
            """
        let script = "\(site.directory)/nonsense.py"
        try Data(nonsense.utf8).write(to: URL(fileURLWithPath: script))
        try await pair.a.sh("python3 \(script) \(site.socket) \(site.readSocket)")
        try await sender.value
        #expect(!agent.hasEnded)
        #expect(try await site.flows("udp and egress").count == 500)
        try await device.expectAgreement(of: site)
        try await site.stop(agent, keep: false)
    }

    /// Nobody reads while there are more flows than slots and log: what had to be left out of flows is counted as that.
    @Test(arguments: Hooks.all) func anOverloadThatNobodyReadsIsAccountedFor(mode: String) async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va", mode: mode, flows: 1024, logRecords: 256)
        let agent = try await site.start()
        kill(agent.pid, SIGSTOP)
        let all = frames(0..<10_000)
        try await pair.a.send(all, times: 2, on: "va")
        kill(agent.pid, SIGCONT)
        let total = Totals(plain: 20_000, bytes: 20_000 * 60)
        let seen = try await site.interface("va")
        #expect(seen.egress.seen.totals == total)
        let overflow = seen.egress.overflow.map(\.totals.totals).reduce(Totals(), +)
        #expect(seen.egress.overflow.map(\.reason) == ["log-full"] && overflow.skbs > 10_000, "\(seen.egress)")
        seen.expectClosed()
        let flows = try await site.flows("egress and udp").map(\.totals.totals).reduce(Totals(), +)
        #expect(flows + overflow == total)
        #expect(try await site.status().warnings.contains { $0.contains("\(overflow.wirePackets) packets were counted outside of flows") })
        // With someone who reads it goes on as before.
        try await pair.a.send(Array(all[..<100]), on: "va")
        #expect(try await site.flows("egress and udp").map(\.totals.totals.skbs).reduce(0, +) + overflow.skbs == total.skbs + 100)
        try await site.stop(agent, keep: false)
    }

    @Test func anAuditLogThatCannotBeWrittenIsAWarning() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va")
        let agent = try await site.start(log: "mount -t tmpfs -o ro none /var/log")
        #expect(try agent.outputSoFar().contains("no audit log"))
        try await pair.a.sendUDP(5, size: 10, to: Pair.addressB, port: 9)
        #expect(try await site.interface("va").egress.seen.totals == Totals(plain: 5, bytes: 260))
        try await site.stop(agent, keep: false)
    }

    /// A full disk under the log: the agent goes on.
    @Test func aFullDiskUnderTheAuditLogDoesNotStopIt() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "\"v*\"")
        let agent = try await site.start(
            log: "mount -t tmpfs -o size=4k none /var/log\nmkdir /var/log/nilo\nhead -c 4096 /dev/zero > /var/log/nilo/audit.jsonl || true")
        try await pair.a.sendUDP(5, size: 10, to: Pair.addressB, port: 9)
        let seen = try await site.interface("va")
        #expect(seen.egress.seen.totals == Totals(plain: 5, bytes: 260))
        seen.expectClosed()
        try await site.stop(agent, keep: false)
    }

    /// 100,000 flows: memory of its own, and how long it takes to tell them.
    @Test func aHundredThousandFlowsFitTheMemory() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        // Of flows alone: what series and suspicions take has bounds of its own.
        try site.configure(
            interfaces: "va", flows: 262_144, logRecords: 16384,
            more: "forecast: {enabled: false}\nanomalies: {suspicions: \"off\"}")
        let agent = try await site.start()
        let before = try await site.status().memory.privateBytes
        let all = frames(0..<100_000)
        try await pair.a.send(all, on: "va")
        let arrived = try await eventually(within: .seconds(10)) { try await site.status().flows >= 100_000 }
        let after = try await site.status()
        #expect(arrived && after.flows >= 100_000, "\(after.flows)")
        print("100,000 flows: \(after.memory.privateBytes >> 20) MiB private memory, \(before >> 20) MiB before")
        #if DEBUG
            // Unoptimised code is no measure; this only finds what grows without bound.
            #expect(after.memory.privateBytes < 150 << 20)
        #else
            #expect(after.memory.privateBytes < 60_000_000)
        #endif
        try await site.interface("va").expectClosed()
        try await tellsAllWithinItsMemory(site, agent, flows: 100_000)
        try await site.stop(agent, keep: false)
    }

    /// All flows at once: what the agent takes for the answer is a fraction of the answer, and is given back.
    private func tellsAllWithinItsMemory(_ site: AgentSite, _ agent: BackgroundProcess, flows: Int) async throws {
        let pid = agent.pid
        @Sendable func privateBytes() throws -> Int {
            let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") })
            return try #require(line.split { $0 == " " || $0 == "\t" }.dropFirst().first.flatMap { Int($0) }) << 10
        }
        // The topology has had its look at the new flows.
        try await Task.sleep(for: .seconds(3).stretched)
        var before = try privateBytes()
        // And the history has written them: until then the agent's memory still grows by itself.
        for _ in 0..<10 {
            try await Task.sleep(for: .seconds(2).stretched)
            let now = try privateBytes()
            if abs(now - before) < 1 << 20 { break }
            before = now
        }
        let watch = Task {
            var most = 0
            while !Task.isCancelled {
                most = max(most, try privateBytes())
                // Its end is what is waited for.
                try? await Task.sleep(for: .milliseconds(10))
            }
            return most
        }
        let socket = site.readSocket
        let began = ContinuousClock.now
        let answer = try await onOwnThread {
            try ControlClient(socket: socket).get("/v1/flows", query: [("top", "1000000")], timeout: .seconds(120))
        }
        watch.cancel()
        let most = try await watch.value
        print("\(answer.count >> 20) MiB of flows in \(ContinuousClock.now - began): \((most - before) >> 20) MiB more at most")
        let list = try #require(try JSONSerialization.jsonObject(with: Data(answer)) as? [String: Any])
        #expect((list["flows"] as? [Any])?.count == list["matched"] as? Int && list["matched"] as? Int ?? 0 >= flows)
        #expect(answer.count > flows * 400 && most - before < answer.count, "\(most - before) of \(answer.count)")
        let isBack = try await eventually(within: .seconds(10)) { try privateBytes() < before + 8 << 20 }
        let kept = (try privateBytes() - before) >> 20
        #expect(isBack, "\(kept) MiB are kept")
    }
}
