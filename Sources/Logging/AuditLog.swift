import Glibc
import Synchronization

/// Every change to the host, who asked for it and what came of it: JSON lines appended to a file.
///
/// A disk that is full stops no change: what could not be written is counted, and the next line that is written says how many are missing.
public final class AuditLog: Sendable {
    /// Who asked.
    public enum Actor: Sendable, Equatable {
        /// The agent itself, with its reason: "configuration", "interface appeared".
        case agent(String)
        /// The process at the other end of the control socket (SO_PEERCRED, unix(7)).
        case peer(pid: Int32, uid: UInt32)
    }

    public enum Result: Sendable, Equatable {
        case done
        case failed(String)
    }

    private struct State {
        var lost = 0
        /// Of `lost`, those not yet said in a line.
        var unsaid = 0
        /// The file ends amid a line.
        var torn = false
    }

    private let sink: @Sendable (UnsafeRawBufferPointer) -> Int
    private let clock: @Sendable () -> Int64
    private let state = Mutex(State())
    /// -1 in tests with a sink of their own.
    private let fd: Int32

    /// Opens or makes the file, mode 0640. A symbolic link is refused (ELOOP): the agent appends as root. Throws the errno.
    public init(path: String) throws(AuditLogError) {
        let fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o640)
        guard fd >= 0 else { throw AuditLogError(path: path, code: errno) }
        self.fd = fd
        sink = { write(fd, $0.baseAddress, $0.count) }
        clock = wallClock
    }

    init(clock: @escaping @Sendable () -> Int64, sink: @escaping @Sendable (UnsafeRawBufferPointer) -> Int) {
        fd = -1
        self.sink = sink
        self.clock = clock
    }

    deinit { if fd >= 0 { close(fd) } }

    /// Returns whether the line was written whole.
    @discardableResult
    public func record(_ change: String, by actor: Actor, result: Result, _ fields: KeyValuePairs<String, LogValue> = [:]) -> Bool {
        var all: [(name: String, value: LogValue)] = []
        switch actor {
        case .agent(let reason): all += [(name: "by", value: "agent"), (name: "reason", value: .text(reason))]
        case .peer(let pid, let uid):
            all += [(name: "by", value: "peer"), (name: "pid", value: LogValue(pid)), (name: "uid", value: LogValue(uid))]
        }
        switch result {
        case .done: all.append((name: "result", value: "done"))
        case .failed(let why): all += [(name: "result", value: "failed"), (name: "why", value: .text(why))]
        }
        all += fields.map { (name: $0.key, value: $0.value) }
        let time = clock()
        return state.withLock { state in
            var record = LogRecord(time: time, level: result == .done ? .info : .error, message: change, fields: all)
            if state.unsaid > 0 { record.fields.append((name: "lost_before", value: LogValue(state.unsaid))) }
            let line = Array(((state.torn ? "\n" : "") + record.json + "\n").utf8)
            let written = writeAll(line, sink)
            if written == line.count {
                state.unsaid = 0
                state.torn = false
                return true
            }
            state.lost += 1
            state.unsaid += 1
            // A newline alone still mends the file.
            if written > 0 { state.torn = !(written == 1 && state.torn) }
            return false
        }
    }

    /// Changes that could not be written since the start.
    public var lost: Int { state.withLock { $0.lost } }
}

/// The audit log's file cannot be opened.
public struct AuditLogError: Error, Sendable, Equatable, CustomStringConvertible {
    public var path: String
    public var code: Int32
    public var description: String { "open \(path): \(String(cString: strerror(code)))" }
}
