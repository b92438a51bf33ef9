import Foundation
import TestSupport
import Testing

/// What the real servers of the lab are found to be by the first packets of their clients, and what DNS called one of them.
@Suite(.requires(.root, .clsact, .vxlan, .bridge, .nginx, .dnsmasq, .postgres)) struct AcceptanceNamesTests {
    /// By the lab's definition: nDPI's names in lower case.
    private static let applications = ["tcp/80": "http", "tcp/5432": "postgresql", "udp/53": "dns"]

    @Test(.timeLimit(.minutes(10))) func applicationsAndNamesAreRight() async throws {
        try await AcceptanceLab.watched(applications: AgentSite.applicationsOn()) { lab, site in
            let expected = Set(
                lab.talks.map { talk in
                    let (client, server) = (lab.endpoint(talk.client), lab.endpoint(talk.server))
                    return Talk(
                        from: "vni/\(client.vni)/ip/\(client.address)", to: "vni/\(server.vni)/ip/\(server.address)",
                        application: Self.applications[talk.service]!)
                })
            #expect(expected.count == 8)
            var found: Set<Talk> = []
            var map = DiscoveredMap()
            let isRight = try await eventually(within: .seconds(10)) {
                map = try JSONDecoder().decode(DiscoveredMap.self, from: Data(try await site.nilo("topology --json --top 100000").utf8))
                found = Set(map.talks.map(Talk.init))
                return found == expected && map.attributes["vni/100/ip/10.0.0.11"]?["name"] == "lab.test"
            }
            #expect(
                isRight,
                """
                missing: \(expected.subtracting(found).map(\.description).sorted())
                extra: \(found.subtracting(expected).map(\.description).sorted())
                """)
            #expect(map.attributes["vni/100/ip/10.0.0.11"]?["name"] == "lab.test", "\(map.attributes["vni/100/ip/10.0.0.11"] ?? [:])")
            // Nobody asked for the name of another.
            let others = map.attributes.filter { $0.value["name"] == "lab.test" }.keys.filter { !$0.hasSuffix("/ip/10.0.0.11") }
            #expect(others.isEmpty, "\(others)")
            // The hosts' own neighbour discovery is of the kernel's making.
            let applications = Set(map.nodes.filter { $0.hasPrefix("app/") }).subtracting(["app/icmpv6", "app/icmp"])
            #expect(applications == ["app/http", "app/postgresql", "app/dns"])
            // And the command line says it to a person.
            let table = try await site.nilo("topology --format table")
            for word in ["http", "postgresql", "dns", "lab.test"] { #expect(table.contains(word), "\(word) in \(table)") }
        }
    }

    private struct Talk: Hashable, CustomStringConvertible {
        var from: String
        var to: String
        var application: String

        init(from: String, to: String, application: String) { (self.from, self.to, self.application) = (from, to, application) }

        init(_ link: (from: String, to: String, attributes: [String: String])) {
            self.init(from: link.from, to: link.to, application: link.attributes["application"] ?? "")
        }

        var description: String { "\(from) -> \(to): \(application)" }
    }
}
