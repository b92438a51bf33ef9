import CNetlink
import Glibc

/// A subscription to multicast groups of a netlink protocol in one namespace, which it keeps alive. For one thread.
final class MulticastSocket {
    private let socket: OpaquePointer  // struct nl_sock *
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 8)
    private let operation: String
    /// Readable when there is something to ``drain(_:)``: for epoll(7), level-triggered.
    let descriptor: Int32

    /// Datagrams that one ``drain(_:)`` reads at most, so that a storm of changes does not hold its caller.
    static let datagramsPerDrain = 4096

    /// - Parameters:
    ///   - subject: what is watched, for errors: `"links"`.
    ///   - namespace: nil for the calling thread's own.
    ///   - receiveBuffer: bytes asked for; without CAP_NET_ADMIN the kernel caps it at `net.core.rmem_max`.
    init(
        _ subject: String, in namespace: NetworkNamespace?, family: Int32, groups: [UInt32], receiveBuffer: Int32
    ) throws(NetlinkError) {
        operation = "watch the \(subject) of \(namespace?.label ?? "this network namespace")"
        func open() throws(NetlinkError) -> OpaquePointer { try openNetlinkSocket(family) }
        socket =
            if let namespace { try namespace.entered(open) } else { try open() }
        descriptor = nl_socket_get_fd(socket)
        var size = receiveBuffer
        // FORCE goes beyond rmem_max and needs CAP_NET_ADMIN.
        if setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, socklen_t(MemoryLayout<Int32>.size)) != 0 {
            guard setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
                throw NetlinkError("\(operation): set the receive buffer", code: errno)
            }
        }
        for group in groups { try set(group, isMember: true) }
    }

    /// Joins a group, or leaves it.
    func set(_ group: UInt32, isMember: Bool) throws(NetlinkError) {
        let result = isMember ? nl_socket_add_membership(socket, Int32(group)) : nl_socket_drop_membership(socket, Int32(group))
        guard result >= 0 else {
            throw NetlinkError("\(operation): \(isMember ? "join" : "leave") multicast group \(group)", library: result)
        }
    }

    deinit {
        nl_socket_free(socket)
        buffer.deallocate()
    }

    /// Reads what is waiting, without blocking, and gives each message to `body`.
    /// - Returns: false when messages were lost on the way; after that the socket is as good as new.
    func drain(_ body: (NetlinkMessage) -> Void) throws(NetlinkError) -> Bool {
        var isWhole = true
        for _ in 0..<Self.datagramsPerDrain {
            do throws(NetlinkError) {
                let datagram = try receiveFromKernel(descriptor, buffer, flags: Int32(truncatingIfNeeded: MSG_DONTWAIT), operation)
                guard let datagram else { continue }
                for message in NetlinkMessage.Datagram(datagram) { body(message) }
            } catch {
                switch error.code {
                case EAGAIN: return isWhole
                // EMSGSIZE: one message longer than the buffer, so lost as well.
                case ENOBUFS, EMSGSIZE: isWhole = false
                default: throw error
                }
            }
        }
        return isWhole
    }
}
