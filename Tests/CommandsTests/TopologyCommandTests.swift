import Foundation
import FoundationXML
import NetworkTypes
import Reports
import Terminal
import Testing
import Topology
import TopologySupport

@testable import Commands

@Suite struct TopologyCommandTests {
    private static let now = Timestamp(nanoseconds: 1_700_000_000_000_000_000)
    private static let plain = TerminalOutput(isTerminal: false, width: 0, color: false)

    private static func verb(_ words: String...) throws -> TopologyVerb {
        try TopologyVerb(ParsedArguments(words, for: TopologyVerb.specification), now: now)
    }

    private static func report(_ change: (inout SmallNetwork) -> Void = { _ in }) -> TopologyReport {
        var network = SmallNetwork()
        network.talk(bytes: 125_000)
        _ = network.commit()
        change(&network)
        network.talk(bytes: 125_000)
        let teller = TopologyTeller(network.commit())
        return TopologyReport(TopologySelection(teller, top: 100), teller)
    }

    // MARK: What is asked

    @Test func questions() throws {
        #expect(try Self.verb().question == .show(at: nil))
        #expect(try Self.verb("--at", "10m").question == .show(at: Self.now + .seconds(-600)))
        #expect(try Self.verb("diff", "--since", "1h").question == .difference(from: Self.now + .seconds(-3600), to: Self.now))
        #expect(try Self.verb("diff", "2h", "1h").question == .difference(from: Self.now + .seconds(-7200), to: Self.now + .seconds(-3600)))
        #expect(try Self.verb("watch", "-N", "vni/100").question == .watch)
        #expect(try Self.verb("compare", "a", "b").question == .compare("a", "b"))
        #expect(try Self.verb("path", "a", "b").question == .path("a", "b"))
        #expect(try Self.verb("talks", "a", "--since=-5m").question == .talks("a", since: Self.now + .seconds(-300)))
        #expect(
            try Self.verb("whatif", "link down veth3", "rate app=postgres x2").question
                == .whatIf(["link down veth3", "rate app=postgres x2"]))
        let scoped = try Self.verb("--layer", "layer2", "--json", "--all")
        #expect(scoped.layer == .layer2 && scoped.format == .json && scoped.top == 5000 && scoped.kernelMade)
    }

    @Test(arguments: [
        ["dif"], ["diff"], ["diff", "1h"], ["diff", "1h", "2h"], ["diff", "--since", "soon"], ["path", "a"], ["behind"], ["compare", "a"],
        ["whatif"],
        ["watch", "--at", "1h"], ["--since", "1h"], ["path", "a", "b", "--layer", "layer2"], ["watch", "--format", "svg"],
        ["--json", "--format", "dot"], ["--at", "2999-01-01T00:00:00Z"], ["--top", "0"],
    ]) func whatCannotBeMeantIsAnError(words: [String]) {
        #expect { try TopologyVerb(ParsedArguments(words, for: TopologyVerb.specification), now: Self.now) } throws: {
            ($0 as? CommandFailure)?.code == .usage
        }
    }

    @Test func momentsAsPeopleGiveThem() throws {
        func text(_ moment: String) -> String? { MomentText.moment(moment, now: Self.now)?.description }
        #expect(text("now") == "2023-11-14T22:13:20.000Z")
        #expect(text("90s") == "2023-11-14T22:11:50.000Z" && text("-90s") == text("90s") && text("3d") == "2023-11-11T22:13:20.000Z")
        #expect(text("2026-01-31T12:00:00Z") == "2026-01-31T12:00:00.000Z")
        #expect(text("2026-01-31T12:00:00.25+02:00") == "2026-01-31T10:00:00.250Z")
        #expect(text("2026-01-31T12:00:00-00:30") == "2026-01-31T12:30:00.000Z")
        // Of the machine's own zone only that it is one.
        #expect(text("2026-01-31 12:00") == text("2026-01-31T12:00:00"))
        #expect(MomentText.moment("12:00", now: Self.now) != nil)
        for wrong in [
            "", "10", "m", "10x", "2026-02-30T12:00:00Z", "2026-01-31", "25:00", "12:60", "2026-01-31T12:00:00+2", "1h30m", "9999999999d",
        ] {
            #expect(MomentText.moment(wrong, now: Self.now) == nil, "\(wrong)")
        }
        let local = MomentText.local(Self.now.description, beside: Self.now)
        #expect(local.count == 8 && local.split(separator: ":").count == 3)
        #expect(MomentText.local(Self.now.description, beside: Self.now + .seconds(400_000)).hasSuffix(local))
    }

    @Test func eventsOutOfLines() {
        var events = EventLines()
        let lines = ["id: 7", "event: changes", "data: {\"a\":", "data:1}", "", ": comment", "", "data: x\r", "\r"]
        #expect(lines.compactMap { events.take($0) } == [.init(name: "changes", data: "{\"a\":\n1}"), .init(name: "message", data: "x")])
    }

    // MARK: What is shown

    @Test func tree() {
        let text = TopologyView(output: Self.plain).tree(Self.report())
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines[0] == "web1  Linux 6.12")
        #expect(text.contains("├─ blue\n"))
        #expect(text.contains("│  └─ eth0  veth  10.0.0.11/24  ↔ web1:v-blue\n"))
        #expect(text.contains("init  default via 192.0.2.254 dev eth0"))
        #expect(text.contains("vni/100  10.0.0.0/24"))
        #expect(text.contains("10.0.0.12  ") && text.contains("serves tcp/5432 postgres"))
        #expect(!text.contains(" lo") && TopologyView(output: Self.plain, kernelMade: true).tree(Self.report()).contains("lo  loopback"))
        #expect(
            lines.contains { $0.contains("10.0.0.11") && $0.contains("tcp/5432") && $0.contains("1.0 Mb/s") && $0.contains("postgres") })
        let down = TopologyView(output: Self.plain).tree(Self.report { $0.red(isUp: false) })
        #expect(down.contains("eth0  down  veth"))
    }

    @Test func table() {
        let lines = TopologyView(output: Self.plain).table(Self.report()).split(separator: "\n").map(String.init)
        #expect(lines[0].split(separator: " ") == ["KIND", "FROM", "TO", "LOAD", "RTT", "WHAT"])
        #expect(
            lines.contains {
                $0.hasPrefix("attachment") && $0.contains("10.0.0.11") && $0.contains("blue:eth0") && $0.contains("prefix-length 24")
            })
        #expect(lines.contains { $0.hasPrefix("talk ") && $0.contains("11.0 Mb/s") })
    }

    @Test func graphs() throws {
        let dot = TopologyDrawing(kernelMade: false).dot(Self.report())
        #expect(dot.hasPrefix("graph topology {\n") && dot.hasSuffix("}\n") && dot.contains("label=\"blue\"") && !dot.contains("/if/lo"))
        let graphml = TopologyGraphML(kernelMade: false).text(Self.report())
        #expect(try Self.wellFormed(graphml) == ["graphml": 1, "graph": 1])
        #expect(graphml.contains("<edge id=\"vni/100/ip/10.0.0.11~talks:tcp/5432:postgres~vni/100/ip/10.0.0.12\""))
        // Rules have tabs and lines; what turns the direction of reading is made visible.
        #expect(xml("a\tb\nc\u{202E}d\u{1}é<") == "a\tb\nc\\u202ed\u{FFFD}é&lt;")
        #expect(graphml.contains("<data key=\"edge.port\">5432</data>") && graphml.contains("attr.name=\"mtu\" attr.type=\"double\""))
    }

    /// How often some elements occur; throws where it is no XML.
    private static func wellFormed(_ text: String) throws -> [String: Int] {
        final class Counter: NSObject, XMLParserDelegate {
            var counts: [String: Int] = [:]
            func parser(
                _: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?, attributes: [String: String]
            ) {
                if ["graphml", "graph", "svg"].contains(name) { counts[name, default: 0] += 1 }
            }
        }
        let parser = XMLParser(data: Data(text.utf8))
        let counter = Counter()
        parser.delegate = counter
        guard parser.parse() else { throw parser.parserError ?? CommandFailure("parse", "not well formed") }
        return counter.counts
    }

    @Test func drawing() throws {
        let layout = TopologyLayout(Self.report(), kernelMade: false)
        // The host's own namespace first, what hangs on it next, what is elsewhere last.
        #expect(layout.columns.map { $0.map(\.title) } == [["web1"], ["blue", "red"], ["elsewhere"]])
        let own = layout.columns[0][0].rows.map(\.name)
        #expect(
            own.firstIndex(of: "br0")! < own.firstIndex(of: "v-blue")! && layout.columns[0][0].rows.first { $0.name == "v-blue" }!.isPort)
        #expect(layout.edges.filter { $0.kind == .wire }.count == 2 && layout.edges.filter { $0.kind == .talk }.count == 1)
        #expect(layout.networks.map(\.key) == ["vni/100"])
        let svg = TopologySVG(layout).text
        #expect(try Self.wellFormed(svg) == ["svg": 1])
        #expect(svg.contains(">v-blue</text>") && svg.contains("vni 100") && !svg.contains("nan") && !svg.contains("inf\""))
        #expect(TopologySVG(TopologyLayout(Self.report(), kernelMade: false)).text == svg)
    }

    @Test func hostileNamesStayText() throws {
        var report = Self.report()
        let name = "<script>&\"]]>\u{1B}[2J"
        for index in report.entities.indices { report.entities[index].name = name }
        let svg = TopologySVG(TopologyLayout(report, kernelMade: false)).text
        #expect(try Self.wellFormed(svg) == ["svg": 1] && !svg.contains("<script") && !svg.contains("\u{1B}"))
        #expect(try Self.wellFormed(TopologyGraphML(kernelMade: false).text(report)) == ["graphml": 1, "graph": 1])
        let layout = TopologyLayout(report, kernelMade: false)
        #expect(!TopologyPicture(layout, output: Self.plain).text.contains("\u{1B}"))
        #expect(!TopologyView(output: Self.plain).tree(report).contains("\u{1B}"))
    }

    @Test(arguments: [20, 40, 60, 80, 100, 200]) func pictureFitsTheWidth(width: Int) {
        let output = TerminalOutput(isTerminal: true, width: width, color: false)
        let text = TopologyPicture(TopologyLayout(Self.report(), kernelMade: false), output: output).text
        let lines = text.split(separator: "\n").map(String.init)
        // The bars of communication are beside the picture, and have a least width of their own.
        let picture = lines.prefix { !$0.contains("→") }
        #expect(picture.allSatisfy { TerminalText.width($0) <= width || $0.contains("more boxes") }, "\(text)")
        #expect(text.contains("╭─ web1 ") && picture.count > 6)
        if width >= 100 {
            #expect(text.contains("╭─ blue ") && text.contains("eth0 10.0.0.11/24"))
            #expect(text.contains("10.0.0.12") && text.contains("tcp/5432 postgres"))
        }
    }

    @Test func numbersInNamesCount() {
        let names = ["eth10", "eth2", "eth1", "br0", "eth02", "eth"]
        #expect(names.sorted { TopologyLayout.precedes($0, $1) } == ["br0", "eth", "eth1", "eth02", "eth2", "eth10"])
    }

    @Test func changesInWords() throws {
        var network = SmallNetwork()
        let before = TopologyTeller(network.commit())
        network.red(isUp: false)
        let changed = TopologyTeller(network.commit())
        let view = ChangesView(output: Self.plain)
        let changes = ChangeList(changed.snapshot.difference(from: before.snapshot), from: before, to: changed)
        let event = try #require(ChangesEventReport(changes, of: changed.snapshot))
        #expect(view.text(event).contains("~ interface red:eth0 state up → down\n"))
        network.unplugRed()
        let after = TopologyTeller(network.commit())
        let list = ChangeList(after.snapshot.difference(from: before.snapshot), from: before, to: after)
        let shift = TopologyDifferenceReport.Shift(key: "k", name: "a – b", before: 1e6, after: 4.2e6)
        let text = view.text(TopologyDifferenceReport(from: before.snapshot.time, to: after.snapshot.time, changes: list, traffic: [shift]))
        #expect(text.contains("− endpoint 10.0.0.12") && text.contains("− namespace red netns red\n"))
        #expect(text.contains("× 4.2") && text.contains(" vanished, "))
        let none = ChangeList(after.snapshot.difference(from: after.snapshot), from: after, to: after)
        #expect(view.text(TopologyDifferenceReport(from: Self.now, to: Self.now, changes: none)).hasPrefix("nothing changed between"))
    }

    /// Where ends are alike port, application and network tell them apart.
    @Test func trafficThatChangedIsToldApart() throws {
        func shift(_ key: String, _ after: Double) throws -> TopologyDifferenceReport.Shift {
            guard case .link(let link) = try #require(EntityKey(key)) else { throw CommandFailure("test", key) }
            return try #require(.init(key: link, before: .init([1e6, 1e6]), after: .init([after, after])))
        }
        let shifts = [
            try shift("vni/100/ip/10.0.0.11~talks:tcp/5432:postgres~vni/100/ip/10.0.0.12", 9e6),
            try shift("vni/100/ip/10.0.0.11~talks:tcp/22~vni/100/ip/10.0.0.12", 8e6),
            try shift("vni/200/ip/10.0.0.11~talks:tcp/5432~vni/200/ip/10.0.0.12", 7e6),
        ]
        var network = SmallNetwork()
        let teller = TopologyTeller(network.commit())
        let none = ChangeList(teller.snapshot.difference(from: teller.snapshot), from: teller, to: teller)
        var report = TopologyDifferenceReport(from: Self.now, to: Self.now, changes: none, traffic: shifts)
        let lines = ChangesView(output: Self.plain).text(report).split(separator: "\n").map(String.init)
        #expect(lines[1].hasPrefix("10.0.0.11 – 10.0.0.12 (vni/100)") && lines[1].contains("tcp/5432  postgres"), "\(lines)")
        #expect(lines[2].contains("tcp/22 ") && lines[3].contains("(vni/200)"), "\(lines)")
        report.traffic.removeLast()
        #expect(!ChangesView(output: Self.plain).text(report).contains("(vni/100)"))
    }

    @Test func whatNobodySawIsTold() throws {
        var report = Self.report()
        report.live = false
        report.gap = GapReport(from: Self.now, to: Self.now + .seconds(60))
        let view = TopologyView(output: Self.plain)
        let remark = "nobody looked between 2023-11-14T22:13:20.000Z and 2023-11-14T22:14:20.000Z: the map is that of"
        #expect(view.tree(report).contains(remark) && view.table(report).hasPrefix(remark))
        report.gap = nil
        report.historyBegins = "\(Self.now)"
        #expect(view.tree(report).contains("the history begins at 2023-11-14T22:13:20.000Z"))
        var network = SmallNetwork()
        let teller = TopologyTeller(network.commit())
        let none = ChangeList(teller.snapshot.difference(from: teller.snapshot), from: teller, to: teller)
        let text = ChangesView(output: Self.plain).text(
            TopologyDifferenceReport(
                from: Self.now, to: Self.now, changes: none, gaps: [GapReport(from: Self.now, to: nil)], historyBegins: Self.now))
        #expect(text.contains("nobody looked after 2023-11-14T22:13:20.000Z") && text.contains("the history begins at 2023"), "\(text)")
    }

    @Test func answersInWords() throws {
        var network = SmallNetwork()
        network.talk(bytes: 125_000)
        _ = network.commit()
        network.talk(bytes: 125_000)
        let teller = TopologyTeller(network.commit())
        func node(_ key: String) -> NodeID { teller.snapshot.existing(key) }
        let (blue, red) = (node("vni/100/ip/10.0.0.11"), node("vni/100/ip/10.0.0.12"))
        let view = AnswerView(output: Self.plain)
        let path = view.text(TopologyAnswerReport(path: teller, from: blue, to: red)).split(separator: "\n").map(String.init)
        #expect(path.first == "○ 10.0.0.11" && path.last == "arrived" && path.contains("│ veth pair"))
        #expect(path.contains { $0.hasPrefix("● blue:eth0") && $0.contains("by 10.0.0.0/24 via dev eth0") }, "\(path)")
        #expect(path.contains("● web1:br0"))
        #expect(view.text(TopologyAnswerReport(talks: teller, red, top: 10)).contains("tcp/5432"))
        let behind = view.text(TopologyAnswerReport(behind: teller, node("host/web1/ns/init/if/v-blue"), top: 1))
        #expect(behind.contains("more: --top"))
        let same = ComparisonView(output: Self.plain).text(
            NetworkComparisonReport(teller, node("host/web1/ns/blue"), node("host/web1/ns/red")))
        #expect(same.contains("alike"))
    }

    // MARK: Over the socket

    @Test func theAgentIsAskedAsTheContractSays() throws {
        let agent = try FakeAgent()
        func run(_ words: String...) -> (out: String, err: String, code: ExitCode) {
            let screen = Screen()
            let table = CommandTable(version: "1", commands: [TopologyVerb.command])
            let code = table.run(["topology"] + words + ["--socket", agent.socket], context: screen.context())
            return (screen.written, screen.complaints, code)
        }
        #expect(run("--network", "vni/100", "--layer", "tunnel", "--top", "7", "--at", "2026-01-31T12:00:00Z").code == .failed)
        let difference = run("diff", "2026-01-31T12:00:00Z", "2026-01-31T13:00:00Z", "-N", "a")
        #expect(difference.code == .success && difference.out.contains("~ interface red:eth0 state up → down\n"))
        #expect(difference.out.contains("0 appeared, 0 vanished, 1 changed between "))
        #expect(run("path", "a", "b").code == .failed)
        #expect(run("compare", "a", "b").code == .failed)
        let watched = run("watch")
        #expect(watched.code == .failed && watched.out.hasSuffix("~ interface red:eth0 state up → down\n"))
        #expect(watched.err.hasPrefix("nilo: watch the topology: the agent ended it"))
        let lines = run("watch", "--json").out.split(separator: "\n")
        #expect(lines.count == 1)
        #expect(try JSONDecoder().decode(ChangesEventReport.self, from: Data(lines[0].utf8)).changes.count == 1)
        #expect(
            agent.requests == [
                "GET /v1/topology?at=2026-01-31T12:00:00.000Z&layer=tunnel&network=vni/100&top=7",
                "GET /v1/topology/diff?from=2026-01-31T12:00:00.000Z&network=a&to=2026-01-31T13:00:00.000Z",
                "GET /v1/topology/ask?of=a&question=path&to=b", "GET /v1/topology/compare?a=a&b=b", "GET /v1/events",
                "GET /v1/events",
            ])
    }
}
