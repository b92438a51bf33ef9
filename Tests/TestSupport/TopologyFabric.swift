/// Hosts 1…n joined by VXLAN (RFC 7348) over a bridge as underlay, each with one tenant.
///
/// | where | interface | what |
/// |---|---|---|
/// | `wire` | `sw`, `p1`… | the underlay's bridge, MTU 1550 |
/// | `hosts[i-1]` | `up0` | underlay, 172.31.0.i/24 |
/// | | `vx100`, `br100`, `vi` | VTEP (VNI 100, static entries, no learning), bridge, port to the tenant |
/// | `tenants[i-1]` | `eth0` | 10.50.0.i/24 and, with IPv6, fd50::i/64 |
public struct Fabric: Sendable {
    public let wire: NetworkNamespace
    public let hosts: [NetworkNamespace]
    public let tenants: [NetworkNamespace]

    public static let vni = 100
    public static func underlayAddress(_ host: Int) -> String { "172.31.0.\(host)" }
    public static func tenantAddress(_ tenant: Int) -> String { "10.50.0.\(tenant)" }
    public static func tenantAddress6(_ tenant: Int) -> String { "fd50::\(String(tenant, radix: 16))" }
    static func tenantMAC(_ n: Int) -> String { Wiring.mac(n) }
    static func underlayMAC(_ n: Int) -> String { Wiring.mac(n, space: 1) }

    /// - Parameters:
    ///   - hosts: how many; each pair of them is connected.
    ///   - ipv6: of the tenants; the underlay is IPv4.
    public init(hosts count: Int = 3, ipv6: Bool = false) async throws {
        precondition((1...99).contains(count))
        let wire = try await NetworkNamespace()
        try await wire.sh("ip link add sw mtu 1550 type bridge stp_state 0 mcast_snooping 0; ip link set sw up")
        var hosts: [NetworkNamespace] = []
        var tenants: [NetworkNamespace] = []
        for i in 1...count {
            let host = try await NetworkNamespace()
            let tenant = try await NetworkNamespace(ipv6: ipv6)
            hosts.append(host)
            tenants.append(tenant)
            try await wire.sh(
                """
                ip link add p\(i) mtu 1550 type veth peer name up0 address \(Self.underlayMAC(i)) mtu 1550 netns \(host.path)
                ip link set p\(i) master sw
                ip link set p\(i) up
                bridge fdb replace \(Self.underlayMAC(i)) dev p\(i) master static
                """)
            try await host.sh(Self.hostScript(i, of: count, tenant: tenant.path, ipv6: ipv6))
            try await tenant.sh(Self.tenantScript(i, of: count, ipv6: ipv6))
        }
        for namespace in [wire] + hosts + tenants { try await namespace.waitForCarrier() }
        self.wire = wire
        self.hosts = hosts
        self.tenants = tenants
    }

    private static func hostScript(_ i: Int, of count: Int, tenant: String, ipv6: Bool) -> String {
        var script =
            Wiring.address("up0", ["\(underlayAddress(i))/24"], ipv6: false)
                + """
                ip link add vx100 mtu 1500 type vxlan id \(vni) local \(underlayAddress(i)) dstport 4789 nolearning
                ip link add br100 type bridge stp_state 0 mcast_snooping 0
                ip link set vx100 master br100
                ip link set vx100 type bridge_slave learning off neigh_suppress on
                ip link add v\(i) type veth peer name eth0 address \(tenantMAC(i)) netns \(tenant)
                ip link set v\(i) master br100
                ip link set br100 up
                ip link set vx100 up
                ip link set v\(i) up
                bridge fdb replace \(tenantMAC(i)) dev v\(i) master static

                """
        for other in 1...count where other != i {
            script += Wiring.neighbour(underlayAddress(other), underlayMAC(other), "up0")
            script += Wiring.neighbour(tenantAddress(other), tenantMAC(other), "br100")
            script += """
                bridge fdb replace \(tenantMAC(other)) dev vx100 master static
                bridge fdb replace \(tenantMAC(other)) dev vx100 dst \(underlayAddress(other)) self static

                """
        }
        return script
    }

    private static func tenantScript(_ i: Int, of count: Int, ipv6: Bool) -> String {
        let addresses = ["\(tenantAddress(i))/24"] + (ipv6 ? ["\(tenantAddress6(i))/64"] : [])
        var script = Wiring.address("eth0", addresses, ipv6: ipv6)
        for other in 1...count where other != i {
            script += Wiring.neighbour(tenantAddress(other), tenantMAC(other), "eth0")
            if ipv6 { script += Wiring.neighbour(tenantAddress6(other), tenantMAC(other), "eth0") }
        }
        return script
    }
}
