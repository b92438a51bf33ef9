import Foundation
import NetworkTypes
import Reports
import TestSupport
import Testing

/// What the running agent says a change would do, and what the kernel does when it is made: in the lab, over its VXLAN networks.
@Suite(.requires(.root, .clsact, .vxlan, .bridge, .command("python3"))) struct AcceptanceWhatIfTests {
    /// An interface and a direction.
    private struct Passage: Hashable, CustomStringConvertible {
        var node: String
        var name: String
        var direction: String
        var description: String { "\(node):\(name) \(direction)" }
    }

    private struct Case {
        var what: String
        /// As they are asked for.
        var changes: [String]
        /// Returns what it has started.
        var make: @Sendable () async throws -> BackgroundProcess?
        /// Fates of the two senders' flows to which something happens, by source namespace.
        var fates: [String: String]
    }

    private static let payload = 600
    /// Of one sender of network 100, datagrams a second; that of network 200 sends half as many.
    private static let pace = 400
    /// Rates of “what if” are means of so many seconds.
    private static let meanTime = Duration.seconds(12)

    @Test(.timeLimit(.minutes(10))) func whatIsForetoldHappens() async throws {
        try await AcceptanceLab.watched(hasServers: false) { lab, site in
            let senders = try PacedSenders(site.directory)
            let (first, second, router) = ("h1-n100-2", "h2-n200-2", "h2-n100-1")
            // A router on its own wire would tell the sender of a shorter way.
            try await lab.home.sh(
                """
                ip netns exec \(lab.prefix)\(router) sh -ec 'echo 1 >/proc/sys/net/ipv4/ip_forward
                for i in all default eth0; do echo 0 >/proc/sys/net/ipv4/conf/$i/send_redirects; done'
                """)
            // The router and the receivers know each other, so that nothing but the senders' packets is measured.
            for (from, to) in [(first, "10.0.0.21"), (router, "10.0.0.31"), (first, "10.0.0.31"), (second, "10.0.0.11")] {
                _ = try await lab.on(from, "ping -q -c 1 -W 5 \(to)")
            }
            var running = [try await senders.take(on: "h3-n100-1", lab), try await senders.take(on: "h1-n200-1", lab)]
            running.append(try await senders.send(from: first, to: "10.0.0.31", payload: Self.payload, rate: Self.pace, source: 4000, lab))
            running.append(
                try await senders.send(from: second, to: "10.0.0.11", payload: Self.payload, rate: Self.pace / 2, source: 4000, lab))
            let prefix = lab.prefix
            let still = lab
            let cases = [
                Case(
                    what: "rate x2", changes: ["rate node=\(prefix)\(second) port=\(PacedSenders.port) x2"],
                    make: {
                        // Another like it.
                        try await senders.send(
                            from: second, to: "10.0.0.11", payload: Self.payload, rate: Self.pace / 2, source: 4001, still)
                    }, fates: [second: "changed"]),
                Case(
                    what: "add route", changes: ["add route in \(prefix)\(first) 10.0.0.31/32 via 10.0.0.21"],
                    make: {
                        try await still.home.sh("ip -n \(prefix)\(first) route add 10.0.0.31/32 via 10.0.0.21")
                        return nil
                    },
                    fates: [first: "rerouted"]),
                Case(
                    what: "link down", changes: ["link down \(prefix)h3:eth0"],
                    make: {
                        try await still.home.sh("ip -n \(prefix)h3 link set eth0 down")
                        return nil
                    }, fates: [first: "cut-off"]),
            ]
            for one in cases { if let process = try await check(one, lab, site) { running.append(process) } }
            for process in running { try process.stop() }
        }
    }

    /// Returns what was started to make the change.
    private func check(_ one: Case, _ lab: AcceptanceLab, _ site: AgentSite) async throws -> BackgroundProcess? {
        try await Task.sleep(for: Self.meanTime.stretched)
        let answer: WhatIfAnswerReport = try await site.get("/v1/topology/whatif", [("change", one.changes.joined(separator: "\n"))])
        #expect(answer.changes == one.changes)
        let own = answer.flows.filter { $0.destinationPort == PacedSenders.port }
        let fates = Dictionary(own.map { (String($0.node.dropFirst(lab.prefix.count)), $0.fate) }) { "\($0), \($1)" }
        #expect(fates == one.fates, "\(one.what)")
        let (before, after) = (
            Self.table(answer.links.map { ($0, $0.before.bitsPerSecond) }), Self.table(answer.links.map { ($0, $0.after.bitsPerSecond) })
        )
        expect(try await measured(lab, site), before, "\(one.what), before")
        let started = try await one.make()
        try await Task.sleep(for: .milliseconds(400).stretched)
        let real = try await measured(lab, site)
        expect(real, after, "\(one.what), after")
        // The way, interface by interface.
        for flow in own {
            for hop in flow.after.paths.flatMap(\.hops) {
                #expect(real.contains { "\($0.key.node):\($0.key.name)" == hop && $0.value > Self.threshold }, "\(one.what): \(hop)")
            }
        }
        return started
    }

    /// Below it nothing of a sender is there: an address is asked for now and then.
    private static let threshold = Double(pace / 2 * payload * 8) / 10

    private static func table(_ links: [(WhatIfAnswerReport.LinkLoad, Double)]) -> [Passage: Double] {
        Dictionary(uniqueKeysWithValues: links.map { (Passage(node: $0.0.node, name: $0.0.name, direction: $0.0.direction), $0.1) })
    }

    /// bit/s of every interface over some seconds, by the agent's books, which agree with the devices' own counters.
    private func measured(_ lab: AcceptanceLab, _ site: AgentSite) async throws -> [Passage: Double] {
        func read() async throws -> (at: Double, bytes: [Passage: UInt64]) {
            let list: InterfaceListReport = try await site.get("/v1/interfaces")
            var bytes: [Passage: UInt64] = [:]
            for interface in list.interfaces {
                let node = interface.namespace.map { namespaceName(of: $0) ?? $0 } ?? "init"
                for (direction, ledger) in [("ingress", interface.ingress), ("egress", interface.egress)] {
                    bytes[Passage(node: node, name: interface.name, direction: direction)] = ledger.seen.wireBytes
                }
            }
            return (Double(try #require(Timestamp(rfc3339: list.at)).nanoseconds) / 1e9, bytes)
        }
        let start = try await read()
        try await Task.sleep(for: .seconds(3).stretched)
        let end = try await read()
        var rates: [Passage: Double] = [:]
        for (passage, bytes) in end.bytes {
            guard let before = start.bytes[passage] else { continue }
            rates[passage] = Double(bytes - before) * 8 / (end.at - start.at)
        }
        return rates
    }

    /// The same interfaces, and their loads within 5 %.
    private func expect(_ real: [Passage: Double], _ foretold: [Passage: Double], _ what: String) {
        let (busy, wanted) = (real.filter { $0.value > Self.threshold }, foretold.filter { $0.value > Self.threshold })
        #expect(wanted.count >= 10, "\(what): \(wanted)")
        #expect(
            Set(busy.keys) == Set(wanted.keys),
            "\(what): \(Set(busy.keys).symmetricDifference(wanted.keys).map { "\($0): \(real[$0] ?? 0), foretold \(foretold[$0] ?? 0)" })")
        for (passage, rate) in wanted {
            guard let load = busy[passage] else { continue }
            #expect(abs(load - rate) <= 0.05 * rate, "\(what): \(passage): \(load), foretold \(rate)")
        }
        var worst = 0.0
        for (passage, rate) in wanted { worst = max(worst, abs((real[passage] ?? 0) - rate) / rate) }
        print("acceptance: what if: \(what): \(wanted.count) loads, at most \((worst * 1000).rounded() / 10) % off")
    }
}
