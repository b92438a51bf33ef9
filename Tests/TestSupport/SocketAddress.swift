import Glibc

/// An IPv4 or IPv6 address and port as socket calls take them.
struct SocketAddress: Sendable {
    private let v4: sockaddr_in
    private let v6: sockaddr_in6
    let family: Int32

    init(_ address: String, port: UInt16) {
        var v4 = sockaddr_in()
        var v6 = sockaddr_in6()
        let bytes = addressBytes(address)
        if bytes.count == 4 {
            v4.sin_family = sa_family_t(AF_INET)
            v4.sin_port = port.bigEndian
            withUnsafeMutableBytes(of: &v4.sin_addr) { $0.copyBytes(from: bytes) }
        } else {
            v6.sin6_family = sa_family_t(AF_INET6)
            v6.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &v6.sin6_addr) { $0.copyBytes(from: bytes) }
        }
        self.v4 = v4
        self.v6 = v6
        family = bytes.count == 4 ? AF_INET : AF_INET6
    }

    func with<T>(_ body: (UnsafePointer<sockaddr>, socklen_t) throws -> T) rethrows -> T {
        if family == AF_INET {
            return try withUnsafePointer(to: v4) {
                try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { try body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
            }
        }
        return try withUnsafePointer(to: v6) {
            try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { try body($0, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
        }
    }
}

/// A socket that is closed with this value. It belongs to the namespace of the thread that makes it, for good.
final class Socket: Sendable {
    let descriptor: Int32

    init(_ family: Int32, _ type: __socket_type, _ protocolNumber: Int32 = 0) throws {
        descriptor = try checked(socket(family, Int32(type.rawValue) | Int32(SOCK_CLOEXEC.rawValue), protocolNumber), "socket")
    }

    init(adopting descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    func set(_ level: Int32, _ option: Int32, _ value: Int32, _ name: String) throws {
        var value = value
        try checked(setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size)), "setsockopt(\(name))")
    }

    /// Blocking calls give up after this time (stretched) with EAGAIN, so that a test fails rather than hangs.
    func setTimeout(seconds: Int) throws {
        var time = timeval(tv_sec: Int(Double(seconds) * patience), tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            try checked(setsockopt(descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size)), "setsockopt(timeout)")
        }
    }

    func bind(_ address: SocketAddress) throws {
        try set(SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR")
        try address.with { _ = try checked(Glibc.bind(descriptor, $0, $1), "bind") }
    }

    /// The port that the socket is bound to.
    func port() throws -> UInt16 {
        var address = sockaddr_in6()
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        try checked(result, "getsockname")
        return UInt16(bigEndian: address.sin6_port)  // In the same place for IPv4.
    }
}
