import Commands
import Flows
import NetworkTypes
import Reports
import Terminal
import Testing

@Suite struct ViewTests {
    private static let plain = TerminalOutput(isTerminal: false, width: 0, color: false)

    private static func flow(
        _ tuple: FlowTuple, inner: FlowTuple? = nil, on interface: String = "eth0", direction: Direction = .ingress,
        retransmitted: UInt64 = 0
    ) -> FlowReport {
        let key = FlowKey(outer: tuple, interface: InterfaceID(rawValue: 1), direction: direction, vlan: 100, vxlan: inner.map { (42, $0) })
        let traits = FlowTraits(
            first: Timestamp(nanoseconds: 0), last: Timestamp(nanoseconds: 0), handshakeMicroseconds: 1200, tcpFlags: [.syn],
            ttlMinimum: 63,
            ttlMaximum: 64)
        let record = FlowRecord(
            key: key, totals: Totals(skbs: 2, skbBytes: 3, wirePackets: 12_345, wireBytes: 3_400_000),
            transport: TransportCounts(retransmitted: retransmitted),
            traits: traits)
        return FlowReport(
            FlowReading(record: record, change: Totals(wirePackets: 1, wireBytes: 125_000_000), interval: .seconds(1)), interface: interface
        )
    }
    private static func tuple(
        _ a: String, _ b: String, _ proto: IPProtocol = .tcp, _ ports: (UInt16, UInt16) = (40_000, 443), form: TupleForm = .ports
    )
        -> FlowTuple
    {
        FlowTuple(
            source: IPAddress(a), destination: IPAddress(b), sourcePort: ports.0, destinationPort: ports.1, protocol: proto, form: form,
            etherType: IPAddress(a)!.isV4 ? .ipv4 : .ipv6)
    }
    private static func list(_ flows: [FlowReport], known: Int = 9) throws -> FlowListReport {
        FlowListReport(
            at: Timestamp(nanoseconds: 0), interval: .seconds(1), filter: try FlowFilter(parsing: "tcp"), order: FlowOrder(.rate),
            matched: flows.count, known: known,
            flows: flows)
    }

    @Test func flows() throws {
        let list = try Self.list([
            Self.flow(Self.tuple("10.0.0.1", "10.0.0.2"), retransmitted: 7),
            Self.flow(Self.tuple("2001:db8::1", "2001:db8::2"), direction: .egress),
        ])
        let lines = FlowListView(output: Self.plain).text(list).split(separator: "\n").map(String.init)
        #expect(lines[0].split(separator: " ") == ["PROTO", "SOURCE", "DESTINATION", "AT", "RATE", "BYTES", "PACKETS", "RTT", "RETR"])
        #expect(
            lines[1].split(separator: " ").joined(separator: " ")
                == "tcp 10.0.0.1:40000 10.0.0.2:https eth0.100 in 1.0 Gb/s 3.4 MB 12.3 k 1.2 ms 7")
        #expect(lines[2].contains("[2001:db8::2]:https"))
        #expect(lines[3] == "2 of 2 flows that match, 9 known; by rate; seen at 2 points: a packet can be in several lines")
        let narrow = FlowListView(output: TerminalOutput(isTerminal: true, width: 80, color: false)).text(list).split(separator: "\n")
        #expect(narrow.allSatisfy { TerminalText.width(String($0)) <= 80 })
        #expect(narrow[1].contains("1.0 Gb/s"))
        let wide = FlowListView(output: TerminalOutput(isTerminal: true, width: 80, color: false), wide: true).text(list)
        #expect(wide.contains("63-64") && wide.contains("1970-01-01T00:00:00.000Z"))
        #expect(try FlowListView(output: Self.plain).text(Self.list([])) == "none of 9 flows matches: tcp\n")
        #expect(try FlowListView(output: Self.plain).text(Self.list([], known: 0)) == "no flows yet\n")
    }

    /// At 80 columns names and addresses give way, and where a flow was seen can be read.
    @Test(arguments: ["netns blue", "docker 0123456789ab", "a-rather-long-unit-name.service"]) func thePlaceStaysReadable(owner: String)
        throws
    {
        var flows = [
            Self.flow(Self.tuple("2001:db8:1234:5678:9abc:def0:1234:5678", "2001:db8:1234:5678:9abc:def0:1234:9999"), on: "veth4f1a9c2b"),
            Self.flow(Self.tuple("192.168.117.120", "192.168.217.121"), on: "veth4f1a9c2b", direction: .egress),
        ]
        for index in flows.indices {
            flows[index].namespace = owner
            flows[index].owner = "postgres (4711, user postgres)"
        }
        let screen = TerminalOutput(isTerminal: true, width: 80, color: false)
        for owned in [false, true] {
            if !owned { for index in flows.indices { flows[index].owner = nil } }
            let lines = FlowListView(output: screen).text(try Self.list(flows)).split(separator: "\n").map(String.init)
            #expect(lines.allSatisfy { TerminalText.width($0) <= 80 })
            #expect(lines[1].contains("veth4f1a9c2b.100 in ") && lines[2].contains("veth4f1a9c2b.100 out "), "\(lines)")
        }
        #expect(FlowListView(output: screen).text(try Self.list(flows)).contains("blue:veth4f1a9c2b.100 in") == (owner == "netns blue"))
    }

    @Test func endpoints() throws {
        func text(_ flow: FlowReport, numeric: Bool = false, name: @escaping @Sendable (String) -> String? = { _ in nil }) throws -> String
        {
            try FlowListView(output: Self.plain, ends: EndpointText(numeric: numeric, name: name)).text(Self.list([flow]))
        }
        #expect(try text(Self.flow(Self.tuple("10.0.0.1", "10.0.0.2")), numeric: true).contains("10.0.0.2:443"))
        // The client's port happens to be registered: that means nothing.
        #expect(try text(Self.flow(Self.tuple("10.0.0.1", "10.0.0.2", .tcp, (5432, 22)))).contains("10.0.0.1:5432"))
        #expect(try text(Self.flow(Self.tuple("10.0.0.1", "10.0.0.2", .icmp, (7, 8 << 8), form: .icmp))).contains("10.0.0.2 echo-request"))
        #expect(try text(Self.flow(Self.tuple("10.0.0.1", "10.0.0.2", .udp, (0, 0), form: .fragment))).contains("10.0.0.2:?"))
        let tunnel = try text(
            Self.flow(Self.tuple("192.0.2.1", "192.0.2.2", .udp, (50_000, 4789)), inner: Self.tuple("10.0.0.1", "10.0.0.2")))
        #expect(tunnel.contains("tcp/vni42") && tunnel.contains("10.0.0.2:https") && !tunnel.contains("192.0.2.2"))
        #expect(
            try text(Self.flow(Self.tuple("10.0.0.1", "10.0.0.2"))) { $0 == "10.0.0.1" ? "evil\u{1B}[2J" : nil }.contains(
                "evil\\u001b[2J:40000"))
    }

    @Test func groups() throws {
        let tuple = Self.tuple("10.0.0.9", "10.0.0.1")
        func reading(_ tuple: FlowTuple, _ direction: Direction, _ packets: UInt64) -> FlowReading {
            let key = FlowKey(outer: tuple, interface: InterfaceID(rawValue: 1), direction: direction)
            let traits = FlowTraits(first: Timestamp(nanoseconds: 0), last: Timestamp(nanoseconds: 0), handshakeMicroseconds: 400)
            let record = FlowRecord(
                key: key, totals: Totals(wirePackets: packets, wireBytes: packets * 1000), transport: TransportCounts(), traits: traits)
            return FlowReading(record: record, change: Totals(wireBytes: packets * 125), interval: .seconds(1))
        }
        let readings = [reading(tuple, .egress, 10), reading(tuple.reversed, .ingress, 30)]
        func lines(_ grouping: FlowGrouping) throws -> [String] {
            let groups = FlowView.first(10, of: FlowView.groups(of: readings, by: grouping), by: .bytes, interval: .seconds(1))
            let report = FlowGroupListReport(
                at: Timestamp(nanoseconds: 0), interval: .seconds(1), filter: .everything, by: grouping, tuple: .outer,
                order: FlowOrder(.bytes),
                rows: groups.count, groups: groups.map { FlowGroupReport($0, interface: "eth0", interval: .seconds(1)) })
            let text = FlowGroupListView(output: Self.plain).text(report)
            return text.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
        }
        #expect(
            try lines(.conversation) == [
                "PROTO CLIENT SERVER AT SENT/s RECV/s SENT RECEIVED FLOWS RTT",
                "tcp 10.0.0.9:40000 10.0.0.1:https eth0 10.0 kb/s 30.0 kb/s 10.0 kB 30.0 kB 2 400 µs",
                "1 of 1 rows by conversation; sorted by bytes",
            ])
        #expect(try lines(.host).dropFirst().first == "10.0.0.1 eth0 30.0 kb/s 10.0 kb/s 30.0 kB 10.0 kB 2 400 µs")
        #expect(try lines(.port).dropFirst().first == "tcp https eth0 30.0 kb/s 10.0 kb/s 30.0 kB 10.0 kB 2 400 µs")
        #expect(try lines(.interface).count == 4)
        #expect(try lines(.interface)[0] == "AT RATE BYTES PACKETS FLOWS RTT")
        #expect(try lines(.interface)[1] == "eth0 in 30.0 kb/s 30.0 kB 30 1 400 µs")
        #expect(try lines(.protocol)[0...1] == ["PROTO AT RATE BYTES PACKETS FLOWS RTT", "tcp eth0 40.0 kb/s 40.0 kB 40 2 400 µs"])
    }

    private static func interface(seen: UInt64, flows: UInt64, device: UInt64, differences: [LedgerReport.Difference] = [])
        -> InterfaceReport
    {
        func totals(_ n: UInt64) -> Totals { Totals(skbs: n, skbBytes: n * 100, wirePackets: n, wireBytes: n * 100) }
        let ledger = LedgerReport(
            seen: totals(seen), inSlots: totals(flows), retired: Totals(), overflow: [.init(reason: .logFull, totals: totals(5))],
            remarks: [.init(.spilled, count: 3), .init(.tableFull, count: 0)],
            device: .init(packets: device + 7, bytes: (device + 7) * 100, baselinePackets: 7, baselineBytes: 700, counts: .skbs),
            differences: differences)
        return InterfaceReport(
            name: "eth0", id: InterfaceID(rawValue: 1), index: 2, attachment: "tcx", attachedAt: Timestamp(nanoseconds: 0), ingress: ledger,
            egress: ledger)
    }

    @Test func ledger() {
        let view = InterfaceListView(output: Self.plain)
        let text = view.ledger(
            Self.interface(seen: 105, flows: 100, device: 95, differences: [.init(.qdiscDrops, packets: 10, bytes: nil)]))
        func term(_ name: String) -> String? {
            text.split(separator: "\n").map(String.init).first { $0.contains(name) }?.split(separator: " ").dropFirst(
                name.split(separator: " ").count
            )
            .joined(separator: " ")
        }
        #expect(term("seen") == "105 10500 105 10500")
        #expect(term("no flow: log-full") == "5 500 5 500")
        #expect(term("unaccounted") == "0 0 0 0")
        #expect(term("dropped-by-qdisc") == "-10 ?")
        #expect(term("not seen at the hook") == "0 -1000")
        #expect(term("device, since attached") == "95 9500")
        #expect(text.contains("of these: flows-spilled 3\n"))
        #expect(text.ranges(of: "WIRE BYTES").count == 1 && text.contains("?: how many bytes"))
        #expect(!text.contains("table-full"))
    }

    @Test func books() {
        let view = InterfaceListView(output: Self.plain)
        func text(_ interface: InterfaceReport) -> String {
            view.text(InterfaceListReport(at: Timestamp(nanoseconds: 0), interval: .zero, interfaces: [interface]))
        }
        #expect(text(Self.interface(seen: 105, flows: 100, device: 105)).hasSuffix(" close\n"))
        #expect(text(Self.interface(seen: 106, flows: 100, device: 106)).hasSuffix(" do not close\n"))
        #expect(text(Self.interface(seen: 105, flows: 100, device: 106)).hasSuffix(" device differs\n"))
        #expect(
            view.text(InterfaceListReport(at: Timestamp(nanoseconds: 0), interval: .zero, interfaces: [])) == "no interfaces are measured\n"
        )
    }

    /// Every packet that matched is in one column, and in one only.
    @Test func columnsOfAMirror() {
        var rule = MirrorReport(
            name: "tap", namespace: nil, interfaces: ["eth0"], direction: "ingress", filter: "", target: "file /tmp/tap", selection: "all",
            snapLength: nil, limit: nil, priority: 0, segmentation: "super")
        (rule.matched, rule.outranked, rule.unselected, rule.capped) = (100, 3, 7, 10)
        (rule.sent, rule.mirroredPackets, rule.mirroredBytes, rule.notWritten) = (75, 75, 0, 20)
        rule.failed = ["ringFull": 5]
        #expect(rule.matched == rule.skipped + rule.capped + rule.failedTotal + rule.copied)
        let report = PolicyReport(
            at: "", intervalSeconds: 1, folder: "", files: [], generation: 1, mirrors: [rule], samplers: [], shapers: [], refusals: [],
            waiting: [], repaired: 0, problem: nil, confirmWithinSeconds: nil)
        let text = RuleListView(output: TerminalOutput(isTerminal: false, width: 0, color: false)).mirrors(report)
        #expect(
            text == """
                MIRROR  ON       TO             MATCHED  SKIPPED  COPIED    BYTES  CUT  CAPPED  FAILED  RATE
                tap     eth0 in  file /tmp/tap      100       10      55      0 B    0      10      25     -
                tap: 5 failed: the agent has not kept up
                tap: 20 failed: not written

                """, "\(text)")
    }

    @Test func stepsOfAPlan() {
        func last(_ steps: [PlanReport.Step], applied: Bool = true) -> Substring? {
            PlanView(output: Self.plain).text(PlanReport(steps: steps, applied: applied)).split(separator: "\n").last
        }
        let steps = [
            PlanReport.Step(.add, "htb qdisc on eth0"), .init(.add, rule: "a", "shape"), .init(.change, rule: "a", "more"),
            .init(.remove, rule: "b", "gone"),
        ]
        #expect(last(steps) == "applied: 2 rules, 4 steps: 2 added, 1 changed, 1 removed")
        #expect(last(Array(steps.prefix(1)), applied: false) == "plan: 1 step: 1 to add, 0 to change, 0 to remove")
        #expect(last([]) == "nothing to change: the kernel is as the policy says")
        // A file is something.
        var report = PlanReport(steps: [], waiting: [.init(rule: "w", reason: "eth1 is not there")], applied: true)
        report.filesWritten = ["mirror-w.yaml"]
        #expect(
            PlanView(output: Self.plain).text(report)
                == "… w: waits: eth1 is not there\napplied: mirror-w.yaml written; nothing to change in the kernel\n")
        (report.filesWritten, report.filesRemoved, report.waiting, report.applied) = ([], ["mirror-w.yaml"], [], false)
        #expect(PlanView(output: Self.plain).text(report) == "plan: mirror-w.yaml to be removed; nothing to change in the kernel\n")
    }

    /// The kernel has nothing to do for it, and it is something all the same.
    @Test func anotherPlanIsFollowedByPlanning() {
        var report = PlanReport(steps: [], applied: true)
        report.planned = ["class web", "route wan"]
        #expect(
            PlanView(output: Self.plain).text(report)
                == "~ planning of class web, route wan goes by the new declaration: nilo planning\nnothing to change in the kernel by this\n"
        )
    }

    @Test func changesOfAPlan() {
        let step = PlanReport.Step(
            .change, rule: "cap", "shape egress", reason: "until now: policed",
            changes: [.init("ceiling", before: "50 Mbit/s", after: "20 Mbit/s")])
        let text = PlanView(output: Self.plain).text(PlanReport(steps: [step], applied: false))
        #expect(text.hasPrefix("~ cap: shape egress\n    until now: policed\n    ceiling: 50 Mbit/s → 20 Mbit/s\n"), "\(text)")
    }

    @Test func commandsOfOneThingHaveOneTitle() {
        let steps = ["ip link add a", "ip link set a up"].map { PlanReport.Step(.add, "port", command: $0) } + [.init(.remove, "port")]
        let text = PlanView(output: Self.plain).text(PlanReport(steps: steps, applied: false))
        #expect(text.hasPrefix("+ port\n    ip link add a\n    ip link set a up\n- port\n"), "\(text)")
    }

    /// Of rules of other kinds a list does not tell that they wait.
    @Test func whatWaitsIsToldWhereItBelongs() {
        var waiting = PlanReport.Waiting(rule: "w", reason: "eth1 is not there")
        waiting.kind = "mirror"
        let report = PolicyReport(
            at: "", intervalSeconds: 1, folder: "", files: [], generation: 1, mirrors: [], samplers: [], shapers: [], refusals: [],
            waiting: [waiting], repaired: 0, problem: nil, confirmWithinSeconds: nil)
        let view = RuleListView(output: Self.plain)
        #expect(view.mirrors(report).contains("w: waits: eth1 is not there") && view.shapers(report) == "no shaping rules\n")
    }

    /// No name of ours stands where a person reads.
    @Test func aShaperInFull() {
        var rule = ShapeReport(
            name: "cap", namespace: nil, interfaces: ["eth0"], direction: "egress", filter: "", parent: nil, mechanism: "htb", priority: 3,
            per: "aggregate")
        (rule.classID, rule.leafClassIDs, rule.exceptions) = ("4e49:2", "4e49:40-4e49:7f", ["noRoom": 2])
        var report = RuleReport(at: "", name: "cap", kind: "shape", file: nil, line: nil, filter: "")
        report.shapers = [rule]
        report.waiting = [.init(rule: "cap", reason: "eth9 is not there", inPart: true)]
        let text = RuleView(output: Self.plain).text(report)
        for part in ["htb, class 4e49:2, queues in 4e49:40-4e49:7f", "2 no room for one more", "not everywhere: eth9 is not there"] {
            #expect(text.contains(part), "\(part) is not in \(text)")
        }
        #expect(!text.contains("noRoom"))
    }

    @Test func statusOfThePolicy() throws {
        func line(_ policy: StatusReport.Policy) throws -> String {
            var status = FakeAgent.status
            status.policy = policy
            let lines = StatusView(output: Self.plain).text(status).split(separator: "\n")
            return String(try #require(lines.first { $0.hasPrefix("policy") }).dropFirst(6).drop { $0 == " " })
        }
        #expect(try line(.init(mirrors: 0, samplers: 0, shapers: 0)) == "no rules")
        #expect(try line(.init(mirrors: 2, samplers: 0, shapers: 1)) == "3 rules in force (2 mirrors, 1 shaper)")
        #expect(
            try line(
                .init(
                    mirrors: 0, samplers: 1, shapers: 0, refused: ["a"],
                    waiting: [.init(rule: "b", reason: "x is not there"), .init(rule: "c", reason: "y")], repaired: 2,
                    problem: "x.yaml:3: name: bad\nhint: mend it", confirmWithinSeconds: 30))
                == "1 rule in force (1 sampler); 1 refused: a; 2 waiting for interfaces: b (x is not there), c (y); repaired 2 times; "
                + "taken back in \(Duration.seconds(30).short) unless confirmed (nilo confirm); not as its files say: x.yaml:3: name: bad")
    }

    @Test func status() throws {
        let status = StatusReport(
            version: "1.0", pid: 12, kernel: "6.18.0", startedAt: Timestamp(nanoseconds: 0), now: Timestamp(nanoseconds: 3_700_000_000_000),
            recordVersion: 1,
            tookOver: true, interfaces: 2, interfacesInDoubt: ["eth1"], flows: 10, flowLimit: 1000,
            memory: .init(privateBytes: 34_000_000, mapBytes: 120_000_000),
            collector: .init(slotsUsed: 5, slots: 100, fullestLog: 0.256, readings: 99, lastReadingMilliseconds: 1.25),
            nanosecondsPerPacket: nil,
            exports: [.init(target: "ipfix udp 192.0.2.1:4739", records: 3, messages: 2, notSent: 1, problem: "connection refused")],
            warnings: ["look at it"])
        let text = StatusView(output: Self.plain).text(status)
        for part in [
            "up 1h 01m", "34.0 MB private, 120 MB", "26% full", "eth1", "1 not sent; connection refused", "look at it", "took over",
            "bpf_stats_enabled",
        ] {
            #expect(text.contains(part), "\(part)")
        }
        let json = try JSONOutput.text(status, pretty: false)
        var foreseeing = status
        var forecast = StatusReport.Forecast(
            series: 40, limit: 2000, refused: 0, waiting: 0, bytes: 1, openIncidents: 0, incidents: 1, notPosted: 0)
        foreseeing.forecast = forecast
        #expect(StatusView(output: Self.plain).text(foreseeing).contains("40 series of at most 2000; no incident\n"))
        (forecast.waiting, forecast.behindSeconds) = (12, 400)
        foreseeing.forecast = forecast
        #expect(
            StatusView(output: Self.plain).text(foreseeing)
                .contains("; no incident; 6m 40s behind what is measured, 12 forecasts still to be made\n"))
        #expect(json.contains("\"target\":\"ipfix udp 192.0.2.1:4739\"") && json.hasSuffix("}\n") && !json.dropLast().contains("\n"))
    }
}
