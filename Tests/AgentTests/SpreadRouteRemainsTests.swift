import NetworkTypes
import TestSupport
import Testing

@testable import Agent
@testable import Netlink

/// Spread routes that an agent left are found and taken away, and nothing of others.
@Suite(.requires(.root)) struct SpreadRouteRemainsTests {
    @Test(arguments: ["done", "by hand"]) func theyGo(way: String) async throws {
        let namespace = try await TestSupport.NetworkNamespace()
        try await namespace.sh(
            """
            ip link add p0 type veth peer name q0 && ip link set q0 up && ip link set p0 up && ip addr add 10.0.0.1/24 dev p0
            ip rule add to 10.8.0.0/16 lookup 5 pref 100
            ip nexthop add id 1 via 10.0.0.9 dev p0 && ip route add 10.8.0.0/16 nhid 1 table 5
            """)
        try await namespace.waitForCarrier()
        let index = Int32(try await namespace.index(of: "p0"))
        let looks = "ip rule; ip nexthop; ip route show table all"
        let before = try await namespace.sh(looks)
        let command = try await namespace.run {
            let route = SpreadRoute(
                slot: 5, destination: IPPrefix("10.9.0.0/16")!,
                paths: [.init(place: 0, interface: index, gateway: IPAddress("10.0.0.2"), weight: 100)])
            try NetlinkSocket().put(route)
            var scope = Cleanup.Scope()
            (scope.roots, scope.directories, scope.replacedQdiscs, scope.searchesNamespaces) = ([], [], "/nonexistent/replaced", false)
            let steps = try Cleanup.plan(scope).removed
            #expect(steps.map(\.what) == ["route to 10.9.0.0/16"], "\(steps)")
            guard way == "done" else { return steps.first?.command ?? "" }
            let report = try Cleanup.run(scope)
            #expect(report.failed.isEmpty && report.removed == steps)
            #expect(try Cleanup.plan(scope).removed.isEmpty)
            return ":"
        }
        try await namespace.sh(command)
        #expect(try await namespace.sh(looks) == before)
    }
}
