import Glibc

/// Small files of /proc and /sys.
enum SystemFiles {
    static func read(_ path: String) -> String? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { return nil }
        defer { close(fd) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(fd, &chunk, chunk.count)
            if count > 0 {
                text += chunk[..<count]
            } else if count == 0 {
                return String(decoding: text, as: UTF8.self)
            } else if errno != EINTR {
                return nil
            }
        }
    }

    static func link(_ path: String) -> String? {
        var target = [CChar](repeating: 0, count: 4096)
        let count = readlink(path, &target, target.count)
        guard count > 0 else { return nil }
        return String(decoding: target[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The process's private memory, bytes: anonymous pages, which end with it (proc(5), RssAnon). The kernel's maps are mapped into the
    /// process too, but are not its own.
    static var privateBytes: UInt64 {
        let line = read("/proc/self/status")?.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
        return (line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { UInt64($0) } ?? 0) * 1024
    }

    /// uname(2).
    static var kernelRelease: String { systemName(\.release) }
    /// uname(2): `hostname`.
    static var hostName: String { systemName(\.nodename) }

    private static func systemName<Field>(_ field: KeyPath<utsname, Field>) -> String {
        var name = utsname()
        uname(&name)
        return withUnsafeBytes(of: name[keyPath: field]) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
