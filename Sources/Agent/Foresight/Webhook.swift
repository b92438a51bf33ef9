import API
import Glibc
import Logging
import Synchronization

/// Posts incidents to a URL, one after the other, on a thread of its own: who does not answer holds up nobody.
final class Webhook: Sendable {
    private struct State {
        var waiting: [IncidentEvent] = []
        var isRunning = false
        var isStopped = false
        var lost = 0
        /// Why the last one was given up: told once, until it goes well again.
        var problem: String?
    }

    /// Events that wait at most; then the oldest is lost.
    private static let limit = 100
    /// Before it is tried again.
    private static let pauses: [Duration] = [.seconds(1), .seconds(5), .seconds(30)]

    private let url: String
    private let log: Log
    private let state = Mutex(State())

    init(url: String, _ log: Log) {
        self.url = url
        self.log = log
    }

    func post(_ event: IncidentEvent) {
        let mustStart = state.withLock { state in
            guard !state.isStopped else { return false }
            if state.waiting.count == Self.limit {
                state.waiting.removeFirst()
                state.lost += 1
            }
            state.waiting.append(event)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard mustStart else { return }
        let isStarted = DetachedThread.start { [self] in run() }
        if !isStarted { state.withLock { $0.isRunning = false } }
    }

    private func run() {
        while true {
            let next = state.withLock { state -> IncidentEvent? in
                guard !state.waiting.isEmpty, !state.isStopped else {
                    state.isRunning = false
                    return nil
                }
                return state.waiting.removeFirst()
            }
            guard let next else { return }
            send(next)
        }
    }

    private func send(_ event: IncidentEvent) {
        // A report of ours is always JSON.
        guard let body = try? ControlRoutes.encoded(event.report) else { preconditionFailure("\(event)") }
        var problem: String?
        for pause in [.zero] + Self.pauses {
            sleep(UInt32(pause.components.seconds))
            if state.withLock({ $0.isStopped }) { return }
            problem = WebPost.send(body, to: url)
            if problem == nil { break }
        }
        let isNew = state.withLock { state in
            defer { state.problem = problem }
            if problem != nil { state.lost += 1 }
            return state.problem != problem
        }
        guard isNew else { return }
        guard let problem else { return log.info("the webhook takes incidents again", [:]) }
        log.warning("an incident was not posted", ["url": LogValue(url), "reason": LogValue(problem)])
    }

    /// Incidents that nobody took.
    var lost: Int { state.withLock { $0.lost } }

    func stop() { state.withLock { $0.isStopped = true } }
}
