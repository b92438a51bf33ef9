import API
import Foundation
import Glibc
import Reports
import TestSupport
import Testing

/// Packets that the agent writes itself: files that tcpdump and capinfos read, and captures for clients.
@Suite(.requires(.root, .clsact, .command("tcpdump"), .command("capinfos"))) struct CaptureTests {
    private static func site(in namespace: NetworkNamespace, policy: String = "") throws -> AgentSite {
        let site = try AgentSite(in: namespace)
        try site.configure(interfaces: "va")
        if !policy.isEmpty { try site.write(policy: policy) }
        return site
    }

    private static func policy(_ file: String, port: UInt16, size: String = "64 KiB", files: Int = 100) -> String {
        """
        mirror:
          - name: tap
            on: [va]
            match: udp and dst port \(port)
            to: {file: {path: \(file), size: \(size), files: \(files)}}

        """
    }

    /// Files `PATH.0`, `PATH.1`, … in the order of their numbers.
    private static func files(_ path: String) throws -> [String] {
        let folder = (path as NSString).deletingLastPathComponent
        let prefix = (path as NSString).lastPathComponent + "."
        return try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasPrefix(prefix) }
            .compactMap { Int($0.dropFirst(prefix.count)) }.sorted().map { "\(path).\($0)" }
    }

    private static func packets(_ files: [String], in namespace: NetworkNamespace) async throws -> Int {
        var sum = 0
        for file in files {
            let line = try await namespace.sh("capinfos -r -c -M -T \(file)")
            sum += try #require(line.split { $0 == "\t" || $0 == "\n" }.last.flatMap { Int($0) }, "\(line)")
        }
        return sum
    }

    @Test(arguments: Hooks.all) func aCaptureFileHoldsEveryPacketAsItWas(mode: String) async throws {
        let pair = try await Pair()
        let receiver = try await UDPReceiver(in: pair.b)
        let site = try AgentSite(in: pair.a)
        let path = "\(site.directory)/tap"
        try site.configure(interfaces: "va", mode: mode)
        try site.write(policy: Self.policy(path, port: receiver.port))
        let agent = try await site.start()
        let there = "\(site.directory)/peer.pcap"
        // A capture without delay has slots of the snap length.
        let tcpdump = try await BackgroundProcess.start(
            ["tcpdump", "--immediate-mode", "-B", "32768", "-s", "2048", "-U", "-i", "vb", "-w", there, "udp dst port \(receiver.port)"],
            in: pair.b)
        try await tcpdump.waitFor(output: "listening on")
        for size in [1, 100, 1472] { try await pair.a.sendUDP(1000, size: size, to: Pair.addressB, port: receiver.port) }
        let isCopied = try await eventually(within: .seconds(10)) { try await site.policy().mirrors.first?.mirroredPackets == 3000 }
        #expect(isCopied)
        try await site.stop(agent, keep: false)
        try tcpdump.stop(signal: SIGINT)
        let files = try Self.files(path)
        #expect(files.count > 10 && files.first == "\(path).0")
        #expect(try await Self.packets(files, in: pair.a) == 3000)
        for file in files {
            let attributes = try FileManager.default.attributesOfItem(atPath: file)
            #expect(attributes[.posixPermissions] as? Int == 0o600 && attributes[.size] as? Int ?? .max <= 65536)
        }
        func bytes(_ files: [String]) async throws -> String {
            try await pair.a.sh(files.map { "tcpdump -t -n -xx -r \($0) 2>/dev/null | grep 0x" }.joined(separator: "\n"))
        }
        #expect(try await Self.packets([there], in: pair.a) == 3000)
        let (mine, theirs) = (try await bytes(files).split(separator: "\n"), try await bytes([there]).split(separator: "\n"))
        let different = zip(mine, theirs).first { $0 != $1 }
        #expect(mine.count == theirs.count && different == nil && mine.count > 100_000, "\(different as Any)")
    }

    /// A rule that stands over a restart goes on behind the files that are there.
    @Test func aRestartKeepsEarlierFiles() async throws {
        let pair = try await Pair()
        let receiver = try await UDPReceiver(in: pair.b)
        let site = try AgentSite(in: pair.a)
        let path = "\(site.directory)/tap"
        try site.configure(interfaces: "va")
        try site.write(policy: Self.policy(path, port: receiver.port, files: 2))
        for run in 1...3 {
            let agent = try await site.start()
            try await pair.a.sendUDP(run, size: 100, to: Pair.addressB, port: receiver.port)
            let isCopied = try await eventually(within: .seconds(10)) {
                try Self.files(path).last.map { try FileManager.default.attributesOfItem(atPath: $0)[.size] as? Int ?? 0 > 200 + 100 * run }
                    ?? false
            }
            #expect(isCopied)
            try await site.stop(agent, keep: run == 1)
        }
        let files = try Self.files(path)
        #expect(files == ["\(path).1", "\(path).2"])
        #expect(try await Self.packets(files, in: pair.a) == 5)
    }

    @Test func aFullDiskIsCountedAndGotOver() async throws {
        let pair = try await Pair()
        let receiver = try await UDPReceiver(in: pair.b)
        let site = try AgentSite(in: pair.a)
        let small = "\(site.directory)/small"
        try await pair.a.sh("mkdir \(small) && mount -t tmpfs -o size=256k none \(small)")
        defer { umount2(small, Int32(MNT_DETACH)) }
        try site.configure(interfaces: "va")
        try site.write(policy: Self.policy("\(small)/tap", port: receiver.port, size: "10 MB", files: 3))
        let agent = try await site.start()
        try await pair.a.sendUDP(3000, size: 200, to: Pair.addressB, port: receiver.port)
        func rule() async throws -> MirrorReport { try #require(try await site.policy().mirrors.first) }
        let isSaid = try await eventually(within: .seconds(10)) { try await rule().problem?.contains("No space") == true }
        #expect(isSaid)
        // Whatever still waits is written or counted within the turn of a second.
        try await Task.sleep(for: .seconds(1.5).stretched)
        let lost = Int(try await rule().notWritten)
        let files = try Self.files("\(small)/tap")
        let inFiles = try await Self.packets(files, in: pair.a)
        #expect(inFiles + lost == 3000 && lost > 1000, "\(inFiles) \(lost)")
        for file in files { try FileManager.default.removeItem(atPath: file) }
        try await pair.a.sendUDP(10, size: 200, to: Pair.addressB, port: receiver.port)
        let isOver = try await eventually(within: .seconds(10)) { try await rule().problem == nil }
        #expect(isOver)
        #expect(Int(try await rule().notWritten) == lost)
        try await site.stop(agent, keep: false)
        let log = try await Self.packets(Self.files("\(small)/tap"), in: pair.a)
        #expect(log == 10)
    }

    @Test func noLinkIsFollowed() async throws {
        let pair = try await Pair()
        let receiver = try await UDPReceiver(in: pair.b)
        let site = try AgentSite(in: pair.a)
        let path = "\(site.directory)/tap"
        try await pair.a.sh("echo precious > \(site.directory)/other && ln -s \(site.directory)/other \(path).0")
        try site.configure(interfaces: "va")
        try site.write(policy: Self.policy(path, port: receiver.port, files: 1))
        let agent = try await site.start()
        try await pair.a.sendUDP(3, size: 100, to: Pair.addressB, port: receiver.port)
        let isCopied = try await eventually(within: .seconds(10)) { try Self.files(path).count == 2 }
        #expect(isCopied)
        try await site.stop(agent, keep: false)
        #expect(try await pair.a.sh("cat \(site.directory)/other; readlink \(path).0") == "precious\n\(site.directory)/other\n")
        #expect(try await Self.packets(["\(path).1"], in: pair.a) == 3)
    }

    // MARK: Clients

    private static func sessions(_ site: AgentSite) async throws -> [String] { try await site.policy().mirrors.map(\.name) }

    @Test func tcpdumpReadsALiveCapture() async throws {
        let pair = try await Pair()
        let receiver = try await UDPReceiver(in: pair.b)
        let site = try Self.site(in: pair.a)
        let agent = try await site.start()
        let nilo = try #require(AgentSite.beside("nilo"), "nilo is not beside the tests")
        let reader = try await BackgroundProcess.start(
            [
                "sh", "-ec",
                "\(nilo) capture --socket \(site.socket) --on va --count 50 udp dst port \(receiver.port) | tcpdump -n -t -r -",
            ], in: pair.a)
        let isThere = try await eventually(within: .seconds(10)) { try await Self.sessions(site) == ["capture:1"] }
        #expect(isThere)
        try await pair.a.sendUDP(60, size: 100, to: Pair.addressB, port: receiver.port)
        _ = try await eventually(within: .seconds(10)) { reader.hasEnded }
        let (output, status) = try reader.stop()
        #expect(status == 0 && output.split(separator: "\n").filter { $0.contains("UDP, length 100") }.count == 50, "\(output)")
        let isGone = try await eventually(within: .seconds(5)) { try await Self.sessions(site).isEmpty }
        #expect(isGone)
        try await site.stop(agent, keep: false)
        let audit = try String(contentsOfFile: site.auditLog, encoding: .utf8)
        #expect(audit.contains("\"message\":\"capture\",\"by\":\"peer\"") && audit.contains("\"packets\":50,\"lost\":0"), "\(audit)")
    }

    /// Killed while nothing passes: the session ends all the same, and another policy meanwhile leaves it alone.
    @Test func aKilledClientEndsItsSession() async throws {
        let pair = try await Pair()
        let site = try Self.site(in: pair.a)
        let agent = try await site.start()
        let nilo = try #require(AgentSite.beside("nilo"))
        let file = "\(site.directory)/live.pcapng"
        let client = try await BackgroundProcess.start(
            [nilo, "capture", "--socket", site.socket, "--write", file, "icmp"], in: pair.a)
        let isThere = try await eventually(within: .seconds(10)) { try await Self.sessions(site) == ["capture:1"] }
        #expect(isThere)
        let socket = site.socket
        let change = PolicyChange(put: ["s.yaml": "sample:\n  - name: some\n    on: [va]\n    one-in: 10\n"])
        let body = Array(try JSONEncoder().encode(change))
        _ = try await onOwnThread { try ControlClient(socket: socket).post("/v1/policy/apply", body: body, timeout: .seconds(20)) }
        try await Task.sleep(for: .seconds(1.2))
        let report = try await site.policy()
        #expect(report.mirrors.map(\.name) == ["capture:1"] && report.samplers.count == 1)
        try await pair.a.sh("ping -c 3 -i 0.05 \(Pair.addressB)")
        let isWritten = try await eventually(within: .seconds(10)) { try await site.policy().mirrors.first?.mirroredPackets == 6 }
        #expect(isWritten)
        try await Task.sleep(for: .milliseconds(300).stretched)
        try client.stop(signal: SIGKILL)
        let isGone = try await eventually(within: .seconds(5)) { try await Self.sessions(site).isEmpty }
        #expect(isGone)
        #expect(try await Self.packets([file], in: pair.a) == 6)
        try await site.stop(agent, keep: false)
    }

    /// The interface goes: so does the session, and the client says so.
    @Test func aCaptureOfAnInterfaceThatGoesEndsWithAReason() async throws {
        let pair = try await Pair()
        let site = try Self.site(in: pair.a)
        let agent = try await site.start()
        let nilo = try #require(AgentSite.beside("nilo"))
        let client = try await BackgroundProcess.start(
            [nilo, "capture", "--socket", site.socket, "--on", "va", "--write", "\(site.directory)/live.pcapng"], in: pair.a)
        let isThere = try await eventually(within: .seconds(10)) { try await Self.sessions(site) == ["capture:1"] }
        #expect(isThere)
        try await Task.sleep(for: .milliseconds(300).stretched)
        try await pair.a.sh("ip link del va")
        let isOver = try await eventually(within: .seconds(10)) { client.hasEnded }
        let (_, status) = try client.stop()
        #expect(isOver && status == 1)
        try await site.stop(agent, keep: false)
    }

    /// A file that cannot be is refused before anything changes; one that cannot be any more is told of.
    @Test func impossibleFilesAreRefused() async throws {
        let pair = try await Pair()
        let site = try Self.site(in: pair.a)
        let agent = try await site.start()
        let folder = "\(site.directory)/captures"
        func add(_ path: String) async throws -> String { try await site.refusal("mirror add tap --on va --to file:\(path) icmp") }
        let missing = try await add("\(folder)/tap")
        #expect(
            missing.contains("tap: to.file.path: \"\(folder)/tap\": \(folder): No such file") && missing.contains("mkdir -p \(folder)"),
            "\(missing)")
        #expect(try await add(site.directory).contains("it is a directory"))
        #expect(try await add("\(site.configuration)/tap").contains("is no directory"))
        #expect(try await add("/proc/sys/tap").contains("to.file.path"))
        #expect(try await site.nilo("plan -f \(site.draft(Self.policy("\(folder)/tap", port: 9)))").contains("✗ tap: to.file.path"))
        #expect(try site.policyFiles().isEmpty)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        try await site.nilo("mirror add tap --on va --to file:\(folder)/tap icmp")
        #expect(try await site.status().warnings.isEmpty)
        try FileManager.default.removeItem(atPath: folder)
        #expect(try await site.nilo("mirror").contains("tap: \(folder)/tap: \(folder): No such file"))
        #expect(try await site.status().warnings.contains { $0.hasPrefix("mirror tap: ") })
        #expect(try await site.nilo("plan").contains("nothing to change"))
        try await site.stop(agent, keep: false)
    }

    /// The kernel knows of no file: another one, or another size, is a change all the same, and has to be possible.
    @Test func anotherFileIsAChange() async throws {
        let pair = try await Pair()
        let site = try Self.site(in: pair.a)
        let agent = try await site.start()
        let path = "\(site.directory)/tap"
        try await site.apply(Self.policy(path, port: 9))
        #expect(try await site.nilo("plan").contains("nothing to change"))
        let changes = [
            Self.policy(path, port: 9, size: "1 MB"), Self.policy(path, port: 9, size: "1 MB", files: 3),
            Self.policy("\(path)-2", port: 9, size: "1 MB", files: 3),
        ]
        for text in changes {
            let plan = try await site.nilo("plan -f \(site.draft(text))")
            #expect(plan.contains("to file \(path)") && !plan.contains("nothing to change"), "\(plan)")
            // Asking alone has not made it so.
            #expect(try await site.nilo("plan").contains("nothing to change"))
            try await site.apply(text)
            #expect(try await site.nilo("plan").contains("nothing to change"))
        }
        let said = try await site.refusal("apply -f \(site.draft(Self.policy("\(site.directory)/gone/tap", port: 9)))")
        #expect(said.contains("tap: to.file.path") && said.contains("No such file"), "\(said)")
        #expect(try site.policyFiles() == ["test.yaml": changes[2]])
        #expect(try await site.policy().repaired == 0)
        try await site.stop(agent, keep: false)
    }

    /// However many ask, the policy's rules have most of the sessions.
    @Test func capturesLeaveRoomForRules() async throws {
        let pair = try await Pair()
        let site = try Self.site(in: pair.a)
        let agent = try await site.start()
        let nilo = try #require(AgentSite.beside("nilo"))
        var clients: [BackgroundProcess] = []
        for number in 1...8 {
            clients.append(
                try await BackgroundProcess.start(
                    [nilo, "capture", "--socket", site.socket, "--write", "\(site.directory)/live\(number)", "icmp"], in: pair.a))
        }
        let areThere = try await eventually(within: .seconds(20)) { try await Self.sessions(site).count == 8 }
        #expect(areThere)
        let said = try await site.refusal("capture --write \(site.directory)/ninth icmp")
        #expect(said.contains("8 of the 32 mirror sessions") && said.contains("hint: running: capture:1, capture:2, "), "\(said)")
        try await site.apply(
            "mirror:\n"
                + (1...24).map { "- {name: m\($0), on: va, match: port \($0), to: {file: {path: \(site.directory)/m\($0)}}}\n" }.joined())
        #expect(try await Self.sessions(site).count == 32)
        let full = try await site.refusal("mirror add late --on va --to file:\(site.directory)/late")
        #expect(full.contains("all 32 mirror sessions are taken") && full.contains("capture:8") && full.contains("m24"), "\(full)")
        for client in clients { try client.stop(signal: SIGKILL) }
        let areGone = try await eventually(within: .seconds(10)) { try await Self.sessions(site).count == 24 }
        #expect(areGone)
        try await site.nilo("mirror add late --on va --to file:\(site.directory)/late")
        try await site.stop(agent, keep: false)
    }

    /// All sessions are held, and all are to go: there is room for as many others, and a failure brings back those that were there.
    @Test func aFullTableIsExchanged() async throws {
        let pair = try await Pair()
        let site = try Self.site(in: pair.a)
        let agent = try await site.start()
        func rules(_ name: String, _ numbers: ClosedRange<Int>) -> String {
            "mirror:\n"
                + numbers.map { "- {name: \(name)\($0), on: va, match: port \($0), to: {file: {path: \(site.directory)/\(name)\($0)}}}\n" }
                .joined()
        }
        func names() async throws -> Set<String> { Set(try await site.policy().mirrors.map(\.name)) }
        func expected(_ name: String, _ numbers: ClosedRange<Int>) -> Set<String> { Set(numbers.map { "\(name)\($0)" }) }
        try await site.apply(rules("a", 1...32))
        #expect(try await names() == expected("a", 1...32))
        // Some that stay, some that go.
        let mixed = rules("a", 1...10) + rules("b", 11...32).replacing("mirror:\n", with: "")
        let plan = try await site.nilo("plan -f \(site.draft(mixed))")
        #expect(!plan.contains("sessions are taken"), "\(plan)")
        try await site.apply(mixed)
        #expect(try await names() == expected("a", 1...10).union(expected("b", 11...32)))
        #expect(try await site.nilo("plan").contains("nothing to change"))
        try await site.apply(rules("c", 1...32) + "sample:\n- {name: x, one-in: 5}\n")
        #expect(try await names() == expected("c", 1...32))
        #expect(try await site.policy().refusals.isEmpty)
        #expect(try await site.nilo("plan").contains("nothing to change"))
        // What is taken back goes the same way.
        let draft = try site.draft(rules("d", 1...32))
        try await site.nilo("apply -f \(draft) --confirm 5s")
        #expect(try await names() == expected("d", 1...32))
        let left = try #require(try await site.policy().confirmWithinSeconds)
        try await Task.sleep(for: .seconds(left) + .milliseconds(100).stretched)
        #expect(try await names() == expected("c", 1...32))
        try await site.stop(agent, keep: false)
    }

    /// An agent that died leaves a session that nobody reads; the next one removes it.
    @Test func aRestartedAgentRemovesTheSession() async throws {
        let pair = try await Pair()
        let site = try Self.site(in: pair.a)
        let first = try await site.start()
        let nilo = try #require(AgentSite.beside("nilo"))
        let client = try await BackgroundProcess.start(
            [nilo, "capture", "--socket", site.socket, "--write", "\(site.directory)/live", "icmp"], in: pair.a)
        let isThere = try await eventually(within: .seconds(10)) { try await Self.sessions(site) == ["capture:1"] }
        #expect(isThere)
        try first.stop(signal: SIGKILL)
        let ended = try await eventually(within: .seconds(10)) { client.hasEnded }
        #expect(ended)
        let second = try await site.start()
        #expect(try await Self.sessions(site).isEmpty)
        let audit = try String(contentsOfFile: site.auditLog, encoding: .utf8)
        #expect(audit.split(separator: "\n").contains { $0.contains("\"message\":\"policy\"") && $0.contains("\"reason\":\"start\"") })
        try await site.stop(second, keep: false)
    }

    /// Also where the policy files are refused, and nothing is put in force.
    @Test func aCaptureOfAKilledAgentIsNotListed() async throws {
        let pair = try await Pair()
        let site = try Self.site(in: pair.a)
        let first = try await site.start()
        let nilo = try #require(AgentSite.beside("nilo"))
        let client = try await BackgroundProcess.start(
            [nilo, "capture", "--socket", site.socket, "--write", "\(site.directory)/live", "icmp"], in: pair.a)
        let isThere = try await eventually(within: .seconds(10)) { try await Self.sessions(site) == ["capture:1"] }
        #expect(isThere)
        try first.stop(signal: SIGKILL)
        try client.stop(signal: SIGKILL)
        try site.write(policy: "mirrors: []\n")
        let second = try await site.start()
        #expect(try await Self.sessions(site).isEmpty)
        #expect(try await site.status().policy?.mirrors == 0)
        try await site.stop(second, keep: false)
    }

    /// As a job in the background of a script: there SIGINT is ignored.
    @Test(arguments: [SIGINT, SIGTERM]) func signalsEndIt(signal: Int32) async throws {
        let pair = try await Pair()
        let site = try Self.site(in: pair.a)
        let agent = try await site.start()
        let nilo = try #require(AgentSite.beside("nilo"))
        let client = try await BackgroundProcess.start(
            ["sh", "-c", "trap '' INT; exec \(nilo) capture --socket \(site.socket) --write \(site.directory)/live icmp"], in: pair.a)
        let isThere = try await eventually(within: .seconds(10)) { try await Self.sessions(site) == ["capture:1"] }
        #expect(isThere)
        try await Task.sleep(for: .milliseconds(300).stretched)
        kill(client.pid, signal)
        let hasEnded = try await eventually(within: .seconds(3)) { client.hasEnded }
        #expect(hasEnded)
        let (output, status) = try client.stop(signal: SIGKILL)
        #expect(status == 0 && output == "capture ended by \(signal == SIGINT ? "SIGINT" : "SIGTERM")\n", "\(output)")
        #expect(try await Self.packets(["\(site.directory)/live"], in: pair.a) == 0)
        try await site.stop(agent, keep: false)
    }

    /// Nothing passes, so nothing is written, and still it notices that nobody reads.
    @Test func aReaderThatGoesEndsAQuietCapture() async throws {
        let pair = try await Pair()
        let site = try Self.site(in: pair.a)
        let agent = try await site.start()
        let nilo = try #require(AgentSite.beside("nilo"))
        let client = try await BackgroundProcess.start(
            ["sh", "-c", "{ \(nilo) capture --socket \(site.socket) icmp; echo status $? >&2; } | head -c 4 >/dev/null"], in: pair.a)
        let hasEnded = try await eventually(within: .seconds(10)) { client.hasEnded }
        let (output, _) = try client.stop(signal: SIGKILL)
        #expect(hasEnded && output == "status 0\n", "\(output)")
        let isGone = try await eventually(within: .seconds(5)) { try await Self.sessions(site).isEmpty }
        #expect(isGone)
        try await site.stop(agent, keep: false)
    }

    @Test func whoMayOnlyReadMayNotCapture() async throws {
        let pair = try await Pair()
        let site = try Self.site(in: pair.a)
        let agent = try await site.start()
        func refusal(_ socket: String, _ query: [(String, String)]) async throws -> ControlClientError? {
            try await onOwnThread {
                do throws(ControlClientError) {
                    try ControlClient(socket: socket).stream("/v1/capture", query: query) { _ in true }
                    return nil
                } catch { return error }
            }
        }
        if case .refused(let status, _, _)? = try await refusal(site.readSocket, []) { #expect(status == 403) } else { Issue.record() }
        for query in [[("on", "nowhere")], [("filter", "no such thing")], [("snap", "3")]] {
            guard case .refused(let status, _, _)? = try await refusal(site.socket, query) else {
                Issue.record("\(query)")
                continue
            }
            #expect(status == 422 || status == 400)
        }
        #expect(try await Self.sessions(site).isEmpty)
        try await site.stop(agent, keep: false)
    }
}
