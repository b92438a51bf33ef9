import Flows
import Glibc
import Reports
import Terminal

/// `nilo top`: the live view.
public enum TopVerb {
    public static let specification = CommandSpecification(
        "top", summary: "Watch interfaces and flows live, full-screen",
        discussion: """
            Sort with r b p t x (rate, bytes, packets, round trip, retransmissions) or the
            arrows, filter as you type after /, see interfaces and their books with i,
            mirrors with m and shaping classes with c. The key h shows all keys, q quits.
            """,
        options: [
            OptionSpecification(
                "sort", short: "s", value: "BY", choices: FlowMeasure.allCases.map(\.rawValue), help: "what to sort by at first (rate)"),
            AgentConnection.option,
        ],
        operand: .init("FILTER", count: 0...1000, help: "which flows, as: host 10.0.0.1 and tcp port 443"),
        examples: [.init("nilo top", "everything"), .init("nilo top --sort retransmissions tcp", "where TCP sends again")])

    public static let command = Command(specification) { arguments, context in
        let filter = try FlowsVerb.filter(arguments)
        let order = FlowOrder(arguments.value("sort").flatMap(FlowMeasure.init) ?? .rate)
        guard context.output.isTerminal, isatty(STDIN_FILENO) == 1 else {
            throw CommandFailure("top", "it needs a terminal", hint: "nilo flows prints a list", code: .usage)
        }
        let agent = AgentConnection(arguments, context: context)
        var model = TopModel(filter: filter, order: order)
        // Before the screen is taken, so that a mistake is told where it can be read. Later failures are shown as a banner.
        let _: StatusReport = try agent.ask("/v1/status", for: "watch flows")
        let poller = try TopPoller(model.question) { agent.answer($0) }
        let signal = try show(&model, poller, color: context.output.color)
        if signal != 0 { TopSignals.endProcess(by: signal) }
    }

    /// - Returns: the signal that ended it; 0: the person did.
    private static func show(_ model: inout TopModel, _ poller: TopPoller, color: Bool) throws(CommandFailure) -> Int32 {
        let screen = try TopScreen(color: color)
        TopSignals.install(poller.answersReady)
        try poller.start()
        defer { poller.stop() }
        while !model.isDone {
            if TopSignals.received != 0 { return TopSignals.received }
            for answer in poller.takeAnswers() { model.take(answer) }
            while let event = screen.nextEvent() {
                if case .key(let key) = event { model.press(key) }
            }
            if model.isDone { break }
            screen.draw(model.screen(width: screen.width, height: screen.height))
            poller.put(model.question)
            var sources = [
                pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
                pollfd(fd: poller.answersReady.reading, events: Int16(POLLIN), revents: 0),
            ]
            // Interrupted by SIGWINCH: ncurses tells of the new size as a key.
            _ = poll(&sources, 2, 1000)
            // The terminal is gone without a signal.
            if sources[0].revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0 { return SIGHUP }
        }
        return 0
    }
}
