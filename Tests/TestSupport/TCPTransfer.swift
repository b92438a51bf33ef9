import Glibc

/// One TCP connection that carried an exact number of bytes one way and was closed by both sides.
public struct TCPTransfer: Sendable {
    /// What the receiver read.
    public var received: Int
    public var clientPort: UInt16
    public var serverPort: UInt16

    /// Connects from `client` to `address` in `server`, sends `bytes`, and closes.
    ///
    /// - Parameters:
    ///   - port: of the server; a free one when 0.
    ///   - write: bytes per write(2); small writes with `noDelay` make small segments.
    ///   - congestionControl: for example "cubic"; the kernel's default differs between kernels.
    public static func run(
        _ bytes: Int, from client: NetworkNamespace, to server: NetworkNamespace, _ address: String, port: UInt16 = 0, write: Int = 65536,
        noDelay: Bool = false, congestionControl: String? = nil, seconds: Int = 60
    ) async throws -> TCPTransfer {
        let listener = try await server.run {
            let target = SocketAddress(address, port: port)
            let listener = try Socket(target.family, SOCK_STREAM)
            try listener.setTimeout(seconds: seconds)
            try listener.bind(target)
            try checked(listen(listener.descriptor, 8), "listen")
            return listener
        }
        let serverPort = try listener.port()
        async let received = onOwnThread {
            let connection = Socket(adopting: try checked(accept(listener.descriptor, nil, nil), "accept"))
            try connection.setTimeout(seconds: seconds)
            return try drain(connection)
        }
        let clientPort = try await client.run {
            let target = SocketAddress(address, port: serverPort)
            let connection = try Socket(target.family, SOCK_STREAM)
            try connection.setTimeout(seconds: seconds)
            if noDelay { try connection.set(Int32(IPPROTO_TCP), TCP_NODELAY, 1, "TCP_NODELAY") }
            if let congestionControl {
                try checked(
                    setsockopt(
                        connection.descriptor, Int32(IPPROTO_TCP), TCP_CONGESTION, congestionControl,
                        socklen_t(congestionControl.utf8.count)),
                    "setsockopt(TCP_CONGESTION)")
            }
            try target.with { _ = try checked(connect(connection.descriptor, $0, $1), "connect") }
            let port = try connection.port()
            try fill(connection, bytes, chunk: write)
            // The server has read everything when it closes.
            try checked(shutdown(connection.descriptor, Int32(SHUT_WR)), "shutdown")
            _ = try drain(connection)
            return port
        }
        return TCPTransfer(received: try await received, clientPort: clientPort, serverPort: serverPort)
    }

    private static func fill(_ connection: Socket, _ bytes: Int, chunk: Int) throws {
        let data = [UInt8](repeating: 0x55, count: min(chunk, max(bytes, 1)))
        var left = bytes
        while left > 0 {
            left -= try checked(send(connection.descriptor, data, min(left, data.count), Int32(MSG_NOSIGNAL)), "send")
        }
    }

    private static func drain(_ connection: Socket) throws -> Int {
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        var total = 0
        while true {
            let count = try checked(recv(connection.descriptor, &buffer, buffer.count, 0), "recv")
            if count == 0 { return total }
            total += count
        }
    }
}
