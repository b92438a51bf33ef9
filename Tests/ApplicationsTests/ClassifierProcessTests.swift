import Applications
import CLinux
import Dissection
import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct ClassifierProcessTests {
    private static func process(_ mode: String, patience: Duration = .seconds(20), _ settings: ClassifierSettings = ClassifierSettings())
        throws -> ClassifierProcess
    {
        var program = ClassifierProcess.Program(path: try #require(builtProgram("classifier-probe")), arguments: [mode])
        program.patience = patience
        program.firstPause = .milliseconds(20)
        program.longestPause = .milliseconds(100)
        return try ClassifierProcess(program, settings)
    }

    /// Serves as an event loop would, until it holds; false when it does not come to that.
    private static func serve(_ process: ClassifierProcess, _ findings: inout [Finding], until holds: ([Finding]) -> Bool) -> Bool {
        let end = ContinuousClock.now + Duration.seconds(20).stretched
        while !holds(findings) {
            guard ContinuousClock.now < end else { return false }
            var descriptor = pollfd(fd: process.descriptor, events: Int16(POLLIN), revents: 0)
            poll(&descriptor, 1, 100)
            findings += process.serve()
        }
        return true
    }

    private static func offer(_ talk: Talk, to process: ClassifierProcess) {
        for frame in talk.frames {
            frame.bytes.withUnsafeBytes { process.offer($0, PacketNote(time: now, originalLength: UInt32($0.count))) }
        }
        process.flush()
    }

    private static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private static func isVerdict(_ finding: Finding, _ stack: String) -> Bool {
        if case .application(let verdict) = finding { verdict.stack == stack } else { false }
    }

    private static func number(_ process: ClassifierProcess) -> Int32? {
        if case .running(let number) = process.state { number } else { nil }
    }

    @Test func verdictsComeFromAnotherProcess() throws {
        let process = try Self.process("classify")
        #expect(process.state == .stopped)
        try process.start()
        var findings: [Finding] = []
        for talk in [Talk.http(), .ssh(), .postgreSQL(), .tls("www.google.com"), .dns()] { Self.offer(talk, to: process) }
        let wanted = ["HTTP", "SSH", "PostgreSQL", "TLS.Google", "DNS"]
        #expect(Self.serve(process, &findings) { found in wanted.allSatisfy { stack in found.contains { Self.isVerdict($0, stack) } } })
        #expect(findings.contains { if case .name(let answer, _) = $0 { answer.name == "db.example.net" } else { false } })
        // Those without a verdict get one when they are silent, with no further packet: the noise has but its handshake.
        Self.offer(Talk(tcp: 47123, clientPort: 999), to: process)
        #expect(Self.serve(process, &findings) { found in found.contains { Self.isVerdict($0, "Unknown") } })
        #expect(process.workerCounters.packets == process.counters.sent && process.counters.cpuTime > 0)
        let child = try #require(Self.number(process))
        process.stop()
        #expect(process.state == .stopped && kill(child, 0) != 0)
        #expect(process.counters.offered == process.counters.sent && process.counters.ended == 0)
    }

    @Test func aKilledProcessIsReplaced() throws {
        let process = try Self.process("classify")
        try process.start()
        var findings: [Finding] = []
        for round in 1...3 as ClosedRange<UInt64> {
            let child = try #require(Self.number(process))
            let port = UInt16(5000 + round)
            Self.offer(.http(clientPort: port), to: process)
            let isTold = Self.serve(process, &findings) { found in
                found.contains {
                    if case .application(let verdict) = $0 { verdict.conversation.tuple.sourcePort == port } else { false }
                }
            }
            #expect(isTold)
            #expect(kill(child, SIGKILL) == 0)
            #expect(Self.serve(process, &findings) { _ in process.counters.restarts == round })
            #expect(process.counters.ended == round && Self.number(process) != child)
        }
        // Offered while there is none: counted, not kept.
        kill(try #require(Self.number(process)), SIGKILL)
        #expect(Self.serve(process, &findings) { _ in process.state == .pausing })
        let before = process.counters.notRunning
        Self.offer(.http(), to: process)
        #expect(process.counters.notRunning == before + 5)
    }

    @Test(arguments: ["garbage", "end"]) func aProcessThatIsNoneIsReplaced(_ mode: String) throws {
        let process = try Self.process(mode)
        try process.start()
        var findings: [Finding] = []
        #expect(Self.serve(process, &findings) { _ in process.counters.restarts >= 3 })
        #expect(findings.isEmpty)
        let counters = process.counters
        #expect(mode == "garbage" ? counters.malformed >= 3 && counters.ended == 0 : counters.ended >= 3 && counters.malformed == 0)
        process.stop()
    }

    @Test(arguments: ["silent", "hang"]) func aProcessThatDoesNotAnswerIsReplaced(_ mode: String) throws {
        let process = try Self.process(mode, patience: .milliseconds(500))
        try process.start()
        var findings: [Finding] = []
        let hasSpoken = mode == "silent" || Self.serve(process, &findings) { _ in process.counters.cpuTime > 0 }
        #expect(hasSpoken)
        // Many more than the socket holds: offering never waits (2,000 times half a second).
        let start = ContinuousClock.now
        for i in 0..<2000 { Self.offer(.noise(UInt16(1000 + i)), to: process) }
        #expect(ContinuousClock.now - start < Duration.seconds(20).stretched)
        #expect(process.counters.tooSlow > 0)
        #expect(Self.serve(process, &findings) { _ in process.counters.restarts >= 1 })
        let counters = process.counters
        #expect(counters.hung >= 1 && counters.lost > 0)
        #expect(counters.offered == counters.sent + counters.tooSlow + counters.notRunning + counters.resting)
        process.stop()
    }

    @Test func whatCannotBeStartedIsSaid() throws {
        let process = try ClassifierProcess(.init(path: "/nonexistent/nilo", arguments: []))
        #expect(throws: ApplicationsError.self) { try process.start() }
        #expect(process.state == .stopped)
    }

    @Test func cpuTimeIsBounded() throws {
        var settings = ClassifierSettings()
        settings.cpuPermille = 5
        let process = try Self.process("classify", settings)
        try process.start()
        var findings: [Finding] = []
        let start = ContinuousClock.now
        var port: UInt16 = 1000
        while ContinuousClock.now - start < .seconds(3) {
            Self.offer(.noise(port), to: process)
            port = port &+ 1
            findings += process.serve()
        }
        #expect(Self.serve(process, &findings) { _ in process.counters.resting > 0 && process.counters.passedOver > 0 })
        // A share of 0.5 % of 3 s and what is saved up at the start; starting takes its own.
        #expect(process.counters.cpuTime < 150_000_000, "\(process.counters.cpuTime) ns")
        process.stop()
    }

    /// The process reads strangers' packets: it is nobody, may do nothing, and cannot get more.
    /// Where the agent may not change users any more, the process stays root without a capability.
    @Test(.requires(.root), arguments: ["classify", "classify-without-capabilities"]) func theProcessMayDoNothing(_ mode: String) throws {
        let process = try Self.process(mode)
        try process.start()
        var findings: [Finding] = []
        Self.offer(.http(), to: process)
        #expect(Self.serve(process, &findings) { found in found.contains { Self.isVerdict($0, "HTTP") } })
        let child = try #require(Self.number(process))
        let status = try String(contentsOfFile: "/proc/\(child)/status", encoding: .utf8)
        var fields: [String: String] = [:]
        for line in status.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { fields[String(parts[0])] = parts[1].trimmingCharacters(in: .whitespaces) }
        }
        let user = mode == "classify" ? "65534\t65534\t65534\t65534" : "0\t0\t0\t0"
        #expect(fields["Uid"] == user && fields["Gid"] == user)
        if mode == "classify" { #expect(fields["Groups"] == "") }
        #expect(fields["NoNewPrivs"] == "1" && fields["Seccomp"] == "2" && fields["Threads"] == "1")
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] { #expect(fields[set] == "0000000000000000", "\(set)") }
        let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(child)/fd").sorted()
        #expect(descriptors == ["0", "1", "2", "3"])
        let limits = try String(contentsOfFile: "/proc/\(child)/limits", encoding: .utf8).split(separator: "\n")
        func limit(_ name: String) -> Substring? { limits.first { $0.hasPrefix(name) }?.dropFirst(26).prefix { $0 != " " } }
        #expect(limit("Max core file size") == "0" && limit("Max processes") == "0" && limit("Max file size") == "0")
        #expect(limit("Max open files") == "16" && limit("Max address space") == "1073741824")
        process.stop()
    }
}
