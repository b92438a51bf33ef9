import Agent
import Glibc
import Reports
import Synchronization

/// Asks the agent once a second, and at once when the question changes, on a thread of its own: keys never wait for an answer.
final class TopPoller: Sendable {
    private struct State {
        var question: TopQuestion
        var answers: [TopAnswer] = []
        var isOver = false
    }

    typealias Ask = @Sendable (TopQuestion) -> TopAnswer.Outcome

    private let state: Mutex<State>
    private let ask: Ask
    private let interval: Duration
    /// Readable when there are answers.
    let answersReady: WakePipe
    private let asked: WakePipe

    init(_ question: TopQuestion, interval: Duration = .seconds(1), ask: @escaping Ask) throws(CommandFailure) {
        state = Mutex(State(question: question))
        self.ask = ask
        self.interval = interval
        answersReady = try WakePipe()
        asked = try WakePipe()
    }

    func start() throws(CommandFailure) {
        guard DetachedThread.start({ self.run() }) else { throw CommandFailure("top", "no thread can be started") }
    }

    func put(_ question: TopQuestion) {
        let isNew = state.withLock { state in
            defer { state.question = question }
            return state.question != question
        }
        if isNew { asked.wake() }
    }

    func takeAnswers() -> [TopAnswer] {
        answersReady.drain()
        return state.withLock { state in
            defer { state.answers = [] }
            return state.answers
        }
    }

    func stop() {
        state.withLock { $0.isOver = true }
        asked.wake()
    }

    private func run() {
        var beat = ContinuousClock.now
        while true {
            let (question, isOver) = state.withLock { ($0.question, $0.isOver) }
            if isOver { return }
            let isOnBeat = ContinuousClock.now >= beat
            if isOnBeat { beat = .now + interval }
            let outcome = ask(question)
            state.withLock { $0.answers.append(TopAnswer(question: question, isOnBeat: isOnBeat, outcome: outcome)) }
            answersReady.wake()
            // Not less than a little: whoever types a filter fast does not make the agent search for each letter.
            usleep(50_000)
            asked.wait(until: beat)
        }
    }
}

extension AgentConnection {
    /// What the live view shows; the agent may well take its time or be gone.
    func answer(_ question: TopQuestion) -> TopAnswer.Outcome {
        let query = [
            ("filter", question.filter.description), ("sort", question.order.measure.rawValue),
            ("reverse", question.order.ascending ? "1" : "0"), ("top", "\(question.count)"),
        ]
        do throws(CommandFailure) {
            let interfaces: InterfaceListReport = try ask("/v1/interfaces", for: "interfaces", timeout: .seconds(3))
            let flows: FlowListReport = try ask("/v1/flows", query, for: "flows", timeout: .seconds(3))
            let rules: PolicyReport? = question.wantsRules ? try ask("/v1/policy", for: "rules", timeout: .seconds(3)) : nil
            return .reports(interfaces, flows, rules: rules)
        } catch {
            return .failed(error.why)
        }
    }
}
