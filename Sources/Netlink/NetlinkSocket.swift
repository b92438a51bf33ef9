import CLinux
import CNetlink
import Glibc

/// A route netlink socket (rtnetlink(7)) of one network namespace, for requests and dumps.
///
/// Synchronous and for one thread. It stays in its namespace whichever namespace the calling thread is in, and keeps that namespace alive.
/// After an error of the transport (not an answer of the kernel that says no) make a new one.
public final class NetlinkSocket {
    let socket: OpaquePointer  // struct nl_sock *
    private var buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 8)
    let descriptor: Int32

    /// How often a dump that changed under the reader (`NLM_F_DUMP_INTR`) is taken again before it fails with EAGAIN.
    static let dumpAttempts = 16

    /// - Parameter namespace: nil for the calling thread's own.
    public convenience init(in namespace: NetworkNamespace? = nil) throws(NetlinkError) {
        try self.init(in: namespace, family: NETLINK_ROUTE)
    }

    /// - Parameter family: NETLINK_ROUTE, or another whose requests have the same form (NETLINK_SOCK_DIAG).
    init(in namespace: NetworkNamespace?, family: Int32) throws(NetlinkError) {
        func open() throws(NetlinkError) -> OpaquePointer { try openNetlinkSocket(family) }
        socket =
            if let namespace { try namespace.entered(open) } else { try open() }
        nl_socket_disable_auto_ack(socket)
        descriptor = nl_socket_get_fd(socket)
        var on: Int32 = 1
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        let size = socklen_t(MemoryLayout<Int32>.size)
        guard setsockopt(descriptor, SOL_NETLINK, NETLINK_EXT_ACK, &on, size) == 0,
            setsockopt(descriptor, SOL_NETLINK, NETLINK_CAP_ACK, &on, size) == 0,
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size)) == 0
        else { throw NetlinkError("set options of a netlink socket", code: errno) }
    }

    deinit {
        nl_socket_free(socket)
        buffer.deallocate()
    }

    // MARK: transport

    /// Sends a dump request and gives what `parse` makes of each answer. A dump that the kernel marks as interrupted is taken again.
    /// - Parameter start: called before each attempt, for a `parse` that keeps something by itself.
    func dump<Header: BitwiseCopyable, Value>(
        _ type: Int, _ header: Header, _ operation: String, attributes: [(type: Int, value: [UInt8])] = [], start: () -> Void = {},
        parse: (NetlinkMessage) throws(NetlinkError) -> Value?
    ) throws(NetlinkError) -> [Value] {
        for _ in 0..<Self.dumpAttempts {
            start()
            let sequence = try post(type, NLM_F_DUMP, header, attributes, operation)
            var values: [Value] = []
            var isInterrupted = false
            try receive(sequence, operation) { (message) throws(NetlinkError) in
                if Int32(message.header.nlmsg_flags) & NLM_F_DUMP_INTR != 0 { isInterrupted = true }
                if let value = try parse(message) { values.append(value) }
            }
            if !isInterrupted { return values }
        }
        throw NetlinkError(operation, code: EAGAIN, detail: "it changed during each of \(Self.dumpAttempts) dumps")
    }

    /// Sends a request with string attributes and waits for the kernel's yes or no; `answer` sees the objects that come before it.
    func request<Header: BitwiseCopyable>(
        _ type: Int, flags: Int32 = 0, _ header: Header, _ attributes: [(type: Int, value: [UInt8])], _ operation: String,
        answer: (NetlinkMessage) throws(NetlinkError) -> Void = { _ in }
    ) throws(NetlinkError) {
        let sequence = try post(type, NLM_F_ACK | flags, header, attributes, operation)
        try receive(sequence, operation, body: answer)
    }

    private func post<Header: BitwiseCopyable>(
        _ type: Int, _ flags: Int32, _ header: Header, _ attributes: [(type: Int, value: [UInt8])], _ operation: String
    ) throws(NetlinkError) -> UInt32 {
        guard let message = nlmsg_alloc_simple(Int32(type), flags) else { throw NetlinkError(operation, code: ENOMEM) }
        defer { nlmsg_free(message) }
        var header = header
        var result = nlmsg_append(message, &header, MemoryLayout<Header>.size, Int32(NLMSG_ALIGNTO))
        for attribute in attributes where result >= 0 {
            result = nla_put(message, Int32(attribute.type), Int32(attribute.value.count), attribute.value)
        }
        if result >= 0 { result = nl_send_auto(socket, message) }
        guard result >= 0 else { throw NetlinkError(operation, library: result) }
        return nlmsg_hdr(message).pointee.nlmsg_seq
    }

    /// Reads until the request's end (NLMSG_DONE or NLMSG_ERROR); a refusal by the kernel is thrown with its own words.
    private func receive(
        _ sequence: UInt32, _ operation: String, body: (NetlinkMessage) throws(NetlinkError) -> Void
    ) throws(NetlinkError) {
        var refusal: NetlinkError?
        while true {
            for message in NetlinkMessage.Datagram(try nextDatagram(operation)) where message.header.nlmsg_seq == sequence {
                switch message.type {
                case Int(NLMSG_DONE), Int(NLMSG_ERROR):
                    let (code, detail) = message.outcome
                    if code != 0 { throw NetlinkError(operation, code: code, detail: detail) }
                    if let refusal { throw refusal }
                    return
                case Int(NLMSG_NOOP): break
                default:
                    // Read on to the end, so that the socket is fit for the next request.
                    guard refusal == nil else { break }
                    do throws(NetlinkError) { try body(message) } catch { refusal = error }
                }
            }
        }
    }

    /// The next datagram from the kernel, in `buffer`, which grows to hold it whole.
    func nextDatagram(_ operation: String) throws(NetlinkError) -> UnsafeRawBufferPointer {
        while true {
            let pending = recv(descriptor, nil, 0, Int32(truncatingIfNeeded: MSG_PEEK | MSG_TRUNC))
            if pending < 0 && errno == EINTR { continue }
            guard pending >= 0 else { throw NetlinkError("\(operation): receive", code: errno) }
            if pending > buffer.count {
                buffer.deallocate()
                buffer = .allocate(byteCount: pending, alignment: 8)
            }
            if let bytes = try receiveFromKernel(descriptor, buffer, operation) { return bytes }
        }
    }
}

/// A bound netlink socket in the calling thread's namespace; the caller frees it.
func openNetlinkSocket(_ family: Int32) throws(NetlinkError) -> OpaquePointer {
    guard let socket = nl_socket_alloc() else { throw NetlinkError("open a netlink socket", code: ENOMEM) }
    let result = nl_connect(socket, family)
    guard result >= 0 else {
        nl_socket_free(socket)
        throw NetlinkError("open a netlink socket", library: result)
    }
    return socket
}

/// One recvfrom(2); nil when the datagram is another process's (any process may send to a netlink port) or the call was interrupted.
func receiveFromKernel(
    _ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, flags: Int32 = 0, _ operation: String
) throws(NetlinkError) -> UnsafeRawBufferPointer? {
    var sender = sockaddr_nl()
    var size = socklen_t(MemoryLayout<sockaddr_nl>.size)
    let count = withUnsafeMutablePointer(to: &sender) { sender in
        sender.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            recvfrom(descriptor, buffer.baseAddress, buffer.count, flags | Int32(truncatingIfNeeded: MSG_TRUNC), $0, &size)
        }
    }
    if count < 0 && errno == EINTR { return nil }
    guard count >= 0 else { throw NetlinkError("\(operation): receive", code: errno) }
    guard sender.nl_pid == 0 else { return nil }
    guard count <= buffer.count else { throw NetlinkError("\(operation): receive \(count) bytes", code: EMSGSIZE) }
    return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count])
}
