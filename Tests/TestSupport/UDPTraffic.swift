import Glibc
import Synchronization

extension NetworkNamespace {
    /// Sends exactly `count` datagrams of `size` bytes; throws if the kernel refuses one.
    ///
    /// - Parameters:
    ///   - source: the port that they come from; one of the kernel's choice when 0.
    ///   - segment: give the kernel each datagram as a super-packet to be cut into segments of this size (UDP_SEGMENT): `size / segment` datagrams arrive.
    public func sendUDP(
        _ count: Int, size: Int, to address: String, port: UInt16, from source: UInt16 = 0, segment: Int? = nil
    ) async throws {
        try await run {
            let target = SocketAddress(address, port: port)
            let socket = try Socket(target.family, SOCK_DGRAM)
            try socket.bind(SocketAddress(target.family == AF_INET ? "0.0.0.0" : "::", port: source))
            if let segment { try socket.set(Int32(IPPROTO_UDP), 103, Int32(segment), "UDP_SEGMENT") }
            let payload = [UInt8](repeating: 7, count: size)
            // Not connected: a connected socket reports an ICMP error in place of sending the next datagram.
            try target.with { address, length in
                for _ in 0..<count {
                    let sent = try checked(sendto(socket.descriptor, payload, size, 0, address, length), "sendto")
                    precondition(sent == size, "a datagram was sent in part")
                }
            }
        }
    }
}

/// Counts the datagrams that come to a port, from when it is made until it is released.
public final class UDPReceiver: Sendable {
    private final class Tally: Sendable {
        let datagrams = Atomic<Int>(0)
        let bytes = Atomic<Int>(0)
        let stopping = Atomic<Bool>(false)
        let failure = Mutex<(any Error)?>(nil)
    }
    private let tally = Tally()
    public let port: UInt16

    /// Listens in `namespace` on all its addresses of the family of `address`; on a free port when 0.
    public init(in namespace: NetworkNamespace, ipv6: Bool = false, port: UInt16 = 0) async throws {
        let socket = try await namespace.run {
            let socket = try Socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM)
            try socket.set(SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20, "SO_RCVBUFFORCE")
            try socket.bind(SocketAddress(ipv6 ? "::" : "0.0.0.0", port: port))
            return socket
        }
        self.port = try socket.port()
        Task { [tally] in
            do {
                try await onOwnThread { try Self.receive(socket, tally) }
            } catch {
                tally.failure.withLock { $0 = error }
            }
        }
    }

    deinit { tally.stopping.store(true, ordering: .relaxed) }

    public var datagrams: Int { tally.datagrams.load(ordering: .acquiring) }
    /// Of payload.
    public var bytes: Int { tally.bytes.load(ordering: .acquiring) }

    /// Waits until `count` datagrams are there, and a moment longer for any too many; the count in the end. Throws what kept it from receiving.
    public func settled(at count: Int, within limit: Duration = .seconds(10)) async throws -> Int {
        _ = try await eventually(within: limit) { datagrams >= count }
        try await Task.sleep(for: .milliseconds(50).stretched)
        if let failure = tally.failure.withLock({ $0 }) { throw failure }
        return datagrams
    }

    private static func receive(_ socket: Socket, _ tally: Tally) throws {
        var byte: UInt8 = 0
        while !tally.stopping.load(ordering: .relaxed) {
            // MSG_TRUNC: the datagram's own length, not that of the buffer.
            let size = recv(socket.descriptor, &byte, 1, Int32(MSG_TRUNC) | Int32(MSG_DONTWAIT))
            if size >= 0 {
                tally.bytes.add(size, ordering: .releasing)
                tally.datagrams.add(1, ordering: .releasing)
            } else if errno == EAGAIN {
                var watched = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
                poll(&watched, 1, 20)
            } else if errno != EINTR {
                throw SystemError("recv")
            }
        }
    }
}
