import CLibBPF
import CLinux
import CNetlink
import Glibc
import TestSupport
import Testing

@testable import Netlink

@Suite struct QdiscTests {
    @Test(.requires(.htb)) func htbWithItsDrops() async throws {
        let pair = try await Pair()
        // 8 kbit/s with a queue of one packet: of 50 sent at once nearly all are dropped.
        try await pair.a.sh(
            """
            tc qdisc add dev va root handle 1: htb default 1
            tc class add dev va parent 1: classid 1:1 htb rate 8kbit burst 1600
            tc qdisc add dev va parent 1:1 handle 10: pfifo limit 1
            """)
        // A sender is told of a drop here (ENOBUFS) only with IP_RECVERR.
        try await pair.a.sendUDP(50, size: 1000, to: Pair.addressB, port: 4000)
        let index = Int32(try await pair.a.index(of: "va"))
        let (qdiscs, everywhere) = try await pair.a.withSocket { (try $0.qdiscs(of: index), try $0.qdiscs()) }
        let root = try #require(qdiscs.first { $0.isRoot })
        #expect(root.kind == "htb" && root.handle == 1 << 16 && root.interface == index)
        let leaf = try #require(qdiscs.first { $0.kind == "pfifo" })
        #expect(leaf.parent == 1 << 16 | 1 && leaf.handle == 0x10 << 16 && !leaf.isRoot)
        #expect(root.counters.drops > 0)
        #expect(everywhere.count >= qdiscs.count)
        // Every packet is sent, waiting or dropped.
        let sum = root.counters.packets + UInt64(root.counters.drops) + UInt64(root.counters.queueLength)
        #expect(sum == 50)
        let shown = try await pair.a.sh("tc -s qdisc show dev va root")
        #expect(shown.contains("dropped \(root.counters.drops), overlimits "))
    }

    @Test(.requires(.tbf)) func tbfCountsBytes() async throws {
        let pair = try await Pair()
        try await pair.a.sh("tc qdisc add dev va root handle 7: tbf rate 1gbit burst 100k latency 100ms")
        try await pair.a.sendUDP(20, size: 100, to: Pair.addressB, port: 4000)
        let index = Int32(try await pair.a.index(of: "va"))
        let root = try #require(try await pair.a.withSocket { try $0.qdiscs(of: index) }.first { $0.isRoot })
        #expect(root.kind == "tbf" && root.counters.packets == 20 && root.counters.bytes == 20 * (100 + 8 + 20 + 14))
        #expect(root.counters.drops == 0 && root.counters.backlog == 0)
    }
}

@Suite(.requires(.clsact)) struct ClsactTests {
    @Test func filtersAreListedAndAnEmptyClsactCanGo() async throws {
        let namespace = try await TestNamespace()
        try await namespace.sh("ip link add va type veth peer name vb; tc qdisc add dev va clsact")
        let index = Int32(try await namespace.index(of: "va"))
        #expect(try await namespace.withSocket { try $0.isClsactEmpty(on: index) })

        try await namespace.sh("tc filter add dev va egress protocol ip prio 49 u32 match u32 0 0 classid 1:1")
        let (ingress, egress, isEmpty) = try await namespace.withSocket {
            (try $0.filters(of: index, at: .ingress), try $0.filters(of: index, at: .egress), try $0.isClsactEmpty(on: index))
        }
        #expect(ingress.isEmpty && !isEmpty)
        let filter = try #require(egress.first { $0.handle == 0x8000_0800 })
        #expect(filter.kind == "u32" && filter.priority == 49 && filter.protocolNumber == 0x0800 && filter.program == nil)
        #expect(egress.allSatisfy { $0.handle != 0 && $0.priority == 49 })

        try await namespace.sh("tc filter del dev va egress")
        try await namespace.withSocket {
            #expect(try $0.isClsactEmpty(on: index))
            #expect(try $0.qdiscs(of: index).contains { $0.isClsact })
            try $0.removeClsact(from: index)
            #expect(try !$0.qdiscs(of: index).contains { $0.isClsact })
        }
    }

    @Test func bpfFiltersShowTheirProgramAndClsactItsDrops() async throws {
        let pair = try await Pair()
        let index = Int32(try await pair.a.index(of: "va"))
        let programs = (passing: try TinyProgram.passing(), dropping: try TinyProgram.dropping())
        let id = try programID(programs.passing)
        let (ingress, egress) = try await pair.a.run {
            try attach(programs.passing, to: index, BPF_TC_INGRESS, priority: 5)
            try attach(programs.dropping, to: index, BPF_TC_EGRESS, priority: 6)
            let socket = try NetlinkSocket()
            return (try socket.filters(of: index, at: .ingress), try socket.filters(of: index, at: .egress))
        }
        #expect(ingress.count == 1 && egress.count == 1)
        let filter = try #require(ingress.first)
        #expect(filter.kind == "bpf" && filter.protocolNumber == UInt16(ETH_P_ALL) && filter.priority == 5 && filter.handle == 1)
        let program = try #require(filter.program)
        #expect(program.id == id && program.isDirectAction && program.tag.count == 8 && !program.name.isEmpty)
        #expect(egress.first?.program?.id != nil && egress.first?.program?.id != id)

        try await pair.a.sendUDP(3, size: 10, to: Pair.addressB, port: 4000)
        let clsact = try #require(try await pair.a.withSocket { try $0.qdiscs(of: index) }.first { $0.isClsact })
        #expect(clsact.counters.drops == 3)
    }

    @Test func xdpIsSeen() async throws {
        let pair = try await Pair()
        let index = Int32(try await pair.a.index(of: "va"))
        #expect(try await pair.a.withSocket { try $0.link(index) }?.xdpProgram == nil)
        let (seen, id) = try await pair.a.run {
            var pass: [UInt64] = [0xB7 | 2 << 32, 0x95]  // return XDP_PASS
            let fd = pass.withUnsafeMutableBytes { bytes in
                bpf_prog_load(BPF_PROG_TYPE_XDP, nil, "GPL", bytes.baseAddress?.assumingMemoryBound(to: bpf_insn.self), 2, nil)
            }
            try succeeded(fd, "bpf_prog_load")
            defer { close(fd) }
            #expect(bpf_xdp_attach(index, fd, 1 << 1, nil) == 0)  // XDP_FLAGS_SKB_MODE
            return (try NetlinkSocket().link(index)?.xdpProgram, try programID(fd))
        }
        #expect(seen == id)
    }

    @Test func refusalsCarryTheKernelsWords() async throws {
        let namespace = try await TestNamespace()
        try await namespace.sh("ip link add va type veth peer name vb")
        let index = Int32(try await namespace.index(of: "va"))
        try await namespace.withSocket { socket in
            let none = #expect(throws: NetlinkError.self) { try socket.removeClsact(from: index) }
            #expect(none?.code == ENOENT && none?.detail.isEmpty == false && none?.operation.contains("\(index)") == true)
            _ = try sh("tc qdisc add dev va ingress")
            // An ingress qdisc sits in the same place, but is not ours to remove.
            let ingress = #expect(throws: NetlinkError.self) { try socket.removeClsact(from: index) }
            #expect(ingress?.code == EINVAL && ingress?.detail.isEmpty == false)
            #expect(try socket.qdiscs(of: index).contains { $0.kind == "ingress" && !$0.isClsact })
            #expect(try socket.filters(of: index, at: .ingress).isEmpty)
        }
    }
}

/// `tc filter add dev INTERFACE ingress bpf direct-action …`, in the calling thread's namespace.
private func attach(_ program: TinyProgram, to interface: Int32, _ point: bpf_tc_attach_point, priority: UInt32) throws {
    var hook = bpf_tc_hook()
    hook.sz = MemoryLayout<bpf_tc_hook>.size
    hook.ifindex = interface
    hook.attach_point = point
    let made = bpf_tc_hook_create(&hook)
    if made != -EEXIST { try succeeded(made, "bpf_tc_hook_create") }
    var options = bpf_tc_opts()
    options.sz = MemoryLayout<bpf_tc_opts>.size
    options.prog_fd = program.descriptor
    options.handle = 1
    options.priority = priority
    try succeeded(bpf_tc_attach(&hook, &options), "bpf_tc_attach")
}

private func programID(_ program: TinyProgram) throws -> UInt32 { try programID(program.descriptor) }

private func programID(_ descriptor: Int32) throws -> UInt32 {
    var info = bpf_prog_info()
    var size = UInt32(MemoryLayout<bpf_prog_info>.size)
    try succeeded(bpf_obj_get_info_by_fd(descriptor, &info, &size), "bpf_obj_get_info_by_fd")
    return info.id
}
