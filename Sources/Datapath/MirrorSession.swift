import CDatapath
import NetworkTypes
import Policy

/// A mirror session of one namespace as the datapath is told of it: names and routes are resolved.
public struct MirrorSession: Hashable, Sendable {
    public enum Target: Hashable, Sendable {
        /// An interface of the namespace. Copies longer than its MTU allows are cut to fit.
        case interface(UInt32, mtu: Int)
        /// A collector. Copies that the path does not take with the tunnel's headers are cut to fit.
        case collector(MirrorTunnel, MirrorPath)
        /// User space, by the ring of samples: see `PacketSample.captureSession`. At most ``captureLimit`` bytes of a packet.
        case ring
    }

    /// Why copies need not be tried for now; each is counted as failed for its ``failure``.
    public enum Obstacle: Hashable, Sendable {
        case targetGone
        case targetDown
        /// The target, or the device on the way to the collector, is up without a carrier: the kernel drops what it is given.
        case noCarrier
        case noRoute
        /// Nobody has answered for the collector's nexthop: the kernel keeps a few copies for a while and drops the rest.
        case noNeighbour

        /// What the datapath counts.
        public var failure: MirrorCounts.Failure {
            switch self {
            case .targetGone: .targetGone
            case .targetDown, .noCarrier: .targetDown
            case .noRoute, .noNeighbour: .noRoute
            }
        }

        /// `nilo_mirror.state`
        static func state(_ obstacle: Self?) -> UInt32 {
            obstacle.map { 1 + UInt32($0.failure.rawValue) } ?? UInt32(NILO_MIRROR_READY)
        }
    }

    /// `SO_NETNS_COOKIE` of the namespace whose packets are mirrored.
    public var namespaceCookie: UInt64
    public var target: Target
    public var selection: MirrorRule.Selection
    /// Most bytes of a frame; nil: all that the target takes.
    public var snapLength: Int?
    public var limit: MirrorRule.Limit
    public var segmentation: MirrorRule.Segmentation
    /// Bit n: session n goes to the same destination and comes first.
    public var outrankedBy: UInt32
    /// The interface of the mirror port that copies go into; nil: there is none, and only whole frames to an interface are possible.
    public var port: UInt32?
    public var obstacle: Obstacle?

    /// Bytes of a packet that user space can be given; of a super-packet the beginning.
    public static let captureLimit = Int(NILO_SNAP_MOST)
    public static let snapLeast = Int(NILO_MIRROR_SNAP_LEAST)
    /// The cap of a session that names none: what copying may take from a CPU is bounded, whatever the traffic.
    public static let standardLimit = MirrorRule.Limit.packets(PacketRate(packets: 2_000_000, over: .seconds(1)))
    /// The slowest caps that the datapath can keep.
    public static let leastPacketsPerSecond = 1.0
    public static let leastBitsPerSecond = 1000.0

    public init(
        namespaceCookie: UInt64, target: Target, selection: MirrorRule.Selection = .all, snapLength: Int? = nil,
        limit: MirrorRule.Limit = MirrorSession.standardLimit, segmentation: MirrorRule.Segmentation = .superPacket,
        outrankedBy: UInt32 = 0, port: UInt32? = nil, obstacle: Obstacle? = nil
    ) {
        self.namespaceCookie = namespaceCookie
        self.target = target
        self.selection = selection
        self.snapLength = snapLength
        self.limit = limit
        self.segmentation = segmentation
        self.outrankedBy = outrankedBy
        self.port = port
        self.obstacle = obstacle
    }

    /// Most bytes of a copied frame on the way to the target, by its MTU; nil: no bound. A VLAN tag comes on top where the target is an interface.
    public var frameLimit: Int? {
        switch target {
        case .interface(_, let mtu): mtu + Self.ethernetHeader
        case .collector(let tunnel, let path): path.mtu - (tunnel.headerLength - Self.ethernetHeader)
        case .ring: nil
        }
    }

    private static let ethernetHeader = 14
    /// How much more than the rate a bucket holds: it must bridge the coarse clock's steps, 10 ms on the slowest kernels.
    private static let burstNanoseconds = 20_000_000.0

    func record(generation: UInt8) -> nilo_mirror {
        var record = nilo_mirror()
        record.netns_cookie = namespaceCookie
        record.generation = generation
        record.outranked_by = outrankedBy
        record.port = port ?? 0
        record.snap = snapLength.map { UInt32(clamping: max($0, Self.snapLeast)) } ?? .max
        record.frame_limit = frameLimit.map { UInt32(clamping: $0) } ?? .max
        record.state = Obstacle.state(obstacle)
        if segmentation == .wire { record.flags |= UInt8(NILO_MIRROR_WIRE.rawValue) }
        setTarget(&record)
        setSelection(&record)
        setLimit(&record)
        return record
    }

    private func setTarget(_ record: inout nilo_mirror) {
        switch target {
        case .interface(let index, _):
            record.target = UInt8(NILO_MIRROR_DEVICE.rawValue)
            record.ifindex = index
        case .collector(let tunnel, let path):
            record.target = UInt8(NILO_MIRROR_TUNNEL.rawValue)
            record.ifindex = path.interface
            if tunnel.isIPv6 { record.flags |= UInt8(NILO_MIRROR_OUTER_IPV6.rawValue) }
            if tunnel.isERSPAN { record.flags |= UInt8(NILO_MIRROR_ERSPAN.rawValue) }
            let header = tunnel.header
            record.header_length = UInt32(header.count)
            record.header_sum = tunnel.headerSum
            withUnsafeMutableBytes(of: &record.header) { $0.suffix(header.count).copyBytes(from: header) }
            let nexthop = path.nexthop.networkOrder
            record.nexthop_family = nexthop.count == 4 ? 2 : 10  // AF_INET, AF_INET6
            withUnsafeMutableBytes(of: &record.nexthop) { $0.prefix(nexthop.count).copyBytes(from: nexthop) }
        case .ring:
            record.target = UInt8(NILO_MIRROR_RING.rawValue)
        }
    }

    private func setSelection(_ record: inout nilo_mirror) {
        switch selection {
        case .all, .packets(oneIn: 0...1), .flows(oneIn: 0...1):
            record.selection = UInt8(NILO_MIRROR_EVERY.rawValue)
        case .packets(let oneIn):
            record.selection = UInt8(NILO_MIRROR_ONE_IN.rawValue)
            (record.chance, record.shift) = SamplerTables.skipFactor(oneIn: oneIn)
        case .flows(let oneIn):
            record.selection = UInt8(NILO_MIRROR_FLOWS.rawValue)
            record.chance = UInt32((UInt64(1) << 32) / UInt64(oneIn))
        }
    }

    private func setLimit(_ record: inout nilo_mirror) {
        let unit = Double(1 << NILO_MIRROR_CAP_SHIFT)
        // The largest copy: a super-packet of the smallest segments, or of 64 KiB and a little more.
        let largest: UInt64
        switch limit {
        case .packets(let rate):
            record.flags |= UInt8(NILO_MIRROR_CAP_PACKETS.rawValue)
            record.cap_cost = UInt64((1e9 * unit / max(rate.packetsPerSecond, Self.leastPacketsPerSecond)).rounded())
            largest = 1 << 11
        case .bits(let rate):
            record.cap_cost = UInt64((8e9 * unit / max(rate.bitsPerSecond, Self.leastBitsPerSecond)).rounded())
            largest = 1 << 17
        case .unlimited:
            record.cap_cost = 0
            return
        }
        record.cap_cost = max(record.cap_cost, 1)
        record.cap_burst = UInt64(Self.burstNanoseconds * unit)
        record.cap_most = record.cap_burst + record.cap_cost * largest
    }
}
