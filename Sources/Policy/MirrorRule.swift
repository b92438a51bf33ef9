import Flows
import NetworkTypes

/// A mirror session: copies of what its scope matches go to a target.
public struct MirrorRule: Hashable, Sendable {
    public enum Target: Hashable, Sendable {
        /// An interface of the same namespace.
        case interface(String)
        case vxlan(VXLAN)
        case erspan(ERSPAN)
        /// A capture file in pcapng, written by the agent.
        case file(CaptureFile)
        /// A client of the agent's, for as long as its connection lasts; no file says so. The number tells such sessions apart.
        case client(UInt32)
    }

    /// A collector over VXLAN (RFC 7348); the outer source port is taken from the flow's hash.
    public struct VXLAN: Hashable, Sendable {
        public var remote: IPAddress
        /// nil: as the route to `remote` says.
        public var local: IPAddress?
        /// 0xff0000 … 0xffffff, the range by which mirrored traffic is known.
        public var vni: UInt32
        public var port: UInt16

        public init(remote: IPAddress, local: IPAddress? = nil, vni: UInt32, port: UInt16 = 4789) {
            self.remote = remote
            self.local = local
            self.vni = vni
            self.port = port
        }
    }

    /// A collector over ERSPAN type II (draft-foschiano-erspan).
    public struct ERSPAN: Hashable, Sendable {
        public var remote: IPAddress
        public var local: IPAddress?
        /// 0 … 1023.
        public var session: UInt16

        public init(remote: IPAddress, local: IPAddress? = nil, session: UInt16) {
            self.remote = remote
            self.local = local
            self.session = session
        }
    }

    /// Files `PATH.0`, `PATH.1`, …: at most `files` of at most `size` bytes, the oldest goes.
    public struct CaptureFile: Hashable, Sendable {
        public var path: String
        public var size: ByteCount
        public var files: Int

        public init(path: String, size: ByteCount = ByteCount(100_000_000), files: Int = 10) {
            self.path = path
            self.size = size
            self.files = files
        }
    }

    /// Which of the matched packets are copied.
    public enum Selection: Hashable, Sendable {
        case all
        /// One packet in this many, at random.
        case packets(oneIn: UInt32)
        /// All packets of one flow in this many, both directions.
        case flows(oneIn: UInt32)
    }

    /// A token bucket for the copies.
    public enum Limit: Hashable, Sendable {
        case bits(BitRate)
        case packets(PacketRate)
        /// No cap, not even the default one.
        case unlimited
    }

    /// How a super-packet (GSO) arrives at the target.
    public enum Segmentation: String, Hashable, Sendable, CaseIterable {
        /// As the packets that are on the wire.
        case wire
        /// In one piece where the target can take it.
        case superPacket = "super"
    }

    /// Unique among the rules of all kinds.
    public var name: String
    public var scope: RuleScope
    public var target: Target
    public var selection: Selection
    /// Most bytes of a frame that are copied; nil: all, or over a tunnel what fits the path's MTU.
    public var snapLength: Int?
    /// nil: the default cap of the agent.
    public var limit: Limit?
    /// Of two sessions with the same destination the higher one gets the packet.
    public var priority: Int
    public var segmentation: Segmentation

    public init(
        name: String, scope: RuleScope, target: Target, selection: Selection = .all, snapLength: Int? = nil, limit: Limit? = nil,
        priority: Int = 0, segmentation: Segmentation = .superPacket
    ) {
        self.name = name
        self.scope = scope
        self.target = target
        self.selection = selection
        self.snapLength = snapLength
        self.limit = limit
        self.priority = priority
        self.segmentation = segmentation
    }
}
