import CLinux
import Glibc

/// A namespace's file identity (`stat` of its nsfs file).
///
/// The kernel reuses inode numbers once a namespace is gone; while a descriptor of the namespace is open its number is not reused.
/// What is never reused is ``NetworkNamespace/cookie``.
public struct NamespaceID: Hashable, Sendable {
    public var device: UInt64
    public var inode: UInt64

    public init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }

    init(_ status: stat) { self.init(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)) }

    /// The identity of what `path` leads to, symbolic links followed; nil when it cannot be read.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }
}

/// An open network namespace (network_namespaces(7)).
///
/// The descriptor keeps the namespace alive after its last process and name are gone, and so does every socket made inside:
/// let go of both when ``NamespaceFinder`` says that it vanished.
public final class NetworkNamespace: Sendable {
    public let descriptor: Int32
    public let id: NamespaceID
    /// `SO_NETNS_COOKIE`: unique until the next boot, the same value that BPF programs read.
    public let cookie: UInt64
    /// The name under /run/netns, when it was opened by name.
    public let name: String?

    static let calling = "/proc/thread-self/ns/net"

    /// `ip netns exec NAME …`: the namespace at `/run/netns/NAME`.
    public static func named(_ name: String) throws(NetlinkError) -> NetworkNamespace {
        guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(UInt8(ascii: "/")) else {
            throw NetlinkError("open network namespace \"\(name)\"", code: EINVAL, detail: "not a name under \(NamespaceFinder.directory)")
        }
        return try NetworkNamespace(path: "\(NamespaceFinder.directory)/\(name)", name: name, "open network namespace \(name)")
    }

    /// `nsenter --target PID --net`: the namespace of a process.
    public static func ofProcess(_ pid: Int32) throws(NetlinkError) -> NetworkNamespace {
        try NetworkNamespace(path: "/proc/\(pid)/ns/net", name: nil, "open the network namespace of process \(pid)")
    }

    /// `nsenter --net=PATH`.
    public static func at(path: String) throws(NetlinkError) -> NetworkNamespace {
        try NetworkNamespace(path: path, name: nil, "open network namespace \(path)")
    }

    /// The calling thread's namespace: `readlink /proc/thread-self/ns/net`.
    public static func current() throws(NetlinkError) -> NetworkNamespace {
        try NetworkNamespace(path: calling, name: nil, "open the current network namespace")
    }

    private init(path: String, name: String?, _ operation: String) throws(NetlinkError) {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw NetlinkError(operation, code: errno) }
        var status = stat()
        guard fstat(fd, &status) == 0 else {
            let code = errno
            close(fd)
            throw NetlinkError(operation, code: code)
        }
        let id = NamespaceID(status)
        do throws(NetlinkError) {
            cookie = try Self.enter(fd, id, operation) { () throws(NetlinkError) in
                let cookie = lx_netns_cookie()
                if cookie == 0 { throw NetlinkError("\(operation): SO_NETNS_COOKIE", code: errno) }
                return cookie
            }
        } catch {
            close(fd)
            throw error
        }
        descriptor = fd
        self.id = id
        self.name = name
    }

    deinit { close(descriptor) }

    /// `nsenter --net=PATH BODY`: runs `body` with the calling thread in this namespace and brings the thread home again.
    ///
    /// Sockets opened inside belong to the namespace and stay usable outside. `body` must not start threads or tasks: they would be born
    /// inside and stay there. When the thread cannot come home the process ends: everything it did after would be in the wrong namespace.
    /// - Throws: `NetlinkError` when the namespace cannot be entered (`EPERM` without CAP_SYS_ADMIN), or what `body` throws.
    public func inside<T>(_ body: () throws -> T) throws -> T {
        try Self.enter(descriptor, id, "enter network namespace \(label)") { Result(catching: body) }.get()
    }

    /// As ``inside(_:)`` for a body that throws nothing but `NetlinkError`.
    func entered<T>(_ body: () throws(NetlinkError) -> T) throws(NetlinkError) -> T {
        try Self.enter(descriptor, id, "enter network namespace \(label)", body)
    }

    /// The name, or `net:[INODE]` as /proc writes it.
    public var label: String { name ?? "net:[\(id.inode)]" }

    private static func enter<T>(
        _ fd: Int32, _ id: NamespaceID, _ operation: String, _ body: () throws(NetlinkError) -> T
    ) throws(NetlinkError) -> T {
        // Already there: nothing to enter, and no CAP_SYS_ADMIN needed.
        if NamespaceID(path: calling) == id { return try body() }
        let home = open(calling, O_RDONLY | O_CLOEXEC)
        guard home >= 0 else { throw NetlinkError("\(operation): open \(calling)", code: errno) }
        defer { close(home) }
        guard lx_setns_net(fd) == 0 else { throw NetlinkError(operation, code: errno) }
        defer {
            if lx_setns_net(home) != 0 { fatalError("cannot return from a network namespace: \(String(cString: strerror(errno)))") }
        }
        return try body()
    }
}
