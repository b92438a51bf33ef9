import CLinux
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
