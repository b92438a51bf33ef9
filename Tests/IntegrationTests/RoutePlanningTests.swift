import Foundation
import Reports
import TestSupport
import Testing

/// Traffic to 64 hosts that is spread over two paths before the first one fills, in the kernel. Intervals are a second long.
@Suite(.requires(.root, .clsact)) struct RoutePlanningTests {
    private static let policy = """
        links:
          - {interface: p0, capacity: 4 Mbit/s, alternatives: [p1]}
          - {interface: p1, capacity: 10 Mbit/s}
        routes:
          - {name: far, to: 10.9.0.0/24, paths: [{via: 10.0.0.2, on: p0}, {via: 10.1.0.2, on: p1}], lead: 3s, hold: 2s, change: 100 %}

        """
    /// So many packets a second of 1,000 bytes payload (1,042 in a frame), to 64 hosts by turns; ends with their number.
    private static let sender = """
        import signal, socket, sys, time
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        rate, sent, going = float(sys.argv[1]), 0, True
        def stop(*_):
            global going
            going = False
        signal.signal(signal.SIGTERM, stop)
        print("sending", flush=True)
        due = time.monotonic()
        while going:
            try:
                udp.sendto(bytes(1000), ("10.9.0.%d" % (1 + sent % 64), 9000))
                sent += 1
            except OSError:
                pass  # No path just now.
            due += 1 / rate
            pause = due - time.monotonic()
            if pause > 0: time.sleep(pause)
        open(sys.argv[2], "w").write(str(sent))
        """

    private struct Lab {
        let a: NetworkNamespace
        let b: NetworkNamespace

        init() async throws {
            a = try await NetworkNamespace()
            b = try await NetworkNamespace()
            try await a.sh(
                """
                for i in 0 1; do
                    ip link add p$i type veth peer name q$i netns \(b.path)
                    ip link set p$i up && ip addr add 10.$i.0.1/24 dev p$i
                done
                ip route add 10.9.0.0/24 via 10.0.0.2
                """)
            try await b.sh(
                """
                for i in 0 1; do ip link set q$i up && ip addr add 10.$i.0.2/24 dev q$i; done
                for i in $(seq 1 64); do ip addr add 10.9.0.$i/32 dev lo; done
                """)
            try await a.waitForCarrier()
        }

        /// What others see of routing.
        func routing() async throws -> String { try await a.sh("ip rule; ip nexthop; ip route show table all type unicast") }
        func sent(_ interface: String) async throws -> UInt64 { try await a.counters(of: interface).sent.packets }
    }

    private func start(_ lab: Lab, mode: String) async throws -> (AgentSite, BackgroundProcess) {
        let site = try AgentSite(in: lab.a)
        try site.configure(
            interfaces: "p0, p1",
            more: """
                planning: {mode: \(mode), state: \(site.directory)/planning}
                forecast: {enabled: false, day: 288s}
                anomalies: {enabled: false}
                """)
        try site.write(policy: Self.policy)
        return (site, try await site.start())
    }

    private func route(_ site: AgentSite) async throws -> PlanningReport.Route? {
        let report: PlanningReport = try await site.get("/v1/planning")
        return report.routes.first
    }

    private func send(_ lab: Lab, _ site: AgentSite, rate: Int) async throws -> BackgroundProcess {
        let program = "\(site.directory)/send.py"
        try Data(Self.sender.utf8).write(to: URL(fileURLWithPath: program))
        let process = try await BackgroundProcess.start(["python3", program, "\(rate)", "\(site.directory)/sent"], in: lab.a)
        try await process.waitFor(output: "sending")
        return process
    }

    @Test func trafficIsSpreadBeforeThePathFillsAndComesBack() async throws {
        let lab = try await Lab()
        let before = try await lab.routing()
        var (site, agent) = try await start(lab, mode: "auto")
        // All over the first path, by a route of ours.
        #expect(try await eventually(within: .seconds(20)) { try await route(site)?.paths.map(\.weight) == [100, 0] })
        #expect(try await eventually(within: .seconds(20)) { try await lab.routing().contains("proto 110") })
        #expect(try await lab.a.sh("ip route get 10.9.0.5").contains("via 10.0.0.2 dev p0"))
        let start = (p0: try await lab.sent("p0"), p1: try await lab.sent("p1"))

        // 5 Mb/s, of which 3.2 are to go over the first.
        let sender = try await send(lab, site, rate: 600)
        let isSpread = try await eventually(within: .seconds(30)) {
            let paths = try await route(site)?.paths ?? []
            return paths.count == 2 && paths[1].weight > 0 && (paths[0].linkBitsPerSecond ?? 1e9) <= 3.3e6
                && (paths[1].carriedBitsPerSecond ?? 0) > 1e6
        }
        let spread = try #require(try await route(site))
        #expect(isSpread && spread.trouble == nil, "\(spread)")
        let sum = spread.paths.reduce(0) { $0 + ($1.carriedBitsPerSecond ?? 0) }
        #expect(abs(sum - 600 * 1042 * 8) < 0.25 * 600 * 1042 * 8, "\(spread)")
        let report: PlanningReport = try await site.get("/v1/planning")
        #expect(report.shifts.contains { $0.series == "route/far" && ["recent", "overload"].contains($0.cause) }, "\(report.shifts)")
        #expect(try await site.nilo("planning").contains("far"))
        #expect(try await site.nilo("plan").contains("nothing to change"))

        // The agent dies: the kernel goes on; the next one goes on from there.
        let weights = spread.paths.map(\.weight)
        kill(agent.pid, SIGKILL)
        _ = try await eventually(within: .seconds(10)) { agent.hasEnded }
        _ = try? agent.stop()
        let standing = try await lab.routing()
        #expect(standing.contains("proto 110"))
        let monitor = try await BackgroundProcess.start(["ip", "monitor", "rule", "nexthop"], in: lab.a)
        agent = try await site.start()
        #expect(try await eventually(within: .seconds(20)) { try await route(site)?.paths.first?.weight ?? 100 < 100 }, "\(weights)")
        try await Task.sleep(for: .seconds(3))
        let changes = try monitor.outputSoFar()
        #expect(!changes.contains("Deleted"), "what stands was taken away: \(changes)")
        _ = try monitor.stop(signal: SIGTERM)

        // A lost path is left; all goes over the other one.
        try await lab.a.sh("ip link set p0 down")
        #expect(try await eventually(within: .seconds(20)) { try await route(site)?.paths.map(\.weight) == [0, 100] })
        #expect(
            try await eventually(within: .seconds(10)) { try await lab.a.sh("ip route get 10.9.0.5").contains("via 10.1.0.2 dev p1") })
        try await lab.a.sh("ip link set p0 up && ip route replace 10.9.0.0/24 via 10.0.0.2")
        #expect(try await eventually(within: .seconds(30)) { try await route(site)?.paths.first?.weight ?? 0 > 0 })

        // Every packet went over one of them.
        _ = try sender.stop(signal: SIGTERM)
        let told = try #require(UInt64(String(contentsOfFile: "\(site.directory)/sent", encoding: .utf8)))
        let end = (p0: try await lab.sent("p0"), p1: try await lab.sent("p1"))
        // ARP comes on top, and while the path was down the kernel had none for some.
        let over = end.p0 - start.p0 + end.p1 - start.p1
        #expect(over + 2000 >= told && over <= told + 100, "\(over) of \(told)")

        // With less traffic all of it comes back.
        let less = try await send(lab, site, rate: 100)
        #expect(try await eventually(within: .seconds(120)) { try await route(site)?.paths.map(\.weight) == [100, 0] })
        _ = try less.stop()
        try await site.stop(agent, keep: false)
        #expect(try await lab.routing() == before)
    }

    @Test func anObserverRoutesNothing() async throws {
        let lab = try await Lab()
        let before = try await lab.routing()
        let (site, agent) = try await start(lab, mode: "observe")
        let sender = try await send(lab, site, rate: 600)
        let isScored = try await eventually(within: .seconds(30)) {
            guard let score = try await route(site)?.score else { return false }
            return score.overloadSecondsFirst >= 5 && score.overloadSeconds < score.overloadSecondsFirst
        }
        let row = try await route(site)
        #expect(isScored && row?.paths[1].weight ?? 0 > 0 && row?.paths[1].carriedBitsPerSecond == 0, "\(String(describing: row))")
        #expect(try await lab.routing() == before)
        _ = try sender.stop()
        try await site.stop(agent, keep: false)
    }
}
