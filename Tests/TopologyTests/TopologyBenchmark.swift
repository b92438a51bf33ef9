import Flows
import NetworkTypes
import Topology

/// How long a commit takes and how much it holds, at the size that the topology is built for: prints, judges nothing.
enum TopologyBenchmark {
    static let servers = 1000
    static let clients = 99_000
    static let links = 1_000_000

    static func run() {
        var limits = TopologyLimits()
        (limits.nodes, limits.endpointsPerNetwork, limits.conversations) = (200_000, 200_000, 1_100_000)
        limits.communications = 1_200_000
        var builder = TopologyBuilder(limits: limits)
        let address = InterfaceAddress(interface: 2, address: IPAddress("10.0.0.1")!, prefixLength: 8)
        builder.observe([
            .host(name: "bench", HostState()), .namespace(NamespaceFact(cookie: 1, name: "init")),
            .resynchronised([.link(LinkFact(index: 2, name: "eth0")), .address(address)], in: 1),
            .counted(InterfaceID(rawValue: 1), interface: 2, in: 1),
        ])
        _ = builder.commit(at: Timestamp(nanoseconds: 0))
        let before = residentBytes
        let clock = ContinuousClock()
        let build = clock.measure {
            for part in 0..<10 {
                builder.observe(.traffic((part * links / 10..<(part + 1) * links / 10).flatMap { deltas($0) }))
                _ = builder.commit(at: Timestamp(nanoseconds: Int64(part)))
            }
        }
        let snapshot = builder.snapshot
        let growth = (residentBytes - before) / 1_000_000
        print("built: \(snapshot.nodeCount) nodes, \(snapshot.linkCount) links in \(build), \(growth) MB more")
        measure("10,000 links with traffic", &builder) { step in (0..<10_000).map { ($0 * 97 + step * 131) % links } }
        measure("10,000 new links", &builder) { step in (0..<10_000).map { links + step * 10_000 + $0 } }
        for step in 0..<3 {
            let last = builder.snapshot
            var changed = LinkFact(index: 2, name: "eth0")
            changed.mtu = UInt32(1400 + step)
            builder.observe(.appeared(.link(changed), in: 1))
            let time = clock.measure { _ = builder.commit(at: Timestamp(nanoseconds: 0)) }
            print("one link fact: commit \(time), \(builder.snapshot.changes(since: last).count) changes")
        }
        print("resident in all: \(residentBytes / 1_000_000) MB")
    }

    private static func measure(_ what: String, _ builder: inout TopologyBuilder, _ flows: (Int) -> [Int]) {
        let clock = ContinuousClock()
        for step in 0..<5 {
            let last = builder.snapshot
            builder.observe(.traffic(flows(step).flatMap { deltas($0) }))
            let commit = clock.measure { _ = builder.commit(at: Timestamp(nanoseconds: 0)) }
            var count = 0
            let changes = clock.measure { count = builder.snapshot.changes(since: last).count }
            print("\(what): commit \(commit), changes \(changes) (\(count))")
        }
    }

    /// Each number is a link: a client, a server and a port of its own.
    private static func deltas(_ number: Int) -> [FlowDelta] {
        let client = IPAddress.v4(0x0A10_0000 + UInt32(number % clients))
        let server = IPAddress.v4(0x0A01_0000 + UInt32(number / clients * 37 % servers + number % 7))
        let port = UInt16(1 + number / clients)
        let tuple = FlowTuple(
            source: client, destination: server, sourcePort: 40_000, destinationPort: port, protocol: .tcp, form: .ports, etherType: .ipv4)
        let traits = FlowTraits(first: Timestamp(nanoseconds: 1), last: Timestamp(nanoseconds: 2), tcpFlags: [.syn, .ack])
        let totals = Totals(wirePackets: 10, wireBytes: 1000)
        return [(tuple, Direction.ingress), (tuple.reversed, .egress)].map { tuple, direction in
            FlowDelta(
                key: FlowKey(outer: tuple, interface: InterfaceID(rawValue: 1), direction: direction), totals: totals, traits: traits)
        }
    }
}
