import Flows
import Glibc
import NetworkTypes
import Topology

/// How much the topology holds and how long an epoch takes, at the size that it is made for: 100,000 nodes and 1,000,000 links.
func measureTopologyScale(_ plan: Plan, _ results: Results) throws {
    var load = TopologyLoad()
    let before = try residentMemory()
    let start = wallSeconds()
    try load.build()
    let snapshot = load.builder.snapshot
    guard snapshot.nodeCount >= 100_000, snapshot.linkCount >= 1_000_000 else {
        throw BenchError("\(snapshot.nodeCount) nodes and \(snapshot.linkCount) links were made")
    }
    results.add("topology_nodes", Double(snapshot.nodeCount))
    results.add("topology_links", Double(snapshot.linkCount))
    results.add("topology_build_s", wallSeconds() - start)
    results.add("topology_memory_mb", Double(try residentMemory() - before) / 1e6, .atMost(1000))

    // The snapshot before is kept: what changes is copied, as with an agent that compares the two.
    let rounds = max(5, plan.rounds)
    let known = (0..<rounds).map { round in load.epoch((0..<10_000).map { ($0 * 97 + round * 131) % TopologyLoad.links }) }
    results.add("epoch_10000_links_with_traffic_ms", known.map(\.commit), .atMost(50))
    let fresh = (0..<rounds).map { round in load.epoch((0..<10_000).map { TopologyLoad.links + round * 10_000 + $0 }) }
    results.add("epoch_10000_new_links_ms", fresh.map(\.commit), .atMost(50))
    results.add("changes_of_10000_new_links_ms", fresh.map(\.changes))
    let single = (0..<rounds).map { round in load.linkFact(round) }
    results.add("epoch_one_link_fact_ms", single)
    results.add("topology_memory_after_mb", Double(try residentMemory() - before) / 1e6, .atMost(1000))
    results.remark("topology: every link with traffic is reported twice an epoch, once a direction; the snapshot before is still held.")
}

/// Clients of a thousand servers; each number stands for a link.
private struct TopologyLoad {
    static let servers = 1000
    static let clients = 99_920
    static let links = 1_000_000
    var builder: TopologyBuilder
    private var time: Int64 = 0

    init() {
        var limits = TopologyLimits()
        (limits.nodes, limits.endpointsPerNetwork, limits.conversations) = (200_000, 200_000, 1_500_000)
        limits.communications = 1_500_000
        builder = TopologyBuilder(limits: limits)
        let address = InterfaceAddress(interface: 2, address: .v4(0x0A00_0001), prefixLength: 8)
        builder.observe([
            .host(name: "bench", HostState()), .namespace(NamespaceFact(cookie: 1, name: "init")),
            .resynchronised([.link(LinkFact(index: 2, name: "eth0")), .address(address)], in: 1),
            .counted(InterfaceID(rawValue: 1), interface: 2, in: 1),
        ])
        commit()
    }

    private mutating func commit() {
        time += 1
        _ = builder.commit(at: Timestamp(nanoseconds: time * 1_000_000_000))
    }

    mutating func build() throws {
        // As it comes about: some in every epoch.
        for part in 0..<50 {
            builder.observe(.traffic((part * Self.links / 50..<(part + 1) * Self.links / 50).flatMap { deltas($0) }))
            commit()
        }
    }

    /// Milliseconds for an epoch with traffic on those links, and for the list of what changed.
    mutating func epoch(_ numbers: [Int]) -> (commit: Double, changes: Double) {
        let last = builder.snapshot
        builder.observe(.traffic(numbers.flatMap { deltas($0) }))
        let start = wallSeconds()
        commit()
        let middle = wallSeconds()
        let changes = builder.snapshot.changes(since: last)
        let end = wallSeconds()
        withExtendedLifetime(changes) {}
        return ((middle - start) * 1e3, (end - middle) * 1e3)
    }

    /// The same with one interface that has changed.
    mutating func linkFact(_ round: Int) -> Double {
        let last = builder.snapshot
        var link = LinkFact(index: 2, name: "eth0")
        link.mtu = UInt32(1400 + round)
        builder.observe(.appeared(.link(link), in: 1))
        let start = wallSeconds()
        commit()
        let end = wallSeconds()
        withExtendedLifetime(last) {}
        return (end - start) * 1e3
    }

    private func deltas(_ number: Int) -> [FlowDelta] {
        let client = IPAddress.v4(0x0A10_0000 + UInt32(number % Self.clients))
        let server = IPAddress.v4(0x0A01_0000 + UInt32((number / Self.clients * 37 + number % 7) % Self.servers))
        let tuple = FlowTuple(
            source: client, destination: server, sourcePort: 40_000, destinationPort: UInt16(1 + number / Self.clients), protocol: .tcp,
            form: .ports, etherType: .ipv4)
        let traits = FlowTraits(first: Timestamp(nanoseconds: 1), last: Timestamp(nanoseconds: 2), tcpFlags: [.syn, .ack])
        return [(tuple, Direction.ingress), (tuple.reversed, .egress)].map { tuple, direction in
            FlowDelta(
                key: FlowKey(outer: tuple, interface: InterfaceID(rawValue: 1), direction: direction),
                totals: Totals(wirePackets: 10, wireBytes: 1000), traits: traits)
        }
    }
}

/// Bytes of this process in memory (proc_pid_statm(5)).
func residentMemory() throws -> Int {
    guard let words = text(of: "/proc/self/statm")?.split(separator: " "), words.count > 1, let pages = Int(words[1]) else {
        throw BenchError("cannot read /proc/self/statm")
    }
    return pages * sysconf(Int32(_SC_PAGESIZE))
}
