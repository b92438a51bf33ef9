import CDatapath
import Flows
import Glibc
import struct Netlink.ClassObservation
import class Netlink.NetlinkSocket
import NetworkTypes
import Policy
import TestSupport
import Testing

@testable import Datapath

/// Shaping over a veth pair: what is sent, what arrives and what each counter says.
@Suite(.requires(.root, .clsact)) struct ShapeNetworkTests {
    private static func name(_ counted: CountedPair, _ direction: Direction = .egress, _ rule: String = "r") -> ShaperName {
        ShaperName(rule, on: counted.a, direction)
    }

    @Test(arguments: AttachMode.both) func whatIsPolicedIsATermOfTheBooks(mode: AttachMode) async throws {
        let counted = try await CountedPair(mode)
        let name = Self.name(counted)
        try await counted.probe.shape([name: Shaper(.police(BitRate(bitsPerSecond: 1e5), burst: ByteCount(10_000)))])
        let receiver = try await UDPReceiver(in: counted.pair.b)
        try await counted.pair.a.sendUDP(300, size: 958, to: Pair.addressB, port: receiver.port)
        let counters = try #require(try await counted.probe.shaped(name))
        #expect(counters.packets + counters.droppedPackets == 300 && counters.droppedPackets > 200)
        #expect(try await receiver.settled(at: Int(counters.packets)) == Int(counters.packets))
        let books = try await counted.probe.books(counted.a, .egress)
        #expect(books.policed == Totals(plain: Int(counters.droppedPackets), bytes: Int(counters.droppedPackets) * 1000))
        // The device counts what was seen less what was dropped.
        let device = try await counted.deviceCounts()[1]
        #expect(books.seen.skbs - books.policed.skbs == device.packets && books.seen.skbBytes - books.policed.skbBytes == device.bytes)
        #expect(try await counted.probe.account(counted.a, .egress).closes)
        // And on the way in.
        try await counted.probe.shape([
            ShaperName("in", on: counted.b, .ingress): Shaper(.police(BitRate(bitsPerSecond: 1000), burst: ByteCount(5000)))
        ])
        try await counted.pair.a.sendUDP(50, size: 958, to: Pair.addressB, port: receiver.port)
        #expect(try await receiver.settled(at: Int(counters.packets) + 5) == Int(counters.packets) + 5)
        #expect(try await counted.probe.books(counted.b, .ingress).policed.skbs == 45)
        #expect(try await counted.probe.books(counted.a, .egress).policed.skbs == counters.droppedSKBs)
        // Nothing stays of it.
        try await counted.probe.shape([:])
        try await counted.pair.a.sendUDP(50, size: 958, to: Pair.addressB, port: receiver.port)
        #expect(try await receiver.settled(at: Int(counters.packets) + 55) == Int(counters.packets) + 55)
    }

    @Test(.requires(.htb)) func classesCountWhatTheRuleDoes() async throws {
        let counted = try await CountedPair(.clsact, offloads: .off)
        let rule = ShapeRule(
            name: "r", scope: RuleScope(direction: .egress), ceiling: BitRate(bitsPerSecond: 8e7), dscp: 34)
        let plan = ShapePlan.make([rule], on: ShapeSite(interface: "va"))
        let shaper = try #require(plan.decisions.first?.shaper)
        let name = Self.name(counted)
        let index = Int32(try await counted.pair.a.index(of: "va"))
        let changes = QdiscChange.changes(from: nil, to: plan.tree)
        try await counted.pair.a.run { try NetlinkSocket().apply(changes, to: index) }
        try await counted.probe.shape([name: shaper])
        let capture = try await FrameCapture(on: "vb", in: counted.pair.b)
        let receiver = try await UDPReceiver(in: counted.pair.b)
        // Sixteen flows of 25 packets: no two of them share a leaf, unless one has been idle for a second.
        let began = ContinuousClock.now
        for flow in 0..<16 {
            try await counted.pair.a.sendUDP(25, size: 1000, to: Pair.addressB, port: receiver.port, from: UInt16(5000 + flow))
        }
        let took = ContinuousClock.now - began
        #expect(try await receiver.settled(at: 400) == 400)
        let classes = try await counted.pair.a.run { try NetlinkSocket().classes(of: index) }
        let leaves = classes.filter { $0.level == 0 && $0.counters.packets > 0 }
        #expect(leaves.reduce(0) { $0 + $1.counters.packets } == 400)
        #expect(leaves.allSatisfy { $0.counters.packets % 25 == 0 && $0.counters.bytes == $0.counters.packets * 1042 })
        if took < .milliseconds(900) { #expect(leaves.count == 16) }
        let top = try #require(classes.first { $0.parent == UInt32.max })
        #expect(top.counters.packets == 400 && top.counters.drops == 0)
        let counters = try #require(try await counted.probe.shaped(name))
        #expect(counters.packets == 400 && counters.bytes == 400 * 1042 && counters.droppedPackets == 0)
        let frames = try capture.take().filter { !$0.isOutgoing && $0.bytes.count == 1042 }
        #expect(frames.count == 400 && frames.allSatisfy { $0.bytes[15] == 34 << 2 && internetChecksum(Array($0.bytes[14..<34])) == 0 })
        // What no rule is about goes past the classes.
        try await counted.probe.shape([:])
        try await counted.pair.a.sendUDP(20, size: 1000, to: Pair.addressB, port: receiver.port)
        #expect(try await receiver.settled(at: 420) == 420)
        #expect(try await counted.pair.a.sh("tc -s qdisc show dev va root").contains("direct_packets_stat 20"))
    }

    @Test(.requires(.htb)) func aClassHoldsItsRate() async throws {
        let counted = try await CountedPair(.clsact, offloads: .off)
        let plan = ShapePlan.make(
            [ShapeRule(name: "r", scope: RuleScope(direction: .egress), ceiling: BitRate(bitsPerSecond: 2e7))],
            on: ShapeSite(interface: "va"))
        let index = Int32(try await counted.pair.a.index(of: "va"))
        let changes = QdiscChange.changes(from: nil, to: plan.tree)
        try await counted.pair.a.run { try NetlinkSocket().apply(changes, to: index) }
        try await counted.probe.shape([Self.name(counted): try #require(plan.decisions.first?.shaper)])
        // Whatever else the machine does: eight megabytes cannot be through sooner than the rate allows, but for what may pass at once.
        let start = ContinuousClock.now
        let transfer = try await TCPTransfer.run(
            8_000_000, from: counted.pair.a, to: counted.pair.b, Pair.addressB, congestionControl: "cubic")
        let seconds = (ContinuousClock.now - start).seconds
        #expect(transfer.received == 8_000_000 && seconds > 8_000_000 * 8 / 2e7 * 0.98)
        // Nor do the frames take longer than a sender on a busy machine needs; tools/bench shape has the accuracy.
        #expect(seconds < 4 * 8_000_000 * 8 / 2e7)
        // The last of them may still wait in the class.
        let agree = try await eventually(within: .seconds(5)) {
            let classes = try await counted.pair.a.run { try NetlinkSocket().classes(of: index) }
            return try await classes.first { $0.parent == UInt32.max }?.counters.bytes == counted.probe.shaped(Self.name(counted))?.bytes
        }
        #expect(agree)
    }

    /// The moment of an arrival, and how many bytes of frames of 1000 have arrived by then.
    private static func arrival(at receiver: UDPReceiver) async throws -> (ContinuousClock.Instant, Int) {
        let before = receiver.datagrams
        _ = try await eventually(within: .seconds(5)) { receiver.datagrams > before }
        return (ContinuousClock.now, receiver.datagrams * 1000)
    }

    @Test(.requires(.fq), arguments: [1e6, 1e7]) func departureTimesHoldTheRate(rate: Double) async throws {
        let counted = try await CountedPair(.clsact, offloads: .off)
        try await counted.pair.a.sh("tc qdisc add dev va root fq")
        var site = ShapeSite(interface: "va")
        site.root = .foreign("fq", irreplaceable: nil)
        let plan = ShapePlan.make(
            [ShapeRule(name: "r", scope: RuleScope(direction: .egress), ceiling: BitRate(bitsPerSecond: rate))], on: site)
        let decision = try #require(plan.decisions.first)
        #expect(decision.mechanism == .edt && plan.tree == nil)
        let name = Self.name(counted)
        try await counted.probe.shape([name: decision.shaper])
        let receiver = try await UDPReceiver(in: counted.pair.b)
        let count = Int(rate / 8000 * 8)
        let sender = Task { [pair = counted.pair] in
            try await pair.a.sendUDP(count, size: 958, to: Pair.addressB, port: receiver.port)
        }
        try await Task.sleep(for: .milliseconds(500))
        let (start, before) = try await Self.arrival(at: receiver)
        try await Task.sleep(for: .seconds(6))
        let (end, after) = try await Self.arrival(at: receiver)
        #expect(abs(Double(after - before) * 8 / (end - start).seconds / rate - 1) < 0.02)
        try await sender.value
        // The socket waits for its packets to leave: none has to be dropped for want of a departure within two seconds.
        let counters = try #require(try await counted.probe.shaped(name))
        #expect(counters.packets + counters.droppedPackets == UInt64(count))
        #expect(try await receiver.settled(at: Int(counters.packets)) == Int(counters.packets))
        #expect(counters[.noDeparture] == 0 && counters[.contended] == 0)
    }
}
