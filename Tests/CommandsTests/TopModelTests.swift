import Flows
import Foundation
import Terminal
import Testing

@testable import Commands

@Suite struct TopModelTests {
    /// A model that has had answers from so many seconds.
    private static func model(seconds: Int = 3) async throws -> TopModel {
        let agent = try FakeAgent()
        var model = TopModel()
        for _ in 0..<seconds { model.take(TopAnswer(question: model.question, outcome: try await Self.ask(agent, model.question))) }
        return model
    }

    private static func ask(_ agent: FakeAgent, _ question: TopQuestion) async throws -> TopAnswer.Outcome {
        await withCheckedContinuation { continuation in
            let thread = Thread {
                // An agent ends with its last reference.
                withExtendedLifetime(agent) { continuation.resume(returning: AgentConnection(socket: agent.socket).answer(question)) }
            }
            thread.start()
        }
    }

    private static func text(_ model: inout TopModel, _ width: Int = 80, _ height: Int = 24) -> [String] {
        model.screen(width: width, height: height).map(\.plain)
    }

    private static func type(_ text: String, _ model: inout TopModel) { for character in text { model.press(.character(character)) } }

    @Test func flows() async throws {
        var model = try await Self.model()
        let lines = Self.text(&model)
        #expect(lines.count == 24)
        #expect(lines[0] == " nilo top  2 interfaces  36 flows  by rate ▼                       22:13:20 UTC ")
        #expect(lines[1] == " veth4f1a9c2  in  1.2 Gb/s                 ███ out  480 kb/s                 ███")
        #expect(lines[2].hasPrefix(" eth0         in  260 Mb/s ") && lines[3].isEmpty)
        #expect(lines[4] == "PROTO     SOURCE            DESTINATION         AT                  RATE   BYTES")
        #expect(lines[5] == "tcp       10.0.0.9:40000    10.0.0.1:postgresql veth4f1a9c2 in  940 Mb/s  141 MB")
        #expect(lines[23].hasPrefix(" / filter  r b p t x sort "))
    }

    @Test func namesThatStandTwiceHaveTheirNamespace() async throws {
        var model = try await Self.model()
        guard case .reports(var interfaces, let flows, _) = try await Self.ask(FakeAgent(), model.question) else {
            throw CocoaError(.featureUnsupported)
        }
        interfaces.interfaces[0].name = "veth0"
        interfaces.interfaces[1].name = "veth0"
        interfaces.interfaces[1].namespace = "netns blue"
        model.take(TopAnswer(question: model.question, outcome: .reports(interfaces, flows, rules: nil)))
        let lines = Self.text(&model)[1...2]
        #expect(lines.contains { $0.hasPrefix(" veth0 ") } && lines.contains { $0.hasPrefix(" blue:veth0 ") }, "\(lines)")
    }

    @Test func anySizeWillDo() async throws {
        var model = try await Self.model()
        var failed = model
        failed.take(TopAnswer(question: failed.question, outcome: .failed("nobody there")))
        var editing = model
        Self.type("/host 10.0.0.9 and nonsense", &editing)
        var (help, interfaces, empty) = (model, model, TopModel())
        help.press(.character("h"))
        interfaces.press(.character("i"))
        empty.press(.character("/"))
        for width in [0, 1, 2, 7, 20, 40, 79, 80, 81, 200, 500] {
            for height in [0, 1, 2, 3, 5, 10, 24, 100] {
                for lines in [
                    Self.text(&model, width, height), Self.text(&failed, width, height), Self.text(&editing, width, height),
                    Self.text(&help, width, height), Self.text(&interfaces, width, height), Self.text(&empty, width, height),
                ] {
                    #expect(lines.count == (width == 0 ? 0 : height))
                    #expect(lines.allSatisfy { TerminalText.width($0) <= width })
                }
            }
        }
    }

    @Test func sorting() async throws {
        var model = try await Self.model()
        for (key, measure) in [("b", FlowMeasure.bytes), ("p", .packets), ("t", .rtt), ("x", .retransmissions), ("r", .rate)] {
            model.press(.character(Character(key)))
            #expect(model.question.order == FlowOrder(measure))
        }
        model.press(.character("R"))
        #expect(model.question.order == FlowOrder(.rate, ascending: true))
        model.press(.right)
        #expect(model.question.order == FlowOrder(.bytes))
        model.press(.left)
        model.press(.left)
        #expect(model.question.order == FlowOrder(.retransmissions))
        #expect(Self.text(&model)[0].contains("by retransmissions ▼"))
        // The answer to the question before does not undo the order on the screen.
        let before = model.flows
        model.take(
            TopAnswer(question: TopQuestion(), outcome: try await Self.ask(FakeAgent(), TopQuestion())))
        #expect(model.flows == before)
    }

    @Test func filterAsYouType() async throws {
        var model = try await Self.model()
        Self.type("/udp", &model)
        #expect(model.question.filter.description == "udp")
        Self.type(" and prt", &model)
        #expect(model.question.filter.description == "udp" && model.editing?.error != nil)
        let lines = Self.text(&model)
        #expect(lines[23].hasPrefix("filter: udp and prt"))
        #expect(lines[22].contains("found \"prt\" at column 9"))
        // Enter does not take what is no filter.
        model.press(.enter)
        #expect(model.editing != nil)
        for _ in 0..<3 { model.press(.backspace) }
        Self.type("port 53", &model)
        model.press(.enter)
        let kept = try FlowFilter(parsing: "udp and port 53")
        #expect(model.editing == nil && model.question.filter == kept)
        #expect(Self.text(&model)[22].hasPrefix(" filter: udp"))
        // q is a letter while typing, and Escape goes back.
        Self.type("/", &model)
        model.press(.erase)
        Self.type("q", &model)
        #expect(!model.isDone && model.editing?.text == "q")
        model.press(.escape)
        #expect(model.editing == nil && model.question.filter == kept)
        model.press(.escape)
        #expect(model.question.filter == .everything)
        model.press(.character("q"))
        #expect(model.isDone)
    }

    @Test func scrolling() async throws {
        var model = try await Self.model()
        _ = Self.text(&model)
        model.press(.down)
        model.press(.down)
        #expect(Self.text(&model)[5].hasPrefix("tcp/vni42 10.1.0.1"))
        model.press(.end)
        // 36 flows, 18 lines of them.
        #expect(model.flowOffset == 18)
        _ = Self.text(&model)
        #expect(model.question.count == 38)
        model.press(.pageUp)
        model.press(.up)
        #expect(model.flowOffset == 0)
    }

    @Test func pauseKeepsThePicture() async throws {
        var model = try await Self.model()
        model.press(.character(" "))
        let before = Self.text(&model)
        #expect(before[0].contains("PAUSED"))
        model.take(
            TopAnswer(
                question: model.question, outcome: try await Self.ask(FakeAgent(beat: 3), model.question)))
        let paused = Self.text(&model)
        #expect(paused.dropFirst(4) == before.dropFirst(4))
        // Sparklines go on, so that they have no gap afterwards.
        #expect(model.history[1]?.ingress.count == 4)
        model.press(.character(" "))
        #expect(!Self.text(&model)[0].contains("PAUSED"))
    }

    @Test func agentGoneAndBack() async throws {
        var model = try await Self.model()
        model.take(TopAnswer(question: model.question, outcome: .failed("nothing answers")))
        var lines = Self.text(&model)
        #expect(lines[1] == " agent not reachable, retrying: nothing answers")
        #expect(lines.contains { $0.contains("10.0.0.1:postgresql") })
        model.take(
            TopAnswer(question: model.question, outcome: try await Self.ask(FakeAgent(), model.question)))
        lines = Self.text(&model)
        #expect(!lines.contains { $0.contains("not reachable") })
    }

    @Test func interfacesAndHelp() async throws {
        var model = try await Self.model()
        model.press(.character("i"))
        let lines = Self.text(&model)
        #expect(lines[1].hasPrefix("INTERFACE"))
        #expect(lines[2].hasPrefix("eth0") && lines[2].hasSuffix("close"))
        #expect(lines[3].contains("tenant-a") && lines[3].contains("███") && lines[3].hasSuffix("device differs"))
        model.press(.character("h"))
        #expect(Self.text(&model).contains { $0.contains("sort by rate") })
        model.press(.character("q"))
        #expect(!model.isDone && !model.showsHelp)
        model.press(.character("f"))
        #expect(Self.text(&model)[4].hasPrefix("PROTO"))
    }

    @Test func poller() async throws {
        let agent = try FakeAgent()
        let connection = AgentConnection(socket: agent.socket)
        let poller = try TopPoller(TopQuestion(), interval: .milliseconds(400)) { connection.answer($0) }
        try poller.start()
        defer { poller.stop() }
        func answers(within seconds: Double) async throws -> [TopAnswer] {
            let end = Date().addingTimeInterval(seconds)
            while Date() < end {
                let answers = poller.takeAnswers()
                if !answers.isEmpty { return answers }
                try await Task.sleep(for: .milliseconds(5))
            }
            // On a machine with much else to do the sleep may have lasted until now.
            return poller.takeAnswers()
        }
        #expect(try await answers(within: 30).first?.isOnBeat == true)
        var question = TopQuestion()
        question.filter = try FlowFilter(parsing: "icmp")
        poller.put(question)
        // A beat may have come in between, with the question before.
        var changed: TopAnswer?
        for _ in 0..<20 where changed == nil { changed = try await answers(within: 30).first { $0.question == question } }
        guard case .reports(_, let flows, _)? = changed?.outcome else {
            Issue.record("no flows: \(String(describing: changed))")
            return
        }
        #expect(flows.matched == 1)
        agent.end()
        var isFailed = false
        for _ in 0..<20 where !isFailed {
            for answer in try await answers(within: 30) { if case .failed = answer.outcome { isFailed = true } }
        }
        #expect(isFailed)
    }
}
