import Flows
import NetworkTypes
import TestSupport
import Testing

@testable import Topology

/// What strangers send does not make the topology grow, and what has no place of its own in it is counted.
struct FloodTests {
    /// A run of scans, made-up sources and real clients, in an order that follows from the seed.
    private struct Flood {
        var random: SplitMix64
        var flows = 0
        var refused = 0
        var packets: UInt64 = 0
        /// Of whoever begins; each flow has one of its own.
        private var port: UInt16 = 1025

        init(seed: UInt64) { random = SplitMix64(seed: seed) }

        private mutating func stranger() -> String {
            if Bool.random(using: &random) {
                // Without 127/8, which means something else in every network.
                return "\(IPAddress.v4(UInt32.random(in: 0x0B00_0000...0x7E00_0000, using: &random)))"
            }
            return "\(IPAddress.v6(high: 0x2001_0DB8 << 32 | random.next() >> 32, low: random.next()))"
        }

        private mutating func note(_ flow: TestFlow, isRefused: Bool) {
            flows += 1
            refused += isRefused ? 1 : 0
            packets += flow.packets
        }

        mutating func next() -> [FlowDelta] {
            port += 2
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                // A port scan of a host of the lab, refused every time.
                var probe = TestFlow(source: "10.0.0.11", destination: "10.0.0.21", sourcePort: 50_000, destinationPort: port)
                (probe.flags, probe.packets) = ([.syn], 1)
                var refusal = probe.reversed(packets: 1)
                refusal.flags = [.rst, .ack]
                note(probe, isRefused: true)
                packets += 1
                return [probe.seen(at: 1, .ingress), refusal.seen(at: 1, .egress)]
            case 1:
                // An address scan from the lab.
                var probe = TestFlow(source: "10.0.0.11", destination: stranger(), sourcePort: port, destinationPort: 22)
                if probe.destination.contains(":") { probe.source = "2001:db8::11" }
                (probe.flags, probe.packets) = ([.syn], UInt64.random(in: 1...3, using: &random))
                note(probe, isRefused: true)
                return [probe.seen(at: 1, .ingress)]
            case 2:
                // A flood whose sources are made up; the server answers them.
                var probe = TestFlow(source: stranger(), destination: "10.0.0.11", sourcePort: port, destinationPort: 80)
                if probe.source.contains(":") { probe.destination = "2001:db8::11" }
                (probe.flags, probe.packets) = ([.syn], 1)
                var answer = probe.reversed(packets: 5)
                answer.flags = [.syn, .ack]
                note(probe, isRefused: true)
                packets += 5
                return [probe.seen(at: 1, .egress), answer.seen(at: 1, .ingress)]
            default:
                // Real ones, more than there is room for.
                var flow = TestFlow(source: stranger(), destination: "10.0.0.11", sourcePort: port, destinationPort: 443)
                if flow.source.contains(":") { flow.destination = "2001:db8::11" }
                note(flow, isRefused: false)
                packets += 8
                return [flow.seen(at: 1, .egress), flow.reversed().seen(at: 1, .ingress)]
            }
        }
    }

    private func lab(_ limits: TopologyLimits) -> TopologyBuilder {
        let lab = TopologyLab()
        var builder = TopologyBuilder(limits: limits)
        builder.observe(lab.observations)
        builder.observe(.counted(InterfaceID(rawValue: 1), interface: lab.link("v100-1", in: "h1").index, in: lab.cookies["h1"]!))
        _ = builder.commit(at: second(1))
        return builder
    }

    private func counted(_ snapshot: Snapshot) -> UInt64 {
        var packets: UInt64 = 0
        snapshot.forEachLink { id, kind, _, _ in
            guard kind == .talks, let traffic = snapshot.traffic(of: id) else { return }
            packets += traffic.forward.totalPackets + traffic.backward.totalPackets
        }
        return packets
    }

    /// While conversations have room, not a packet is lost, however much was folded.
    @Test(arguments: 0..<12 as Range<UInt64>)
    func whatIsFoldedIsCounted(seed: UInt64) {
        var limits = TopologyLimits()
        (limits.nodes, limits.endpointsPerNetwork, limits.communications, limits.conversations) = (400, 40, 60, 10_000)
        (limits.idleEpochs, limits.conversationIdleEpochs) = (1000, 1000)
        var builder = lab(limits)
        var flood = Flood(seed: seed)
        for epoch in 2..<14 {
            builder.observe(.traffic((0..<200).flatMap { _ in flood.next() }))
            _ = builder.commit(at: second(Int64(epoch)))
        }
        for epoch in 14..<20 { _ = builder.commit(at: second(Int64(epoch))) }
        let snapshot = builder.snapshot
        #expect(counted(snapshot) == flood.packets, "seed \(seed)")
        #expect(snapshot.folded.evictedFlows == 0 && snapshot.folded.unansweredFlows == flood.refused, "seed \(seed): \(snapshot.folded)")
        #expect(snapshot.folded.foldedEnds > 0 && snapshot.folded.networkFlows > 0, "seed \(seed): \(snapshot.folded)")
    }

    /// Also when conversations have none: the bounds hold at every epoch, and what was forgotten is counted.
    @Test(arguments: 0..<12 as Range<UInt64>)
    func theBoundsHold(seed: UInt64) {
        var limits = TopologyLimits()
        (limits.nodes, limits.endpointsPerNetwork, limits.communications, limits.conversations) = (400, 40, 100, 150)
        (limits.idleEpochs, limits.conversationIdleEpochs) = (20, 5)
        var builder = lab(limits)
        let before = builder.snapshot
        var flood = Flood(seed: seed)
        for epoch in 2..<22 {
            builder.observe(.traffic((0..<200).flatMap { _ in flood.next() }))
            let snapshot = builder.commit(at: second(Int64(epoch)))
            var talks = 0
            snapshot.forEachLink { _, kind, _, _ in talks += kind == .talks ? 1 : 0 }
            // Beyond the bound there may be one a pair of networks (the lab's one and what is outside) and protocol.
            #expect(talks <= limits.communications + 4, "seed \(seed), epoch \(epoch): \(talks)")
            // Beyond the host's own: endpoints up to the bound, prefixes by quota (each family in two networks), services, the networks.
            let bound = max(before.nodeCount, limits.nodes) + 4 * FoldTable.quotas.reduce(0, +) + limits.communications + 2
            #expect(snapshot.nodeCount <= bound, "seed \(seed), epoch \(epoch): \(snapshot.nodeCount)")
            #expect(snapshot.keys(.prefix).count <= 4 * FoldTable.quotas.reduce(0, +))
        }
        let folded = builder.snapshot.folded
        #expect(folded.evictedFlows > 0 && folded.foldedEnds > 0, "seed \(seed): \(folded)")
        #expect(Int(folded.unansweredFlows + folded.evictedFlows) + limits.conversations >= flood.refused, "seed \(seed): \(folded)")
        // When it is over, it is as if it had never been.
        for epoch in 22..<90 { _ = builder.commit(at: second(Int64(epoch))) }
        #expect(builder.snapshot.table == before.table, "seed \(seed)")
    }
}
