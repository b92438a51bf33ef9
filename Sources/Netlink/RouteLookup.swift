import CNetlink
import Glibc
import NetworkTypes

/// Where packets to an address go: the answer of `ip route get`.
public struct RouteLookup: Sendable, Hashable {
    public var interface: Int32
    /// nil: the address is on the link.
    public var gateway: IPAddress?
    /// The local address that the kernel would send from.
    public var source: IPAddress?
    /// Bytes of an IP packet: the route's own, or that of its interface.
    public var mtu: Int
    public var interfaceIsUp: Bool
    public var interfaceHasCarrier: Bool
}

extension NetlinkSocket {
    /// ip route get ADDRESS [from SOURCE]
    ///
    /// - Returns: nil where there is no route, or only one that leads nowhere or to this host itself.
    public func route(to address: IPAddress, from source: IPAddress? = nil) throws(NetlinkError) -> RouteLookup? {
        var header = rtmsg()
        let bytes = address.netlinkBytes
        header.rtm_family = UInt8(bytes.count == 4 ? AF_INET : AF_INET6)
        header.rtm_dst_len = UInt8(bytes.count * 8)
        var attributes: [(type: Int, value: [UInt8])] = [(Int(RTA_DST.rawValue), bytes)]
        if let source {
            header.rtm_src_len = UInt8(bytes.count * 8)
            attributes.append((Int(RTA_SRC.rawValue), source.netlinkBytes))
        }
        var found: (interface: Int32, gateway: IPAddress?, source: IPAddress?, mtu: Int?)?
        do throws(NetlinkError) {
            try request(RTM_GETROUTE, header, attributes, "look up the route to \(address)") { message in
                guard message.type == RTM_NEWROUTE, let header = message.payload.value(rtmsg.self), Int(header.rtm_type) == RTN_UNICAST
                else { return }
                found = Self.route(message.payload)
            }
        } catch  where [ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL].contains(error.code) { return nil }
        guard let found, let link = try link(found.interface) else { return nil }
        return RouteLookup(
            interface: found.interface, gateway: found.gateway, source: source ?? found.source, mtu: min(found.mtu ?? .max, Int(link.mtu)),
            interfaceIsUp: link.flags.contains(.up), interfaceHasCarrier: link.flags.contains(.lowerUp))
    }

    /// ip route get ADDRESS: is it one of this namespace's own?
    public func isOwn(_ address: IPAddress) throws(NetlinkError) -> Bool {
        var header = rtmsg()
        let bytes = address.netlinkBytes
        header.rtm_family = UInt8(bytes.count == 4 ? AF_INET : AF_INET6)
        header.rtm_dst_len = UInt8(bytes.count * 8)
        var isOwn = false
        do throws(NetlinkError) {
            try request(RTM_GETROUTE, header, [(Int(RTA_DST.rawValue), bytes)], "look up the route to \(address)") { message in
                guard message.type == RTM_NEWROUTE, let header = message.payload.value(rtmsg.self) else { return }
                isOwn = Int(header.rtm_type) == RTN_LOCAL
            }
        } catch  where [ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL].contains(error.code) { return false }
        return isOwn
    }

    private static func route(
        _ payload: UnsafeRawBufferPointer
    ) -> (interface: Int32, gateway: IPAddress?, source: IPAddress?, mtu: Int?)? {
        var interface: Int32?
        var gateway: IPAddress?
        var source: IPAddress?
        var mtu: Int?
        for (type, value) in NetlinkAttributes(payload, after: MemoryLayout<rtmsg>.size) {
            switch type {
            case Int(RTA_OIF.rawValue): interface = value.value()
            case Int(RTA_GATEWAY.rawValue): gateway = IPAddress(networkOrder: value)
            // A gateway of the other family: its family, then the address (struct rtvia).
            case Int(RTA_VIA.rawValue): gateway = IPAddress(networkOrder: UnsafeRawBufferPointer(rebasing: value.dropFirst(2)))
            case Int(RTA_PREFSRC.rawValue): source = IPAddress(networkOrder: value)
            case Int(RTA_METRICS.rawValue):
                for (metric, value) in NetlinkAttributes(value) where metric == RTAX_MTU { mtu = value.value(UInt32.self).map { Int($0) } }
            default: break
            }
        }
        return interface.map { ($0, gateway, source, mtu) }
    }
}

extension IPAddress {
    /// In network order.
    var netlinkBytes: [UInt8] {
        switch self {
        case .v4(let word): withUnsafeBytes(of: word.bigEndian) { Array($0) }
        case .v6(let high, let low): withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { Array($0) }
        }
    }
}
