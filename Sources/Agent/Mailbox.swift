import API
import Dispatch
import Synchronization

/// Carries requests from the control sockets' threads to the agent's loop, and answers back.
final class Mailbox: Sendable {
    private let jobs: JobQueue
    /// Used on its loop's thread alone: only jobs touch it, and they run there.
    private nonisolated(unsafe) weak var agent: Agent?

    init(_ agent: Agent) {
        jobs = agent.loop.jobs
        self.agent = agent
    }

    var answer: ControlServer.Handler {
        { [self] request in ControlRoutes.answer(request) { question in ask(question) } }
    }

    var answerMetrics: ControlServer.Handler {
        { [self] request in
            guard request.path == "/metrics" else { return .failure(404, "no \(request.path)", hint: "GET /metrics") }
            return ControlRoutes.answer(request) { question in ask(question) }
        }
    }

    /// Runs a question on the agent's thread and waits for the answer; nil when the agent is starting or ending.
    private func ask<T: Sendable>(_ question: @escaping @Sendable (Agent) throws -> T) -> Result<T, any Error>? {
        let box = AnswerBox<T>()
        let accepted = jobs.add { [self] in
            box.put(
                Result { () throws in
                    guard let agent else { throw AgentFailure("answer", "the agent is ending") }
                    return try question(agent)
                })
        }
        return accepted ? box.take() : nil
    }
}

/// One value from one thread to another.
private final class AnswerBox<T: Sendable>: Sendable {
    private let value = Mutex<Result<T, any Error>?>(nil)
    private let isThere = DispatchSemaphore(value: 0)

    func put(_ result: Result<T, any Error>) {
        value.withLock { $0 = result }
        isThere.signal()
    }

    func take() -> Result<T, any Error>? {
        isThere.wait()
        return value.withLock { $0 }
    }
}
