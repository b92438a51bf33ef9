import Configuration
import Dispatch
import Glibc
import Synchronization

/// Looks a collector up and connects to it, on a thread of its own: neither a name server nor a host that is silent holds the agent up.
final class ConnectionAttempt: Sendable {
    enum Outcome: Sendable {
        /// A socket that does not block; whoever takes it closes it.
        case connected(Int32)
        case failed(String)
    }

    private struct State {
        var outcome: Outcome?
        var isAbandoned = false
    }

    private let state = Mutex(State())
    private let isOver = DispatchSemaphore(value: 0)

    private init() {}

    /// nil when no thread can be started.
    static func start(_ connect: @escaping @Sendable () -> Outcome) -> ConnectionAttempt? {
        let attempt = ConnectionAttempt()
        return DetachedThread.start { attempt.put(connect()) } ? attempt : nil
    }

    private func put(_ outcome: Outcome) {
        let isWanted = state.withLock { state in
            if !state.isAbandoned { state.outcome = outcome }
            return !state.isAbandoned
        }
        if !isWanted, case .connected(let fd) = outcome { close(fd) }
        isOver.signal()
    }

    /// What came of it, once; nil while it goes on.
    func take() -> Outcome? {
        state.withLock { state in
            defer { state.outcome = nil }
            return state.outcome
        }
    }

    /// Waits for its end, or for so long.
    func wait(_ patience: DispatchTimeInterval) {
        if isOver.wait(timeout: .now() + patience) == .success { isOver.signal() }
    }

    /// Nobody will take its outcome.
    func abandon() {
        let left = state.withLock { state in
            state.isAbandoned = true
            defer { state.outcome = nil }
            return state.outcome
        }
        if case .connected(let fd)? = left { close(fd) }
    }

    /// The first address of the collector that takes a connection. Blocks: at most 3 s for each address, and as long as the resolver does.
    @Sendable static func connect(to export: AgentConfiguration.Export) -> Outcome {
        connect(to: export.collector, export.transport == .udp ? SOCK_DGRAM : SOCK_STREAM)
    }

    static func connect(to collector: HostPort, _ type: __socket_type) -> Outcome {
        var hints = addrinfo()
        hints.ai_socktype = Int32(type.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(collector.host, "\(collector.port)", &hints, &found)
        guard result == 0 else { return .failed("look up: \(String(cString: gai_strerror(result)))") }
        defer { freeaddrinfo(found) }
        var why = "look up: no address"
        var next = found
        while let address = next {
            next = address.pointee.ai_next
            let fd = socket(
                address.pointee.ai_family, address.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), address.pointee.ai_protocol)
            guard fd >= 0 else {
                why = "socket: \(String(cString: strerror(errno)))"
                continue
            }
            var patience = timeval(tv_sec: 3, tv_usec: 0)
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
            if Glibc.connect(fd, address.pointee.ai_addr, address.pointee.ai_addrlen) == 0 {
                _ = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)
                return .connected(fd)
            }
            // EINPROGRESS is what connect(2) says of SO_SNDTIMEO.
            why = "connect: \(String(cString: strerror(errno == EINPROGRESS ? ETIMEDOUT : errno)))"
            close(fd)
        }
        return .failed(why)
    }
}
