/// Hosts 1…n on one bridge: each has `eth0` with 10.0.0.i/24 (and fd00::i/64); the bridge's port to it is `pi`.
///
/// The bridge knows every host beforehand, so that nothing is flooded to hosts that it is not for.
public struct BridgedHosts: Sendable {
    /// The namespace of the bridge `sw`.
    public let bridge: NetworkNamespace
    /// The hosts; `hosts[0]` is host 1.
    public let hosts: [NetworkNamespace]

    public static func address(_ host: Int) -> String { "10.0.0.\(host)" }
    public static func address6(_ host: Int) -> String { "fd00::\(String(host, radix: 16))" }

    public init(hosts count: Int, ipv6: Bool = false, mtu: Int = 1500) async throws {
        precondition((1...250).contains(count))
        let bridge = try await NetworkNamespace()
        try await bridge.sh("ip link add sw mtu \(mtu) type bridge stp_state 0 mcast_snooping 0; ip link set sw up")
        var hosts: [NetworkNamespace] = []
        for i in 1...count {
            let host = try await NetworkNamespace(ipv6: ipv6)
            hosts.append(host)
            try await bridge.sh(
                """
                ip link add p\(i) mtu \(mtu) type veth peer name eth0 address \(Wiring.mac(i)) mtu \(mtu) netns \(host.path)
                ip link set p\(i) master sw
                ip link set p\(i) up
                bridge fdb replace \(Wiring.mac(i)) dev p\(i) master static
                """)
            let addresses = ["\(Self.address(i))/24"] + (ipv6 ? ["\(Self.address6(i))/64"] : [])
            var script = Wiring.address("eth0", addresses, ipv6: ipv6)
            for other in 1...count where other != i {
                script += Wiring.neighbour(Self.address(other), Wiring.mac(other), "eth0")
                if ipv6 { script += Wiring.neighbour(Self.address6(other), Wiring.mac(other), "eth0") }
            }
            try await host.sh(script)
        }
        for namespace in [bridge] + hosts { try await namespace.waitForCarrier() }
        self.bridge = bridge
        self.hosts = hosts
    }
}
