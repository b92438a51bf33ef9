import Reports
import TestSupport
import Testing

/// Links of every kind that the kernel can make, as they are on the map of an agent that looked on while they were made.
@Suite(.requires(.root, .clsact)) struct LinkKindMapTests {
    private struct Map {
        var report: TopologyReport

        private var interfaces: [EntityReport] { report.entities.filter { $0.kind == "interface" && $0.kernelMade != true } }

        func device(_ name: String) -> EntityReport? { interfaces.first { $0.name == name } }

        func hasAddress(_ address: String, _ name: String) -> Bool {
            report.links.contains { $0.kind == "attachment" && $0.from.hasSuffix("/\(address)") && $0.to == device(name)?.key }
        }

        /// `e1.5 stack e1`, of all links between two interfaces.
        var joins: Set<String> {
            let names = Dictionary(interfaces.map { ($0.key, $0.name) }) { first, _ in first }
            return Set(
                report.links.compactMap { link in
                    guard let from = names[link.from], let to = names[link.to] else { return nil }
                    return link.kind == "veth" ? "\(min(from, to)) veth \(max(from, to))" : "\(from) \(link.kind) \(to)"
                })
        }

        /// What is not as wanted: an attribute that is wanted to be empty has to be left out.
        func faults(_ devices: [String: [String: String]], _ joins: Set<String>) -> [String] {
            var found: [String] = []
            for (name, wanted) in devices {
                guard let device = device(name) else {
                    found.append("there is no \(name)")
                    continue
                }
                for (attribute, value) in wanted {
                    let told = device.attributes[attribute]?.description ?? ""
                    if told != value { found.append("\(name): \(attribute) is “\(told)”, not “\(value)”") }
                }
            }
            found += joins.subtracting(self.joins).map { "missing: \($0)" } + self.joins.subtracting(joins).map { "extra: \($0)" }
            return found.sorted()
        }
    }

    /// e1 and e2, each joined to a device of the same namespace, all up, and an agent that counts the two.
    private struct Place {
        let namespace: NetworkNamespace
        let site: AgentSite
        let agent: BackgroundProcess
        static let pairs: Set = ["e1 veth p1", "e2 veth p2"]

        init(namespaces: String = "host") async throws {
            namespace = try await NetworkNamespace()
            try await namespace.sh(
                """
                for i in 1 2; do
                    ip link add e$i type veth peer name p$i; ip link set e$i up; ip link set p$i up; ip addr add 192.0.$i.1/24 dev e$i
                done
                """)
            site = try AgentSite(in: namespace)
            try site.configure(interfaces: "e1, e2", namespaces: namespaces)
            agent = try await site.start()
            try await site.waitForTopology()
        }

        /// Waits until the map has these devices, with these attributes, and exactly these links besides the pairs'.
        @discardableResult
        func expect(
            _ devices: [String: [String: String]], _ joins: Set<String> = [], sourceLocation: SourceLocation = #_sourceLocation
        ) async throws -> Map {
            var map = Map(report: try await site.get("/v1/topology"))
            _ = try await eventually(within: .seconds(2)) {
                map.report = try await site.get("/v1/topology")
                return map.faults(devices, joins.union(Self.pairs)).isEmpty
            }
            #expect(map.faults(devices, joins.union(Self.pairs)) == [], sourceLocation: sourceLocation)
            return map
        }

        /// Takes the devices away again: the map is as it was.
        func end(_ devices: String...) async throws {
            for device in devices { try await namespace.sh("ip link del \(device)") }
            let map = try await expect([:])
            for device in devices { #expect(map.device(device) == nil) }
            try await site.stop(agent, keep: false)
        }
    }

    @Test(.requires(.vlanDevices)) func vlan() async throws {
        let place = try await Place()
        try await place.namespace.sh(
            """
            ip link add link e1 name e1.5 type vlan id 5; ip link add link e1.5 name inner type vlan id 7
            ip link add link e1 name service type vlan id 4094 protocol 802.1ad; ip link set e1.5 up; ip link set inner up
            """)
        let map = try await place.expect(
            [
                "e1.5": ["device": "vlan", "vlan": "5", "state": "up"], "inner": ["device": "vlan", "vlan": "7", "state": "up"],
                "service": ["device": "vlan", "vlan": "4094"], "e1": ["device": "veth", "vlan": ""],
            ], ["e1.5 stack e1", "inner stack e1.5", "service stack e1"])
        // A network of its own, which is not that of the device under it.
        let network = try #require(map.device("e1.5")?.networks)
        #expect(network.count == 1 && network[0].hasPrefix("vlan/5/") && network[0].hasSuffix("/e1.5"), "\(network)")
        #expect(map.device("e1")?.networks?.contains(network[0]) != true)
        #expect(try await place.site.nilo("topology").contains("e1.5  vlan  vlan 5  over e1"))
        try await place.end("inner", "e1.5", "service")
    }

    /// A VLAN device whose lower device stays in another namespace.
    @Test(.requires(.vlanDevices)) func vlanOfAnotherNamespace() async throws {
        let name = "nilo-test-\(UInt32.random(in: 0...UInt32.max))"
        let place = try await Place(namespaces: "host, \"\(name)*\"")
        try await place.namespace.sh("ip netns add \(name)")
        do {
            try await place.namespace.sh(
                """
                ip link add link e1 name e1.5 type vlan id 5; ip link set e1.5 netns \(name)
                ip -n \(name) link set e1.5 up
                """)
            let map = try await place.expect(["e1.5": ["device": "vlan", "vlan": "5", "state": "up"]], ["e1.5 stack e1"])
            #expect(map.device("e1.5")?.parent?.hasSuffix("/\(name)") == true)
        } catch {
            try await place.namespace.sh("ip netns del \(name)")
            throw error
        }
        try await place.namespace.sh("ip netns del \(name)")
        try await place.end()
    }

    @Test(.requires(.bond, .vlanDevices)) func bond() async throws {
        let place = try await Place()
        try await place.namespace.sh(
            """
            ip link add bo type bond mode active-backup miimon 100; ip link set e1 down; ip link set e2 down
            ip link set e1 master bo; ip link set e2 master bo; ip link set bo up; ip addr add 192.0.2.9/24 dev bo
            ip link add link bo name bo.9 type vlan id 9
            """)
        let map = try await place.expect(
            ["bo": ["device": "bond", "state": "up"], "bo.9": ["device": "vlan", "vlan": "9"]],
            ["e1 port bo", "e2 port bo", "bo.9 stack bo"])
        #expect(map.hasAddress("192.0.2.9", "bo"))
        try await place.namespace.sh("ip link set e2 nomaster")
        try await place.expect(["bo": ["device": "bond"]], ["e1 port bo", "bo.9 stack bo"])
        try await place.end("bo.9", "bo")
    }

    @Test(.requires(.gre)) func gre() async throws {
        let place = try await Place()
        try await place.namespace.sh(
            """
            ip link add g1 type gre local 192.0.1.1 remote 192.0.1.2 okey 77 ikey 78 dev e1; ip link set g1 up; ip addr add 10.7.0.1/30 dev g1
            ip link add g2 type gretap local 192.0.1.1 remote 192.0.1.3; ip link add g3 type gretap external
            """)
        let map = try await place.expect(
            [
                "g1": ["device": "gre", "local": "192.0.1.1", "remote": "192.0.1.2", "key": "77", "mac": "", "state": "up"],
                "g2": ["device": "gretap", "local": "192.0.1.1", "remote": "192.0.1.3", "key": ""],
                "g3": ["device": "gretap", "local": "", "remote": "", "key": ""],
            ], ["g1 stack e1"])
        #expect(map.device("g2")?.attributes["mac"] != nil)
        #expect(try await place.site.nilo("topology").contains("g1  gre  key 77  to 192.0.1.2  10.7.0.1/30  over e1"))
        // The other end moves.
        try await place.namespace.sh("ip tunnel change g1 mode gre remote 192.0.1.9 local 192.0.1.1 dev e1")
        try await place.expect(["g1": ["remote": "192.0.1.9"]], ["g1 stack e1"])
        try await place.end("g1", "g2", "g3")
    }

    @Test(.requires(.geneve)) func geneve() async throws {
        let place = try await Place()
        try await place.namespace.sh(
            "ip link add n1 type geneve id 900 remote 192.0.1.2; ip link add n2 type geneve id 5 remote 2001:db8::2")
        let map = try await place.expect([
            "n1": ["device": "geneve", "vni": "900", "remote": "192.0.1.2"],
            "n2": ["device": "geneve", "vni": "5", "remote": "2001:db8::2"],
        ])
        // A VNI of GENEVE is none of VXLAN's.
        #expect(!map.report.entities.contains { $0.key.hasPrefix("vni/") })
        try await place.end("n1", "n2")
    }

    @Test(.requires(.ipip)) func ipInIP() async throws {
        let place = try await Place()
        try await place.namespace.sh(
            "ip link add i1 type ipip local 192.0.1.1 remote 192.0.1.2 dev e1; ip link set i1 up; ip addr add 10.7.0.1 peer 10.7.0.2/32 dev i1"
        )
        let map = try await place.expect(
            ["i1": ["device": "ipip", "local": "192.0.1.1", "remote": "192.0.1.2", "state": "up", "mac": ""]], ["i1 stack e1"])
        #expect(map.hasAddress("10.7.0.1", "i1"))
        try await place.end("i1")
    }

    /// Ports of a VRF are told with it; what comes in by them goes by its table.
    @Test(.requires(.vrf)) func vrf() async throws {
        let place = try await Place()
        try await place.namespace.sh(
            """
            ip link add red type vrf table 1042; ip link set red up; ip link set e1 master red
            ip route add 198.51.100.0/24 via 192.0.1.2 vrf red
            """)
        let map = try await place.expect(["red": ["device": "vrf", "table": "1042", "state": "up"], "e2": ["table": ""]], ["e1 port red"])
        let route = map.report.entities.first { $0.kind == "route" && $0.name == "198.51.100.0/24" }
        #expect(route?.attributes["table"] == .text("1042"))
        #expect(map.report.entities.contains { $0.kind == "rule" && $0.attributes["selector"] == .text("l3mdev") })
        #expect(try await place.site.nilo("topology").contains("red  vrf  table 1042"))
        try await place.namespace.sh("ip neigh add 192.0.1.2 lladdr 02:00:00:00:00:02 dev e1 nud permanent")
        try await place.namespace.sh("ip neigh add 198.51.100.7 lladdr 02:00:00:00:00:07 dev e2 nud permanent")
        var path = ""
        let isByTable = try await eventually(within: .seconds(2)) {
            path = (try? await place.site.nilo("topology path 192.0.1.1 198.51.100.7")) ?? ""
            return path.contains("198.51.100.0/24 via 192.0.1.2 dev e1 table 1042")
        }
        #expect(isByTable, "\(path)")
        try await place.end("red")
    }

    @Test(.requires(.wireGuard)) func wireGuard() async throws {
        let place = try await Place()
        try await place.namespace.sh(
            "ip link add wg0 type wireguard; ip addr add 10.8.0.1/24 dev wg0; ip link set wg0 up; ip route add 10.9.0.0/16 dev wg0")
        let map = try await place.expect(["wg0": ["device": "wireguard", "state": "up", "mac": "", "mtu": "1420"]])
        #expect(map.hasAddress("10.8.0.1", "wg0"))
        #expect(map.report.entities.first { $0.kind == "route" && $0.name == "10.9.0.0/16" }?.attributes["via"] == .list(["dev wg0"]))
        try await place.end("wg0")
    }

    @Test(.requires(.dummy)) func dummy() async throws {
        let place = try await Place()
        try await place.namespace.sh("ip link add d0 type dummy; ip addr add 10.8.0.1/32 dev d0; ip link set d0 up")
        let map = try await place.expect(["d0": ["device": "dummy", "state": "up"]])
        #expect(map.hasAddress("10.8.0.1", "d0"))
        try await place.end("d0")
    }

    @Test(.requires(.macvlan)) func macvlan() async throws {
        let place = try await Place()
        try await place.namespace.sh(
            "ip link add link e1 name m1 type macvlan mode bridge; ip addr add 192.0.1.9/24 dev m1; ip link set m1 up")
        let map = try await place.expect(["m1": ["device": "macvlan", "state": "up"]], ["m1 stack e1"])
        // One segment with the device under it.
        let ends = [map.device("m1")?.key, map.device("e1")?.key]
        let places = map.report.links.filter { $0.kind == "attachment" && ends.contains($0.to) }.map { $0.from.split(separator: "/ip/") }
        #expect(places.count == 2 && Set(places.map { $0[0] }).count == 1, "\(places)")
        try await place.end("m1")
    }
}
