import Glibc

/// Small files, those of /proc and /sys before all.
enum SystemFiles {
    enum Unread: Error {
        /// errno of open(2), fstat(2) or read(2).
        case failed(Int32)
        case isLonger
        /// A directory, a pipe, a device: whoever opens or reads one may wait for ever.
        case isNoFile
    }

    struct Unwritten: Error {
        /// errno of open(2), write(2), fsync(2) or rename(2).
        var code: Int32
    }

    static func read(_ path: String) -> String? { (try? bytes(path)).map { String(decoding: $0, as: UTF8.self) } }

    /// - Parameter most: bytes that it may have.
    static func bytes(_ path: String, most: Int = .max) throws(Unread) -> [UInt8] {
        // Opening a pipe waits for who writes to it, without O_NONBLOCK; files do not know it.
        let fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard fd >= 0 else { throw .failed(errno) }
        defer { close(fd) }
        var status = stat()
        guard fstat(fd, &status) == 0 else { throw .failed(errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .isNoFile }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while bytes.count <= most {
            let count = Glibc.read(fd, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .failed(errno) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
        throw .isLonger
    }

    /// Puts bytes in the place of a file as a whole: they are written beside it, so that one who is killed leaves the file of before.
    ///
    /// - Parameters:
    ///   - mode: of the file.
    ///   - isSynchronised: also a loss of power leaves one of the two; the disk is waited for.
    /// - Throws: what of it failed; nothing is left beside. Two at a time for one path get into each other's way.
    static func replace(_ path: String, with bytes: [UInt8], mode: mode_t, isSynchronised: Bool) throws(Unwritten) {
        let beside = path + ".new"
        // What is in the way is of one who was killed, or a trap: it goes unopened. What cannot go fails the open.
        unlink(beside)
        let file = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        guard file >= 0 else { throw Unwritten(code: errno) }
        defer { close(file) }
        var rest = bytes[...]
        var code: Int32 = 0
        while code == 0, !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            if count > 0 { rest = rest.dropFirst(count) } else if count == 0 || errno != EINTR { code = count == 0 ? EIO : errno }
        }
        if code == 0, isSynchronised, fsync(file) != 0 { code = errno }
        if code == 0, rename(beside, path) != 0 { code = errno }
        guard code != 0 else { return }
        unlink(beside)
        throw Unwritten(code: code)
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

extension AgentFailure {
    /// Why a file of ours could not be read.
    init(reading path: String, _ why: SystemFiles.Unread) {
        switch why {
        case .failed(let code): self.init("read \(path)", String(cString: strerror(code)))
        case .isLonger: self.init("read \(path)", "it is longer than any that is written there", hint: "move it away")
        case .isNoFile: self.init("read \(path)", "it is not a regular file", hint: "move it away")
        }
    }
}
