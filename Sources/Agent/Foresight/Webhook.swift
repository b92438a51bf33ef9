import API
import Configuration
import Glibc
import Logging
import Privileges
import Synchronization

/// Posts incidents to a URL, one after the other, on a thread of its own: who does not answer holds up nobody. The thread may do nothing
/// special, because it reads what strangers answer.
final class Webhook: Sendable {
    /// Posts a body to a URL and says why it was not taken.
    typealias Post = @Sendable (_ body: [UInt8], _ url: String) -> String?

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
    static let pauses: [Duration] = [.seconds(1), .seconds(5), .seconds(30)]

    private let url: WebURL
    private let log: Log
    private let transmit: Post
    private let pauses: [Duration]
    private let state = Mutex(State())

    init(_ url: WebURL, _ log: Log, pauses: [Duration] = Webhook.pauses, _ transmit: @escaping Post) {
        self.url = url
        self.pauses = pauses
        self.log = log
        self.transmit = transmit
    }

    func post(_ event: IncidentEvent) {
        let mustStart = state.withLock { state in
            guard !state.isStopped else { return false }
            // What is newer says all of it.
            state.waiting.removeAll { $0.kind == .changed && $0.incident.id == event.incident.id }
            if state.waiting.count == Self.limit {
                state.waiting.removeFirst()
                state.lost += 1
            }
            state.waiting.append(event)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard mustStart else { return }
        var reason: String? = "no thread could be started"
        do {
            if try ThreadPrivileges.withNone({ DetachedThread.start { [self] in run() } }) { reason = nil }
        } catch { reason = "\(error)" }
        guard let reason else { return }
        state.withLock { $0.isRunning = false }
        complain(reason)
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
        for pause in [.zero] + pauses {
            sleep(UInt32(pause.components.seconds))
            if state.withLock({ $0.isStopped }) { return }
            problem = transmit(body, url.text)
            if problem == nil { break }
        }
        guard let problem else {
            let wasBad = state.withLock { state in
                defer { state.problem = nil }
                return state.problem != nil
            }
            if wasBad { log.info("the webhook takes incidents again", [:]) }
            return
        }
        state.withLock { $0.lost += 1 }
        complain(problem)
    }

    /// The URL may hold a password or a token, also in its path.
    private func complain(_ problem: String) {
        let isNew = state.withLock { state in
            defer { state.problem = problem }
            return state.problem != problem
        }
        if isNew { log.warning("an incident was not posted", ["to": LogValue(url.origin), "reason": LogValue(problem)]) }
    }

    /// Incidents that nobody took.
    var lost: Int { state.withLock { $0.lost } }

    func stop() { state.withLock { $0.isStopped = true } }
}
