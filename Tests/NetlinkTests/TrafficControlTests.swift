import CLinux
import CNetlink
import TestSupport
import Testing

@testable import Netlink

@Suite struct QdiscTests {
    @Test(.enabled(if: Requirement.htb.isMet)) func htbWithItsDrops() async throws {
        let pair = try await Pair()
        // 8 kbit/s with a queue of one packet: of 50 sent at once nearly all are dropped.
        try await pair.a.sh(
            """
            tc qdisc add dev va root handle 1: htb default 1
            tc class add dev va parent 1: classid 1:1 htb rate 8kbit burst 1600
            tc qdisc add dev va parent 1:1 handle 10: pfifo limit 1
            """)
        // A local sender is told of the drop (ENOBUFS) only with IP_RECVERR; sendto succeeds.
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

    @Test(.enabled(if: Requirement.tbf.isMet)) func tbfCountsBytes() async throws {
        let pair = try await Pair()
        try await pair.a.sh("tc qdisc add dev va root handle 7: tbf rate 1gbit burst 100k latency 100ms")
        try await pair.a.sendUDP(20, size: 100, to: Pair.addressB, port: 4000)
        let index = Int32(try await pair.a.index(of: "va"))
        let root = try #require(try await pair.a.withSocket { try $0.qdiscs(of: index) }.first { $0.isRoot })
        #expect(root.kind == "tbf" && root.counters.packets == 20 && root.counters.bytes == 20 * (100 + 8 + 20 + 14))
        #expect(root.counters.drops == 0 && root.counters.backlog == 0)
    }
}

@Suite(.enabled(if: Requirement.clsact.isMet)) struct ClsactTests {
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

    @Test func bpfFiltersShowTheirProgram() async throws {
        let namespace = try await TestNamespace()
        try await namespace.sh("ip link add va type veth peer name vb")
        let index = try await namespace.index(of: "va")
        let program = try TinyProgram.passing()
        let id = try program.id()
        let (filters, other) = try await namespace.run {
            try program.attachClsact(index, ingress: true)
            let socket = try NetlinkSocket()
            return (try socket.filters(of: Int32(index), at: .ingress), try socket.filters(of: Int32(index), at: .egress))
        }
        let filter = try #require(filters.first)
        #expect(filters.count == 1 && other.isEmpty && filter.kind == "bpf" && filter.protocolNumber == UInt16(ETH_P_ALL))
        let found = try #require(filter.program)
        #expect(found.id == id && found.isDirectAction && found.tag.count == 8 && !found.name.isEmpty)
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
