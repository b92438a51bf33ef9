import Glibc
import Synchronization

/// Structured lines to a descriptor, standard error unless told otherwise. Any thread may write; a line is one write(2).
///
///     log.info("interface attached", ["interface": "eth0", "id": LogValue(id)])
public final class Log: Sendable {
    public enum Format: Sendable { case text, json }

    private struct State {
        var limit: RateLimit
        var lost = 0
    }

    public let format: Format
    private let least: Atomic<Int>
    /// Lines below it are not written.
    public var level: LogLevel { LogLevel(rawValue: least.load(ordering: .relaxed)) ?? .info }
    private let sink: @Sendable (UnsafeRawBufferPointer) -> Int
    private let clock: @Sendable () -> Int64
    private let state: Mutex<State>

    /// At most `burst` lines of one message in each `window`, then a count of those left out. Errors are limited like the rest: what
    /// floods is
    /// most often an error.
    public init(
        format: Format = .text, level: LogLevel = .info, burst: Int = 10, window: Duration = .seconds(10), fd: Int32 = 2
    ) {
        self.format = format
        least = Atomic(level.rawValue)
        sink = { Glibc.write(fd, $0.baseAddress, $0.count) }
        clock = wallClock
        state = Mutex(State(limit: RateLimit(burst: burst, window: nanoseconds(window))))
    }

    init(
        format: Format, level: LogLevel, burst: Int, window: Duration, clock: @escaping @Sendable () -> Int64,
        sink: @escaping @Sendable (UnsafeRawBufferPointer) -> Int
    ) {
        self.format = format
        least = Atomic(level.rawValue)
        self.sink = sink
        self.clock = clock
        state = Mutex(State(limit: RateLimit(burst: burst, window: nanoseconds(window))))
    }

    public func setLevel(_ level: LogLevel) { least.store(level.rawValue, ordering: .relaxed) }

    public func debug(_ message: String, _ fields: KeyValuePairs<String, LogValue> = [:]) { write(.debug, message, fields) }
    public func info(_ message: String, _ fields: KeyValuePairs<String, LogValue> = [:]) { write(.info, message, fields) }
    public func warning(_ message: String, _ fields: KeyValuePairs<String, LogValue> = [:]) { write(.warning, message, fields) }
    public func error(_ message: String, _ fields: KeyValuePairs<String, LogValue> = [:]) { write(.error, message, fields) }

    public func write(_ level: LogLevel, _ message: String, _ fields: KeyValuePairs<String, LogValue> = [:]) {
        guard level >= self.level else { return }
        let time = clock()
        state.withLock { state in
            guard case .pass(let suppressed) = state.limit.admit(message, at: time) else { return }
            var record = LogRecord(time: time, level: level, message: message, fields: fields.map { (name: $0.key, value: $0.value) })
            if suppressed > 0 { record.fields.append((name: "suppressed", value: LogValue(suppressed))) }
            emit(record, &state)
        }
    }

    /// Says what was left out so far: call it now and then, and before the end.
    public func flushSuppressed() {
        let time = clock()
        state.withLock { state in
            for (key, count) in state.limit.takeSuppressed() {
                let fields: [(name: String, value: LogValue)] = [
                    (name: "of", value: .text(key)), (name: "suppressed", value: LogValue(count)),
                ]
                emit(LogRecord(time: time, level: .info, message: "lines left out", fields: fields), &state)
            }
        }
    }

    /// Lines that could not be written.
    public var lost: Int { state.withLock { $0.lost } }

    private func emit(_ record: LogRecord, _ state: inout State) {
        let line = Array(((format == .text ? record.text : record.json) + "\n").utf8)
        if writeAll(line, sink) != line.count { state.lost += 1 }
    }
}

/// Nanoseconds since 1970.
@Sendable func wallClock() -> Int64 {
    var now = timespec()
    guard clock_gettime(CLOCK_REALTIME, &now) == 0 else { return 0 }
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
}

func nanoseconds(_ duration: Duration) -> Int64 {
    let (seconds, attoseconds) = duration.components
    return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
}

/// The bytes that `sink`, in the manner of write(2), took.
func writeAll(_ bytes: [UInt8], _ sink: (UnsafeRawBufferPointer) -> Int) -> Int {
    bytes.withUnsafeBytes { all in
        var done = 0
        while done < all.count {
            let count = sink(UnsafeRawBufferPointer(rebasing: all[done...]))
            if count > 0 { done += count } else if count == 0 || errno != EINTR { break }
        }
        return done
    }
}
