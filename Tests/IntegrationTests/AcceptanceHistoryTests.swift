import Foundation
import Reports
import TestSupport
import Testing

/// What was unplugged, moved, added and taken away is in the history, and each map of then comes back as it was.
@Suite(.requires(.root, .clsact, .vxlan, .bridge)) struct AcceptanceHistoryTests {
    /// A map that was taken while it was of now.
    private struct Moment {
        var what: String
        var map: DiscoveredMap

        /// Keys of everything that the map has, without what it says as parents and networks.
        var keys: Set<String> { map.nodes.union(map.kernelNodes).union(map.links) }
    }

    /// What has to be in the history of a step.
    private struct Step {
        var what: String
        /// Keys, and what became of them.
        var turns: [String: String]
        var change: (inout AcceptanceLab) async throws -> Void
    }

    private static func steps(_ lab: AcceptanceLab, _ machine: String) -> [Step] {
        func key(_ namespace: String, _ device: String) -> String { "host/\(machine)/ns/\(lab.prefix)\(namespace)/if/\(device)" }
        let (unplugged, new) = (key("h2", "v200-3"), AcceptanceLab.endpoint(3, 200, 9))
        return [
            Step(what: "unplugged", turns: [unplugged: "changed", key("h2-n200-3", "eth0"): "changed"]) { lab in
                try await lab.home.sh("ip -n \(lab.prefix)h2 link set v200-3 down")
            },
            Step(what: "plugged in again", turns: [unplugged: "changed", key("h2-n200-3", "eth0"): "changed"]) { lab in
                try await lab.home.sh("ip -n \(lab.prefix)h2 link set v200-3 up")
                try await lab.speak(lab.endpoint("h2-n200-3"))
            },
            Step(
                what: "added",
                turns: [
                    "host/\(machine)/ns/\(lab.prefix)\(new.name)": "appeared", key(new.name, "eth0"): "appeared",
                    key("h3", new.port): "appeared", "vni/200/ip/\(new.address)": "appeared",
                ]
            ) { lab in
                try await lab.add(new)
                try await lab.speak(new)
            },
            Step(
                what: "moved",
                turns: [
                    key("h1", "v100-4"): "vanished", key("h3", "v100-8"): "appeared",
                    "\(key("h3", "v100-8"))~port~\(key("h3", "br100"))": "appeared",
                ]
            ) { lab in
                try await lab.move("h1-n100-4", to: 3, port: "v100-8")
                try await lab.speak(lab.endpoint("h1-n100-4"))
            },
            Step(what: "taken away", turns: [key("h2", "v100-3"): "vanished", key("h2-n100-3", "eth0"): "vanished"]) { lab in
                try await lab.takeAway("h2-n100-3")
            },
        ]
    }

    @Test(.timeLimit(.minutes(10))) func everyMomentComesBack() async throws {
        try await AcceptanceLab.watched(hasServers: false) { lab, site in
            let steps = Self.steps(lab, try await lab.machine())
            var moments = [try await moment("at first", site)]
            for step in steps {
                try await step.change(&lab)
                moments.append(try await moment(step.what, site))
            }
            for (before, after) in zip(moments, moments.dropFirst()) { #expect(!Self.areEqual(before.map, after.map), "\(after.what)") }
            for moment in moments { try await comesBack(moment, site) }
            for (number, step) in steps.enumerated() {
                let (before, after) = (moments[number], moments[number + 1])
                try await differs(before, after, step, site)
                try await isTold(before, after, step, site)
            }
            // All of it in one: what came and went again between two moments is in the history, not in the difference.
            try await differs(moments[0], moments[steps.count], nil, site)
            let between: TopologyDifferenceReport = try await site.get(
                "/v1/topology/diff", [("from", moments[0].map.at), ("to", moments[2].map.at)])
            #expect(!between.changes.contains { $0.key == steps[0].turns.keys.first }, "\(between.changes.map(\.key))")
        }
    }

    /// The map of now, when nothing has changed for longer than a second.
    private func moment(_ what: String, _ site: AgentSite) async throws -> Moment {
        _ = try await eventually(within: .seconds(10)) { (try? await site.map()) != nil }
        var map = try await site.map()
        let isQuiet = try await eventually(within: .seconds(20)) {
            let earlier = map
            try await Task.sleep(for: .milliseconds(1300).stretched)
            map = try await site.map()
            return Self.areEqual(map, earlier)
        }
        #expect(isQuiet, "\(what)")
        return Moment(what: what, map: map)
    }

    private static func areEqual(_ a: DiscoveredMap, _ b: DiscoveredMap) -> Bool {
        a.differences(from: b).isEmpty && a.kernelNodes == b.kernelNodes && a.attributes == b.attributes
    }

    /// The map of that moment is what it was when it was of now.
    private func comesBack(_ moment: Moment, _ site: AgentSite) async throws {
        var past = DiscoveredMap()
        // The latest is written within the second.
        let isBack = try await eventually(within: .seconds(3)) {
            past = try await site.map(at: moment.map.at)
            return Self.areEqual(past, moment.map)
        }
        let attributes = moment.map.attributes.filter { past.attributes[$0.key] != $0.value }.map(\.key).sorted()
        #expect(
            isBack,
            """
            \(moment.what), \(moment.map.at): \(past.differences(from: moment.map).joined(separator: "\n"))
            \(past.kernelNodes.symmetricDifference(moment.map.kernelNodes).sorted())
            \(attributes.map { "\($0): \(moment.map.attributes[$0] ?? [:]), then \(past.attributes[$0] ?? [:])" }.joined(separator: "\n"))
            """)
    }

    /// The difference of two moments is that of their maps.
    private func differs(_ before: Moment, _ after: Moment, _ step: Step?, _ site: AgentSite) async throws {
        let report: TopologyDifferenceReport = try await site.get("/v1/topology/diff", [("from", before.map.at), ("to", after.map.at)])
        func keys(_ change: String) -> Set<String> {
            Set(report.changes.filter { $0.change == change && ($0.subject == "entity" || $0.kernelMade != true) }.map(\.key))
        }
        #expect(keys("appeared") == after.keys.subtracting(before.keys), "\(after.what)")
        #expect(keys("vanished") == before.keys.subtracting(after.keys), "\(after.what)")
        let altered = before.map.attributes.filter { key, old in after.map.attributes[key].map { $0 != old } ?? false }.map(\.key)
        #expect(keys("changed").isSuperset(of: altered), "\(after.what): \(altered)")
        for (key, change) in step?.turns ?? [:] { #expect(keys(change).contains(key), "\(after.what): \(key) \(change)") }
    }

    /// The history between two moments leads from the one map to the other, and says when.
    private func isTold(_ before: Moment, _ after: Moment, _ step: Step, _ site: AgentSite) async throws {
        let history: TopologyHistoryReport = try await site.get(
            "/v1/topology/history", [("from", before.map.at), ("to", after.map.at), ("top", "100000")])
        #expect(history.matched == history.changes.count)
        var keys = before.keys
        for change in history.changes where change.subject == "entity" || change.kernelMade != true {
            switch change.change {
            case "appeared": #expect(keys.insert(change.key).inserted, "\(after.what): \(change.key) appeared twice")
            case "vanished": #expect(keys.remove(change.key) != nil, "\(after.what): \(change.key) vanished, and was not there")
            default: #expect(keys.contains(change.key), "\(after.what): \(change.key) changed, and was not there")
            }
        }
        #expect(keys == after.keys, "\(after.what): \(keys.symmetricDifference(after.keys).sorted())")
        for (key, change) in step.turns {
            let own: TopologyHistoryReport = try await site.get(
                "/v1/topology/history", [("key", key), ("from", before.map.at), ("to", after.map.at)])
            #expect(own.changes.contains { $0.change == change }, "\(after.what): \(key) \(change): \(own.changes.map(\.change))")
            #expect(
                own.changes.map { "\($0.at) \($0.change)" } == history.changes.filter { $0.key == key }.map { "\($0.at) \($0.change)" },
                "\(after.what): \(key)")
        }
    }
}
