import CLinux
import Glibc

/// A thread that stays on one CPU and runs one closure.
final class PinnedThread {
    /// Unchecked: written by the thread, read after it was joined.
    private final class Work: @unchecked Sendable {
        let body: @Sendable () throws -> Void
        let cpu: Int32
        var failure: (any Error)?
        init(cpu: Int, _ body: @escaping @Sendable () throws -> Void) {
            self.cpu = Int32(cpu)
            self.body = body
        }
    }

    private var thread = pthread_t()
    private let work: Work

    init(cpu: Int, _ body: @escaping @Sendable () throws -> Void) throws {
        work = Work(cpu: cpu, body)
        let entry: @Sendable @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { raw in
            let work = Unmanaged<Work>.fromOpaque(raw!).takeRetainedValue()
            do {
                guard lx_pin_to_cpu(work.cpu) == 0 else { throw BenchError("stay on CPU \(work.cpu)", errno: errno) }
                try work.body()
            } catch {
                work.failure = error
            }
            return nil
        }
        let code = pthread_create(&thread, nil, entry, Unmanaged.passRetained(work).toOpaque())
        if code != 0 { throw BenchError("start a thread", errno: code) }
    }

    /// Waits for its end and throws what it threw.
    func join() throws {
        pthread_join(thread, nil)
        if let failure = work.failure { throw failure }
    }
}

/// Moves the calling thread to a CPU, to stay there.
func stay(on cpu: Int) throws {
    guard lx_pin_to_cpu(Int32(cpu)) == 0 else { throw BenchError("stay on CPU \(cpu)", errno: errno) }
}
