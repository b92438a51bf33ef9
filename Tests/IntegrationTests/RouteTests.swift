import Foundation
import Reports
import TestSupport
import Testing

/// The routes of the map are those that `ip route show table all` prints, each of them.
@Suite(.requires(.root, .clsact)) struct RouteTests {
    /// `main 10.0.0.0/8 100 unicast 10.0.1.2 dev e1, …`; what the kernel calls `default` as it calls it.
    private static func shown(_ namespace: NetworkNamespace) async throws -> [String] {
        struct Hop: Decodable { var gateway, dev: String?, weight: Int? }
        struct Line: Decodable {
            var type, dst, gateway, dev, table: String?
            var metric: Int?
            var nexthops: [Hop]?
        }
        var lines: [String] = []
        for family in ["4", "6"] {
            let text = try await namespace.sh("ip -j -d -\(family) route show table all")
            for line in try JSONDecoder().decode([Line].self, from: Data(text.utf8)) {
                var hops = line.nexthops ?? [Hop(gateway: line.gateway, dev: line.dev)]
                if ["blackhole", "unreachable", "prohibit"].contains(line.type ?? "") { hops = [] }
                let ways = hops.map { hop in
                    let weight = hop.weight.flatMap { $0 == 1 ? nil : "weight \($0)" }
                    return [hop.gateway, hop.dev.map { "dev \($0)" }, weight].compactMap(\.self).joined(separator: " ")
                }
                var target = line.dst ?? ""
                if target == "default" { target = family == "4" ? "0.0.0.0/0" : "::/0" }
                if !target.contains("/") { target += family == "4" ? "/32" : "/128" }
                lines.append("\(line.table ?? "main") \(target) \(line.metric ?? 0) \(line.type ?? "unicast") \(ways.sorted())")
            }
        }
        return lines.sorted()
    }

    private static func told(_ site: AgentSite) async throws -> [String] {
        let report: TopologyReport = try await site.get("/v1/topology")
        return report.entities.filter { $0.kind == "route" }.map(line).sorted()
    }

    private static func line(_ route: EntityReport) -> String {
        func text(_ name: String) -> String { route.attributes[name]?.description ?? "" }
        var hops: [String] = []
        if case .list(let list) = route.attributes["via"] { hops = list.map { $0.replacing(" dead", with: "") }.sorted() }
        let metric = text("metric").isEmpty ? "0" : text("metric")
        return "\(text("table")) \(text("destination")) \(metric) \(text("type")) \(hops)"
    }

    private func expectSame(_ site: AgentSite, after what: String) async throws {
        var (told, shown): ([String], [String]) = ([], [])
        let isSame = try await eventually(within: .seconds(2)) {
            told = try await Self.told(site)
            shown = try await Self.shown(site.namespace)
            return told == shown
        }
        let (more, less) = (Set(told).subtracting(shown), Set(shown).subtracting(told))
        #expect(isSame, "\(what): more \(more), less \(less), \(told.count) of \(shown.count)")
    }

    /// IPv6 has a route to fe80::/64 by each interface, IPv4 keeps what `ip route append` and `prepend` add beside what was there.
    @Test func eachOfThemThoughTheyAreAlike() async throws {
        let namespace = try await NetworkNamespace(ipv6: true)
        try await namespace.sh(
            """
            for i in 1 2 3; do
                ip link add e$i type veth peer name p$i; ip link set p$i up; ip addr add 10.0.$i.1/24 dev e$i
                ip -6 addr add fd00:$i::1/64 dev e$i nodad; ip link set e$i up
                ip -6 addr add fe80::1/64 dev e$i nodad
            done
            """)
        let site = try AgentSite(in: namespace)
        try site.configure(interfaces: "e1")
        let agent = try await site.start()
        try await site.waitForTopology()
        try await expectSame(site, after: "the start")
        let commands = [
            "route add 192.0.2.0/24 via 10.0.1.2", "route append 192.0.2.0/24 via 10.0.2.2", "route prepend 192.0.2.0/24 via 10.0.3.2",
            "route replace 192.0.2.0/24 via 10.0.3.4", "route del 192.0.2.0/24 via 10.0.1.2", "route append blackhole 192.0.2.0/24",
            "route del 192.0.2.0/24 via 10.0.3.4", "-6 route add 2001:db8::/48 via fd00:1::2",
            "-6 route append 2001:db8::/48 via fd00:2::2", "-6 route append 2001:db8::/48 via fd00:3::2",
            "-6 route del 2001:db8::/48 via fd00:2::2 dev e2", "-6 route add 2001:db8:1::/48 dev e1",
            "-6 route append 2001:db8:1::/48 dev e2", "-6 route replace 2001:db8:1::/48 dev e3", "-6 route append prohibit 2001:db8::/48",
            "-6 route add blackhole 2001:db8:2::/48",
            "-6 route append 2001:db8:2::/48 via fd00:1::2 dev e1", "-6 route del blackhole 2001:db8:2::/48", "link set e2 down",
            "link del e3",
        ]
        for command in commands {
            try await namespace.sh("ip \(command)")
            try await expectSame(site, after: command)
        }
        let map: TopologyReport = try await site.get("/v1/topology")
        let locals = map.entities.filter { $0.key.contains("/route/main/fe80::/64/") }.map(\.key)
        let shown = try await namespace.sh("ip -6 route show fe80::/64").split(separator: "\n")
        #expect(locals.count == shown.count && locals.contains { $0.hasSuffix("/dev/e1") }, "\(locals) \(shown)")
        try await site.stop(agent, keep: false)
    }
}
