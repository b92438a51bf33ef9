import CMicrohttpd
import Synchronization

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
        state.withLock { if let connection = $0.connection { Self.wake(connection, with: response, &$0) } }
    }

    /// Whether somebody still waits. A client that left is noticed nowhere else while its connection sleeps; then the connection is woken, so
    /// that the server lets go of it.
    func isWanted() -> Bool {
        state.withLock { state in
            guard let connection = state.connection else { return false }
            guard hasHungUp(connection) else { return true }
            Self.wake(connection, with: .failure(503, "the client has left"), &state)
            return false
        }
    }

    private static func wake(_ connection: OpaquePointer, with response: ControlResponse, _ state: inout State) {
        state.response = response
        state.connection = nil
        MHD_resume_connection(connection)
    }

    func take() -> ControlResponse? {
        state.withLock { state in
            defer { state.response = nil }
            return state.response
        }
    }
}
