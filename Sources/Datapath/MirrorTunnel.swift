import CDatapath
import NetworkTypes
import Policy

/// What is put before a copied frame on its way to a collector: the bytes that the datapath completes with lengths, the source port and
/// sequence numbers (`struct nilo_mirror`, `header`).
public struct MirrorTunnel: Hashable, Sendable {
    public enum Encapsulation: Hashable, Sendable {
        /// RFC 7348. Over IPv6 the UDP checksum is zero, as RFC 6935 allows for tunnels: the collector must accept that.
        case vxlan(vni: UInt32, port: UInt16)
        /// Type II of draft-foschiano-erspan: GRE with a sequence number.
        case erspan(session: UInt16)
    }
    public var encapsulation: Encapsulation
    public var local: IPAddress
    public var remote: IPAddress

    /// - Precondition: both addresses are of one family.
    public init(_ encapsulation: Encapsulation, from local: IPAddress, to remote: IPAddress) {
        self.encapsulation = encapsulation
        self.local = local
        self.remote = remote
        precondition(local.networkOrder.count == remote.networkOrder.count, "a tunnel from \(local) to \(remote)")
    }

    public var isIPv6: Bool { if case .v6 = remote { true } else { false } }
    var isERSPAN: Bool { if case .erspan = encapsulation { true } else { false } }

    /// Bytes of the tunnel's headers, Ethernet included.
    public var headerLength: Int { Int(isIPv6 ? NILO_MIRROR_HEADER_IPV6 : NILO_MIRROR_HEADER_IPV4) }

    /// Ethernet (addresses left to the kernel), IP, and eight bytes each of UDP and VXLAN, or of GRE and ERSPAN.
    var header: [UInt8] {
        let type: [UInt8] = isIPv6 ? [0x86, 0xdd] : [0x08, 0x00]
        return [UInt8](repeating: 0, count: 12) + type + (isIPv6 ? ipv6 : ipv4) + inner
    }

    private var ipProtocol: UInt8 { isERSPAN ? 47 : 17 }

    private var ipv4: [UInt8] {
        // Don't Fragment: a mirror never fragments.
        [0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, ipProtocol, 0, 0] + local.networkOrder + remote.networkOrder
    }

    private var ipv6: [UInt8] { [0x60, 0, 0, 0, 0, 0, ipProtocol, 64] + local.networkOrder + remote.networkOrder }

    private var inner: [UInt8] {
        switch encapsulation {
        case .vxlan(let vni, let port):
            [0, 0, UInt8(port >> 8), UInt8(port & 0xff), 0, 0, 0, 0]
                + [0x08, 0, 0, 0, UInt8(vni >> 16 & 0xff), UInt8(vni >> 8 & 0xff), UInt8(vni & 0xff), 0]
        case .erspan(let session):
            // Sequence number present; version 1 (type II); tags are kept in the frame.
            [0x10, 0, 0x88, 0xbe, 0, 0, 0, 0] + [0x10, 0, 0x18 | UInt8(session >> 8 & 3), UInt8(session & 0xff), 0, 0, 0, 0]
        }
    }

    /// The sum of the IPv4 header's words as they lie in memory, length and checksum zero (RFC 1071); 0 for IPv6.
    var headerSum: UInt32 {
        guard !isIPv6 else { return 0 }
        let bytes = ipv4
        return stride(from: 0, to: bytes.count, by: 2).reduce(0) { sum, i in
            sum + UInt32(UInt16(littleEndian: UInt16(bytes[i]) | UInt16(bytes[i + 1]) << 8))
        }
    }
}

/// How packets get to a collector, as the routing table says.
public struct MirrorPath: Hashable, Sendable {
    /// Of the mirrored interface's namespace.
    public var interface: UInt32
    /// The gateway, or the collector itself where it is on the link.
    public var nexthop: IPAddress
    /// Bytes of an IP packet.
    public var mtu: Int

    public init(interface: UInt32, nexthop: IPAddress, mtu: Int) {
        self.interface = interface
        self.nexthop = nexthop
        self.mtu = mtu
    }
}

extension IPAddress {
    var networkOrder: [UInt8] {
        switch self {
        case .v4(let word): withUnsafeBytes(of: word.bigEndian) { Array($0) }
        case .v6(let high, let low): withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Array($0) }
        }
    }
}
