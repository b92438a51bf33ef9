import NetworkTypes
import Testing
import Topology

@testable import PathComputation

/// What a snapshot's links become.
@Suite struct SnapshotReaderTests {
    private func read(_ facts: [UInt64: [Fact]]) throws -> PathComputation.NetworkState {
        var builder = TopologyBuilder()
        builder.observe(.host(name: "lab", HostState()))
        for (cookie, name) in [(1, "a"), (2, "b")] as [(UInt64, String)] {
            builder.observe(.namespace(NamespaceFact(cookie: cookie, name: name)))
            builder.observe(.resynchronised(facts[cookie] ?? [], in: cookie))
        }
        return SnapshotReader(builder.commit(at: Timestamp(nanoseconds: 1)), settings: [:]).state
    }

    private func kind(_ name: String, in namespace: String, _ state: PathComputation.NetworkState) -> PathComputation.LinkKind? {
        state.namespaces[namespace]?.link(named: name)?.kind
    }

    /// A device of the number that the lower one has elsewhere is another.
    @Test func aVLANDeviceApartFromItsLowerOneIsNotOnTopOfAnother() throws {
        let state = try read([
            1: [
                .link(LinkFact(index: 2, name: "eth0")), .link(LinkFact(index: 3, name: "eth0.5", kind: "vlan", peer: 2, vlan: 5)),
            ],
            2: [
                .link(LinkFact(index: 4, name: "eth0.7", kind: "vlan", peer: 2, peerNamespace: 1, vlan: 7)),
                .link(LinkFact(index: 2, name: "other")),
            ],
        ])
        let eth0 = try #require(state.namespaces["a"]?.link(named: "eth0")?.index)
        #expect(kind("eth0.5", in: "a", state) == .vlan(parent: eth0, id: 5))
        #expect(kind("eth0.7", in: "b", state) == .other("vlan"))
    }

    @Test func aVRFHasTheTableThatIsKeptOfIt() throws {
        let state = try read([
            1: [.link(LinkFact(index: 2, name: "red", kind: "vrf", vrfTable: 1042))],
            2: [
                .link(LinkFact(index: 2, name: "blue", kind: "vrf")), .link(LinkFact(index: 3, name: "eth0", master: 2)),
                .route(Route(table: 7, destination: IPPrefix("10.0.0.1/32")!, kind: .local, nexthops: [Nexthop(interface: 3)])),
            ],
        ])
        #expect(kind("red", in: "a", state) == .vrf(table: 1042))
        #expect(kind("blue", in: "b", state) == .vrf(table: 7))
    }
}
