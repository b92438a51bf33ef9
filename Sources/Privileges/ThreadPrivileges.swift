import CCapNG
import CLinux
import Glibc

/// Doing something on a thread that may do nothing special.
public enum ThreadPrivileges {
    // Handed to the thread and back by pthread_create and pthread_join, which order memory.
    private final class Work: @unchecked Sendable {
        let run: () throws -> Void
        var result: Result<Void, any Error> = .success(())
        init(_ run: @escaping () throws -> Void) { self.run = run }
    }

    /// Runs `body` on a thread of its own without any capability, and waits for it. Threads that are started there have none either, and
    /// with no_new_privs (``ProcessPrivileges/drop(keeping:)``) nothing gives them any: what parses bytes of strangers is started so.
    ///
    /// Threads share memory: this bounds what a mistake may ask of the kernel, not what it may read.
    public static func withNone<T>(_ body: () throws -> T) throws -> T {
        var made: T?
        try withoutActuallyEscaping(body) { body in
            let work = Work {
                try drop()
                made = try body()
            }
            var thread = pthread_t()
            let context = Unmanaged.passRetained(work).toOpaque()
            let code = pthread_create(
                &thread, nil,
                { context in
                    let work = Unmanaged<Work>.fromOpaque(context!).takeRetainedValue()
                    work.result = Result { try work.run() }
                    return nil
                }, context)
            guard code == 0 else {
                Unmanaged<Work>.fromOpaque(context).release()
                throw PrivilegesError.system(operation: "start a thread", code: code)
            }
            pthread_join(thread, nil)
            try work.result.get()
        }
        guard let made else { preconditionFailure("neither a value nor an error") }
        return made
    }

    private static func drop() throws(PrivilegesError) {
        // libcap-ng keeps its state by thread.
        capng_clear(CAPNG_SELECT_ALL)
        guard capng_apply(CAPNG_SELECT_CAPS) == 0 else { throw .system(operation: "drop the thread's capabilities", code: errno) }
        let own = try ProcessPrivileges.threads().first { $0.thread == lx_gettid() }
        let left = own.map { $0.permitted | $0.effective | $0.inheritable } ?? .max
        guard left == 0 else { throw .stillHeld(thread: lx_gettid(), Capability.set(left)) }
    }
}
