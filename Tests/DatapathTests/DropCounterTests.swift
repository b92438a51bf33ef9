import TestSupport
import Testing

@testable import Datapath

@Suite(.requires(.root, .btf, .tpBTF)) struct DropCounterTests {
    /// The drops of one namespace and reason.
    private static func drops(_ counter: DropCounter, _ cookie: UInt64, _ reason: String) throws -> [DropCounter.Count] {
        let number = try #require(try DropReasons().number(reason))
        return try counter.read().filter { $0.namespaceCookie == cookie && $0.reason == number }
    }

    @Test func datagramsToAClosedPort() async throws {
        let pair = try await Pair()
        let (cookie, index) = (try await pair.b.cookie(), try await pair.b.index(of: "vb"))
        let drops = try await onOwnThread { try Kept(DropCounter()) }
        try await pair.a.sendUDP(7, size: 100, to: Pair.addressB, port: 4999)
        #expect(try await eventually(within: .seconds(5)) { try Self.drops(drops.value, cookie, "NO_SOCKET").first?.skbs ?? 0 >= 7 })
        let found = try Self.drops(drops.value, cookie, "NO_SOCKET")
        // The network header is off by then; the UDP header is not.
        let first = try #require(found.first)
        #expect(found.count == 1 && first.ifindex == index && first.skbs == 7 && first.bytes == 7 * 108)
        #expect(try drops.value.overflow().skbs == 0)
    }

    @Test func packetsThatAFilterDrops() async throws {
        let pair = try await Pair()
        let (cookie, index) = (try await pair.b.cookie(), try await pair.b.index(of: "vb"))
        let program = try TinyProgram.dropping()
        try await pair.b.run {
            _ = try ForeignFilter(program, on: index, ingress: true, priority: 1)
        }
        let drops = Kept(try DropCounter())
        try await pair.a.sendUDP(5, size: 10, to: Pair.addressB, port: 4999)
        #expect(try await eventually(within: .seconds(5)) { try Self.drops(drops.value, cookie, "TC_INGRESS").first?.skbs ?? 0 >= 5 })
        let found = try #require(try Self.drops(drops.value, cookie, "TC_INGRESS").first)
        #expect(found.skbs == 5 && found.ifindex == index)
        #expect(try Self.drops(drops.value, cookie, "NO_SOCKET").isEmpty)
    }

    @Test func whatIsDeliveredIsNoDrop() async throws {
        let pair = try await Pair()
        let receiver = try await UDPReceiver(in: pair.b)
        let drops = Kept(try DropCounter())
        try await pair.a.sendUDP(20, size: 10, to: Pair.addressB, port: receiver.port)
        #expect(try await receiver.settled(at: 20) == 20)
        let cookie = try await pair.b.cookie()
        #expect(try drops.value.read().filter { $0.namespaceCookie == cookie }.isEmpty)
    }

    @Test func reasonsHaveTheKernelsNames() throws {
        let reasons = try DropReasons()
        let number = try #require(reasons.number("NO_SOCKET"))
        #expect(reasons.name(number) == "NO_SOCKET")
        #expect(reasons.number("SKB_DROP_REASON_NO_SOCKET") == nil && reasons.number("NO_SUCH_REASON") == nil)
        #expect(reasons.name(60000) == "REASON_60000")
        #expect(reasons.name(3 << 16 | 7) == "SUBSYSTEM_3_REASON_7")
    }
}

/// Hands a counter, which one task at a time uses, from thread to thread.
private final class Kept: @unchecked Sendable {
    // Unchecked: a DropCounter's calls are bpf(2) on descriptors; the test makes them one after the other.
    let value: DropCounter
    init(_ value: DropCounter) { self.value = value }
}
