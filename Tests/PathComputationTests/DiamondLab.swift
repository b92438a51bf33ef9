import NetworkTypes
import PathComputation
import TestSupport

/// Two hosts with a tenant each, joined over four routers:
///
/// ```
/// t1 ─ h1 ─ r1 ─┬─ r2 ─┬─ r4 ─ h2 ─ t2
///               └─ r3 ─┘
/// ```
///
/// r1 and r4 spread flows over r2 and r3 by ports (hash policy 1). The tenants' frames (10.50.0.0/24) go through bridges and VXLAN
/// between h1 and h2.
struct DiamondLab: Sendable {
    let lab: PathLab
    var h1: NetworkNamespace { lab["h1"] }

    static let h1Address = IPAddress("10.1.0.1")!
    static let h2Address = IPAddress("10.6.0.2")!
    static let t1Address = IPAddress("10.50.0.1")!
    static let t2Address = IPAddress("10.50.0.2")!

    init(weights: (Int, Int) = (1, 1)) async throws {
        var lab = try await PathLab("t1", "h1", "r1", "r2", "r3", "r4", "h2", "t2")
        try await lab.join("h1", "u0", "r1", "h1", network: 1)
        try await lab.join("r1", "r2", "r2", "r1", network: 2)
        try await lab.join("r1", "r3", "r3", "r1", network: 3)
        try await lab.join("r2", "r4", "r4", "r2", network: 4)
        try await lab.join("r3", "r4", "r4", "r3", network: 5)
        try await lab.join("r4", "h2", "h2", "u0", network: 6)
        try await lab.join("t1", "eth0", "h1", "t1", network: nil)
        try await lab.join("t2", "eth0", "h2", "t2", network: nil)
        for router in ["r1", "r2", "r3", "r4"] {
            try await lab[router].run {
                try write("1", to: "/proc/sys/net/ipv4/ip_forward")
                try write("1", to: "/proc/sys/net/ipv4/fib_multipath_hash_policy")
            }
        }
        try await lab["h1"].sh("ip route add default via 10.1.0.2")
        try await lab["h2"].sh("ip route add default via 10.6.0.1")
        try await lab["r1"].sh(
            """
            ip route add 10.6.0.0/24 nexthop via 10.2.0.2 dev r2 weight \(weights.0) nexthop via 10.3.0.2 dev r3 weight \(weights.1)
            """)
        try await lab["r4"].sh(
            "ip route add 10.1.0.0/24 nexthop via 10.4.0.1 dev r2 weight 1 nexthop via 10.5.0.1 dev r3 weight 1")
        try await lab["r2"].sh("ip route add 10.6.0.0/24 via 10.4.0.2; ip route add 10.1.0.0/24 via 10.2.0.1")
        try await lab["r3"].sh("ip route add 10.6.0.0/24 via 10.5.0.2; ip route add 10.1.0.0/24 via 10.3.0.1")
        for (n, host, far) in [(1, "h1", "10.6.0.2"), (2, "h2", "10.1.0.1")] {
            let local = n == 1 ? "10.1.0.1" : "10.6.0.2"
            try await lab[host].sh(
                """
                ip link add name br type bridge
                ip link add vx mtu 1450 type vxlan id 100 local \(local) dstport 4789 nolearning
                ip link set dev vx master br
                ip link set dev t\(n) master br
                ip link set dev vx up
                ip link set dev br up
                bridge fdb replace 02:00:00:00:0\(n == 1 ? 8 : 7):01 dev vx master static
                bridge fdb replace 02:00:00:00:0\(n == 1 ? 8 : 7):01 dev vx dst \(far) self static
                bridge fdb replace 02:00:00:00:0\(n == 1 ? 7 : 8):01 dev t\(n) master static
                """)
            try await lab["t\(n)"].sh(
                """
                ip link set dev eth0 mtu 1450
                ip addr add 10.50.0.\(n)/24 dev eth0
                ip neigh replace 10.50.0.\(3 - n) lladdr 02:00:00:00:0\(n == 1 ? 8 : 7):01 dev eth0 nud permanent
                """)
        }
        for node in lab.nodes.values { try await node.waitForCarrier() }
        self.lab = lab
    }

    func read() async throws -> NetworkState { try await lab.read() }

    /// Makes a change and waits until the kernels have done all that follows from it.
    func change(_ node: String, _ command: String) async throws {
        try await lab[node].sh(command)
        // A carrier that is gone is noticed at once; what follows from that comes up to a second later (linkwatch).
        for node in lab.nodes.values {
            let settled = try await eventually(within: .seconds(5)) {
                try await !node.sh("ip -o link show up").split(separator: "\n")
                    .contains {
                        $0.contains("NO-CARRIER") && $0.contains(" state UP ") || $0.contains("LOWER_UP") && $0.contains(" state DOWN ")
                    }
            }
            if !settled { throw Unexpected("links do not settle: \(try await node.sh("ip link show"))") }
        }
    }
}
