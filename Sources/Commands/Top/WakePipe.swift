import Glibc

/// A pipe (pipe(7)) to wake a thread that waits in poll(2); also from a signal handler.
final class WakePipe: Sendable {
    let reading: Int32
    let writing: Int32

    init() throws(CommandFailure) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw CommandFailure("make a pipe", String(cString: strerror(errno))) }
        (reading, writing) = (ends[0], ends[1])
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
    }

    deinit {
        close(reading)
        close(writing)
    }

    func wake() {
        // A full pipe wakes as well.
        var byte: UInt8 = 1
        _ = write(writing, &byte, 1)
    }

    func drain() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while read(reading, &bytes, bytes.count) > 0 {}
    }

    /// Until it is woken or the moment has come.
    func wait(until due: ContinuousClock.Instant) {
        let left = due - .now
        if left > .zero {
            var one = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
            _ = poll(&one, 1, Int32(clamping: left / .milliseconds(1) < 1 ? 1 : Int((left / .milliseconds(1)).rounded())))
        }
        drain()
    }
}
