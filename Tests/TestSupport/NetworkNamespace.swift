import CLinux
import Glibc

/// An anonymous network namespace. It has no name and no mount: it lives as long as this value (or a process or socket
/// in it), so that nothing is left behind, whatever happens to the test.
///
/// `lo` is up. Nothing in it speaks unasked: IPv6 is off, or, when asked for, makes no addresses of its own, solicits no
/// routers and checks no duplicates. (Multicast listener reports are kept quiet by the topologies: see `Wiring.address`.)
public final class NetworkNamespace: Sendable {
    /// /proc/…/ns/net, open.
    public let descriptor: Int32
    public let ipv6: Bool

    public init(ipv6: Bool = false) async throws {
        descriptor = try await onOwnThread {
            try checked(lx_unshare_net(), "unshare(CLONE_NEWNET)")
            for interfaces in ["all", "default"] {
                let folder = "/proc/sys/net/ipv6/conf/\(interfaces)"
                if ipv6 {
                    try write("1", to: "\(folder)/addr_gen_mode")
                    for quiet in ["accept_ra", "autoconf", "router_solicitations", "dad_transmits", "accept_dad"] {
                        try write("0", to: "\(folder)/\(quiet)")
                    }
                } else {
                    try write("1", to: "\(folder)/disable_ipv6")
                }
            }
            try TestSupport.sh("ip link set lo up")
            return try checked(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), "open /proc/thread-self/ns/net")
        }
        self.ipv6 = ipv6
    }

    deinit { close(descriptor) }

    /// What `ip link … netns PATH` takes, for as long as this process holds the namespace.
    public var path: String { "/proc/\(getpid())/fd/\(descriptor)" }

    /// Runs `body` in the namespace on a thread of its own; see `onOwnThread` for what it may do there. Sockets that it
    /// opens stay in the namespace and can be used from anywhere.
    @discardableResult
    public func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await onOwnThread { [self] in
            try checked(lx_setns_net(descriptor), "setns(CLONE_NEWNET)")
            return try body()
        }
    }

    /// Runs a shell command in the namespace and returns its output; throws it when the command fails.
    @discardableResult
    public func sh(_ command: String, seconds: Int = 60) async throws -> String {
        try await run { try TestSupport.sh(command, seconds: seconds) }
    }

    /// The index of an interface in the namespace.
    public func index(of interface: String) async throws -> UInt32 {
        try await run { try interfaceIndex(interface) }
    }

    /// SO_NETNS_COOKIE: how the kernel tells namespaces apart for as long as it runs.
    public func cookie() async throws -> UInt64 {
        try await run {
            let cookie = lx_netns_cookie()
            if cookie == 0 { throw SystemError("getsockopt(SO_NETNS_COOKIE)") }
            return cookie
        }
    }
}

/// The index of an interface in the calling thread's namespace.
public func interfaceIndex(_ name: String) throws -> UInt32 {
    let index = if_nametoindex(name)
    if index == 0 { throw SystemError("if_nametoindex \(name)") }
    return index
}

/// Writes a short text to an existing file (a sysctl) in one write(2).
public func write(_ text: String, to path: String) throws {
    let file = try checked(open(path, O_WRONLY | O_CLOEXEC), "open \(path)")
    defer { close(file) }
    let bytes = Array(text.utf8)
    try checked(Glibc.write(file, bytes, bytes.count), "write \(path)")
}

/// All of a file, for /proc and /sys, whose sizes are not told beforehand.
public func contents(of path: String) throws -> String {
    let file = try checked(open(path, O_RDONLY | O_CLOEXEC), "open \(path)")
    defer { close(file) }
    return String(decoding: try readToEnd(file, "read \(path)"), as: UTF8.self)
}

func readToEnd(_ file: Int32, _ operation: String) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16384)
    while true {
        let count = read(file, &chunk, chunk.count)
        if count > 0 {
            bytes += chunk[..<count]
        } else if count == 0 {
            return bytes
        } else if errno != EINTR {
            throw SystemError(operation)
        }
    }
}
