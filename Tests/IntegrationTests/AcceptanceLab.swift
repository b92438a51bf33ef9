import Foundation
import TestSupport

/// Three hosts in namespaces on one wire, two virtual networks over VXLAN with a bridge each on every host, and twenty endpoints in
/// namespaces of their own. Both networks have the same addresses.
///
/// It is what a test says that there is; ``map`` is what the topology has to look like, from the definition alone.
struct AcceptanceLab: Sendable {
    struct Endpoint: Sendable {
        var name: String
        var vni: Int
        var address: String
        var mac: String
        var host: Int
        /// Its interface on the host.
        var port: String
        /// Where it moved away from. The VXLAN device of the host that it is on now still sends to there (for its ageing time, 300 s): the
        /// bridge before it knows better, so nothing makes it learn.
        var left: [Int] = []
    }

    /// Somebody asked somebody, and was answered.
    struct Talk: Sendable {
        var client: String
        var server: String
        /// `tcp/80`
        var service: String
    }

    static let hosts = [1, 2, 3]
    static let networks = [100, 200]
    /// Endpoints of each network on each host.
    static let population: [(host: Int, vni: Int, count: Int)] = [
        (1, 100, 4), (2, 100, 3), (3, 100, 3), (1, 200, 3), (2, 200, 4), (3, 200, 3),
    ]

    /// In front of every namespace's name.
    let prefix: String
    /// Where commands are run from.
    let home: NetworkNamespace
    var endpoints: [Endpoint] = []
    /// Pulled out: others still know where they were.
    var gone: [Endpoint] = []
    var talks: [Talk] = []

    init(in home: NetworkNamespace) {
        self.home = home
        prefix = "nilo-\(String(UInt32.random(in: 0...UInt32.max), radix: 36))-"
        for (host, vni, count) in Self.population {
            for number in 1...count { endpoints.append(Self.endpoint(host, vni, number)) }
        }
    }

    static func endpoint(_ host: Int, _ vni: Int, _ number: Int) -> Endpoint {
        Endpoint(
            name: "h\(host)-n\(vni)-\(number)", vni: vni, address: "10.0.0.\(host)\(number)",
            mac: "02:00:00:\(vni == 100 ? "01" : "02"):0\(host):0\(number)", host: host, port: "v\(vni)-\(number)")
    }

    func endpoint(_ name: String) -> Endpoint { (endpoints + gone).first { $0.name == name }! }

    // MARK: Making it

    func build() async throws {
        let wire = "\(prefix)wire"
        // Seconds that what was learned holds: the kernel's own five minutes, of a slower machine as many more.
        let ageing = Int(300 * patience)
        var script = """
            ip netns add \(wire); \(Self.withoutIPv6(wire))
            ip -n \(wire) link add br-wire type bridge mcast_snooping 0 ageing_time \(100 * ageing)
            ip -n \(wire) link set br-wire up\n
            """
        for host in Self.hosts {
            let name = "\(prefix)h\(host)"
            script += """
                ip netns add \(name); \(Self.withoutIPv6(name)); ip -n \(name) link set lo up
                ip -n \(wire) link add w\(host) type veth peer name eth0 netns \(name)
                ip -n \(wire) link set w\(host) master br-wire up
                ip -n \(name) addr add 192.0.2.\(host)/24 dev eth0; ip -n \(name) link set eth0 up\n
                """
            for vni in Self.networks {
                // Without snooping: with it a bridge says something itself from time to time (IGMP), and is learned as a station.
                script += """
                    ip -n \(name) link add br\(vni) type bridge mcast_snooping 0 ageing_time \(100 * ageing)
                    ip -n \(name) link add vx\(vni) type vxlan id \(vni) local 192.0.2.\(host) dstport 4789 dev eth0 ageing \(ageing)
                    ip -n \(name) link set vx\(vni) master br\(vni) up; ip -n \(name) link set br\(vni) up\n
                    """
                for other in Self.hosts where other != host {
                    script += "bridge -n \(name) fdb append 00:00:00:00:00:00 dev vx\(vni) dst 192.0.2.\(other)\n"
                }
            }
        }
        try await home.sh(script)
        for endpoint in endpoints { try await home.sh("ip netns add \(prefix)\(endpoint.name)\n\(plugging(endpoint))") }
        // When the bridges' ports forward, every endpoint's first words are heard everywhere.
        for host in Self.hosts {
            try await home.sh(Self.untilForwarding("w\(host)", in: wire))
            for vni in Self.networks { try await home.sh(Self.untilForwarding("vx\(vni)", in: "\(prefix)h\(host)")) }
        }
        for endpoint in endpoints { try await speak(endpoint) }
    }

    private static func withoutIPv6(_ namespace: String) -> String {
        "ip netns exec \(namespace) sh -c 'for i in all default; do echo 1 >/proc/sys/net/ipv6/conf/$i/disable_ipv6; done'"
    }

    /// A port forwards when the kernel has noticed its carrier, which may take it a second.
    private static func untilForwarding(_ port: String, in namespace: String) -> String {
        "for i in $(seq 500); do bridge -n \(namespace) link show dev \(port) | grep -q 'state forwarding' && exit; sleep 0.01; done; exit 1"
    }

    /// The commands that plug an endpoint into its host.
    private func plugging(_ endpoint: Endpoint) -> String {
        let (name, host) = ("\(prefix)\(endpoint.name)", "\(prefix)h\(endpoint.host)")
        return """
            ip -n \(host) link add \(endpoint.port) type veth peer name eth0 address \(endpoint.mac) netns \(name)
            ip -n \(host) link set \(endpoint.port) master br\(endpoint.vni) up
            ip -n \(name) link set lo up; ip -n \(name) addr add \(endpoint.address)/24 dev eth0; ip -n \(name) link set eth0 up
            """
    }

    /// A frame to all: nobody answers, and every bridge and VXLAN device has learned where it is.
    func speak(_ endpoint: Endpoint) async throws {
        try await home.sh(Self.untilForwarding(endpoint.port, in: "\(prefix)h\(endpoint.host)"))
        try await home.sh("ip netns exec \(prefix)\(endpoint.name) ping -q -c 1 -W 0.01 -I eth0 224.0.0.1 >/dev/null || [ $? = 1 ]")
    }

    func on(_ endpoint: String, _ command: String) async throws -> String {
        try await home.sh("exec ip netns exec \(prefix)\(endpoint) \(command)")
    }

    func start(_ command: [String], on endpoint: String) async throws -> BackgroundProcess {
        try await .start(["ip", "netns", "exec", "\(prefix)\(endpoint)"] + command, in: home)
    }

    /// Takes the names away; with them goes everything.
    func remove() async throws {
        try await home.sh("for name in $(ip netns list | sed -n 's/^\\(\(prefix)[^ ]*\\).*/\\1/p'); do ip netns del $name; done")
    }

    // MARK: Changing it

    mutating func add(_ endpoint: Endpoint) async throws {
        endpoints.append(endpoint)
        try await home.sh("ip netns add \(prefix)\(endpoint.name)\n\(plugging(endpoint))")
    }

    mutating func takeAway(_ name: String) async throws {
        let endpoint = endpoint(name)
        endpoints.removeAll { $0.name == name }
        gone.append(endpoint)
        try await home.sh("ip -n \(prefix)h\(endpoint.host) link del \(endpoint.port)")
    }

    mutating func move(_ name: String, to host: Int, port: String) async throws {
        let place = endpoints.firstIndex { $0.name == name }!
        try await home.sh("ip -n \(prefix)h\(endpoints[place].host) link del \(endpoints[place].port)")
        endpoints[place].left.append(endpoints[place].host)
        (endpoints[place].host, endpoints[place].port) = (host, port)
        try await home.sh(plugging(endpoints[place]))
    }
}
