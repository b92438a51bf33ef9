import CLinux
import CNetlink
import Glibc

/// The mirror port of a namespace: a veth pair of ours that copies of packets go through when they must be cut or are put into a tunnel.
///
/// Copies are sent into ``out``, which has no offloads: the kernel cuts super-packets and completes checksums there. They come out of ``in``.
/// Neither end has an address or speaks by itself.
public struct MirrorPortDevice: Sendable, Equatable {
    public var out: Int32
    public var `in`: Int32
    /// The ends that somebody has set down, by name.
    public var down: [String] = []

    public static let outName = "nilo-m0"
    public static let inName = "nilo-m1"
    /// Marks both ends as ours.
    public static let alias = "nilometer mirror port"

    /// The least `gso_max_size` that every kernel takes; copies shorter than that have no more than one segment worth cutting.
    static let segmentationFloor: UInt32 = 512
    static let mtu: UInt32 = 65535
}

extension NetlinkSocket {
    /// The mirror port of this namespace, ours by name, kind and alias.
    public func mirrorPort() throws(NetlinkError) -> MirrorPortDevice? {
        let links = try links().mirrorPortEnds.filter { $0.alias == MirrorPortDevice.alias }
        guard let out = links.first(where: { $0.name == MirrorPortDevice.outName }),
            let `in` = links.first(where: { $0.name == MirrorPortDevice.inName && $0.index == out.peer })
        else { return nil }
        return MirrorPortDevice(out: out.index, in: `in`.index, down: [out, `in`].filter { !$0.flags.contains(.up) }.map(\.name))
    }

    /// The commands that a person would type for ``makeMirrorPort()``.
    public static let mirrorPortCommands = [
        "ip link add nilo-m0 mtu 65535 gso_max_segs 1 gso_max_size 512 type veth peer name nilo-m1 mtu 65535",
        "ip link set nilo-m0 alias \"nilometer mirror port\" arp off addrgenmode none",
        "ip link set nilo-m1 alias \"nilometer mirror port\" arp off addrgenmode none",
        "ethtool -K nilo-m0 tx off", "ip link set nilo-m0 up", "ip link set nilo-m1 up",
    ]

    /// Makes the mirror port of this namespace, or returns the one that is there. What an agent left behind half made is made anew; devices
    /// of these names that are not ours stay, and make it fail with EEXIST.
    /// - Precondition: the calling thread is in the namespace (the checksum offload is set by ioctl).
    public func makeMirrorPort() throws(NetlinkError) -> MirrorPortDevice {
        if var port = try mirrorPort() {
            try setUp(port)
            port.down = []
            return port
        }
        if let stranger = try links().mirrorPortStranger {
            throw NetlinkError("make the mirror port", code: EEXIST, detail: "\(stranger.name) is not ours")
        }
        try removeMirrorPort()
        try request(
            RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, ifinfomsg(), MirrorPortEncoding.newPair, "make the mirror port")
        let made = try links()
        guard let out = made.first(where: { $0.name == MirrorPortDevice.outName }), let peer = out.peer else {
            throw NetlinkError("make the mirror port", code: ENODEV, detail: "it is not there")
        }
        let port = MirrorPortDevice(out: out.index, in: peer)
        try setUp(port)
        return port
    }

    /// ip link del nilo-m0
    ///
    /// Also one that was only half made.
    public func removeMirrorPort() throws(NetlinkError) {
        for link in try links().mirrorPortEnds {
            var header = ifinfomsg()
            header.ifi_index = link.index
            do throws(NetlinkError) {
                try request(RTM_DELLINK, header, [], "remove the mirror port")
            } catch  where error.code == ENODEV {}  // It went with its other end.
        }
    }

    private func setUp(_ port: MirrorPortDevice) throws(NetlinkError) {
        for index in [port.in, port.out] {
            var header = ifinfomsg()
            header.ifi_index = index
            header.ifi_flags = IFF_NOARP.rawValue
            header.ifi_change = IFF_NOARP.rawValue
            try request(RTM_NEWLINK, header, MirrorPortEncoding.marks, "mark the mirror port as ours")
        }
        try switchOffChecksums(MirrorPortDevice.outName)
        for index in [port.in, port.out] {
            var header = ifinfomsg()
            header.ifi_index = index
            header.ifi_flags = LinkFlags.up.rawValue
            header.ifi_change = LinkFlags.up.rawValue
            try request(RTM_NEWLINK, header, [], "bring the mirror port up")
        }
    }

    /// ethtool -K NAME tx off: without it nothing can leave the device in need of a checksum, and no super-packet can either.
    private func switchOffChecksums(_ name: String) throws(NetlinkError) {
        if lx_set_transmit_checksums(name, 0) != 0 { throw NetlinkError("switch off the checksum offload of \(name)", code: errno) }
    }
}

extension [LinkObservation] {
    /// Of all links of a namespace, the ends of a mirror port of ours, whole or half made. A name alone makes nothing ours.
    public var mirrorPortEnds: [LinkObservation] { filter(isMirrorPortEnd) }

    /// A device that has a name of the mirror port's and is somebody else's.
    public var mirrorPortStranger: LinkObservation? { first { $0.hasMirrorPortName && !isMirrorPortEnd($0) } }

    private func isMirrorPortEnd(_ link: LinkObservation) -> Bool {
        guard link.kind == "veth", link.hasMirrorPortName else { return false }
        let isMarked = link.alias == MirrorPortDevice.alias
        // An end that somebody has moved to another namespace cannot be seen from here.
        guard link.peerNamespace == nil, let other = first(where: { $0.index == link.peer }) else { return isMarked }
        if isMarked && other.alias == MirrorPortDevice.alias { return true }
        // The pair is made with these and set up after it was marked: an agent that was killed between leaves it so.
        return [link, other].allSatisfy { $0.isUnfinishedMirrorPortEnd } && link.name != other.name
    }
}

extension LinkObservation {
    /// An end of a mirror port of ours, finished or not, as far as the link alone tells.
    public var isMirrorPortEnd: Bool {
        kind == "veth" && hasMirrorPortName && alias == MirrorPortDevice.alias || isUnfinishedMirrorPortEnd
    }

    fileprivate var hasMirrorPortName: Bool { name == MirrorPortDevice.outName || name == MirrorPortDevice.inName }

    fileprivate var isUnfinishedMirrorPortEnd: Bool {
        kind == "veth" && hasMirrorPortName && !flags.contains(.up) && mtu == MirrorPortDevice.mtu && master == nil
            && (alias.isEmpty || alias == MirrorPortDevice.alias) && (name == MirrorPortDevice.inName || segmentLimit == 1)
    }
}

/// The attributes of the requests above.
enum MirrorPortEncoding {
    static func attribute(_ type: Int, _ value: [UInt8]) -> [UInt8] {
        let length = value.count + 4
        let header = withUnsafeBytes(of: (UInt16(length), UInt16(truncatingIfNeeded: type))) { Array($0) }
        return header + value + [UInt8](repeating: 0, count: netlinkAligned(length) - length)
    }
    static func word(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
    static func text(_ value: String) -> [UInt8] { Array(value.utf8) + [0] }

    static var newPair: [(type: Int, value: [UInt8])] {
        let end: [(type: Int, value: [UInt8])] = [(IFLA_MTU, word(MirrorPortDevice.mtu))]
        let peer =
            [UInt8](repeating: 0, count: MemoryLayout<ifinfomsg>.size)
            + ([(IFLA_IFNAME, text(MirrorPortDevice.inName))] + end).flatMap { attribute($0.0, $0.1) }
        let info = attribute(IFLA_INFO_KIND, text("veth")) + attribute(IFLA_INFO_DATA, attribute(Int(VETH_INFO_PEER), peer))
        return end + [
            (IFLA_IFNAME, text(MirrorPortDevice.outName)), (IFLA_GSO_MAX_SEGS, word(1)),
            (IFLA_GSO_MAX_SIZE, word(MirrorPortDevice.segmentationFloor)), (IFLA_LINKINFO, info),
        ]
    }

    /// The alias, and no IPv6 address of the kernel's own making.
    static var marks: [(type: Int, value: [UInt8])] {
        let noAddress = attribute(IFLA_INET6_ADDR_GEN_MODE, [UInt8(IN6_ADDR_GEN_MODE_NONE.rawValue)])
        return [(IFLA_IFALIAS, Array(MirrorPortDevice.alias.utf8)), (IFLA_AF_SPEC, attribute(Int(AF_INET6), noAddress))]
    }
}
