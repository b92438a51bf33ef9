import NetworkTypes
import PathComputation
import TestSupport
import Testing
import Topology

/// What if asked of a snapshot, made of what the kernels of a lab hold and what is measured there; then the change is made for real.
@Suite(.requires(.root, .vxlan, .bridge), .serialized) struct SnapshotWhatIfLabTests {
    private struct Way: Hashable {
        var passage: PathLab.Passage
        var share: Int
    }

    /// By a snapshot packets go where they go by what the kernel itself says, before and after every change.
    @Test func waysAreThoseOfTheFacts() async throws {
        let diamond = try await DiamondLab()
        let direct = try await diamond.read()
        var observed = ObservedNetwork(direct)
        let read = NetworkState(observed.pass(), settings: observed.settings)
        #expect(Set(read.namespaces.keys) == Set(direct.namespaces.keys))
        for one in WhatIfLabTests.cases {
            var (a, b) = (direct, read)
            if let change = one.change {
                a = try a.applying(ChangeParser.parse(change)).0
                b = try b.applying(ChangeParser.parse(change)).0
            }
            for (from, packet) in WhatIfLabTests.packets() {
                let walks = [a, b].map { ForwardingPlane($0).walk(packet, from: from) }
                let ways = walks.map { walk in Set(walk.shares.map { Way(passage: $0.key, share: Int(($0.value * 1e6).rounded())) }) }
                #expect(ways[0] == ways[1], "\(one.testDescription), \(from)")
                #expect(walks[0].deliveredShare == walks[1].deliveredShare, "\(one.testDescription), \(from): \(walks[1].branches)")
            }
        }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var changes: [String]
        /// What makes them real.
        var node = "r1"
        var command = ""
        /// How much more the senders then send: of h1, of t1.
        var factors = (1.0, 1.0)
        var testDescription: String { changes.joined(separator: ", ") }
    }

    static let cases = [
        Case(changes: ["link down r1:r3"], command: "ip link set dev r3 down"),
        Case(
            changes: ["replace route in r1 10.6.0.0/24 via 10.2.0.2", "rate node=t1 x2"],
            command: "ip route replace 10.6.0.0/24 via 10.2.0.2",
            factors: (1, 2)),
        Case(
            changes: ["add route in r1 10.6.0.2/32 via 10.3.0.2", "rate from=10.1.0.1 port=9000 4Mbit"],
            command: "ip route add 10.6.0.2/32 via 10.3.0.2", factors: (0.5, 1)),
    ]

    struct Sender: Sendable {
        var node: String
        var destination: IPAddress
        var perSecond: Double
    }
    private static let size = 228
    /// That each sender sends.
    private static let seconds = 3.0

    /// Loads of two senders that keep a rate, on every interface, before and after: within 5 %.
    @Test(arguments: cases) func loadsAreMet(_ one: Case) async throws {
        let diamond = try await DiamondLab()
        var senders = [
            Sender(node: "h1", destination: DiamondLab.h2Address, perSecond: 8e6 / Double(Self.size * 8)),
            Sender(node: "t1", destination: DiamondLab.t2Address, perSecond: 4e6 / Double(Self.size * 8)),
        ]
        var observed = ObservedNetwork(try await diamond.read())
        observed.count("h1", "u0", as: 1)
        observed.count("t1", "eth0", as: 2)
        let streams = zip(senders, [DiamondLab.h1Address, DiamondLab.t1Address]).enumerated().map { n, sender in
            ObservedNetwork.Stream(
                source: sender.1, destination: sender.0.destination, ports: (40_000, 9000), interface: UInt32(n + 1),
                packets: UInt64(sender.0.perSecond.rounded()), size: UInt64(Self.size))
        }
        _ = observed.pass(streams)
        let earlier = observed.pass(streams)
        for _ in 0..<4 { _ = observed.pass(streams) }
        let report = try observed.pass(streams).whatIf(one.changes, since: earlier, settings: observed.settings)
        #expect(report.before.demands == 2 && report.unplaced.isEmpty && report.suppositions.isEmpty)
        try await measure(diamond, senders, report.links.map { ($0, $0.before) }, "before")
        try await diamond.change(one.node, one.command)
        senders[0].perSecond *= one.factors.0
        senders[1].perSecond *= one.factors.1
        try await measure(diamond, senders, report.links.map { ($0, $0.after) }, "after")
    }

    private func measure(
        _ diamond: DiamondLab, _ senders: [Sender], _ links: [(WhatIfReport.Link, WhatIfReport.Link.Side)], _ when: String
    ) async throws {
        let receivers = [
            try await UDPReceiver(in: diamond.lab["h2"], port: 9000), try await UDPReceiver(in: diamond.lab["t2"], port: 9000),
        ]
        let tap = try await TrafficTap(diamond.lab, port: 9000)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for sender in senders {
                group.addTask {
                    // So many flows that what splits does so evenly: the standard deviation of a half is below a hundredth.
                    try await PacedSender.send(
                        to: sender.destination.description, port: 9000, flows: 50_000, payload: Self.size - 28,
                        interval: UInt64(1e9 / sender.perSecond), count: Int(sender.perSecond * Self.seconds), in: diamond.lab[sender.node])
                }
            }
            try await group.waitForAll()
        }
        try await Task.sleep(for: .milliseconds(100).stretched)
        let passed = try tap.take()
        #expect(links.count > 10)
        for (passage, tally) in passed {
            let link = links.first { $0.0.node == passage.node && $0.0.name == passage.link && $0.0.direction == passage.direction }
            let predicted = link?.1.rate.bitsPerSecond ?? 0
            // In the time that the pace stands for: that a busy machine's sender comes late is not the network's doing.
            let rate = Double(tally.bytes * 8) / Self.seconds
            #expect(abs(rate - predicted) <= 0.05 * predicted, "\(when): \(passage): \(rate), predicted \(predicted)")
        }
        withExtendedLifetime(receivers) {}
    }
}
