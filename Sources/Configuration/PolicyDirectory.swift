import Glibc
import NetworkTypes

/// The folder of policy files, the one source of truth of what is mirrored, sampled and shaped. Files are read in the order of their names.
public struct PolicyDirectory: Sendable {
    public struct File: Hashable, Sendable {
        /// `web.yaml`: without the folder.
        public var name: String
        public var bytes: [UInt8]
        public init(name: String, bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
        }
    }

    public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        public var operation: String
        /// errno; 0: the operation's text says all.
        public var code: Int32
        public var description: String { code == 0 ? operation : "\(operation): \(String(cString: strerror(code)))" }

        public init(operation: String, code: Int32) {
            self.operation = operation
            self.code = code
        }
    }

    public let path: String
    public init(path: String) { self.path = path }

    /// The most bytes of one file.
    public static let maximumBytes = 4 << 20

    /// A name that a policy file may have: it ends in `.yaml` and does not leave the folder, nor start with a dot.
    public static func isFileName(_ name: String) -> Bool {
        name.hasSuffix(".yaml") && !name.hasPrefix(".") && name.utf8.count <= 128
            && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") }
    }

    /// Every `*.yaml` of the folder, hidden ones left out; none when there is no such folder.
    public func read() throws(Failure) -> [File] {
        var files: [File] = []
        for name in try names().map({ String(decoding: $0, as: UTF8.self) }).filter(Self.isFileName).sorted() {
            files.append(File(name: name, bytes: try Self.contents(of: "\(path)/\(name)")))
        }
        return files
    }

    /// What tells a file from what it was when it was read, without reading it.
    public struct Stamp: Hashable, Sendable {
        public var name: String
        var inode: UInt64
        var size: Int64
        /// Of its last change (ctime), which nobody can set back.
        public var changedSeconds: Int
        var changedNanoseconds: Int
    }

    /// A stamp for each file that `read` reads, in the order of their names.
    public func stamps() throws(Failure) -> [Stamp] {
        var stamps: [Stamp] = []
        for name in try names().map({ String(decoding: $0, as: UTF8.self) }).filter(Self.isFileName).sorted() {
            var status = stat()
            guard stat("\(path)/\(name)", &status) == 0 else {
                // A link to nowhere is a mistake that reading tells.
                stamps.append(Stamp(name: name, inode: 0, size: 0, changedSeconds: 0, changedNanoseconds: 0))
                continue
            }
            stamps.append(
                Stamp(
                    name: name, inode: UInt64(status.st_ino), size: Int64(status.st_size), changedSeconds: status.st_ctim.tv_sec,
                    changedNanoseconds: status.st_ctim.tv_nsec))
        }
        return stamps
    }

    /// What lies in the folder and is not read, and why, a line each; not what is hidden or what editors leave beside a file.
    public func unread() throws(Failure) -> [String] {
        try names().compactMap { name in Self.reason(name).map { "\(path)/\(Self.shown(name)) is not read: \($0)" } }.sorted()
    }

    private func names() throws(Failure) -> [[UInt8]] {
        guard let stream = opendir(path) else {
            if errno == ENOENT { return [] }
            throw Failure(operation: "read the folder \(path)", code: errno)
        }
        defer { closedir(stream) }
        var names: [[UInt8]] = []
        while let entry = readdir(stream) {
            let start = UnsafeRawPointer(entry) + MemoryLayout<dirent>.offset(of: \.d_name)!
            names.append(Array(UnsafeRawBufferPointer(start: start, count: strlen(start.assumingMemoryBound(to: CChar.self)))))
        }
        return names
    }

    /// Why a file of this name is not read; nil: it is, or nobody expects it to be.
    private static func reason(_ bytes: [UInt8]) -> String? {
        let name = String(decoding: bytes, as: UTF8.self)
        let isBackup =
            name.hasPrefix(".") || name.hasSuffix("~") || name.hasPrefix("#") && name.hasSuffix("#")
            || [".swp", ".swo", ".swx"].contains { name.hasSuffix($0) }
        if isBackup || isFileName(name) { return nil }
        if !name.hasSuffix(".yaml") { return "its name does not end in .yaml" }
        if bytes.count > 128 { return "its name is longer than 128 bytes" }
        return "its name has a blank or another character that no policy file's name may have"
    }

    /// A name of whatever bytes in a line of text.
    private static func shown(_ name: [UInt8]) -> String {
        if let text = String(validating: name, as: UTF8.self) { return text.visible }
        func escape(_ byte: UInt8) -> String { "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16) }
        return name.map { (0x20..<0x7f).contains($0) ? String(Unicode.Scalar($0)) : escape($0) }.joined()
    }

    /// The bytes of a file, at most `most`.
    static func contents(of file: String, most: Int = PolicyDirectory.maximumBytes) throws(Failure) -> [UInt8] {
        let fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard fd >= 0 else { throw Failure(operation: "open \(file)", code: errno) }
        defer { close(fd) }
        var status = stat()
        guard fstat(fd, &status) == 0 else { throw Failure(operation: "look at \(file)", code: errno) }
        // A pipe or device has no text that stays; an empty one would pass for an empty list.
        guard status.st_mode & S_IFMT == S_IFREG else { throw Failure(operation: "read \(file): it is no regular file", code: 0) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(fd, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw Failure(operation: "read \(file)", code: errno) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            guard bytes.count <= most else { throw Failure(operation: "read \(file)", code: EFBIG) }
        }
    }

    /// Puts a file in place, whole or not at all, also when the machine stops meanwhile: written beside, synchronised, renamed.
    public func write(_ file: File) throws(Failure) {
        precondition(Self.isFileName(file.name), "\(file.name) is no name of a policy file")
        try place(file)
    }

    private func place(_ file: File) throws(Failure) {
        try makeFolder()
        let (final, beside) = ("\(path)/\(file.name)", "\(path)/.\(file.name).new")
        let fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o640)
        guard fd >= 0 else { throw Failure(operation: "write \(final)", code: errno) }
        var rest = file.bytes[...]
        var failure: Int32 = 0
        while failure == 0, !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(fd, $0.baseAddress, $0.count) }
            if count >= 0 { rest = rest.dropFirst(count) } else if errno != EINTR { failure = errno }
        }
        if failure == 0, fsync(fd) != 0 { failure = errno }
        close(fd)
        if failure == 0, rename(beside, final) != 0 { failure = errno }
        guard failure == 0 else {
            unlink(beside)
            throw Failure(operation: "write \(final)", code: failure)
        }
        try synchronise()
    }

    // MARK: Unconfirmed changes

    /// Hidden: no policy file.
    private static let unconfirmedName = ".unconfirmed"
    /// The file that tells what was in force before a change that has to be confirmed.
    public var unconfirmedPath: String { "\(path)/\(Self.unconfirmedName)" }

    /// nil: there is no such file.
    public func readUnconfirmed() throws(Failure) -> [UInt8]? {
        do throws(Failure) { return try Self.contents(of: unconfirmedPath, most: .max) } catch {
            if error.code == ENOENT { return nil }
            throw error
        }
    }

    public func writeUnconfirmed(_ bytes: [UInt8]) throws(Failure) { try place(File(name: Self.unconfirmedName, bytes: bytes)) }

    public func removeUnconfirmed() throws(Failure) {
        // A folder that cannot be written to is no obstacle where there is nothing to remove.
        guard access(unconfirmedPath, F_OK) == 0 else { return }
        try erase(Self.unconfirmedName)
    }

    public func remove(_ name: String) throws(Failure) {
        precondition(Self.isFileName(name), "\(name) is no name of a policy file")
        try erase(name)
    }

    private func erase(_ name: String) throws(Failure) {
        guard unlink("\(path)/\(name)") == 0 || errno == ENOENT else { throw Failure(operation: "remove \(path)/\(name)", code: errno) }
        try synchronise()
    }

    private func makeFolder() throws(Failure) {
        var at = ""
        for part in path.split(separator: "/") {
            at += "/\(part)"
            guard mkdir(at, 0o755) == 0 || errno == EEXIST || errno == EROFS && access(at, F_OK) == 0 else {
                throw Failure(operation: "make \(at)", code: errno)
            }
        }
    }

    private func synchronise() throws(Failure) {
        let fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else {
            if errno == ENOENT { return }
            throw Failure(operation: "open \(path)", code: errno)
        }
        defer { close(fd) }
        guard fsync(fd) == 0 else { throw Failure(operation: "synchronise \(path)", code: errno) }
    }
}
