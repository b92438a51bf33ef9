import Glibc

func seconds(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// Time of the clock on the wall, seconds.
func wallSeconds() -> Double { seconds(CLOCK_MONOTONIC) }

/// What a CPU has spent on the calling thread's work, seconds: the thread's own time, in which the kernel includes the softirqs that ran
/// within it, and that of the CPU's ksoftirqd, to which softirqs go that are put off. What others do on the CPU meanwhile is left out.
///
/// True where the kernel does not account interrupt time apart (no CONFIG_IRQ_TIME_ACCOUNTING).
struct WorkClock {
    private let schedule: String

    init(cpu: Int) throws {
        for pid in 2..<4096 {
            guard let name = text(of: "/proc/\(pid)/comm"), name == "ksoftirqd/\(cpu)\n" else { continue }
            schedule = "/proc/\(pid)/schedstat"
            return
        }
        throw BenchError("no ksoftirqd/\(cpu) among the processes")
    }

    func now() throws -> Double {
        guard let words = text(of: schedule)?.split(separator: " "), let first = words.first, let nanoseconds = Double(first) else {
            throw BenchError("cannot read \(schedule)")
        }
        return seconds(CLOCK_THREAD_CPUTIME_ID) + nanoseconds / 1e9
    }
}

/// All of a small file of /proc; nil when there is none.
func text(of path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 16384)
    var length = 0
    while length < bytes.count {
        let count = bytes.withUnsafeMutableBytes { read(file, $0.baseAddress! + length, $0.count - length) }
        if count <= 0 { break }
        length += count
    }
    return String(decoding: bytes[..<length], as: UTF8.self)
}
