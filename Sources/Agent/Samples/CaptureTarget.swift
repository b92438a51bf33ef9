import Glibc
import NetworkTypes

/// Whether the files of a capture can be made, looked at without making any.
enum CaptureTarget {
    /// Bytes of a file's name without the number behind it: a dot and up to ten digits of the kernel's 255.
    static let longestName = 255 - 11

    /// What stands in the way of files `PATH.0`, `PATH.1`, …; nil: nothing that can be seen beforehand.
    static func obstacle(of path: String) -> (reason: String, hint: String)? {
        var status = stat()
        // Their names begin with it: someone who names a folder means files within.
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            return ("it is a directory", "name a file in it: \(path.visible)/capture")
        }
        let name = path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
        guard name.utf8.count <= longestName else {
            return ("its last part is longer than \(longestName) bytes", "its files have a number behind it: choose a shorter name")
        }
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let shown = folder.visible
        guard stat(folder, &status) == 0 else {
            let code = errno
            let reason = "\(shown): \(String(cString: strerror(code)))"
            return (
                reason, code == ENOENT ? "make the directory first: mkdir -p \(shown)" : "it has to be a directory that can be written to"
            )
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { return ("\(shown) is no directory", "name a file in a directory") }
        guard access(folder, W_OK | X_OK) == 0 else {
            return (
                "\(shown) cannot be written to by the agent: \(String(cString: strerror(errno)))",
                "as a service it writes below /var/lib/nilo alone, unless ReadWritePaths= of its unit has more"
            )
        }
        return nil
    }
}
