import NetworkTypes
import PathComputation
import TestSupport
import Testing

/// What if, predicted first and then done: ways by the counters of every interface, loads of paced senders.
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
        let state = try await diamond.read()
        var after = state
        if let change = one.change {
            after = try state.applying(ChangeParser.parse(change)).0
        }
        if let command = one.command { try await diamond.lab[command.node].sh(command.command) }
        let plane = ForwardingPlane(after)
        // Receivers take every packet, so that no errors come back.
        let receivers = [
            try await UDPReceiver(in: diamond.lab["h2"], port: 9000), try await UDPReceiver(in: diamond.lab["t2"], port: 9000),
        ]
        for ((from, packet), receiver) in zip(Self.packets(), receivers) {
            let walk = plane.walk(packet, from: from)
            let before = try await diamond.lab.counters()
            let count = 40
            let received = receiver.datagrams
            // A sender without a route is told so.
            let refused: Bool
            do {
                _ = try await PacedSender.send(
                    to: packet.destination.description, port: 9000, ports: 4000...4019, payload: packet.size - 28, interval: 100_000,
                    count: count, in: diamond.lab[from])
                refused = false
            } catch { refused = true }
            try await Task.sleep(for: .milliseconds(100).stretched)
            let passed = try await diamond.lab.counters()
            let arrived = receiver.datagrams - received
            switch walk.deliveredShare {
            case 0: #expect(arrived == 0, "\(from): \(walk.branches.map(\.outcome))")
            case 1: #expect(arrived == count, "\(from): \(walk.branches.map(\.outcome))")
            default: #expect(arrived > 0 && arrived < count, "\(from): \(walk.branches.map(\.outcome))")
            }
            if refused {
                #expect(walk.deliveredShare == 0)
                continue
            }
            check(walk, count, before, passed, from)
        }
    }

    private func check(
        _ walk: Walk, _ count: Int, _ before: [PathLab.Passage: PathLab.Tally], _ after: [PathLab.Passage: PathLab.Tally], _ from: String
    ) {
        let shares = walk.shares
        let delivered = walk.deliveredShare > 0
        for (passage, tally) in after {
            let packets = (tally - (before[passage] ?? PathLab.Tally(packets: 0, bytes: 0))).packets
            switch shares[passage] ?? 0 {
            case 0: if delivered { #expect(packets == 0, "\(from): \(passage) was not predicted") }
            case 1: #expect(packets == count, "\(from): \(passage)")
            case let share: #expect(packets > 0 && packets < count, "\(from): \(passage), predicted \(share)")
            }
        }
    }

    /// Loads of two paced senders on every interface, before and after a change, within 5 %.
    @Test(arguments: ["link down r1:r3", "rate node=t1 x2"]) func loadsAreMet(_ text: String) async throws {
        let diamond = try await DiamondLab()
        let state = try await diamond.read()
        var demands: [Demand] = []
        for (from, packet) in Self.packets() {
            demands.append(Demand(namespace: from, packet: packet, rate: BitRate(bitsPerSecond: from == "h1" ? 4e6 : 2e6)))
        }
        let answer = try WhatIf([ChangeParser.parse(text)], on: state, demands: demands)
        try await measure(diamond, answer.demandsBefore, answer.before, "before")
        if text.hasPrefix("link") { try await diamond.lab["r1"].sh("ip link set dev r3 down") }
        try await measure(diamond, answer.demandsAfter, answer.after, "after")
    }

    private func measure(_ diamond: DiamondLab, _ demands: [Demand], _ load: NetworkLoad, _ when: String) async throws {
        let receivers = [
            try await UDPReceiver(in: diamond.lab["h2"], port: 9000), try await UDPReceiver(in: diamond.lab["t2"], port: 9000),
        ]
        let before = try await diamond.lab.counters()
        let seconds = try await withThrowingTaskGroup(of: Double.self) { group in
            for demand in demands {
                group.addTask {
                    let perSecond = demand.rate.bitsPerSecond / Double(demand.packet.size * 8)
                    return try await PacedSender.send(
                        to: demand.packet.destination.description, port: 9000, ports: 4000...4255, payload: demand.packet.size - 28,
                        interval: UInt64(1e9 / perSecond), count: Int(perSecond * 2), in: diamond.lab[demand.namespace]
                    ).seconds
                }
            }
            return try await group.reduce(0) { max($0, $1) }
        }
        try await Task.sleep(for: .milliseconds(100).stretched)
        let after = try await diamond.lab.counters()
        for link in load.links {
            let passage = PathLab.Passage(node: link.place.namespace, link: link.name, direction: link.direction)
            let bytes = ((after[passage] ?? PathLab.Tally(packets: 0, bytes: 0)) - (before[passage] ?? PathLab.Tally(packets: 0, bytes: 0)))
                .bytes
            let rate = Double(bytes * 8) / seconds
            // Where 256 flows spread over two ways, half of them is an expectation with a deviation of its own.
            let tolerance = link.isExpectation ? 0.35 : 0.05
            #expect(
                abs(rate - link.rate.bitsPerSecond) <= tolerance * link.rate.bitsPerSecond,
                "\(when): \(passage): \(rate), predicted \(link.rate)")
        }
        withExtendedLifetime(receivers) {}
    }
}
