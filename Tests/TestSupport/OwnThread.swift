import CLinux
import Glibc

/// Runs `body` on a thread of its own, which ends with it. The thread may change its network namespace: it is back in
/// the one it was born in *before* the caller resumes.
///
/// Why so: a thread is born in its creator's namespace, and resuming a continuation may make the concurrency pool
/// create a thread. Resumed from abroad, that pool thread would live abroad, and every later task on it too. For the
/// same reason `body` makes system calls and calls plain libraries, but starts no Task, Dispatch work or Foundation Process.
public func onOwnThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
        let work = ThreadWork {
            let outcome: Result<T, any Error>
            let home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
            if home < 0 {
                outcome = .failure(SystemError("open /proc/thread-self/ns/net"))
            } else {
                outcome = Result { try body() }
                // Going on abroad would spoil the pool for every later test, silently.
                precondition(lx_setns_net(home) == 0, "cannot return to the home namespace: errno \(errno)")
                close(home)
            }
            continuation.resume(with: outcome)
        }
        let context = Unmanaged.passRetained(work)
        var thread = pthread_t()
        let entry: @Sendable @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { raw in
            Unmanaged<ThreadWork>.fromOpaque(raw!).takeRetainedValue().run()
            return nil
        }
        let failure = pthread_create(&thread, nil, entry, context.toOpaque())
        if failure != 0 {
            context.release()
            continuation.resume(throwing: SystemError("pthread_create", errno: failure))
        } else {
            pthread_detach(thread)
        }
    }
}

private final class ThreadWork: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}
