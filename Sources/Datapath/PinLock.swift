import Glibc

/// One agent at a time owns a pin directory: flock(2) on it, which ends with the process however that ends.
public final class PinLock {
    private let fd: Int32

    /// - Throws: `BPFError` with EBUSY while another process holds it.
    public init(root: String) throws(BPFError) {
        fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else { throw BPFError("open \(root)", code: errno) }
        guard flock(fd, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(fd)
            throw code == EWOULDBLOCK
                ? BPFError("own \(root)", code: EBUSY, detail: "another agent holds it") : BPFError("lock \(root)", code: code)
        }
    }

    deinit { close(fd) }
}
