import CLibBPF
import Flows
import Glibc
import NetworkTypes
import TestSupport
import Testing

/// An agent that ends, in whatever way, and the next one: nothing is uncounted.
@Suite(.requires(.root, .clsact)) struct RestartTests {
    private let frame = Frame(EthernetHeader(), IPv4Header(), UDPHeader(), RawBytes(count: 18))

    /// Five agents in a row are killed while frames pass as fast as one sender can send them.
    @Test(arguments: Hooks.all) func killedUnderLoadNothingIsUncounted(mode: String) async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        // Several flows to a set: some are retired while nobody reads.
        try site.configure(interfaces: "va", mode: mode, flows: 1024)
        let device = try await CountedDevice("va", in: pair.a)
        var agent = try await site.start()
        let id = try await site.interface("va").id
        // To another host's address: the receiver drops them before it spends time on them.
        let frames = (0..<2000).map {
            Frame(EthernetHeader(to: Wiring.mac(99)), IPv4Header(), UDPHeader(from: UInt16(10_000 + $0)), RawBytes(count: 18)).bytes
        }
        let senders = (0..<2).map { _ in Task { try await Self.send(frames, from: pair.a) } }
        for _ in 0..<5 {
            try await Task.sleep(for: .milliseconds(150))
            try agent.stop(signal: SIGKILL)
            try await Task.sleep(for: .milliseconds(50))
            agent = try await site.start()
            #expect(try await site.interface("va").id == id)
        }
        var sent = (frames: 0, seconds: 0.0)
        for sender in senders {
            let part = try await sender.value
            sent = (sent.frames + part.frames, max(sent.seconds, part.seconds))
        }
        print("\(mode): \(Int(Double(sent.frames) / sent.seconds)) frames a second while agents were killed")
        let counts = try await device.counts()
        #expect(counts.sent == .init(packets: UInt64(sent.frames), bytes: UInt64(sent.frames * 60)))
        let after = try await site.interface("va")
        #expect(after.egress.seen.totals == Totals(plain: sent.frames, bytes: sent.frames * 60))
        after.expectClosed()
        #expect(try await site.status().tookOver)
        // What this agent and the dead ones have as flows is all but the overflow.
        let overflow = after.egress.overflow.map(\.totals.totals).reduce(Totals(), +)
        #expect(after.egress.inSlots.totals + after.egress.retired.totals + overflow == after.egress.seen.totals)
        try await site.stop(agent, keep: false)
    }

    /// For three seconds as fast as one thread can.
    private static func send(_ frames: [[UInt8]], from namespace: NetworkNamespace) async throws -> (frames: Int, seconds: Double) {
        let clock = ContinuousClock()
        let began = clock.now
        var rounds = 0
        while clock.now - began < .seconds(3) {
            try await namespace.send(frames, times: 10, on: "va")
            rounds += 10
        }
        return (rounds * frames.count, (clock.now - began) / .seconds(1))
    }

    /// After `keep=1`, and after SIGTERM, as of a restart or an upgrade.
    @Test(arguments: Hooks.all, ["request", "signal"]) func whatPassesBetweenTwoAgentsIsCounted(mode: String, after way: String)
        async throws
    {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va", mode: mode)
        let device = try await CountedDevice("va", in: pair.a)
        let first = try await site.start()
        let id = try await site.interface("va").id
        try await pair.a.send(frame, times: 100, on: "va")
        if way == "request" {
            try await site.stop(first, keep: true)
        } else {
            let (output, status) = try first.stop(signal: SIGTERM)
            #expect(status == 0, "\(output)")
        }
        try await pair.a.send(frame, times: 1000, on: "va")
        let second = try await site.start()
        try await pair.a.send(frame, times: 10, on: "va")
        #expect(try await site.interface("va").id == id)
        #expect(try await site.interface("va").egress.seen.totals == Totals(plain: 1110, bytes: 1110 * 60))
        try await device.expectAgreement(of: site)
        try await site.stop(second, keep: false)
    }

    /// `keep=0`, and Ctrl-C: no program, no filter, no qdisc and no pin of ours is left, and the frames still pass.
    @Test(arguments: Hooks.all, ["request", "signal"]) func nothingIsLeftBehind(mode: String, by way: String) async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va", mode: mode)
        let index = try await pair.a.index(of: "va")
        func traces() async throws -> String {
            let programs = try await pair.a.run { try Self.tcxPrograms(index) }
            let filters = try await pair.a.sh(
                """
                tc qdisc show dev va | grep clsact || true
                tc filter show dev va ingress
                tc filter show dev va egress
                find \(site.directory)/bpf -mindepth 1 ! -name '*.debug'
                """)
            return programs == 0 ? filters : "\(programs) tcx programs\n" + filters
        }
        #expect(try await traces().isEmpty)
        let agent = try await site.start()
        let during = try await traces()
        #expect(during.contains("nilo_slots") && during.contains(mode == "tcx" ? "2 tcx programs" : "nilo_"), "\(during)")
        if way == "request" {
            try await site.stop(agent, keep: false)
        } else {
            let (output, status) = try agent.stop(signal: SIGINT)
            #expect(status == 0, "\(output)")
        }
        #expect(try await traces() == "")
        let audit = try contents(of: site.auditLog)
        #expect(audit.contains("\"attach\"") && (way == "signal" || audit.contains("\"stop\"")), "\(audit)")
        let receiver = try await UDPReceiver(in: pair.b)
        try await pair.a.sendUDP(3, size: 10, to: Pair.addressB, port: receiver.port)
        #expect(try await receiver.settled(at: 3) == 3)
    }

    /// How many are on both hooks of an interface in the calling thread's namespace. (`bpftool link` shows those of all namespaces.)
    private static func tcxPrograms(_ interface: UInt32) throws -> UInt32 {
        var programs: UInt32 = 0
        // BPF_TCX_INGRESS and BPF_TCX_EGRESS are newer than Debian 12's headers.
        for hook: UInt32 in [46, 47] {
            var count: UInt32 = 0
            let failure = bpf_prog_query(Int32(interface), bpf_attach_type(rawValue: hook), 0, nil, nil, &count)
            // A kernel without tcx does not know the hook.
            if failure != 0 && failure != -ENOENT && failure != -EINVAL { throw SystemError("BPF_PROG_QUERY", errno: -failure) }
            programs += count
        }
        return programs
    }
}
