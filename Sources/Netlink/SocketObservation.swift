import CNetlink
import Glibc
import NetworkTypes

/// A TCP or UDP socket as the kernel shows it (sock_diag(7)): one line of `ss --tcp --udp --all --numeric --extended`.
public struct SocketObservation: Sendable, Equatable {
    /// IPPROTO_TCP or IPPROTO_UDP.
    public var ipProtocol: UInt8
    /// nil: any local address of its family; see ``isDualStack``.
    public var local: IPAddress?
    public var localPort: UInt16
    /// nil: not connected.
    public var remote: IPAddress?
    public var remotePort: UInt16
    /// An IPv6 socket without a local address: IPv4 comes to it too, unless it is IPV6_V6ONLY.
    public var isDualStack: Bool
    public var isIPv6: Bool
    /// Links it to a process's descriptor `socket:[INODE]`; 0 when no process holds it any more (TIME_WAIT).
    public var inode: UInt32
    /// The user that made it.
    public var userID: UInt32

    /// From the payload of SOCK_DIAG_BY_FAMILY; nil when it is too short or of another family.
    package init?(_ payload: UnsafeRawBufferPointer, ipProtocol: UInt8) {
        guard let message = payload.value(inet_diag_msg.self) else { return nil }
        let isIPv6 = Int32(message.idiag_family) == AF_INET6
        guard isIPv6 || Int32(message.idiag_family) == AF_INET else { return nil }
        let size = isIPv6 ? 16 : 4
        local = withUnsafeBytes(of: message.id.idiag_src) { IPAddress(networkOrder: .init(rebasing: $0[..<size]))?.unmapped }
        remote = withUnsafeBytes(of: message.id.idiag_dst) { IPAddress(networkOrder: .init(rebasing: $0[..<size]))?.unmapped }
        localPort = UInt16(bigEndian: message.id.idiag_sport)
        remotePort = UInt16(bigEndian: message.id.idiag_dport)
        inode = message.idiag_inode
        userID = message.idiag_uid
        self.ipProtocol = ipProtocol
        self.isIPv6 = isIPv6
        var onlyIPv6 = false
        for (type, value) in NetlinkAttributes(payload, after: MemoryLayout<inet_diag_msg>.size)
        where type == INET_DIAG_SKV6ONLY {
            onlyIPv6 = value.value(UInt8.self) ?? 0 != 0
        }
        isDualStack = isIPv6 && local == nil && !onlyIPv6
    }
}

extension IPAddress {
    /// An IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) as the IPv4 address that it is on the wire.
    var unmapped: IPAddress {
        if case .v6(high: 0, let low) = self, low >> 32 == 0xFFFF { return .v4(UInt32(truncatingIfNeeded: low)) }
        return self
    }
}

extension NetlinkSocket {
    /// A sock_diag(7) socket, whose only requests are for sockets.
    /// - Parameter namespace: nil for the calling thread's own.
    public static func socketDiagnosis(in namespace: NetworkNamespace? = nil) throws(NetlinkError) -> NetlinkSocket {
        try NetlinkSocket(in: namespace, family: NETLINK_SOCK_DIAG)
    }

    /// `ss --tcp --udp --all`: every TCP and UDP socket of the namespace, in any state. Ask a socket made by ``socketDiagnosis(in:)``.
    public func inetSockets() throws(NetlinkError) -> [SocketObservation] {
        var found: [SocketObservation] = []
        for ipProtocol in [UInt8(IPPROTO_TCP), UInt8(IPPROTO_UDP)] {
            for family in [UInt8(AF_INET), UInt8(AF_INET6)] {
                var header = inet_diag_req_v2()
                header.sdiag_family = family
                header.sdiag_protocol = ipProtocol
                header.idiag_states = .max
                let name = ipProtocol == UInt8(IPPROTO_TCP) ? "TCP" : "UDP"
                found += try dump(Int(SOCK_DIAG_BY_FAMILY), header, "dump \(name) sockets") { message in
                    message.type == Int(SOCK_DIAG_BY_FAMILY) ? SocketObservation(message.payload, ipProtocol: ipProtocol) : nil
                }
            }
        }
        return found
    }
}
