import Glibc

/// One agent at a time owns a pin directory: flock(2) on it, which ends with the process however that ends.
public final class PinLock {
    private let fd: Int32

    /// - Throws: `BPFError` with EBUSY while another process holds it.
    public init(root: String) throws(BPFError) {
        let directory = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw BPFError("open \(root)", code: errno) }
        // An agent that is just ending, or a child that holds a copy of a descriptor until it runs its program, is gone in a moment.
        var tries = 0
        while flock(directory, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK || errno == EINTR, tries < 25 {
            tries += 1
            usleep(40_000)
        }
        guard flock(directory, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(directory)
            throw code == EWOULDBLOCK
                ? BPFError("own \(root)", code: EBUSY, detail: "another agent holds it") : BPFError("lock \(root)", code: code)
        }
        fd = directory
    }

    deinit { close(fd) }
}
