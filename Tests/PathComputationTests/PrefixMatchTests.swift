import NetworkTypes
import PathComputation
import TestSupport
import Testing
import Topology

@Suite struct PrefixMatchTests {
    private static func randomAddress(_ isV4: Bool, _ random: inout SplitMix64) -> IPAddress {
        // Few distinct bits in each byte, so that prefixes share heads and tails.
        func word() -> UInt64 { UInt64.random(in: 0...UInt64.max, using: &random) & UInt64.random(in: 0...UInt64.max, using: &random) }
        let high = word() & 0x8181_8181_8181_8181
        return isV4 ? .v4(UInt32(high >> 32)) : .v6(high: high, low: word() & 0xC000_0000_0000_0001)
    }

    private static func namespace(_ prefixes: [IPPrefix]) -> NamespaceState {
        var namespace = NamespaceState(name: "n", links: [LinkState(index: 1, name: "lo", kind: .loopback)])
        for i in 0..<prefixes.count {
            namespace.links[Int32(i + 2)] = LinkState(index: Int32(i + 2), name: "e\(i)", kind: .dummy)
            namespace.routes.append(Route(destination: prefixes[i], nexthops: [Nexthop(interface: Int32(i + 2))]))
        }
        return namespace
    }

    /// The trie against looking at every prefix.
    @Test(arguments: [true, false], 1...30) func longestPrefixWins(isV4: Bool, seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed))
        var prefixes: [IPPrefix] = []
        while prefixes.count < 300 {
            let address = Self.randomAddress(isV4, &random)
            let prefix = IPPrefix(address, length: Int.random(in: 0...address.bitWidth, using: &random))!
            if !prefixes.contains(prefix) { prefixes.append(prefix) }
        }
        let tables = RoutingTables(Self.namespace(prefixes))
        for _ in 0..<600 {
            var address = Self.randomAddress(isV4, &random)
            if random.once(in: 3) { address = random.pick(prefixes).address }
            if address == .v4(0) || address == .v6(high: 0, low: 0) { continue }
            let expected = prefixes.filter { $0.contains(address) }.max { $0.length < $1.length }
            let found = try? tables.lookUp(RouteQuery(destination: address))
            #expect(found?.route?.destination == expected, "seed \(seed): \(address)")
        }
    }

    /// Time of a look-up hardly depends on the number of routes.
    @Test func manyRoutes() throws {
        func time(_ count: Int) throws -> Duration {
            var random = SplitMix64(seed: 7)
            var namespace = NamespaceState(name: "n", links: [LinkState(index: 2, name: "e", kind: .dummy)])
            for _ in 0..<count {
                let prefix = IPPrefix(.v4(UInt32.random(in: 0...UInt32.max, using: &random)), length: 8 + Int(random.next() % 25))!
                namespace.routes.append(Route(destination: prefix, nexthops: [Nexthop(interface: 2)]))
            }
            let tables = RoutingTables(namespace)
            let addresses = (0..<5000).map { _ in IPAddress.v4(UInt32.random(in: 1 << 24...0xDFFF_FFFF, using: &random)) }
            var found = 0
            let taken = ContinuousClock().measure {
                for address in addresses where (try? tables.lookUp(RouteQuery(destination: address))) != nil { found += 1 }
            }
            #expect(found > 0)
            return taken
        }
        let (few, many) = (try time(1000), try time(100_000))
        print("5000 look-ups: \(few) in 1,000 routes, \(many) in 100,000")
        #expect(many < few * 20)
    }
}
