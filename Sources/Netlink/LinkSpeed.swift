import CNetlink
import Glibc

/// The speed of an interface as its driver tells it (ethtool(8)).
struct LinkSpeed: Equatable {
    var interface: Int32
    /// Bits per second.
    var rate: UInt64

    /// From the payload of ETHTOOL_MSG_LINKMODES_GET_REPLY; nil when it is cut short or the driver does not know (no carrier, virtio).
    init?(_ payload: UnsafeRawBufferPointer) {
        var interface: Int32?
        var megabits: UInt32?
        for (type, value) in NetlinkAttributes(payload, after: MemoryLayout<genlmsghdr>.size) {
            switch type {
            case ETHTOOL_A_LINKMODES_HEADER:
                for (type, value) in NetlinkAttributes(value) where type == ETHTOOL_A_HEADER_DEV_INDEX { interface = value.value() }
            case ETHTOOL_A_LINKMODES_SPEED: megabits = value.value()
            default: break
            }
        }
        // SPEED_UNKNOWN is -1; some drivers say 0.
        guard let interface, let megabits, megabits != .max, megabits != 0 else { return nil }
        self.interface = interface
        rate = UInt64(megabits) * 1_000_000
    }
}

extension LinkObservation {
    /// A driver of hardware speaks for this interface. What veth (10 Gbit/s), TUN and their like tell as a speed is made up, and what bridges,
    /// bonds and VLANs tell is taken from the interfaces below, which may be such.
    public var hasHardwareSpeed: Bool { kind.isEmpty && !flags.contains(.loopback) }
}

extension NetlinkSocket {
    /// A generic netlink socket, for ``linkSpeeds(of:)``.
    /// - Parameter namespace: nil for the calling thread's own.
    public static func generic(in namespace: NetworkNamespace? = nil) throws(NetlinkError) -> NetlinkSocket {
        try NetlinkSocket(in: namespace, family: NETLINK_GENERIC)
    }

    /// `ethtool NAME` of each: bits per second by interface number, of those of `links` that are hardware and know their speed. Ask a socket
    /// made by ``generic(in:)``. Not from /sys/class/net: what is mounted there belongs to another namespace.
    public func linkSpeeds(of links: [LinkObservation]) throws(NetlinkError) -> [Int32: UInt64] {
        let hardware = Set(links.filter(\.hasHardwareSpeed).map(\.index))
        if hardware.isEmpty { return [:] }
        guard let family = try genericFamily(named: ETHTOOL_GENL_NAME) else { return [:] }
        let header = genlmsghdr(cmd: UInt8(ETHTOOL_MSG_LINKMODES_GET), version: UInt8(ETHTOOL_GENL_VERSION), reserved: 0)
        // Older kernels insist on the nest that would name an interface, empty as it is.
        let everyInterface = [(type: ETHTOOL_A_LINKMODES_HEADER | Int(NLA_F_NESTED), value: [UInt8]())]
        let speeds = try dump(family, header, "read link speeds", attributes: everyInterface) { message in
            message.type == family ? LinkSpeed(message.payload) : nil
        }
        return Dictionary(speeds.map { ($0.interface, $0.rate) }) { $1 }.filter { hardware.contains($0.key) }
    }

    /// The message type of a generic netlink family; nil when the kernel has no such family.
    private func genericFamily(named name: String) throws(NetlinkError) -> Int? {
        let header = genlmsghdr(cmd: UInt8(CTRL_CMD_GETFAMILY), version: 1, reserved: 0)
        var number: UInt16?
        do throws(NetlinkError) {
            let attributes = [(type: CTRL_ATTR_FAMILY_NAME, value: Array("\(name)\0".utf8))]
            try request(Int(GENL_ID_CTRL), header, attributes, "look up generic netlink family \(name)") { message in
                for (type, value) in NetlinkAttributes(message.payload, after: MemoryLayout<genlmsghdr>.size)
                where type == CTRL_ATTR_FAMILY_ID {
                    number = value.value()
                }
            }
        } catch  where error.code == ENOENT { return nil }
        return number.map { Int($0) }
    }
}
