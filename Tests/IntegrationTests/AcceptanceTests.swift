import Foundation
import TestSupport
import Testing

/// The map that an agent finds of a lab with real servers, against the lab's definition: every node and every link, and none besides.
@Suite(.requires(.root, .clsact, .vxlan, .bridge, .nginx, .dnsmasq, .postgres)) struct AcceptanceTests {
    @Test(.timeLimit(.minutes(10))) func theMapIsTheDefinition() async throws {
        try await AcceptanceLab.watched { lab, site in
            try await theWholeMap(&lab, site)
            try await whatChanges(&lab, site)
        }
    }

    /// Waits for the map to be the definition, as the command line tells it.
    private func theWholeMap(_ lab: inout AcceptanceLab, _ site: AgentSite) async throws {
        let expected = lab.map(on: try await lab.machine())
        var found = DiscoveredMap()
        // Who talks is told once a second.
        _ = try await eventually(within: .seconds(5)) {
            found = try await site.map()
            return found.differences(from: expected).isEmpty
        }
        let text = try await site.nilo("topology --json --all --top 100000")
        let map = try JSONDecoder().decode(DiscoveredMap.self, from: Data(text.utf8))
        let differences = map.differences(from: expected)
        #expect(differences.isEmpty, "\(differences.joined(separator: "\n"))")
        #expect(map.nodes.count == 136 && map.links.count + map.memberships.count > 250, "\(map.nodes.count), \(map.links.count)")
        // What was left out is the kernel's own, and each namespace's loopback is among it.
        let kernels = [
            #"/if/lo$"#, #"^link/[^/]+/[^/]+/lo(/|$)"#, #"(/if|^link/[^/]+/[^/]+)/(tunl0|gre0|gretap0|erspan0|sit0|ip6tnl0)(/|$)"#,
            #"/(ip|prefix)/(127\.|22[4-9]\.|fe80:|ff0|::(1$|$|/64$))"#,
            #"/route/(local/|main/(fe80:|ff0|::1/))"#, #"/rule/[46]/(0|32766|32767)/"#,
        ].map { try! Regex($0) }
        let others = map.kernelNodes.filter { key in kernels.allSatisfy { key.firstMatch(of: $0) == nil } }
        #expect(others.isEmpty, "\(others.sorted())")
        #expect(map.kernelNodes.filter { $0.hasSuffix("/if/lo") }.count == 1 + AcceptanceLab.hosts.count + lab.endpoints.count)
    }

    /// Each change is in the map within a second, and what follows from it.
    private func whatChanges(_ lab: inout AcceptanceLab, _ site: AgentSite) async throws {
        let machine = try await lab.machine()
        let prefix = lab.prefix
        func key(_ namespace: String, _ device: String) -> String { "host/\(machine)/ns/\(prefix)\(namespace)/if/\(device)" }

        // Unplugged, and plugged in again.
        for (verb, near, far) in [("down", "down", "no carrier"), ("up", "up", "up")] {
            try await within(lab, site, "port \(verb)") { lab in
                try await lab.home.sh("ip -n \(prefix)h2 link set v200-3 \(verb)")
            } until: { map, _ in
                map.attributes[key("h2", "v200-3")]?["state"] == near && map.attributes[key("h2-n200-3", "eth0")]?["state"] == far
            }
        }
        try await lab.speak(lab.endpoint("h2-n200-3"))
        try await equal(lab, site, machine, "after it was plugged in again")

        // Added: a namespace, its interface and address, the port.
        let new = AcceptanceLab.endpoint(3, 200, 9)
        lab = try await within(lab, site, "added") { lab in
            try await lab.add(new)
        } until: { map, lab in
            let structure = lab.map(on: machine)
            return structure.nodes.isSubset(of: map.nodes) && structure.memberships == map.memberships
        }
        try await lab.speak(new)
        try await equal(lab, site, machine, "after the new one spoke")

        // Moved to another host, with its addresses.
        lab = try await within(lab, site, "moved") { lab in
            try await lab.move("h1-n100-4", to: 3, port: "v100-8")
        } until: { map, lab in
            let structure = lab.map(on: machine)
            return structure.nodes == map.nodes && structure.memberships == map.memberships
        }
        try await lab.speak(lab.endpoint("h1-n100-4"))
        try await equal(lab, site, machine, "after the one that moved spoke")
        // What the map says of it is what the kernel says, to which it is.
        let entries = try await lab.home.sh("bridge -n \(prefix)h3 fdb show dev vx100")
        #expect(entries.contains("\(lab.endpoint("h1-n100-4").mac) dst 192.0.2.1 self"), "\(entries)")

        // Taken away.
        lab = try await within(lab, site, "taken away") { lab in
            try await lab.takeAway("h2-n100-3")
        } until: { map, lab in
            map.differences(from: lab.map(on: machine)).isEmpty
        }
        try await equal(lab, site, machine, "at the end")
    }

    /// Changes the lab, and expects what comes of it within a second. Returns the lab as it is then.
    @discardableResult private func within(
        _ lab: AcceptanceLab, _ site: AgentSite, _ what: String, _ change: (inout AcceptanceLab) async throws -> Void,
        until holds: (DiscoveredMap, AcceptanceLab) -> Bool
    ) async throws -> AcceptanceLab {
        var changed = lab
        try await change(&changed)
        let start = ContinuousClock.now
        var map = DiscoveredMap()
        let isThere = try await eventually(within: .seconds(1)) {
            map = try await site.map()
            return holds(map, changed)
        }
        print("acceptance: \(what): seen \(ContinuousClock.now - start) after it was done")
        #expect(isThere, "\(what)")
        return changed
    }

    private func equal(_ lab: AcceptanceLab, _ site: AgentSite, _ machine: String, _ what: String) async throws {
        let expected = lab.map(on: machine)
        var differences: [String] = []
        let isEqual = try await eventually(within: .seconds(2)) {
            differences = try await site.map().differences(from: expected)
            return differences.isEmpty
        }
        #expect(isEqual, "\(what):\n\(differences.joined(separator: "\n"))")
    }
}
