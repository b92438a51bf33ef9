import CLibBPF
import CLinux
import Glibc
import TestSupport

/// Runs `body` on a thread in network and mount namespaces of its own, both as they were when the machine started but for what `body`
/// does: `/run` is empty. The thread never resumes anyone: what it would start would be born there.
func withOwnMounts(_ body: @escaping @Sendable () throws -> Void) async throws {
    final class Work: @unchecked Sendable {
        // Unchecked: written by the thread before it ends, read after it was joined.
        var outcome: Result<Void, any Error> = .success(())
        let body: @Sendable () throws -> Void
        init(_ body: @escaping @Sendable () throws -> Void) { self.body = body }
    }
    try await onOwnThread {
        let work = Work {
            if lx_unshare_mount_private() != 0 { throw SystemError("unshare(CLONE_NEWNS)") }
            if lx_unshare_net() != 0 { throw SystemError("unshare(CLONE_NEWNET)") }
            _ = try sh("mount -t tmpfs none /run; ip link set lo up")
            try body()
        }
        var thread = pthread_t()
        let entry: @Sendable @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { raw in
            let work = Unmanaged<Work>.fromOpaque(raw!).takeUnretainedValue()
            work.outcome = Result { try work.body() }
            return nil
        }
        let failure = pthread_create(&thread, nil, entry, Unmanaged.passUnretained(work).toOpaque())
        if failure != 0 { throw SystemError("pthread_create", errno: failure) }
        pthread_join(thread, nil)
        try work.outcome.get()
    }
}

/// bpftool prog pin
func checkedPin(_ descriptor: Int32, _ path: String) throws {
    let result = bpf_obj_pin(descriptor, path)
    if result != 0 { throw SystemError("pin \(path)", errno: -result) }
}
