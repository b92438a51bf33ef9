import CLinux
import Glibc

/// What the kernel is told of a super-packet that is sent raw (virtio_net_hdr): how to cut it into segments.
public struct RawSegmentation: Sendable {
    public enum Kind: UInt8, Sendable { case tcpOverIPv4 = 1, tcpOverIPv6 = 4, udp = 5 }
    public var kind: Kind
    /// Payload bytes per segment.
    public var size: UInt16
    /// Bytes of all headers.
    public var headerLength: UInt16
    /// Where the TCP or UDP header starts: its checksum is computed per segment.
    public var transportOffset: UInt16

    public init(_ kind: Kind, size: UInt16, headerLength: UInt16, transportOffset: UInt16) {
        self.kind = kind
        self.size = size
        self.headerLength = headerLength
        self.transportOffset = transportOffset
    }

    /// struct virtio_net_hdr, in the machine's byte order.
    fileprivate var header: [UInt8] {
        let needsChecksum: UInt8 = 1
        var bytes: [UInt8] = [needsChecksum, kind.rawValue]
        for field in [headerLength, size, transportOffset, kind == .udp ? 6 : 16] {
            withUnsafeBytes(of: field) { bytes += $0 }
        }
        return bytes
    }
}

extension NetworkNamespace {
    /// Sends frames exactly as they are, in order, the whole list `times` times; throws if the kernel refuses one.
    ///
    /// - Parameters:
    ///   - bypassingQdisc: hand them straight to the driver, past the egress hook and the qdisc (PACKET_QDISC_BYPASS).
    ///   - segmentation: the frames are super-packets. Their transport checksum field must hold the pseudo-header's sum,
    ///     which matters only to a receiver that checks.
    public func send(
        _ frames: [[UInt8]], times: Int = 1, on interface: String, bypassingQdisc: Bool = false, segmentation: RawSegmentation? = nil
    ) async throws {
        try await run {
            // From one processor: a veth has a queue for each, so that a sender that moves on the way overtakes itself.
            try checked(lx_pin_to_cpu(-1), "sched_setaffinity")
            let socket = try Socket(AF_PACKET, SOCK_RAW)
            if bypassingQdisc { try socket.set(SOL_PACKET, PACKET_QDISC_BYPASS, 1, "PACKET_QDISC_BYPASS") }
            if segmentation != nil { try socket.set(SOL_PACKET, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR") }
            // Protocol 0: the socket sends and receives nothing.
            var address = sockaddr_ll()
            address.sll_family = UInt16(AF_PACKET)
            address.sll_ifindex = Int32(try interfaceIndex(interface))
            let bound = withUnsafePointer(to: address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(socket.descriptor, $0, socklen_t(MemoryLayout<sockaddr_ll>.size))
                }
            }
            try checked(bound, "bind(AF_PACKET, \(interface))")
            let prefix = segmentation?.header ?? []
            let messages = frames.map { prefix + $0 }
            for _ in 0..<times {
                for message in messages {
                    let sent = try checked(
                        Glibc.send(socket.descriptor, message, message.count, 0), "send(\(message.count) bytes on \(interface))")
                    precondition(sent == message.count, "a frame was sent in part")
                }
            }
        }
    }

    /// Sends one frame `times` times.
    public func send(_ frame: Frame, times: Int = 1, on interface: String, bypassingQdisc: Bool = false) async throws {
        try await send([frame.bytes], times: times, on: interface, bypassingQdisc: bypassingQdisc)
    }
}

/// Takes in the frames that arrive on an interface (outgoing ones too if asked), as AF_PACKET shows them.
public final class FrameCapture: Sendable {
    /// A frame, with the VLAN tag that the kernel had taken out put back where it was.
    public struct Captured: Sendable, Equatable {
        public var bytes: [UInt8]
        public var isOutgoing: Bool
    }
    private let socket: Socket

    public init(on interface: String, in namespace: NetworkNamespace) async throws {
        socket = try await namespace.run {
            let everything = UInt16(ETH_P_ALL).bigEndian
            let socket = try Socket(AF_PACKET, SOCK_RAW)
            try socket.set(SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20, "SO_RCVBUFFORCE")
            try socket.set(SOL_PACKET, PACKET_AUXDATA, 1, "PACKET_AUXDATA")
            var address = sockaddr_ll()
            address.sll_family = UInt16(AF_PACKET)
            address.sll_protocol = everything
            address.sll_ifindex = Int32(try interfaceIndex(interface))
            let bound = withUnsafePointer(to: address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(socket.descriptor, $0, socklen_t(MemoryLayout<sockaddr_ll>.size))
                }
            }
            try checked(bound, "bind(AF_PACKET, \(interface))")
            return socket
        }
    }

    /// What has arrived since the last call.
    public func take() throws -> [Captured] {
        var frames: [Captured] = []
        while let frame = try next() { frames.append(frame) }
        return frames
    }

    private func next() throws -> Captured? {
        var buffer = [UInt8](repeating: 0, count: 1 << 17)
        var control = [UInt8](repeating: 0, count: 256)
        var from = sockaddr_ll()
        let (size, controlSize) = buffer.withUnsafeMutableBytes { bytes in
            control.withUnsafeMutableBytes { controlBytes in
                withUnsafeMutablePointer(to: &from) { name in
                    var vector = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                    return withUnsafeMutablePointer(to: &vector) { vector in
                        var message = msghdr()
                        message.msg_name = UnsafeMutableRawPointer(name)
                        message.msg_namelen = socklen_t(MemoryLayout<sockaddr_ll>.size)
                        message.msg_iov = vector
                        message.msg_iovlen = 1
                        message.msg_control = controlBytes.baseAddress
                        message.msg_controllen = controlBytes.count
                        return (recvmsg(socket.descriptor, &message, Int32(MSG_DONTWAIT)), message.msg_controllen)
                    }
                }
            }
        }
        if size < 0 {
            if errno == EAGAIN { return nil }
            throw SystemError("recvmsg(AF_PACKET)")
        }
        var bytes = Array(buffer[..<size])
        // One control message: its header of 16 bytes (length, level, type), then tpacket_auxdata.
        if controlSize >= 16 + MemoryLayout<tpacket_auxdata>.size, bytes.count >= 12 {
            let auxiliary = control.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 16, as: tpacket_auxdata.self) }
            if auxiliary.tp_status & UInt32(TP_STATUS_VLAN_VALID) != 0 {
                var tag: [UInt8] = []
                tag.append(be16: auxiliary.tp_vlan_tpid)
                tag.append(be16: auxiliary.tp_vlan_tci)
                bytes.insert(contentsOf: tag, at: 12)
            }
        }
        return Captured(bytes: bytes, isOutgoing: from.sll_pkttype == UInt8(PACKET_OUTGOING))
    }
}
