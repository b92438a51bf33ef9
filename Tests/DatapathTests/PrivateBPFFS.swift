import CLinux
import Glibc
import TestSupport

@testable import Datapath

/// A bpffs of the test's own. Unmounted, with all that is pinned in it, when released.
final class PrivateBPFFS: Sendable {
    let path: String
    var pins: PinDirectory { PinDirectory(root: "\(path)/nilometer") }

    init() throws {
        var name = Array("/tmp/nilo-test-bpffs.XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else { throw SystemError("mkdtemp") }
        path = name.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if lx_mount_bpffs(path) != 0 {
            let error = SystemError("mount bpffs on \(path)")
            rmdir(path)
            throw error
        }
    }

    deinit {
        // Detached at once; what still holds a file in it keeps only that file.
        precondition(umount2(path, Int32(MNT_DETACH)) == 0 && rmdir(path) == 0, "cannot unmount \(path): errno \(errno)")
    }
}
