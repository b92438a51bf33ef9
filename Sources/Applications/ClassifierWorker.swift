import Glibc

/// The classifier's side of the socket, in a process of its own: reads batches, answers each.
///
/// It is to be confined between `init`, which sets up the library, and `run`, which reads the first byte from outside. A batch that takes longer
/// than `patience` ends the process by SIGALRM: whatever a packet does to a parser, it ends.
public final class ClassifierWorker {
    /// What the process ends with when the other side sends what is no batch.
    public struct NotABatch: Error, CustomStringConvertible {
        public var description: String { "what was received is no batch of packets" }
    }

    /// Where the process finds its end of the socket.
    public static let socketDescriptor: Int32 = 3
    /// Seconds.
    static let patience = 5
    /// Milliseconds between looks at conversations that fell silent.
    private static let sweepInterval: Int32 = 500
    private static let packetsPerLook = 16

    private let socket: Int32
    private let classifier: Classifier
    private var budget: CPUBudget?
    private var passedOver: UInt64 = 0
    private var sequence: UInt64 = 0

    /// - Parameter socket: of type SOCK_SEQPACKET; stays open.
    public init(socket: Int32, _ settings: ClassifierSettings) throws(ApplicationsError) {
        self.socket = socket
        classifier = try Classifier(settings.limits)
        if settings.cpuPermille > 0 { budget = CPUBudget(permille: settings.cpuPermille, now: Self.now, used: Self.used) }
    }

    /// Serves until the other side closes.
    public func run() throws {
        var message = [UInt8](repeating: 0, count: PacketBatch.mostBytes)
        // Said once at the start, so that the other side knows that it is up.
        try answer()
        while true {
            if classifier.pendingCount > 0, try !isReadable(within: Self.sweepInterval) {
                classifier.sweep(now: Self.now)
                try answer(ifFound: true)
                continue
            }
            let count = recv(socket, &message, message.count, 0)
            if count == 0 { return }
            if count < 0 {
                if errno == EINTR { continue }
                throw ApplicationsError.system(operation: "read packets", code: errno)
            }
            Self.alarm(seconds: Self.patience)
            try serve(message[..<count])
            Self.alarm(seconds: 0)
            try answer()
        }
    }

    private func serve(_ message: ArraySlice<UInt8>) throws {
        var last: UInt64 = 0
        var untilLook = 0
        var isAllowed = true
        let sequence = PacketBatch.read(message) { packet, note in
            if untilLook == 0 {
                isAllowed = budget?.allows(now: Self.now, used: Self.used) ?? true
                untilLook = Self.packetsPerLook
            }
            untilLook -= 1
            last = max(last, note.time)
            if isAllowed { classifier.feed(packet, note) } else { passedOver += 1 }
        }
        guard let sequence else { throw NotABatch() }
        self.sequence = sequence
        classifier.sweep(now: last)
    }

    private func answer(ifFound: Bool = false) throws {
        var answer = ClassifierAnswer()
        answer.findings = classifier.takeFindings()
        if ifFound && answer.findings.isEmpty { return }
        answer.sequence = sequence
        answer.restUntil = budget?.restUntil ?? 0
        answer.cpuTime = Self.used
        answer.pending = UInt32(classifier.pendingCount)
        answer.counters = classifier.counters
        answer.passedOver = passedOver
        for message in answer.messages() {
            while send(socket, message, message.count, Int32(MSG_NOSIGNAL)) != message.count {
                if errno != EINTR { throw ApplicationsError.system(operation: "answer", code: errno) }
            }
        }
    }

    private func isReadable(within milliseconds: Int32) throws -> Bool {
        var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        let result = poll(&descriptor, 1, milliseconds)
        if result < 0 && errno != EINTR { throw ApplicationsError.system(operation: "wait for packets", code: errno) }
        return result > 0
    }

    private static func alarm(seconds: Int) {
        var timer = itimerval()
        timer.it_value.tv_sec = seconds
        setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
    }

    private static var now: UInt64 { clock(CLOCK_MONOTONIC) }
    private static var used: UInt64 { clock(CLOCK_PROCESS_CPUTIME_ID) }

    static func clock(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
