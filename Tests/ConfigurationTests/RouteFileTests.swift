import NetworkTypes
import Policy
import Testing

@testable import Configuration

@Suite struct RouteFileTests {
    private static let links = """
        links:
          - {interface: eth0, capacity: 100 Mbit/s, alternatives: [eth1, eth2]}
          - {interface: eth1, capacity: 50 Mbit/s}
          - {interface: eth2}
        routes:

        """

    private func parse(_ routes: String) throws -> Policy {
        try PolicyFile.parse(Array((Self.links + routes).utf8), file: "p.yaml").policy
    }

    @Test func routesAreReadAndWritten() throws {
        let policy = try parse(
            """
              - name: far
                to: 10.9.0.0/16
                paths: [{via: 10.1.0.2, on: eth0}, {on: eth1}]
                below: 70 %
                quantile: 80 %
                lead: 20m
                criticality: 80
                change: 10 %
                hold: 1h
                freeze: ["22:00-23:00"]
            """)
        let far = RouteDeclaration(
            name: "far", destination: IPPrefix("10.9.0.0/16")!,
            paths: [.init(gateway: IPAddress("10.1.0.2"), interface: "eth0"), .init(interface: "eth1")], below: 0.7, quantile: 0.8,
            lead: .seconds(1200), criticality: 80, change: 0.1, hold: .seconds(3600), freeze: [DailyWindow(from: 1320, until: 1380)])
        #expect(policy.routes == [far])
        let again = try PolicyFile.parse(Array(PolicyFile.render(policy).utf8), file: "again.yaml").policy
        #expect(again == policy)
    }

    private static let ways = "paths: [{via: 10.1.0.2, on: eth0}, {via: 10.2.0.2, on: eth1}]"

    @Test(arguments: [
        ("- {to: 10.9.0.0/16, WAYS}", "p.yaml:6: routes[0]: has no name"),
        ("- {name: far, WAYS}", "p.yaml:6: routes[0]: has no to"),
        ("- {name: far, to: 10.9.0.0/16}", "p.yaml:6: routes[0]: has no paths"),
        ("- {name: far, to: 10.9.0.1/16, WAYS}", "routes[0].to: "),
        ("- {name: far, to: 127.0.0.0/8, WAYS}", "routes[0].to: \"127.0.0.0/8\": is not a prefix that is routed"),
        ("- {name: FAR, to: 10.9.0.0/16, WAYS}", "routes[0].name: \"FAR\": a name is 1 to 32"),
        ("- {name: far, to: \"2001:db8::/32\", WAYS}", "routes[0].paths[0].via: \"10.1.0.2\": is of the other family than 2001:db8::/32"),
        ("- {name: far, to: 10.9.0.0/16, paths: [{on: eth0}]}", "routes[0].paths: must be 2 to 8 paths"),
        ("- {name: far, to: 10.9.0.0/16, paths: [{on: eth0}, {on: eth0}]}", "routes[0].paths[1].on: \"eth0\": another path goes over eth0"),
        ("- {name: far, to: 10.9.0.0/16, paths: [{on: eth0}, {via: x, on: eth1}]}", "routes[0].paths[1].via: \"x\": expected an IPv4"),
        ("- {name: far, to: 10.9.0.0/16, paths: [{on: eth0}, {via: 0.0.0.0, on: eth1}]}", "\"0.0.0.0\": is no address of another host"),
        ("- {name: far, to: 10.9.0.0/16, paths: [{on: eth0}, {via: 224.0.0.1, on: eth1}]}", "\"224.0.0.1\": is no address of another host"),
        ("- {name: far, to: 10.9.0.0/16, paths: [{on: eth0}, {on: eth2}]}", "\"eth2\": the capacity of eth2 is not declared (links[2]"),
        ("- {name: far, to: 10.9.0.0/16, paths: [{on: eth1}, {on: eth0}]}", "\"eth0\": is no alternative of eth1 (links[1]"),
        ("- {name: far, to: 10.9.0.0/16, WAYS, below: 0 %}", "routes[0].below: \"0 %\": must be 5 % to 100 %"),
        ("- {name: far, to: 10.9.0.0/16, WAYS, change: 200 %}", "routes[0].change: \"200 %\": must be 1 % to 100 %"),
        (
            "- {name: far, to: 10.9.0.0/16, WAYS}\n- {name: far, to: 10.8.0.0/16, WAYS}",
            "routes[1].name: \"far\": another route has this name"
        ),
        (
            "- {name: far, to: 10.9.0.0/16, WAYS}\n- {name: near, to: 10.9.0.0/16, WAYS}",
            "routes[1].to: \"10.9.0.0/16\": another route leads"
        ),
    ]) func mistakesAreNamed(text: String, message: String) {
        let error = #expect(throws: PolicyFile.Failure.self) {
            try parse(text.replacing("WAYS", with: Self.ways))
        }
        #expect(error.map { "\($0)".contains(message) } == true, "\(String(describing: error))")
    }
}
