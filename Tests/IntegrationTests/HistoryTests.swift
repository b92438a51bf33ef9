import Foundation
import NetworkTypes
import Reports
import TestSupport
import Testing

/// What a running agent keeps of the past, and how it is asked for: over its socket, and over TCP as the page does.
@Suite(.requires(.root, .clsact)) struct HistoryTests {
    private func topology(_ site: AgentSite, at moment: String? = nil) async throws -> TopologyReport {
        try await site.get("/v1/topology", moment.map { [("at", $0)] } ?? [])
    }

    private func interfaces(_ report: TopologyReport) -> Set<String> {
        Set(report.entities.filter { $0.kind == "interface" && $0.kernelMade == nil }.map(\.name))
    }

    private func now() -> String { Timestamp(nanoseconds: Int64(Date().timeIntervalSince1970 * 1e9)).description }

    private func key(_ report: TopologyReport, _ name: String) throws -> String {
        try #require(report.entities.first { $0.kind == "interface" && $0.name == name }?.key)
    }

    /// What was plugged in and taken away is in the past and not in the present, and told of as changes.
    @Test func theTopologyOfAMomentComesBack() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va")
        let agent = try await site.start()
        #expect(try await eventually(within: .seconds(2)) { (try? await topology(site)).map(interfaces) == ["va"] })
        try await Task.sleep(for: .milliseconds(100))
        let before = now()
        try await pair.a.sh("ip link add br0 type bridge")
        #expect(try await eventually(within: .seconds(1)) { interfaces(try await topology(site)) == ["va", "br0"] })
        let bridge = try key(try await topology(site), "br0")
        try await Task.sleep(for: .milliseconds(100))
        let between = now()
        try await pair.a.sh("ip link del br0")
        #expect(try await eventually(within: .seconds(1)) { interfaces(try await topology(site)) == ["va"] })
        try await Task.sleep(for: .milliseconds(100))

        let past = try await topology(site, at: between)
        #expect(interfaces(past) == ["va", "br0"] && !past.live)
        #expect(interfaces(try await topology(site, at: before)) == ["va"])
        let ancient = try await topology(site, at: "2001-01-01T00:00:00Z")
        #expect(ancient.entities.isEmpty && (ancient.historyBegins ?? "9") < before && past.historyBegins == nil && past.gap == nil)
        let sinceEver: TopologyDifferenceReport = try await site.get("/v1/topology/diff", [("from", "2001-01-01T00:00:00Z")])
        #expect(sinceEver.historyBegins == ancient.historyBegins && sinceEver.gaps == nil)
        #expect(!sinceEver.changes.contains { $0.kind == "interface" && $0.change == "appeared" }, "\(sinceEver)")

        let difference: TopologyDifferenceReport = try await site.get("/v1/topology/diff", [("from", between)])
        #expect(difference.changes.first { $0.key == bridge }?.change == "vanished")
        let none: TopologyDifferenceReport = try await site.get("/v1/topology/diff", [("from", before)])
        #expect(!none.changes.contains { $0.key == bridge })
        let history: TopologyHistoryReport = try await site.get("/v1/topology/history", [("key", bridge)])
        #expect(history.changes.map(\.change).first == "appeared" && history.changes.map(\.change).last == "vanished", "\(history)")
        let log: TopologyHistoryReport = try await site.get("/v1/topology/history", [("from", before)])
        #expect(log.changes.filter { $0.key == bridge }.map(\.change) == history.changes.map(\.change), "\(log)")
        let status = try await site.status()
        #expect(status.history?.problem == nil && (status.history?.epochs ?? 0) > 0 && (status.topology?.nodes ?? 0) > 0)
        try await site.stop(agent, keep: false)
    }

    /// The seconds of a series add up to what the link carried, to the byte.
    @Test func ratesAddUpToWhatWasSent() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va")
        let agent = try await site.start()
        let start = now()
        // 23 echoes of 98 bytes and their answers, over three seconds.
        try await pair.a.sh("ping -q -c 23 -i 0.13 -s 56 \(Pair.addressB)")
        func sums() async throws -> (Double, Double) {
            let topology = try await topology(site)
            guard let talk = topology.links.first(where: { $0.kind == "talk" && $0.attributes["protocol"] == .text("icmp") }) else {
                return (-1, -1)
            }
            let list: SeriesListReport = try await site.get("/v1/series", [("key", talk.key), ("from", start), ("step", "1")])
            guard let series = list.series.first else { return (-1, -1) }
            func sum(_ values: [Double?]) -> Double { values.reduce(0) { $0 + ($1 ?? 0) } / 8 }
            return (sum(series.values), sum(series.reverse ?? []))
        }
        let isRight = try await eventually(within: .seconds(5)) { try await sums() == (23 * 98, 23 * 98) }
        let found = try await sums()
        #expect(isRight, "\(found)")
        try await site.stop(agent, keep: false)
    }

    /// Who talked in a span is told with what was sent in it: while the talk is known, when it was before the span, and when only the
    /// store knows of it.
    @Test func whoTalkedSinceAMoment() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va")
        let first = try await site.start()
        func talks(since moment: String) async throws -> TopologyAnswerReport {
            try await site.get("/v1/topology/ask", [("of", Pair.addressA), ("since", moment)])
        }
        let start = now()
        let transfer = try await TCPTransfer.run(100_000, from: pair.a, to: pair.b, Pair.addressB, port: 8080)
        #expect(transfer.received == 100_000)
        let device = try await site.interface("va")
        var told: TopologyAnswerReport?
        let isTold = try await eventually(within: .seconds(5)) {
            told = try? await talks(since: start)
            guard let load = told?.links.first?.load, let sums = load.totals else { return false }
            return sums.packets == device.egress.seen.wirePackets && sums.reversePackets == device.ingress.seen.wirePackets
                && (load.bitsPerSecond ?? 0) > 0
        }
        #expect(isTold, "\(String(describing: told)) beside \(device)")
        #expect(told?.matched == 1 && told?.links.first?.attributes["port"] == .number(8080) && told?.since?.hasPrefix("20") == true)
        let sums = told?.links.first?.load?.totals
        try await Task.sleep(for: .seconds(2))
        let later = now()
        #expect(try await topology(site).links.contains { $0.kind == "talk" })
        #expect(try await talks(since: later).matched == 0)
        try await site.stop(first, keep: false)

        let second = try await site.start()
        #expect(try await eventually(within: .seconds(3)) { (try? await topology(site)).map(interfaces) == ["va"] })
        #expect(try await !topology(site).links.contains { $0.kind == "talk" })
        let past = try await talks(since: start)
        let again = past.links.first?.load?.totals
        #expect(past.matched == 1 && again?.bytes == sums?.bytes && again?.reversePackets == sums?.reversePackets, "\(past)")
        #expect(try await talks(since: later).matched == 0)
        #expect(try await site.nilo("topology talks \(Pair.addressA) --since 10m").contains("tcp/8080"))
        #expect(try await site.nilo("topology talks \(Pair.addressA)").contains("nobody talks to"))
        try await site.stop(second, keep: false)
    }

    /// kill -9 loses what was not yet written and nothing else; the time without an agent is no traffic and no change.
    @Test func aKilledAgentLeavesItsHistory() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va")
        let first = try await site.start()
        try await pair.a.sh("ip link add br0 type bridge")
        #expect(try await eventually(within: .seconds(2)) { (try? await topology(site)).map(interfaces) == ["va", "br0"] })
        try await Task.sleep(for: .milliseconds(300))
        let before = now()
        let epoch = try await topology(site).epoch
        kill(first.pid, SIGKILL)
        _ = try await eventually(within: .seconds(5)) { first.hasEnded }
        _ = try first.stop()
        let between = now()
        try await pair.a.sh("ip link del br0")
        let second = try await site.start()
        #expect(try await eventually(within: .seconds(2)) { (try? await topology(site)).map(interfaces) == ["va"] })
        #expect(interfaces(try await topology(site, at: before)) == ["va", "br0"])
        #expect(try await topology(site).epoch > epoch)
        // Nobody looked then: it is told what was seen last, and that.
        let unseen = try await topology(site, at: between)
        let gap = try #require(unseen.gap)
        #expect(interfaces(unseen) == ["va", "br0"] && gap.from < between && (gap.to ?? "") > between, "\(gap)")
        #expect(unseen.links.allSatisfy { $0.load?.bitsPerSecond == nil })
        let difference: TopologyDifferenceReport = try await site.get("/v1/topology/diff", [("from", between)])
        #expect(difference.gaps == [gap] && difference.changes.contains { $0.name.hasSuffix("br0") && $0.change == "vanished" })
        try await site.stop(second, keep: false)
    }

    /// A full disk stops the history and nothing else; when there is room again it goes on by itself.
    @Test func aFullDiskPausesTheHistory() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va", more: "history: {file: /var/lib/small/history.db}")
        let agent = try await site.start(
            log: "mount --bind $0/log /var/log\nmkdir -p /var/lib/small\nmount -t tmpfs -o size=4m none /var/lib/small")
        let small = "/proc/\(agent.pid)/root/var/lib/small"
        #expect(
            try await eventually(within: .seconds(5)) {
                let epochs = try await site.status().history?.epochs ?? 0
                return epochs > 1
            })
        // Until nothing more goes in.
        try await site.namespace.sh("cat /dev/zero > \(small)/fill || true")
        #expect(try await eventually(within: .seconds(10)) { try await site.status().history?.problem != nil })
        let paused = try await site.status()
        #expect(paused.history?.pausedAt != nil && paused.warnings.contains { $0.hasPrefix("the history is not kept") }, "\(paused)")
        // What is measured goes on.
        try await pair.a.sh("ping -q -c 5 -i 0.1 \(Pair.addressB)")
        #expect(
            try await eventually(within: .seconds(3)) {
                try await site.flows("icmp").contains { $0.direction == "egress" && $0.totals.totals.wirePackets == 5 }
            })
        try await site.namespace.sh("rm \(small)/fill")
        #expect(try await eventually(within: .seconds(15)) { try await site.status().history?.problem == nil })
        #expect(interfaces(try await topology(site, at: now())) == ["va"])
        try await site.stop(agent, keep: false)
    }

    /// The page's listener: files, answers, no changes, events.
    @Test func thePageIsServed() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        try site.configure(interfaces: "va", more: "page: {listen: 127.0.0.1:8650}")
        let agent = try await site.start()
        let curl = "curl -sS -m 10 http://127.0.0.1:8650"
        #expect(try await pair.a.sh("\(curl)/").hasPrefix("<!doctype html>"))
        #expect(try await pair.a.sh("\(curl)/v1/status").contains("\"page\":\"http://127.0.0.1:8650/\""))
        #expect(try await pair.a.sh("\(curl)/v1/status -H 'Host: evil.example' -o /dev/null -w '%{http_code}'") == "421")
        #expect(try await pair.a.sh("\(curl)/v1/stop -X POST -o /dev/null -w '%{http_code}'") == "403")
        #expect(try await pair.a.sh("\(curl)/metrics").contains("nilo_topology_nodes"))
        let events = try await BackgroundProcess.start(["curl", "-sSN", "-m", "30", "http://127.0.0.1:8650/v1/events"], in: pair.a)
        try await events.waitFor(output: "event: rates", within: .seconds(5))
        try await pair.a.sh("ip link add br0 type bridge")
        try await events.waitFor(output: "/if/br0", within: .seconds(2))
        let (output, _) = try events.stop()
        #expect(output.contains("event: changes\nid: "), "\(output)")
        try await site.stop(agent, keep: false)
    }

    /// Who has no token sees the page's files and nothing else; the API's threads may do nothing special.
    @Test func aTokenIsAskedFor() async throws {
        let pair = try await Pair()
        let site = try AgentSite(in: pair.a)
        let token = "\(site.directory)/token"
        try Data("0123456789abcdef0123\n".utf8).write(to: URL(filePath: token))
        try site.configure(interfaces: "va", more: "page: {listen: 127.0.0.1:8651, token-file: \(token)}")
        chmod(token, 0o644)
        #expect(try await site.refused().output.contains("others may read \(token)"))
        chmod(token, 0o600)
        let agent = try await site.start()
        let curl = "curl -sS -m 10 -o /dev/null -w '%{http_code}' http://127.0.0.1:8651"
        #expect(try await pair.a.sh("\(curl)/v1/status") == "401")
        #expect(try await pair.a.sh("\(curl)/") == "200")
        #expect(try await pair.a.sh("\(curl)/v1/status -H 'Authorization: Bearer 0123456789abcdef0123'") == "200")
        let threads = try await pair.a.sh(
            "for t in /proc/\(agent.pid)/task/*; do grep -q MHD $t/comm && grep CapEff $t/status; done; true")
        #expect(threads.split(separator: "\n").count >= 3, "\(threads)")
        #expect(threads.split(separator: "\n").allSatisfy { $0.hasSuffix("0000000000000000") }, "\(threads)")
        try await site.stop(agent, keep: false)
    }
}
