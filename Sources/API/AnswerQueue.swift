import CLinux
import CMicrohttpd
import Synchronization

/// Makes answers that take a while, on threads of its own, so that the listener's thread serves others meanwhile. Who asked first is served
/// first; a connection has one request at a time, so nobody fills the queue.
///
/// The threads give way to those that count and keep the topology: an answer may take longer, what it tells may not be late.
final class AnswerQueue: Sendable {
    typealias Work = @Sendable () -> Void

    private struct State {
        var waiting: [Work] = []
        var threads = 0
    }

    /// Answers that are made at the same time.
    static let width = 2
    private let state = Mutex(State())

    /// False when no thread can be started: then nothing is going to be done.
    func add(_ work: @escaping Work) -> Bool {
        let mustStart = state.withLock { state in
            state.waiting.append(work)
            guard state.threads < Self.width else { return false }
            state.threads += 1
            return true
        }
        guard mustStart else { return true }
        let context = Unmanaged.passRetained(self)
        let code = lx_start_detached(
            { context in
                Unmanaged<AnswerQueue>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        if code == 0 { return true }
        context.release()
        return state.withLock { state in
            state.threads -= 1
            // Another thread comes to it.
            if state.threads > 0 { return true }
            state.waiting.removeLast()
            return false
        }
    }

    /// Until nothing waits.
    private func run() {
        lx_be_nice()
        while true {
            let work = state.withLock { state in
                if !state.waiting.isEmpty { return Work?.some(state.waiting.removeFirst()) }
                state.threads -= 1
                return nil
            }
            guard let work else { return }
            work()
        }
    }
}

/// An answer that is being made for a connection, which is suspended in libmicrohttpd so long.
final class AwaitedAnswer: Sendable {
    // @unchecked: the connection is used only under the lock, and only until it has been resumed.
    private struct State: @unchecked Sendable {
        var connection: OpaquePointer?
        var response: ControlResponse?
    }

    private let state: Mutex<State>

    /// Suspends the connection.
    init(for connection: OpaquePointer) {
        state = Mutex(State(connection: connection))
        MHD_suspend_connection(connection)
    }

    /// The first one counts: it wakes the connection, whose request libmicrohttpd hands over once more.
    func put(_ response: ControlResponse) {
        state.withLock { state in
            guard let connection = state.connection else { return }
            state.response = response
            state.connection = nil
            MHD_resume_connection(connection)
        }
    }

    /// Whether somebody still waits. A client that left is noticed nowhere else while its connection sleeps; then the connection is woken, so
    /// that the server lets go of it.
    func isWanted() -> Bool {
        state.withLock { state in
            guard let connection = state.connection else { return false }
            guard hasHungUp(connection) else { return true }
            state.response = .failure(503, "the client has left")
            state.connection = nil
            MHD_resume_connection(connection)
            return false
        }
    }

    func take() -> ControlResponse? {
        state.withLock { state in
            defer { state.response = nil }
            return state.response
        }
    }
}
