import CLinux
import Dissection
import Glibc

/// The agent's side of the classifier: a process of its own that reads what strangers sent, started, watched and started again.
///
/// Nothing here waits. Packets that the process does not keep up with are dropped and counted. What it says is checked field by field; a
/// process that says something malformed, gives no answer or ends is replaced, each time after a longer pause. One thread uses it, which
/// watches `descriptor` and calls `serve` when it is readable.
public final class ClassifierProcess {
    /// How it is started and watched.
    public struct Program: Sendable {
        /// An executable that runs `ClassifierWorker` on `ClassifierWorker.socketDescriptor`.
        public var path: String
        /// What the process is called where processes are listed.
        public var name: String
        /// `settings.arguments` follow.
        public var arguments: [String]
        /// Without an answer for so long, a process is killed.
        public var patience: Duration = .seconds(10)
        /// Before the first restart; doubled for each further one, at most `longestPause`.
        public var firstPause: Duration = .milliseconds(100)
        public var longestPause: Duration = .seconds(30)

        public init(path: String, name: String = "nilo", arguments: [String]) {
            self.path = path
            self.name = name
            self.arguments = arguments
        }
    }

    public enum State: Sendable, Equatable {
        case stopped
        case running(process: Int32)
        /// Until the next one is started.
        case pausing
    }

    private struct Running {
        var process: pid_t
        var socket: Int32
        var startedAt: UInt64
        /// Batches without an answer, in order.
        var unanswered: [(sequence: UInt64, packets: UInt64, sentAt: UInt64)] = []
        var hasSpoken = false
        var sequence: UInt64 = 0
        var restUntil: UInt64 = 0
        var last = ClassifierAnswer()
    }

    /// Readable when there is something to do for `serve`. Stays the same over restarts.
    public let descriptor: Int32
    public let settings: ClassifierSettings
    private let program: Program
    private let timer: Int32
    private var batch = PacketBatch()
    private var running: Running?
    /// When the next process is due; nil: none is.
    private var startAt: UInt64?
    private var failures = 0
    /// Processes that were not yet gone when they were given up.
    private var leaving: [pid_t] = []
    private var ownCounters = ClassifierProcessCounters()
    private var pastWorkers = ClassifierCounters()
    private var message = [UInt8](repeating: 0, count: ClassifierAnswer.mostBytes + 1)

    private static let mostMessagesPerServe = 64
    private static let steadyAfter: UInt64 = 60_000_000_000
    /// The process's word on how long it rests is believed so far.
    private static let longestRest: UInt64 = 10_000_000_000

    public init(_ program: Program, _ settings: ClassifierSettings = ClassifierSettings()) throws(ApplicationsError) {
        self.program = program
        self.settings = settings
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw .system(operation: "make an event poll", code: errno) }
        timer = timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC | TFD_NONBLOCK))
        guard timer >= 0 else {
            let code = errno
            close(descriptor)
            throw .system(operation: "make a timer", code: code)
        }
        watch(timer)
    }

    deinit {
        stop()
        close(timer)
        close(descriptor)
    }

    public var state: State {
        if let running { return .running(process: running.process) }
        return startAt == nil ? .stopped : .pausing
    }

    /// Those of the processes included.
    public var counters: ClassifierProcessCounters {
        var counters = ownCounters
        if let running {
            counters.passedOver &+= running.last.passedOver
            counters.cpuTime &+= running.last.cpuTime
        }
        return counters
    }

    /// What the processes say became of what they read, all of them together. It is their word.
    public var workerCounters: ClassifierCounters { pastWorkers.adding(running?.last.counters ?? ClassifierCounters()) }

    /// Conversations that wait for a verdict, by the process's word.
    public var pendingCount: Int { Int(running?.last.pending ?? 0) }

    /// Starts the first process; throws when that is not possible, and then tries no further.
    public func start() throws(ApplicationsError) {
        guard running == nil else { return }
        try startProcess()
        arm()
    }

    /// Ends the process and starts no other.
    public func stop() {
        startAt = nil
        giveUp()
        // It has lost its socket, so it ends, if it was not killed.
        for _ in 0..<400 where !leaving.isEmpty {
            reap()
            if !leaving.isEmpty { usleep(5000) }
        }
        arm()
    }

    /// Takes a packet over: it is sent with the next batch, or dropped and counted.
    /// - Parameter packet: at most 4096 bytes of it are used.
    public func offer(_ packet: UnsafeRawBufferPointer, _ note: PacketNote) {
        ownCounters.offered += 1
        guard let running else {
            ownCounters.notRunning += 1
            return
        }
        if running.restUntil > 0, ClassifierWorker.clock(CLOCK_MONOTONIC) < running.restUntil {
            ownCounters.resting += 1
            return
        }
        if batch.add(packet, note) { return }
        flush()
        if self.running == nil {
            ownCounters.notRunning += 1
        } else if !batch.add(packet, note) {
            ownCounters.tooSlow += 1
        }
    }

    /// Sends what was offered, as far as the process keeps up; call it at the end of each round of packets.
    public func flush() {
        guard var current = running, !batch.isEmpty else { return }
        batch.seal(current.sequence + 1)
        let count = send(current.socket, batch.bytes, batch.bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        if count < 0 {
            if errno != EAGAIN && errno != EINTR && errno != ENOBUFS { ended() }
            return
        }
        current.sequence += 1
        current.unanswered.append((current.sequence, UInt64(batch.packets), ClassifierWorker.clock(CLOCK_MONOTONIC)))
        ownCounters.sent += UInt64(batch.packets)
        running = current
        batch.clear()
        if current.unanswered.count == 1 { arm() }
    }

    /// Reads what the process says, replaces it if need be. Call it when `descriptor` is readable.
    public func serve() -> [Finding] {
        var expirations: UInt64 = 0
        _ = read(timer, &expirations, 8)
        let findings = readAnswers()
        flush()
        let now = ClassifierWorker.clock(CLOCK_MONOTONIC)
        if let deadline, deadline <= now {
            ownCounters.hung += 1
            failed()
        }
        reap()
        if let due = startAt, due <= now {
            startAt = nil
            do throws(ApplicationsError) {
                try startProcess()
                ownCounters.restarts += 1
            } catch {
                ownCounters.failedStarts += 1
                pause()
            }
        }
        arm()
        return findings
    }

    // MARK: The process

    private func startProcess() throws(ApplicationsError) {
        let launch = ClassifierLaunch(path: program.path, name: program.name, arguments: program.arguments + settings.arguments)
        let (process, socket) = try launch.start()
        running = Running(process: process, socket: socket, startedAt: ClassifierWorker.clock(CLOCK_MONOTONIC))
        watch(socket)
    }

    private func ended() {
        ownCounters.ended += 1
        failed()
    }

    /// The process is of no more use: the next one comes after a pause.
    private func failed() {
        if let running, ClassifierWorker.clock(CLOCK_MONOTONIC) - running.startedAt > Self.steadyAfter { failures = 0 }
        giveUp()
        pause()
        arm()
    }

    private func pause() {
        let first = Double(program.firstPause.nanoseconds)
        let pause = min(first * Double(1 << min(failures, 30)), Double(program.longestPause.nanoseconds))
        failures += 1
        startAt = ClassifierWorker.clock(CLOCK_MONOTONIC) + UInt64(pause)
    }

    private func giveUp() {
        guard let gone = running else { return }
        running = nil
        ownCounters.lost += gone.unanswered.reduce(0) { $0 + $1.packets }
        ownCounters.notRunning += UInt64(batch.packets)
        batch.clear()
        ownCounters.passedOver &+= gone.last.passedOver
        ownCounters.cpuTime &+= gone.last.cpuTime
        pastWorkers = pastWorkers.adding(gone.last.counters)
        close(gone.socket)
        // Another user's process is not ours to kill without CAP_KILL; without its socket and with its own alarm it ends by itself.
        kill(gone.process, SIGKILL)
        leaving.append(gone.process)
        reap()
    }

    private func reap() {
        leaving.removeAll { process in
            var status: Int32 = 0
            let result = waitpid(process, &status, WNOHANG)
            return result == process || result < 0 && errno == ECHILD
        }
    }

    // MARK: Answers

    private func readAnswers() -> [Finding] {
        var findings: [Finding] = []
        for _ in 0..<Self.mostMessagesPerServe {
            guard let socket = running?.socket else { break }
            let count = recv(socket, &message, message.count, Int32(MSG_DONTWAIT))
            if count < 0 && (errno == EAGAIN || errno == EINTR) { break }
            guard count > 0 else {
                ended()
                break
            }
            guard let answer = ClassifierAnswer(message[..<count]), accept(answer) else {
                ownCounters.malformed += 1
                failed()
                break
            }
            findings += answer.findings
        }
        return findings
    }

    /// False for what a classifier would not say.
    private func accept(_ answer: ClassifierAnswer) -> Bool {
        guard var current = running, answer.sequence >= current.last.sequence, answer.sequence <= current.sequence,
            answer.counters.isAtLeast(current.last.counters), answer.cpuTime >= current.last.cpuTime,
            answer.passedOver >= current.last.passedOver
        else { return false }
        current.hasSpoken = true
        current.restUntil = min(answer.restUntil, ClassifierWorker.clock(CLOCK_MONOTONIC) + Self.longestRest)
        current.unanswered.removeAll { $0.sequence <= answer.sequence }
        current.last = answer
        current.last.findings = []
        running = current
        return true
    }

    // MARK: Time

    /// When the process has to have answered.
    private var deadline: UInt64? {
        guard let running else { return nil }
        let since = running.hasSpoken ? running.unanswered.first?.sentAt : running.startedAt
        return since.map { $0 + program.patience.nanoseconds }
    }

    private func arm() {
        let soon = leaving.isEmpty ? nil : ClassifierWorker.clock(CLOCK_MONOTONIC) + 100_000_000
        let next = [deadline, startAt, soon].compactMap { $0 }.min()
        var time = itimerspec()
        if let next {
            time.it_value.tv_sec = Int(next / 1_000_000_000)
            time.it_value.tv_nsec = max(1, Int(next % 1_000_000_000))
        }
        timerfd_settime(timer, Int32(TFD_TIMER_ABSTIME), &time, nil)
    }

    private func watch(_ fd: Int32) {
        var event = epoll_event()
        event.events = UInt32(EPOLLIN.rawValue)
        event.data.fd = fd
        // Closing a descriptor takes it out again.
        epoll_ctl(descriptor, EPOLL_CTL_ADD, fd, &event)
    }
}

extension Duration {
    fileprivate var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}
