import CLinux
import Glibc

/// Runs `/bin/sh -ec command` from the calling thread, so in that thread's network namespace, and returns what it wrote
/// to standard output and standard error together. A command that fails or overruns `seconds` (stretched) throws with its output.
///
/// Not Foundation's Process: it wakes itself over loopback sockets in the thread's namespace and hangs where `lo` is down.
@discardableResult
public func sh(_ command: String, seconds: Int = 60) throws -> String {
    var ends: [Int32] = [0, 0]
    // pipe2: a child that another thread spawns between pipe and fcntl would hold the end open, and reading never end.
    try checked(lx_pipe_cloexec(&ends), "pipe2")
    defer { close(ends[0]) }
    let child: pid_t
    do {
        defer { close(ends[1]) }
        child = try spawn(["/bin/sh", "-ec", command], output: ends[1])
    }
    let seconds = Double(seconds) * patience
    let (output, inTime) = readUntil(deadline: monotonicNanoseconds() + UInt64(seconds * 1e9), ends[0])
    if !inTime { kill(-child, SIGKILL) }
    let status = reap(child)
    let text = String(decoding: output, as: UTF8.self)
    if !inTime { throw SystemError(command: command, status: status, output: "not done after \(Int(seconds)) s\n\(text)") }
    if status != 0 { throw SystemError(command: command, status: status, output: text) }
    return text
}

/// A program that runs until it is stopped or this value is released. It leads a process group of its own, all of which is killed.
public final class BackgroundProcess: @unchecked Sendable {
    // Unchecked: `status` is touched by `stop` and `deinit` alone, and `lock` orders the calls of `stop`.
    public let pid: pid_t
    private let command: [String]
    private let output: Int32
    private var status: Int32?
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

    /// Starts `command` (found through PATH) in the calling thread's network namespace.
    public init(_ command: [String]) throws {
        self.command = command
        var name = Array("/tmp/nilo-test-output.XXXXXX".utf8CString)
        output = try checked(mkstemp(&name), "mkstemp")
        _ = fcntl(output, F_SETFD, FD_CLOEXEC)
        unlink(name)
        do {
            pid = try spawn(command, output: output)
        } catch {
            close(output)
            lock.deallocate()
            throw error
        }
        pthread_mutex_init(lock, nil)
    }

    /// Starts `command` in `namespace`.
    public static func start(_ command: [String], in namespace: NetworkNamespace) async throws -> BackgroundProcess {
        try await namespace.run { try BackgroundProcess(command) }
    }

    deinit {
        finish(first: SIGKILL)
        close(output)
        pthread_mutex_destroy(lock)
        lock.deallocate()
    }

    /// What the process has written so far, both streams.
    public func outputSoFar() throws -> String {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = try checked(pread(output, &chunk, chunk.count, bytes.count), "pread the output of \(command)")
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[..<count]
        }
    }

    /// Waits until the output holds `text`; throws with the output when it does not come.
    public func waitFor(output text: String, within limit: Duration = .seconds(10)) async throws {
        if try await eventually(within: limit, { try self.outputSoFar().contains(text) }) { return }
        throw SystemError(command: "\(command): waiting for “\(text)”", status: 0, output: try outputSoFar())
    }

    /// Sends `signal`, after two seconds (stretched) SIGKILL, and returns the output and the exit status (128 + signal if killed by one).
    @discardableResult
    public func stop(signal: Int32 = SIGTERM) throws -> (output: String, status: Int32) {
        let status = finish(first: signal)
        return (try outputSoFar(), status)
    }

    @discardableResult
    private func finish(first signal: Int32) -> Int32 {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        if let status { return status }
        kill(pid, signal)
        for _ in 0..<Int(200 * patience) where signal != SIGKILL {
            var raw: siginfo_t = siginfo_t()
            // WNOWAIT leaves the zombie, so that the process group's number cannot be another's when it is killed below.
            if waitid(P_PID, id_t(pid), &raw, WEXITED | WNOHANG | WNOWAIT) == 0, raw._sifields._sigchld.si_pid == pid { break }
            usleep(10_000)
        }
        kill(-pid, SIGKILL)
        let ended = reap(pid)
        status = ended
        return ended
    }
}

/// Polls `condition` without blocking a thread of the pool; true as soon as it holds, false when `limit` (stretched) has passed.
public func eventually(within limit: Duration, _ condition: () async throws -> Bool) async throws -> Bool {
    let deadline = ContinuousClock.now + limit.stretched
    while true {
        if try await condition() { return true }
        if ContinuousClock.now >= deadline { return false }
        try await Task.sleep(for: .milliseconds(10))
    }
}

private func spawn(_ command: [String], output: Int32) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, output, 2)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setpgroup(&attributes, 0)
    var noSignals = sigset_t()
    sigemptyset(&noSignals)
    posix_spawnattr_setsigmask(&attributes, &noSignals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
    var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
    defer { arguments.forEach { free($0) } }
    var child: pid_t = 0
    let failure = posix_spawnp(&child, command[0], &actions, &attributes, &arguments, environ)
    if failure != 0 { throw SystemError("start \(command[0])", errno: failure) }
    return child
}

/// Waits for a child of ours: its exit status, or 128 + the signal that ended it.
private func reap(_ child: pid_t) -> Int32 {
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 {
        precondition(errno == EINTR, "waitpid(\(child)): errno \(errno)")
    }
    let signal = status & 0x7f
    return signal == 0 ? (status >> 8) & 0xff : 128 + signal
}

private func readUntil(deadline: UInt64, _ file: Int32) -> (bytes: [UInt8], ended: Bool) {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16384)
    while true {
        let now = monotonicNanoseconds()
        if now >= deadline { return (bytes, false) }
        var watched = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
        if poll(&watched, 1, Int32(min((deadline - now) / 1_000_000 + 1, 1000))) <= 0 { continue }
        let count = read(file, &chunk, chunk.count)
        if count > 0 {
            bytes += chunk[..<count]
        } else if count == 0 || errno != EINTR {
            return (bytes, true)
        }
    }
}

func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
