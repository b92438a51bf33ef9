import CLinux
import Glibc
import Synchronization

/// One thread, one epoll: descriptors with what to do when they are readable, timers, signals, and jobs that other threads hand in.
///
/// Everything that is called from here runs on the thread that called `run()`. The only thing other threads may touch is `jobs`.
final class EventLoop {
    struct LoopError: Error, CustomStringConvertible {
        var operation: String
        var code: Int32
        var description: String { "\(operation): \(String(cString: strerror(code)))" }
    }

    private let epoll: Int32
    private var handlers: [Int32: () throws -> Void] = [:]
    private var owned: [Int32] = []
    private var isStopped = false
    let jobs: JobQueue

    init() throws {
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw LoopError(operation: "make an event loop", code: errno) }
        jobs = try JobQueue()
        try watch(jobs.descriptor) { [jobs] in jobs.runAll() }
    }

    deinit {
        for fd in owned { close(fd) }
        close(epoll)
    }

    /// Calls `handler` whenever `fd` is readable. The descriptor stays its owner's.
    func watch(_ fd: Int32, _ handler: @escaping () throws -> Void) throws {
        var event = epoll_event()
        event.events = UInt32(EPOLLIN.rawValue)
        event.data.fd = fd
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 else { throw LoopError(operation: "watch descriptor \(fd)", code: errno) }
        handlers[fd] = handler
    }

    func unwatch(_ fd: Int32) {
        handlers[fd] = nil
        epoll_ctl(epoll, EPOLL_CTL_DEL, fd, nil)
    }

    /// A timer that fires once when set.
    func timer(_ handler: @escaping () throws -> Void) throws -> LoopTimer {
        let fd = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
        guard fd >= 0 else { throw LoopError(operation: "make a timer", code: errno) }
        owned.append(fd)
        try watch(fd) {
            var expirations: UInt64 = 0
            guard read(fd, &expirations, 8) == 8 else { return }
            try handler()
        }
        return LoopTimer(descriptor: fd)
    }

    /// Takes these signals as events instead of interruptions. Call before any thread is started, so that all inherit the mask.
    func signals(_ numbers: [Int32], _ handler: @escaping (Int32) throws -> Void) throws {
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers { sigaddset(&set, number) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        let fd = signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
        guard fd >= 0 else { throw LoopError(operation: "take signals as events", code: errno) }
        owned.append(fd)
        try watch(fd) {
            var info = signalfd_siginfo()
            while read(fd, &info, MemoryLayout<signalfd_siginfo>.size) == MemoryLayout<signalfd_siginfo>.size {
                try handler(Int32(info.ssi_signo))
            }
        }
    }

    func stop() { isStopped = true }

    /// Serves events until `stop()`.
    func run() throws {
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        while !isStopped {
            let count = epoll_wait(epoll, &events, Int32(events.count), -1)
            if count < 0 {
                if errno == EINTR { continue }
                throw LoopError(operation: "wait for events", code: errno)
            }
            for event in events[..<Int(count)] { try handlers[event.data.fd]?() }
        }
        jobs.close()
    }
}

/// Set it again and again; each setting replaces the one before.
struct LoopTimer {
    let descriptor: Int32

    func fire(after delay: Duration) {
        let (seconds, attoseconds) = delay.components
        var time = itimerspec()
        time.it_value.tv_sec = Int(seconds)
        time.it_value.tv_nsec = max(1, Int(attoseconds / 1_000_000_000))
        timerfd_settime(descriptor, 0, &time, nil)
    }
}

/// What other threads want done on the loop's thread.
final class JobQueue: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var isClosed = false
    }
    private let state = Mutex(State())
    let descriptor: Int32

    init() throws {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard descriptor >= 0 else { throw EventLoop.LoopError(operation: "make a job queue", code: errno) }
    }

    deinit { Glibc.close(descriptor) }

    /// - Returns: false when the loop has ended: the job will not run.
    func add(_ job: @escaping @Sendable () -> Void) -> Bool {
        let accepted = state.withLock { state in
            if !state.isClosed { state.jobs.append(job) }
            return !state.isClosed
        }
        var one: UInt64 = 1
        if accepted { _ = write(descriptor, &one, 8) }
        return accepted
    }

    func runAll() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
        for job in state.withLock({ state in
            defer { state.jobs = [] }
            return state.jobs
        }) { job() }
    }

    /// Runs what is left and takes no more.
    func close() {
        state.withLock { $0.isClosed = true }
        runAll()
    }
}
