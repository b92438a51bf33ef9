import Flows
import NetworkTypes
import PathComputation
import Testing
import Topology

/// Questions to a snapshot made in memory:
///
///     web (10.9.0.2) ── br (10.9.0.1, init) eth0 192.0.2.10 ── 192.0.2.1, the router, and the world
///                        └ db (10.9.0.3)                 eth1 198.51.100.10 (nothing by it yet)
@Suite struct SnapshotWhatIfTests {
    private static func network() throws -> NetworkState {
        var network = ModelNetwork()
        for name in ["init", "web", "db"] { network.node(name, forwards: name == "init") }
        let eth0 = network.link("init", "eth0", .physical)
        let eth1 = network.link("init", "eth1", .physical)
        let bridge = network.link("init", "br", .bridge)
        for (name, last) in [("web", 2), ("db", 3)] {
            let (port, end) = network.join("init", "v\(name)", name, "e")
            network.state.namespaces["init"]?.links[port.interface]?.master = bridge.interface
            try network.address(end, "10.9.0.\(last)/24")
            try network.apply("add route in \(name) default via 10.9.0.1")
        }
        network.state.namespaces["init"]?.links[eth0.interface]?.capacity = BitRate(bitsPerSecond: 1e9)
        network.state.namespaces["init"]?.links[eth1.interface]?.capacity = BitRate(bitsPerSecond: 1e8)
        try network.address(bridge, "10.9.0.1/24")
        try network.address(eth0, "192.0.2.10/24")
        try network.address(eth1, "198.51.100.10/24")
        try network.apply("add route in init default via 192.0.2.1")
        return network.state
    }

    private static func address(_ text: String) -> IPAddress { IPAddress(text)! }

    /// web serves the world (40 Mbit/s out, 1 in), asks db (3 and 5), and speaks to a group.
    private static func snapshot() throws -> (Snapshot, [String: NamespaceSettings]) {
        var observed = ObservedNetwork(try network())
        observed.count("web", "e", as: 1)
        observed.count("init", "eth0", as: 2)
        let (world, web, db) = (address("203.0.113.9"), address("10.9.0.2"), address("10.9.0.3"))
        let streams = [
            ObservedNetwork.Stream(
                source: web, destination: world, ports: (443, 50_000), transport: .tcp, interface: 1, packets: 5000, size: 1000,
                application: "tls"),
            ObservedNetwork.Stream(
                source: world, destination: web, ports: (50_000, 443), transport: .tcp, interface: 1, direction: .ingress, packets: 1000,
                size: 125, application: "tls"),
            ObservedNetwork.Stream(
                source: web, destination: db, ports: (40_000, 5432), transport: .tcp, interface: 1, packets: 750, size: 500,
                application: "postgres"),
            ObservedNetwork.Stream(
                source: db, destination: web, ports: (5432, 40_000), transport: .tcp, interface: 1, direction: .ingress, packets: 625,
                size: 1000, application: "postgres"),
            ObservedNetwork.Stream(
                source: web, destination: address("239.1.1.1"), ports: (41_000, 5004), interface: 1, packets: 100, size: 200),
        ]
        for _ in 0..<4 { _ = observed.pass(streams) }
        return (observed.pass(streams), observed.settings)
    }

    private func ask(_ changes: String...) throws -> WhatIfReport {
        let (snapshot, settings) = try Self.snapshot()
        return try snapshot.whatIf(changes, settings: settings)
    }

    private func link(_ report: WhatIfReport, _ node: String, _ name: String, _ direction: Hop.Direction) throws -> WhatIfReport.Link {
        try #require(report.links.first { $0.node == node && $0.name == name && $0.direction == direction })
    }

    @Test func asItIs() throws {
        let report = try ask()
        #expect(report.before.demands == 4 && report.before == report.after)
        #expect(abs(report.before.offered.bitsPerSecond - 49e6) < 1)
        #expect(report.before.delivered == report.before.offered)
        #expect(report.flows.isEmpty && report.consequences.isEmpty && report.newBottlenecks.isEmpty)
        // What is told to a group is placed nowhere, and said to be so.
        #expect(report.unplaced.map(\.reason) == [.group])
        #expect(report.unplaced[0].link.contains("239.1.1.1"))
        // 40 Mbit/s in packets of 1,000 bytes, in frames of 1,014.
        #expect(abs(try link(report, "init", "eth0", .egress).before.rate.bitsPerSecond - 40e6 * 1.014) < 1)
        // What comes from the world comes in where the answers go out.
        #expect(abs(try link(report, "init", "eth0", .ingress).before.rate.bitsPerSecond - 1e6 * 139 / 125) < 1)
        // To the world and to the database.
        let out = try link(report, "web", "e", .egress).before.rate.bitsPerSecond
        #expect(abs(out - 40e6 * 1.014 - 3e6 * 514 / 500) < 1)
        // The bridge knows its stations: nothing of what web and db say floods into the host.
        #expect(try link(report, "init", "br", .ingress).before.rate == link(report, "init", "eth0", .egress).before.rate)
        #expect(report.before.tightest == "init:eth0")
        #expect(abs((report.before.headroom ?? 0) - 1e9 / 40.56e6) < 1e-6)
        #expect(report.suppositions.count == 1 && report.suppositions[0].contains("(flows: 1)"))
    }

    @Test func linkDownCutsOff() throws {
        let report = try ask("link down eth0")
        #expect(report.counts.cutOff == 2 && report.flows.count == 2)
        let out = try #require(report.flows.first)
        #expect(out.fate == .cutOff && out.node == "web" && out.before.delivered == 1 && out.after.delivered == 0)
        #expect(out.after.rate == out.before.rate && out.application == "tls")
        #expect(out.before.paths.map(\.hops) == [["web:e", "init:vweb", "init:br", "init:eth0"]])
        #expect(out.after.paths.map(\.outcome) == ["init has no route to it"])
        #expect(report.flows[1].entry == "init:eth0" && report.flows[1].after.paths.map(\.outcome) == ["init:eth0 is down"])
        #expect(report.unreachablePairs.count == 2)
        #expect(report.consequences.contains("init loses route default via 192.0.2.1 dev eth0"))
        #expect(abs(report.after.delivered.bitsPerSecond - 8e6) < 1)
    }

    @Test func routesMoveLoads() throws {
        let report = try ask("link down eth0", "add route default via 198.51.100.1")
        #expect(report.counts.cutOff == 1 && report.counts.rerouted == 1)
        let eth1 = try link(report, "init", "eth1", .egress)
        #expect(eth1.before.rate.bitsPerSecond == 0 && abs(eth1.after.rate.bitsPerSecond - 40.56e6) < 1)
        #expect(abs((eth1.after.utilisation ?? 0) - 0.4056) < 1e-6)
        #expect(report.newBottlenecks.isEmpty)
        // A route that is better for one destination alone.
        let one = try ask("add route in init 203.0.113.0/24 via 198.51.100.1")
        #expect(one.counts.rerouted == 1 && one.counts.cutOff == 0 && one.flows.first?.fate == .rerouted)
    }

    @Test func ratesAndCapacities() throws {
        let app = try ask("rate app=postgres x2")
        #expect(app.counts.changed == 2)
        #expect(abs(try link(app, "db", "e", .ingress).after.rate.bitsPerSecond - 6e6 * 514 / 500) < 1)
        let endpoint = try ask("rate endpoint=10.9.0.3 x3", "rate from=203.0.113.0/24 +1Mbit")
        #expect(endpoint.counts.changed == 3)
        #expect(abs(try link(endpoint, "db", "e", .egress).after.rate.bitsPerSecond - 15e6 * 1.014) < 1)
        let capacity = try ask("link capacity eth0 40Mbit")
        #expect(capacity.newBottlenecks.map(\.name) == ["eth0"] && capacity.newBottlenecks[0].direction == .egress)
        #expect(capacity.newBottlenecks[0].after.headroom?.bitsPerSecond == 0)
        #expect((capacity.after.headroom ?? 2) < 1 && (capacity.before.headroom ?? 0) > 20)
        let filtered = try ask("rate where src host 10.9.0.2 and tcp dst port 5432 12Mbit")
        #expect(filtered.counts.changed == 1)
        #expect(abs(filtered.after.offered.bitsPerSecond - 58e6) < 1)
        let relieved = try ask("rate port=443 1Mbit")
        #expect(abs(relieved.after.offered.bitsPerSecond - 9e6) < 1)
    }

    @Test func refusals() throws {
        let (snapshot, settings) = try Self.snapshot()
        func failure(_ changes: [String]) -> WhatIfError? {
            do {
                _ = try snapshot.whatIf(changes, settings: settings)
                return nil
            } catch { return error }
        }
        let syntax = try #require(failure(["link down eth0", "link dwn eth1"]))
        #expect(syntax.position == 1 && syntax.description.contains("did you mean “down”"))
        let unknown = try #require(failure(["link down eth7"]))
        guard case .refused(position: 0, text: "link down eth7", .unknownLink(_, suggestion: let suggestion)) = unknown else {
            Issue.record("\(unknown)")
            return
        }
        #expect(suggestion == "eth0" || suggestion == "eth1")
        #expect(failure(["rate app=nothing x2"])?.position == 0)
        #expect(failure(["rate app=nothing x2"])?.description.hasSuffix("no traffic of the application “nothing”") == true)
        for word in ["postgers", "postgresql", "Postgre"] {
            #expect(failure(["rate app=\(word) x2"])?.description.hasSuffix("(did you mean “postgres”?)") == true)
        }
        // It is the port that nothing has.
        #expect(failure(["rate app=postgres port=1 x2"])?.description.contains("did you mean") == false)
        #expect(failure(["add route default via 172.16.0.1"])?.description.contains("172.16.0.1") == true)
    }

    /// Without settings it says what it takes for granted; rates are of the latest epoch or a mean.
    @Test func suppositionsAndMeans() throws {
        var observed = ObservedNetwork(try Self.network())
        observed.count("web", "e", as: 1)
        func stream(_ packets: UInt64) -> ObservedNetwork.Stream {
            ObservedNetwork.Stream(
                source: Self.address("10.9.0.2"), destination: Self.address("10.9.0.3"), ports: (40_000, 53), interface: 1,
                packets: packets, size: 100)
        }
        _ = observed.pass([stream(100)])
        let earlier = observed.pass([stream(100)])
        _ = observed.pass([stream(100)])
        let now = observed.pass([stream(300)])
        let latest = try now.whatIf([])
        #expect(abs(latest.before.offered.bitsPerSecond - 240e3) < 1)
        #expect(latest.suppositions == ["forwarding is on and other sysctls have their defaults in db, init, web"])
        #expect(abs(try now.whatIf([], since: earlier).before.offered.bitsPerSecond - 160e3) < 1)
        // Who is silent is no demand.
        let silent = observed.pass()
        #expect(try silent.whatIf([]).before.demands == 0)
    }
}
