import NetworkTypes

/// One row of a view: the flows of one subject on one interface.
public struct FlowGroup: Hashable, Sendable {
    public var subject: Subject
    /// Rows never add up interfaces: a packet that passes several of them is counted on each.
    public var interface: InterfaceID
    /// The points that the numbers come from. Each flow of the row was taken from one of them alone.
    public var points: Set<ObservationPoint>
    /// Where the subject has a near end (see `Subject`): from it, and to it. Otherwise everything is in `sent`.
    public var sent: Amount
    public var received: Amount
    public var flows: Int
    public var first: Timestamp
    public var last: Timestamp
    /// The largest among the flows; 0 unknown.
    public var handshakeMicroseconds: UInt32

    public var total: Amount { sent + received }

    /// What was counted one way.
    public struct Amount: Hashable, Sendable {
        public var totals = Totals()
        public var transport = TransportCounts()
        /// Within the interval of the readings.
        public var change = Totals()

        public init() {}

        public static func += (a: inout Amount, b: Amount) {
            a.totals += b.totals
            a.transport += b.transport
            a.change += b.change
        }
        public static func + (a: Amount, b: Amount) -> Amount {
            var sum = a
            sum += b
            return sum
        }
    }

    /// What a row is about.
    public enum Subject: Hashable, Sendable {
        /// The tuple as its near end sends it: from the client, as far as ports tell (the larger port is the client's).
        /// With the VNI where the tuple is the one inside VXLAN.
        case conversation(FlowTuple, vni: UInt32?)
        /// `sent` is from the host.
        case host(IPAddress)
        /// The service: the smaller port of each flow. `sent` is from that port.
        case port(IPProtocol, UInt16)
        case ipProtocol(IPProtocol)
        /// Frames that are not IP.
        case other(EtherType, IPProtocol?)
        case vni(UInt32)
        /// Frames outside of VXLAN.
        case noVNI
        /// Everything of one interface and direction.
        case point(Direction)
    }
}

/// What the rows of a view are about. The raw values are what a person types.
public enum FlowGrouping: String, Hashable, Sendable, CaseIterable {
    case conversation
    case host
    case port
    case `protocol`
    case vni
    case interface
}

/// Which tuple of a VXLAN flow a view takes its subjects from.
public enum TupleChoice: String, Hashable, Sendable, CaseIterable {
    /// The frame's own.
    case outer
    /// The one inside where there is one, otherwise the frame's own.
    case innermost
}
