import NetworkTypes
import PathComputation
import TestSupport
import Testing

/// What if, predicted first and then done: ways by what passes every interface. Loads: `SnapshotWhatIfLabTests`.
@Suite(.requires(.root, .vxlan, .bridge), .serialized) struct WhatIfLabTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var change: String?
        /// What makes the change real.
        var command: (node: String, command: String)?
        var testDescription: String { change ?? "as it is" }
    }

    static let cases: [Case] = [
        Case(),
        Case(change: "link down r1:r2", command: ("r1", "ip link set dev r2 down")),
        Case(change: "link down r2:r1", command: ("r2", "ip link set dev r1 down")),
        Case(change: "link down r3:r4", command: ("r3", "ip link set dev r4 down")),
        Case(change: "add route in r1 10.6.0.2/32 via 10.3.0.2", command: ("r1", "ip route add 10.6.0.2/32 via 10.3.0.2")),
        Case(change: "replace route in r1 10.6.0.0/24 via 10.2.0.2", command: ("r1", "ip route replace 10.6.0.0/24 via 10.2.0.2")),
        Case(change: "del route in r1 10.6.0.0/24", command: ("r1", "ip route del 10.6.0.0/24")),
        Case(
            change: "add rule in r1 iif h1 ipproto udp dport 4789 lookup 7",
            command: ("r1", "ip rule add iif h1 ipproto udp dport 4789 lookup 7")),
        Case(change: "link down h1:vx", command: ("h1", "ip link set dev vx down")),
        Case(change: "link down h1:t1", command: ("h1", "ip link set dev t1 down")),
        Case(change: "forwarding off in r4", command: ("r4", "echo 0 > /proc/sys/net/ipv4/ip_forward")),
        Case(change: "del address 10.2.0.1/24 dev r1:r2", command: ("r1", "ip addr del 10.2.0.1/24 dev r2")),
    ]

    static func packets() -> [(from: String, packet: Packet)] {
        [
            ("h1", Packet(destination: DiamondLab.h2Address, sourcePort: 4000, destinationPort: 9000, size: 528)),
            ("t1", Packet(destination: DiamondLab.t2Address, sourcePort: 4000, destinationPort: 9000, size: 528)),
        ]
    }

    /// Every interface is passed by as many packets as predicted: all, none, or where flows split each way some and together all.
    @Test(arguments: cases) func waysAreTheKernels(_ one: Case) async throws {
        let diamond = try await DiamondLab()
        var state = try await diamond.read()
        if let change = one.change { state = try state.applying(ChangeParser.parse(change)).0 }
        if let command = one.command { try await diamond.change(command.node, command.command) }
        let plane = ForwardingPlane(state)
        let tap = try await TrafficTap(diamond.lab, port: 9000)
        let receivers = [
            try await UDPReceiver(in: diamond.lab["h2"], port: 9000), try await UDPReceiver(in: diamond.lab["t2"], port: 9000),
        ]
        for ((from, packet), receiver) in zip(Self.packets(), receivers) {
            let walk = plane.walk(packet, from: from)
            let count = 40
            // A sender without a route is told so: nothing leaves.
            do {
                try await PacedSender.send(
                    to: packet.destination.description, port: 9000, flows: 20, payload: packet.size - 28, interval: 100_000,
                    count: count, in: diamond.lab[from])
            } catch let error as SystemError { #expect(walk.deliveredShare == 0, "\(from): \(error)") }
            try await Task.sleep(for: .milliseconds(100).stretched)
            let passed = try tap.take()
            expect(receiver.datagrams, of: count, walk.deliveredShare, "\(from): received, \(walk.branches.map(\.outcome))")
            let shares = walk.shares
            #expect(Set(shares.keys).isSubset(of: passed.keys))
            for (passage, tally) in passed { expect(tally.packets, of: count, shares[passage] ?? 0, "\(from): \(passage)") }
        }
    }

    private func expect(_ packets: Int, of count: Int, _ share: Double, _ what: String) {
        switch share {
        case 0: #expect(packets == 0, "\(what)")
        case 1: #expect(packets == count, "\(what)")
        default: #expect(packets > 0 && packets < count, "\(what), predicted \(share)")
        }
    }
}
