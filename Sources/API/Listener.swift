import Glibc

/// A listening socket, closed with its owner; a Unix socket's file goes with it.
///
/// Takes the place of a socket whose process is gone, and never of one that answers. Between finding a socket dead and listening anew a
/// lock on
/// the directory (flock(2), which leaves no file) keeps two that start at once from removing each other's.
struct Listener: ~Copyable {
    let fd: Int32
    /// The port bound, over TCP.
    let port: UInt16
    private let path: String?
    private let device: UInt
    private let inode: UInt

    private static let backlog: Int32 = 1024

    private init(fd: Int32, port: UInt16 = 0, path: String? = nil, status: stat = stat()) {
        self.fd = fd
        self.port = port
        self.path = path
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
    }

    deinit {
        if let path {
            // Only our own file: after a takeover the path may be somebody else's.
            var now = stat()
            if lstat(path, &now) == 0, UInt(now.st_dev) == device, UInt(now.st_ino) == inode { unlink(path) }
        }
        close(fd)
    }

    static func unix(path: String, group: String?, mode: mode_t) throws(ListenError) -> Listener {
        guard let address = unixAddress(path), let slash = path.lastIndex(of: "/") else { throw .badAddress(path) }
        var gid: gid_t?
        if let group {
            guard let found = groupIdentifier(group) else { throw .unknownGroup(group) }
            gid = found
        }
        let directory = slash == path.startIndex ? "/" : String(path[..<slash])
        if mkdir(directory, 0o755) != 0, errno != EEXIST { throw .system(operation: "make \(directory)", code: errno) }
        let lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard lock >= 0 else { throw .system(operation: "open \(directory)", code: errno) }
        defer { close(lock) }
        while flock(lock, LOCK_EX) != 0 {
            guard errno == EINTR else { throw .system(operation: "lock \(directory)", code: errno) }
        }
        try clearStale(path, address)
        let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard fd >= 0 else { throw .system(operation: "socket", code: errno) }
        guard withSocketAddress(address, { bind(fd, $0, $1) }) == 0 else { throw closing(fd, "bind \(path)") }
        var status = stat()
        guard lstat(path, &status) == 0 else { throw closing(fd, "stat \(path)") }
        let listener = Listener(fd: fd, path: path, status: status)
        // Nobody can connect before listen(2): the file has its owner and mode first.
        if let gid, lchown(path, uid_t.max, gid) != 0 { throw .system(operation: "give \(path) to group \(gid)", code: errno) }
        guard chmod(path, mode) == 0 else { throw .system(operation: "set the mode of \(path)", code: errno) }
        guard listen(fd, backlog) == 0 else { throw .system(operation: "listen on \(path)", code: errno) }
        return listener
    }

    /// `host` is an IPv4 or IPv6 address or "localhost"; port 0 takes a free one.
    static func tcp(host: String, port: UInt16) throws(ListenError) -> Listener {
        let text = "\(host):\(port)"
        var four = sockaddr_in()
        var six = sockaddr_in6()
        let isFour = inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host, &four.sin_addr) == 1
        guard isFour || inet_pton(AF_INET6, host, &six.sin6_addr) == 1 else { throw .badAddress(text) }
        four.sin_family = sa_family_t(AF_INET)
        four.sin_port = port.bigEndian
        six.sin6_family = sa_family_t(AF_INET6)
        six.sin6_port = port.bigEndian
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let fd = socket(isFour ? AF_INET : AF_INET6, type, 0)
        guard fd >= 0 else { throw .system(operation: "socket", code: errno) }
        // A restart finds its own closed connections in TIME_WAIT.
        var yes: Int32 = 1
        guard setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, 4) == 0 else { throw closing(fd, "SO_REUSEADDR") }
        let bound = isFour ? withSocketAddress(four) { bind(fd, $0, $1) } : withSocketAddress(six) { bind(fd, $0, $1) }
        guard bound == 0 else { throw closing(fd, "bind \(text)") }
        guard listen(fd, backlog) == 0 else { throw closing(fd, "listen on \(text)") }
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let named = withUnsafeMutablePointer(to: &six) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &size) }
        }
        guard named == 0 else { throw closing(fd, "getsockname") }
        // The port stands at the same place for both families.
        return Listener(fd: fd, port: UInt16(bigEndian: six.sin6_port))
    }

    private static func closing(_ fd: Int32, _ operation: String) -> ListenError {
        let code = errno
        close(fd)
        return .system(operation: operation, code: code)
    }

    private static func clearStale(_ path: String, _ address: sockaddr_un) throws(ListenError) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            if errno == ENOENT { return }
            throw .system(operation: "stat \(path)", code: errno)
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw .notASocket(path: path) }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard probe >= 0 else { throw .system(operation: "socket", code: errno) }
        defer { close(probe) }
        // EAGAIN: it listens and its backlog is full.
        let result = withSocketAddress(address) { connect(probe, $0, $1) }
        if result == 0 || errno == EAGAIN { throw .anotherInstance(path: path) }
        guard errno == ECONNREFUSED || errno == ENOENT else { throw .system(operation: "connect to \(path)", code: errno) }
        guard unlink(path) == 0 || errno == ENOENT else { throw .system(operation: "remove \(path)", code: errno) }
    }
}

/// nil when the path is empty, holds a NUL or is longer than 107 bytes.
func unixAddress(_ path: String) -> sockaddr_un? {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let fits = withUnsafeMutableBytes(of: &address.sun_path) { target in
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count < target.count, !bytes.contains(0) else { return false }
        target.copyBytes(from: bytes)
        return true
    }
    return fits ? address : nil
}

func withSocketAddress<T>(_ address: T, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    withUnsafePointer(to: address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<T>.size)) }
    }
}

private func groupIdentifier(_ name: String) -> gid_t? {
    var entry = group()
    var found: UnsafeMutablePointer<group>?
    var buffer = [CChar](repeating: 0, count: 65536)
    guard getgrnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
    return entry.gr_gid
}
