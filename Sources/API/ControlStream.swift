import CMicrohttpd
import Glibc
import Synchronization

/// The writing end of an answer that goes on until either side has had enough. Any thread may write; none ever waits.
///
/// The connection is suspended in libmicrohttpd while there is nothing to send, so an idle stream costs nothing; that also means that a
/// client which left is noticed at the next write, or by `checkClient`. Call that now and then where nothing else comes.
public final class ControlStream: Sendable {
    public enum Outcome: Sendable, Equatable {
        case accepted
        /// The client reads too slowly: these bytes were left out. Count them, or tell the client in a later line.
        case dropped
        /// The client went away or the server stops: no write will ever be accepted again.
        case closed
    }

    // @unchecked: the pointer is used only under the lock, and only until libmicrohttpd frees the response (then it is nil).
    private struct State: @unchecked Sendable {
        var connection: OpaquePointer?
        var suspended = false
        var finished = false
        var closed = false
        var pending: [UInt8] = []
        /// Bytes of `pending` already sent.
        var sent = 0
    }

    /// Bytes that may wait for a slow client.
    public static let capacity = 4 << 20
    private let state: Mutex<State>

    init(connection: OpaquePointer) { state = Mutex(State(connection: connection)) }

    /// Takes all of `bytes` or nothing.
    public func write(_ bytes: some Sequence<UInt8>) -> Outcome {
        state.withLock { state in
            if state.closed || state.finished { return .closed }
            let before = state.pending.count
            state.pending.append(contentsOf: bytes)
            if state.pending.count - state.sent > Self.capacity {
                state.pending.removeLast(state.pending.count - before)
                return .dropped
            }
            Self.wake(&state)
            return .accepted
        }
    }

    /// Ends the answer after what was written.
    public func finish() {
        state.withLock { state in
            state.finished = true
            Self.wake(&state)
        }
    }

    public var isClosed: Bool { state.withLock { $0.closed } }

    /// Has the client gone? A connection without anything to send is not watched by the server: this looks itself, and lets the server
    /// close it.
    public func checkClient() -> Bool {
        state.withLock { state in
            if state.closed { return true }
            guard let connection = state.connection else { return false }
            guard hasHungUp(connection) else { return false }
            state.closed = true
            Self.wake(&state)
            return true
        }
    }

    /// libmicrohttpd asks for up to `count` bytes.
    func read(into target: UnsafeMutableRawPointer, count: Int) -> Int {
        state.withLock { state in
            let available = min(count, state.pending.count - state.sent)
            if available > 0 {
                state.pending.withUnsafeBytes { target.copyMemory(from: $0.baseAddress! + state.sent, byteCount: available) }
                state.sent += available
                if state.sent == state.pending.count {
                    state.pending.removeAll(keepingCapacity: state.pending.count <= 65536)
                    state.sent = 0
                } else if state.sent > 1 << 20 {
                    state.pending.removeFirst(state.sent)
                    state.sent = 0
                }
                return available
            }
            if state.finished || state.closed { return Int(MHD_CONTENT_READER_END_OF_STREAM) }
            // Without this the server's thread would ask again and again.
            if let connection = state.connection, !state.suspended {
                state.suspended = true
                MHD_suspend_connection(connection)
            }
            return 0
        }
    }

    /// libmicrohttpd is done with the answer, for whatever reason.
    func release() {
        state.withLock { state in
            state.connection = nil
            state.closed = true
            state.pending = []
            state.sent = 0
        }
    }

    /// The server stops: a suspended connection would make libmicrohttpd abort.
    func abandon() {
        state.withLock { state in
            state.closed = true
            Self.wake(&state)
        }
    }

    private static func wake(_ state: inout State) {
        guard state.suspended, let connection = state.connection else { return }
        state.suspended = false
        MHD_resume_connection(connection)
    }
}

/// Has the client gone? libmicrohttpd does not look at a connection that is suspended.
func hasHungUp(_ connection: OpaquePointer) -> Bool {
    // POLLRDHUP (poll(2)) is hidden behind _GNU_SOURCE.
    let hangUp: Int16 = 0x2000
    var one = pollfd(fd: MHD_connection_socket(connection), events: hangUp, revents: 0)
    return poll(&one, 1, 0) > 0 && one.revents & (hangUp | Int16(POLLHUP) | Int16(POLLERR)) != 0
}
