import Flows
import NetworkTypes
import TestSupport
import Testing

@testable import Datapath

/// A pair of hosts, both ends of it counted.
struct CountedPair {
    let pair: Pair
    let probe: Probe
    let a: InterfaceID
    let b: InterfaceID
    private let before: [InterfaceCounters]

    init(_ mode: AttachMode, ipv6: Bool = false, mtu: Int = 1500, offloads: Offloads? = nil) async throws {
        pair = try await Pair(ipv6: ipv6, mtu: mtu, offloads: offloads)
        probe = try Probe(mode)
        a = try await probe.attach("va", in: pair.a)
        b = try await probe.attach("vb", in: pair.b)
        before = [try await pair.a.counters(of: "va"), try await pair.b.counters(of: "vb")]
    }

    /// What `ip -s link` counted since the programs were attached, in the order of `points`.
    func deviceCounts() async throws -> [InterfaceCounters.Direction] {
        let a = try await pair.a.counters(of: "va") - before[0]
        let b = try await pair.b.counters(of: "vb") - before[1]
        // Whether the host had a use for a packet (dropped) is not the programs' concern.
        return [a.received, a.sent, b.received, b.sent].map { .init(packets: $0.packets, bytes: $0.bytes) }
    }

    var points: [(InterfaceID, Direction)] { [(a, .ingress), (a, .egress), (b, .ingress), (b, .egress)] }

    /// At all four points: what the programs saw is what the device counted, to the packet and byte, and what the flows hold.
    /// - Parameter onTheWire: super-packets are cut after the egress hook: the device counts what we call wire packets.
    func expectExact(onTheWire: Bool = false, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        func seen() async throws -> [InterfaceCounters.Direction] {
            var seen: [InterfaceCounters.Direction] = []
            for (id, direction) in points {
                let totals = try await probe.books(id, direction).seen
                seen.append(
                    onTheWire
                        ? .init(packets: totals.wirePackets, bytes: totals.wireBytes) : .init(packets: totals.skbs, bytes: totals.skbBytes))
            }
            return seen
        }
        // The last packets (an acknowledgement, an answer) may still be on their way.
        _ = try await eventually(within: .seconds(3)) { try await seen() == deviceCounts() }
        #expect(try await seen() == deviceCounts(), sourceLocation: sourceLocation)
        for (id, direction) in points {
            let account = try await probe.account(id, direction)
            #expect(account.closes && account.told == account.books.seen, "\(account)", sourceLocation: sourceLocation)
            let flows = try await probe.flows(id, direction).map(\.totals).reduce(Totals(), +)
            #expect(flows == account.books.seen, sourceLocation: sourceLocation)
        }
    }

    /// The flow of an interface and direction that meets the condition; exactly one is expected.
    func flow(
        _ id: InterfaceID, _ direction: Direction, sourceLocation: SourceLocation = #_sourceLocation, where condition: (FlowKey) -> Bool
    ) async throws -> FlowRecord {
        let found = try await probe.flows(id, direction).filter { condition($0.key) }
        #expect(found.count == 1, "\(found)", sourceLocation: sourceLocation)
        return try #require(found.first, sourceLocation: sourceLocation)
    }
}

extension AttachMode {
    /// Those that this kernel has.
    static let both: [AttachMode] = {
        // Without privileges the suites are skipped as a whole.
        guard let program = try? TinyProgram.passing() else { return [.tcx, .clsact] }
        return TCXLink.isSupported(program: program.descriptor) ? [.tcx, .clsact] : [.clsact]
    }()
}

extension Totals {
    /// Packets that are the same to the device and on the wire.
    init(plain packets: Int, bytes: Int) {
        self.init(skbs: UInt64(packets), skbBytes: UInt64(bytes), wirePackets: UInt64(packets), wireBytes: UInt64(bytes))
    }
}
