import Glibc
import NetworkTypes
import TestSupport
import Testing

@testable import Netlink

/// Routes that are spread over paths, as the kernel takes them and iproute2 shows them.
@Suite(.requires(.root)) struct SpreadRouteTests {
    /// Two interfaces with a gateway behind each.
    private func site() async throws -> (TestNamespace, [Int32]) {
        let namespace = try await TestNamespace(ipv6: true)
        try await namespace.sh(
            """
            ip link add p0 type veth peer name q0 && ip link add p1 type veth peer name q1
            for i in 0 1; do
                ip link set q$i up && ip link set p$i up
                ip addr add 10.$i.0.1/24 dev p$i && ip -6 addr add 2001:db8:$i::1/64 dev p$i nodad
            done
            """)
        try await namespace.waitForCarrier()
        var indices: [Int32] = []
        for name in ["p0", "p1"] { indices.append(Int32(try await namespace.index(of: name))) }
        return (namespace, indices)
    }

    private func spread(
        _ indices: [Int32], _ weights: [Int], slot: Int = 0, to destination: String = "10.9.0.0/16"
    ) -> SpreadRoute {
        let isV4 = IPPrefix(destination)!.address.isV4
        return SpreadRoute(
            slot: slot, destination: IPPrefix(destination)!,
            paths: weights.enumerated().filter { $0.element > 0 }.map { place, weight in
                .init(
                    place: place, interface: indices[place], gateway: IPAddress(isV4 ? "10.\(place).0.2" : "2001:db8:\(place)::2"),
                    weight: weight)
            })
    }

    private func refusal(of route: SpreadRoute, in namespace: TestNamespace) async throws -> NetlinkError? {
        try await namespace.withSocket { socket in
            do throws(NetlinkError) { try socket.put(route) } catch { return error }
            return nil
        }
    }

    @Test(arguments: ["10.9.0.0/16", "2001:db8:9::/48", "0.0.0.0/0", "::/0"]) func itIsThereAndGoesAgain(destination: String) async throws {
        let (namespace, indices) = try await site()
        let family = destination.contains(":") ? "-6" : "-4"
        let before = try await namespace.sh("ip \(family) rule; ip nexthop")
        for weights in [[100, 0], [73, 27], [0, 100], [50, 50]] {
            let route = spread(indices, weights, slot: 3, to: destination)
            try await namespace.withSocket { try $0.put(route) }
            #expect(try await namespace.withSocket { try $0.spreadRoutes() } == [route])
        }
        let shown = try await namespace.sh("ip \(family) route show table 1852375043; ip \(family) rule; ip nexthop")
        #expect(shown.contains("proto 110") && shown.contains("weight 50") && shown.contains("suppress_prefixlength"), "\(shown)")
        #expect(try await namespace.withSocket { try $0.spreadRemains() }.count == 1)
        let last = spread(indices, [1, 1], slot: 3, to: destination)
        try await namespace.withSocket { try $0.remove(last) }
        #expect(try await namespace.sh("ip \(family) rule; ip nexthop") == before)
        // IPv6 adds routes of its own for a while.
        let routes = try await namespace.sh("ip \(family) route show table all")
        #expect(!routes.contains("proto 110"), "\(routes)")
    }

    @Test func theMainTableGoesBeforeWhereItIsMoreSpecific() async throws {
        let (namespace, indices) = try await site()
        try await namespace.sh(
            "ip route add 10.9.7.0/24 via 10.1.0.9; ip route add 10.9.0.0/16 via 10.1.0.9; ip route add default via 10.1.0.9")
        let routes = [spread(indices, [100, 0]), spread(indices, [0, 100], slot: 1, to: "10.9.8.0/24")]
        try await namespace.withSocket {
            for route in routes { try $0.put(route) }
        }
        func way(_ address: String) async throws -> String { try await namespace.sh("ip route get \(address)") }
        #expect(try await way("10.9.1.1").contains("via 10.0.0.2 dev p0"))
        #expect(try await way("10.9.7.1").contains("via 10.1.0.9 dev p1"))
        #expect(try await way("10.9.8.1").contains("via 10.1.0.2 dev p1"))
        #expect(try await way("10.8.0.1").contains("via 10.1.0.9 dev p1"))
        try await namespace.withSocket { try $0.removeSpreadRoutes() }
        #expect(try await way("10.9.1.1").contains("via 10.1.0.9 dev p1"))
        #expect(try await namespace.withSocket { try $0.spreadRemains() }.isEmpty)
        #expect(try await namespace.sh("ip nexthop").isEmpty)
    }

    /// What somebody takes away of it, or makes another one of, is missed, and there again.
    @Test(
        arguments: [
            "rule del pref 32624", "rule del pref 32625", "route del 10.9.0.0/16 table 1852375041",
            "route replace blackhole 10.9.0.0/16 table 1852375041",
        ])
    func whatIsMissingIsMended(change: String) async throws {
        let (namespace, indices) = try await site()
        let route = spread(indices, [60, 40], slot: 1, to: "10.9.0.0/16")
        try await namespace.withSocket { try $0.put(route) }
        let shown = "ip rule; ip nexthop; ip route show table 1852375041"
        let before = try await namespace.sh(shown)
        try await namespace.sh("ip " + change)
        #expect(try await namespace.withSocket { try $0.spreadRoutes() } != [route])
        try await namespace.withSocket { try $0.put(route) }
        #expect(try await namespace.withSocket { try $0.spreadRoutes() } == [route])
        #expect(try await namespace.sh(shown) == before)
    }

    /// The commands that are shown take ours and leave what others made under the same protocol.
    @Test func whatAPersonWouldTypeTakesOursAlone() async throws {
        let (namespace, indices) = try await site()
        try await namespace.sh(
            """
            ip rule add pref 32402 from 10.79.0.1 lookup 55 protocol 110
            ip rule add pref 32403 to 10.9.0.0/16 lookup main suppress_prefixlength 0 protocol 110
            ip nexthop add id 5 via 10.0.0.9 dev p0 protocol 110
            """)
        let before = try await namespace.sh("ip rule; ip -6 rule; ip nexthop")
        let routes = [spread(indices, [60, 40], slot: 1, to: "10.9.0.0/16"), spread(indices, [1, 1], slot: 2, to: "::/0")]
        try await namespace.withSocket {
            for route in routes { try $0.put(route) }
        }
        let commands = try await namespace.withSocket { try $0.spreadRemovals() }
        try await namespace.sh("set -e\n" + commands.joined(separator: "\n"))
        #expect(try await namespace.sh("ip rule; ip -6 rule; ip nexthop") == before, "\(commands)")
    }

    /// 256 conversations spread as the weights say, by hash: three standard deviations of a draw are allowed for.
    @Test func flowsSpreadByWeight() async throws {
        let (namespace, indices) = try await site()
        let route = spread(indices, [75, 25])
        try await namespace.withSocket { try $0.put(route) }
        let ways = try await namespace.sh("for i in $(seq 0 255); do ip route get 10.9.3.$i | head -1; done")
        let first = ways.split(separator: "\n").count { $0.contains("dev p0") }
        #expect(ways.split(separator: "\n").count == 256 && abs(first - 192) <= 21, "\(first) of 256")
    }

    @Test func withoutItsInterfacesItGoesAndOthersStandIn() async throws {
        let (namespace, indices) = try await site()
        try await namespace.sh("ip route add 10.9.0.0/16 via 10.1.0.9")
        let first = spread(indices, [100, 0])
        try await namespace.withSocket { try $0.put(first) }
        try await namespace.sh("ip link del p0")
        #expect(try await namespace.sh("ip route get 10.9.1.1").contains("via 10.1.0.9"))
        #expect(try await namespace.withSocket { try $0.spreadRoutes() }.isEmpty)
        // What is left of it is no hindrance.
        let route = spread(indices, [0, 100])
        try await namespace.withSocket { try $0.put(route) }
        #expect(try await namespace.withSocket { try $0.spreadRoutes() } == [route])
    }

    @Test func numbersOfOthersAreLeftAlone() async throws {
        let (namespace, indices) = try await site()
        try await namespace.sh(
            "ip nexthop add id \(0x6E69_0001) via 10.0.0.7 dev p0; ip rule add to 10.9.0.0/16 lookup 5 pref 100; ip rule add pref 32624 lookup 7"
        )
        let before = try await namespace.sh("ip rule; ip nexthop; ip route show table all")
        let refusal = try await refusal(of: spread(indices, [50, 50]), in: namespace)
        #expect(refusal?.code == EEXIST && refusal?.detail == "nexthop \(0x6E69_0001) is not ours")
        #expect(try await namespace.sh("ip rule; ip nexthop; ip route show table all") == before)
        let other = spread(indices, [50, 50], slot: 2)
        try await namespace.withSocket {
            try $0.put(other)
            try $0.removeSpreadRoutes()
        }
        #expect(try await namespace.sh("ip rule; ip nexthop; ip route show table all") == before)
    }

    @Test func whatCannotBeMadeLeavesNothing() async throws {
        let (namespace, indices) = try await site()
        let before = try await namespace.sh("ip rule; ip nexthop; ip route show table all")
        var route = spread(indices, [50, 50])
        route.paths[1].gateway = IPAddress("192.0.2.1")
        let refusal = try await refusal(of: route, in: namespace)
        #expect(refusal?.operation == "make the path through 192.0.2.1", "\(String(describing: refusal))")
        #expect(try await namespace.sh("ip rule; ip nexthop; ip route show table all") == before)
    }
}
