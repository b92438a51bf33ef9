import CLinux
import Dispatch
import Glibc
import Synchronization

/// Runs an actor on one thread of its own: what the actor holds may be bound to a thread, and the thread may be bound to a CPU or
/// (while a job lasts) to a network namespace.
final class ThreadExecutor: SerialExecutor {
    private final class Queue: Sendable {
        struct State {
            var jobs: [UnownedJob] = []
            var isStopping = false
        }
        let state = Mutex(State())
        let wake = DispatchSemaphore(value: 0)
    }
    private let queue = Queue()

    /// - Parameter cpu: the thread stays on it; nil: wherever it is put.
    init(cpu: Int32? = nil) {
        let queue = queue
        let context = Unmanaged.passRetained(
            Work { executor in
                if let cpu { precondition(lx_pin_to_cpu(cpu) == 0, "cannot stay on CPU \(cpu): errno \(errno)") }
                while true {
                    queue.wake.wait()
                    let (job, stop) = queue.state.withLock { ($0.jobs.isEmpty ? nil : $0.jobs.removeFirst(), $0.isStopping) }
                    if let job { job.runSynchronously(on: executor) } else if stop { return }
                }
            } executor: { [unowned self] in
                self.asUnownedSerialExecutor()
            })
        var thread = pthread_t()
        let failure = pthread_create(
            &thread, nil,
            { raw in
                Unmanaged<Work>.fromOpaque(raw!).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        precondition(failure == 0, "pthread_create: \(failure)")
        pthread_detach(thread)
    }

    deinit {
        queue.state.withLock { $0.isStopping = true }
        queue.wake.signal()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.state.withLock { $0.jobs.append(job) }
        queue.wake.signal()
    }

    private final class Work: Sendable {
        let run: @Sendable () -> Void
        init(_ body: @escaping @Sendable (UnownedSerialExecutor) -> Void, executor: () -> UnownedSerialExecutor) {
            let executor = executor()
            run = { body(executor) }
        }
    }
}
