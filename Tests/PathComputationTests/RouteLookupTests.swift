import Foundation
import NetworkTypes
import PathComputation
import TestSupport
import Testing
import Topology

/// Predictions against `ip route get` of the kernel that runs the test, field by field.
@Suite(.requires(.root), .serialized) struct RouteLookupTests {
    static let interfaces = ["d0", "d1", "d2", "d3"]
    static let queriesPerSeed = 120

    /// Four interfaces with networks, of which after `disturb` one is down at this end and one at the other.
    static func makeNamespace(_ routes: inout RandomRoutes, disturbed: Bool) async throws -> (NetworkNamespace, NetworkNamespace) {
        let namespace = try await NetworkNamespace(ipv6: true)
        let outside = try await NetworkNamespace(ipv6: true)
        var script = ""
        for (n, name) in interfaces.enumerated() {
            script += """
                ip link add \(name) type veth peer name p\(n) netns \(outside.path)
                ip link set dev \(name) up
                ip addr add 192.168.\(n).1/24 dev \(name)
                ip addr add 192.168.\(n).77/24 dev \(name)
                ip -6 addr add 2001:db8:\(n)::1/64 dev \(name) nodad
                ip -6 addr add 2001:db8:\(n)::77/64 dev \(name) nodad

                """
        }
        try await namespace.sh(script)
        try await outside.sh((0..<4).map { "ip link set dev p\($0) up" }.joined(separator: "\n"))
        try await namespace.waitForCarrier()
        // IPv6 puts the routes of its own addresses in a moment after the addresses.
        let complete = try await eventually(within: .seconds(5)) {
            try await namespace.sh("ip -6 route show table local | grep -c ^local").contains("9")
        }
        #expect(complete)
        // When a link takes plain routes with it, the kernel loses source-specific ones of the same destinations from sight.
        routes.hasSources = !disturbed
        var batch = routes.objects()
        for _ in 0..<60 { batch.append(routes.route()) }
        if !routes.random.once(in: 5) {
            for i in 0..<10 { batch.append(routes.rule(100 + i * 10)) }
        }
        // Not every random route can be: duplicates and what the kernel will not mix are refused, the others count.
        let commands = batch.joined(separator: "\n")
        let family = routes.isV4 ? "-4" : "-6"
        try await namespace.sh("ip \(family) -force -batch - >/dev/null 2>&1 <<'END' || true\n\(commands)\nEND\n")
        if disturbed {
            let ignoring = routes.random.pick(interfaces)
            let version = routes.isV4 ? "ipv4" : "ipv6"
            try await namespace.run { try write("1", to: "/proc/sys/net/\(version)/conf/\(ignoring)/ignore_routes_with_linkdown") }
            if routes.random.once(in: 2) { try await namespace.sh("ip link set dev \(routes.random.pick(interfaces)) down") }
            let far = interfaces.firstIndex(of: routes.random.once(in: 2) ? ignoring : routes.random.pick(interfaces))!
            try await outside.sh("ip link set dev p\(far) down")
            // The loss of the carrier takes effect a moment later (linkwatch).
            let settled = try await eventually(within: .seconds(5)) {
                try await namespace.sh("ip -o link show dev d\(far)").contains(" state UP ") == false
            }
            #expect(settled)
        }
        return (namespace, outside)
    }

    static func queries(_ routes: inout RandomRoutes, _ state: NamespaceState) -> [RouteQuery] {
        let indices = interfaces.compactMap { state.link(named: $0)?.index }
        return (0..<queriesPerSeed).map { _ in
            var random = routes.random
            defer { routes.random = random }
            var text = routes.destination()
            random = routes.random
            let n = Int.random(in: 0..<interfaces.count, using: &random)
            if random.once(in: 8) { text = routes.host(n, random.pick([1, 9, 77, 255])) }
            var query = RouteQuery(destination: IPAddress(text)!)
            switch UInt8.random(in: 0..<6, using: &random) {
            case 0...1: query.source = IPAddress(routes.host(n, random.pick([1, 1, 77])))
            case 2:
                query.inputInterface = random.pick(indices)
                query.source = IPAddress(random.once(in: 3) ? (routes.isV4 ? "172.16.0.1" : "2001:db8:cc::1") : routes.host(n, 50))
            case 3 where random.once(in: 2):
                query.outputInterface = random.pick(indices)
                if random.once(in: 2) { query.source = IPAddress(routes.host(n, 1)) }
            default: break
            }
            if random.once(in: 2) { query.mark = UInt32.random(in: 0...3, using: &random) }
            if random.once(in: 4), routes.isV4 { query.tos = random.pick([0x10, 0x08, 0x04]) }
            if random.once(in: 3) {
                query.transport = .udp
                query.destinationPort = random.pick([53, 55, 1500, 9])
                query.sourcePort = 4000
            }
            if random.once(in: 8) { query.user = 7 }
            return query
        }
    }

    @Test(arguments: [true, false], 1...40)
    func predictionsAreTheKernels(isV4: Bool, seed: Int) async throws {
        var routes = RandomRoutes(random: SplitMix64(seed: UInt64(seed) * 2 + (isV4 ? 1 : 0)), isV4: isV4, interfaces: Self.interfaces)
        let (namespace, outside) = try await Self.makeNamespace(&routes, disturbed: seed % 3 == 0)
        let forwards = seed % 2 == 0
        try await namespace.run {
            try write(forwards ? "1" : "0", to: "/proc/sys/net/ipv4/ip_forward")
            try write(forwards ? "1" : "0", to: "/proc/sys/net/ipv6/conf/all/forwarding")
            if seed % 4 == 0 { try write(seed % 8 == 0 ? "1" : "2", to: "/proc/sys/net/ipv4/conf/all/rp_filter") }
        }
        let state = try await KernelReader(namespace: namespace, name: "a").read()
        let tables = RoutingTables(state)
        let queries = Self.queries(&routes, state)
        let answers = try await namespace.routeGet(queries, state.links.mapValues(\.name))
        var disagreements = 0
        for (query, answer) in zip(queries, answers) {
            guard let why = disagreement(tables, query, answer) else { continue }
            disagreements += 1
            if disagreements <= 3 { Issue.record("seed \(seed): \(query.arguments(state.links.mapValues(\.name))): \(why)") }
        }
        #expect(disagreements == 0)
        // A lab in which nothing is found would prove nothing.
        #expect(Set(answers.map(\.text)).count > 1)
        withExtendedLifetime(outside) {}
    }
}
