import CLibBPF
import Datapath
import Flows
import Glibc
import NetworkTypes
import TestSupport
import Testing

/// Others' programs on the same hooks keep running, before and after ours, and nothing of ours is left behind.
@Suite(.requires(.root, .clsact)) struct CoexistenceTests {
    /// Sends datagrams from a to b; how many arrived.
    private func send(_ count: Int, over pair: Pair, expecting: Int) async throws -> Int {
        let receiver = try await UDPReceiver(in: pair.b)
        try await pair.a.sendUDP(count, size: 10, to: Pair.addressB, port: receiver.port)
        return try await receiver.settled(at: expecting, within: expecting == 0 ? .milliseconds(100) : .seconds(5))
    }

    @Test(.requires(.tcx)) func tcxProgramsBeforeAndAfterKeepRunning() async throws {
        let pair = try await Pair()
        let index = try await pair.b.index(of: "vb")
        let dropping = try TinyProgram.dropping()
        let passing = try TinyProgram.passing()
        // Passing ones around ours; a dropping one comes last.
        let early = try await pair.b.run { try passing.attachTCX(index, ingress: true) }
        defer { close(early) }
        let probe = try Probe(.tcx)
        let id = try await probe.attach("vb", in: pair.b)
        let programs = try await pair.b.run { try Self.tcxPrograms(index) }
        #expect(
            programs.count == 2 && programs[0] != Self.id(of: passing.descriptor) && programs[1] == Self.id(of: passing.descriptor),
            "ours is outermost")
        #expect(try await send(10, over: pair, expecting: 10) == 10)
        #expect(try await probe.books(id, .ingress).seen.skbs == 10)
        let late = try await pair.b.run { try dropping.attachTCX(index, ingress: true) }
        #expect(try await send(10, over: pair, expecting: 0) == 0)
        #expect(try await probe.books(id, .ingress).seen.skbs == 20, "counted before it was dropped")
        // Not just closed: a process that is being started somewhere may hold a copy of the descriptor for a moment.
        #expect(bpf_link_detach(late) == 0)
        close(late)
        try await probe.detach(id, in: pair.b)
        #expect(try await pair.b.run { try Self.tcxPrograms(index) } == [Self.id(of: passing.descriptor)])
        #expect(try await send(10, over: pair, expecting: 10) == 10)
        #expect(try await probe.books(id, .ingress).seen.skbs == 20)
    }

    /// In the order asked for: last on ingress means after a program that drops.
    @Test(.requires(.tcx), arguments: [HookOrder.first, .last, .outer]) func theOrderIsTheOneAskedFor(order: HookOrder) async throws {
        let pair = try await Pair()
        let index = try await pair.b.index(of: "vb")
        let dropping = try TinyProgram.dropping()
        let links = try await pair.b.run { [try dropping.attachTCX(index, ingress: true), try dropping.attachTCX(index, ingress: false)] }
        defer { for link in links { close(link) } }
        let probe = try Probe(.tcx, order: order)
        let id = try await probe.attach("vb", in: pair.b)
        #expect(try await send(5, over: pair, expecting: 0) == 0)
        try await pair.b.sendUDP(5, size: 10, to: Pair.addressA, port: 9)
        #expect(try await probe.books(id, .ingress).seen.skbs == (order == .last ? 0 : 5))
        #expect(try await probe.books(id, .egress).seen.skbs == (order == .first ? 5 : 0))
    }

    @Test func clsactFiltersOfOthersStay() async throws {
        let pair = try await Pair()
        let index = try await pair.b.index(of: "vb")
        let passing = try TinyProgram.passing()
        let dropping = try TinyProgram.dropping()
        let foreign = try await pair.b.run { try ForeignFilter(passing, on: index, ingress: true, priority: 1) }
        // Another kind of filter holds a preference that ours would like to have: it matches nothing here.
        try await pair.b.sh("tc filter add dev vb egress pref 65279 protocol ip u32 match ip dst 192.0.2.99 classid 1:1")
        let probe = try Probe(.clsact)
        let id = try await probe.attach("vb", in: pair.b)
        #expect(try await send(10, over: pair, expecting: 10) == 10)
        #expect(try await probe.books(id, .ingress).seen.skbs == 10)
        let receiver = try await UDPReceiver(in: pair.a)
        try await pair.b.sendUDP(5, size: 10, to: Pair.addressA, port: receiver.port)
        #expect(try await probe.books(id, .egress).seen.skbs == 5)
        let late = try await pair.b.run { try ForeignFilter(dropping, on: index, ingress: true, priority: 200) }
        #expect(try await send(10, over: pair, expecting: 0) == 0)
        #expect(try await probe.books(id, .ingress).seen.skbs == 20)
        try await probe.detach(id, in: pair.b)
        #expect(try await pair.b.run { foreign.isThere() && late.isThere() })
        let left = try await pair.b.sh("tc qdisc show dev vb; tc filter show dev vb ingress; tc filter show dev vb egress")
        #expect(left.contains("clsact") && left.contains("u32") && left.contains("tiny") && !left.contains("nilo_"), "\(left)")
    }

    @Test(arguments: AttachMode.both) func detachingLeavesNothingAttached(mode: AttachMode) async throws {
        let pair = try await Pair()
        let index = try await pair.b.index(of: "vb")
        let probe = try Probe(mode)
        let id = try await probe.attach("vb", in: pair.b)
        #expect(try await probe.attach("vb", in: pair.b) == id, "attached already")
        #expect(try await send(7, over: pair, expecting: 7) == 7)
        try await probe.detach(id, in: pair.b)
        #expect(try await send(7, over: pair, expecting: 7) == 7)
        #expect(try await probe.books(id, .ingress).seen.skbs == 7)
        #expect(await probe.unknownBooks(.ingress).seen.isZero)
        if mode == .tcx { #expect(try await pair.b.run { try Self.tcxPrograms(index) } == []) }
        #expect(try await !pair.b.sh("tc filter show dev vb ingress; tc filter show dev vb egress").contains("nilo_"))
        // Attached again it is another interface, with books of its own.
        let again = try await probe.attach("vb", in: pair.b)
        #expect(again != id)
        #expect(try await send(3, over: pair, expecting: 3) == 3)
        #expect(try await probe.books(again, .ingress).seen.skbs == 3)
        #expect(try await probe.books(id, .ingress).seen.skbs == 7)
    }

    /// What was not seen while the programs were being attached is within the bound that is stated.
    @Test(arguments: AttachMode.both) func attachingUnderTrafficStatesItsError(mode: AttachMode) async throws {
        let pair = try await Pair()
        let receiver = try await UDPReceiver(in: pair.b)
        let sender = Task { try await pair.a.sendUDP(20_000, size: 10, to: Pair.addressB, port: receiver.port) }
        _ = try await eventually(within: .seconds(5)) { receiver.datagrams > 500 }
        let probe = try Probe(mode)
        let id = try await probe.attach("vb", in: pair.b)
        try await sender.value
        #expect(try await receiver.settled(at: 20_000) == 20_000)
        let interface = try #require(await probe.interface(id))
        let counted = try await pair.b.counters(of: "vb").received.packets - interface.base[0].packets
        let seen = try await probe.books(id, .ingress).seen.skbs
        #expect(seen <= counted && seen + interface.baseUnsure[0].packets >= counted, "\(seen) of \(counted), \(interface)")
    }

    private static func id(of program: Int32) -> UInt32 {
        var info = bpf_prog_info()
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        precondition(bpf_obj_get_info_by_fd(program, &info, &size) == 0, "bpf_obj_get_info_by_fd: errno \(errno)")
        return info.id
    }

    /// The programs on the ingress hook, first to last; the index is of the calling thread's namespace.
    private static func tcxPrograms(_ interface: UInt32) throws -> [UInt32] {
        var ids = [UInt32](repeating: 0, count: 16)
        var count = UInt32(ids.count)
        // BPF_TCX_INGRESS is newer than Debian 12's headers.
        let failure = bpf_prog_query(Int32(interface), bpf_attach_type(rawValue: 46), 0, nil, &ids, &count)
        if failure == -ENOENT { return [] }
        if failure != 0 { throw SystemError("BPF_PROG_QUERY", errno: -failure) }
        return Array(ids[..<Int(count)])
    }
}
