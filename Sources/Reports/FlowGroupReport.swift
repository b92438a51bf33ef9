import Flows
import NetworkTypes

/// One row of a view: the flows of one subject on one interface.
public struct FlowGroupReport: Codable, Hashable, Sendable {
    /// What the row is about, by kind; only the members of its kind are there.
    public var host: String?
    /// Of a conversation, as its near end (the client, as far as ports tell) sends it.
    public var conversation: TupleReport?
    public var vni: UInt32?
    /// With `port`: the transport.
    public var `protocol`: String?
    public var port: UInt16?
    /// What is not IP, or has no port where a port was asked for.
    public var etherType: String?
    public var interface: String
    public var interfaceID: UInt32
    /// What the interface's namespace belongs to; absent for the agent's own.
    public var namespace: String?
    /// Which of the interface's two points the numbers come from; each flow counts at one of them only.
    public var points: [String]
    /// From the subject's near end and to it; without such an end all is in `sent`.
    public var sent: TotalsReport
    public var received: TotalsReport
    /// Per second over the last interval, wire bytes; nil before the second reading.
    public var sentBitsPerSecond: Double?
    public var receivedBitsPerSecond: Double?
    public var flows: Int
    public var retransmitted: UInt64
    /// The longest among the flows.
    public var handshakeMicroseconds: UInt32?
    public var first: String
    public var last: String

    public init(_ group: FlowGroup, interface: String, namespace: String? = nil, interval: Duration) {
        self.interface = interface
        self.namespace = namespace
        interfaceID = group.interface.rawValue
        points = group.points.sorted().map(\.direction.name)
        sent = TotalsReport(group.sent.totals)
        received = TotalsReport(group.received.totals)
        if interval > .zero {
            sentBitsPerSecond = BitRate(bytes: group.sent.change.wireBytes, over: interval).bitsPerSecond
            receivedBitsPerSecond = BitRate(bytes: group.received.change.wireBytes, over: interval).bitsPerSecond
        }
        flows = group.flows
        retransmitted = group.total.transport.retransmitted
        handshakeMicroseconds = group.handshakeMicroseconds == 0 ? nil : group.handshakeMicroseconds
        first = group.first.description
        last = group.last.description
        switch group.subject {
        case .conversation(let tuple, let vni):
            conversation = TupleReport(tuple)
            self.vni = vni
        case .host(let address): host = address.description
        case .port(let transport, let number):
            self.protocol = transport.description
            port = number
        case .ipProtocol(let number): self.protocol = number.description
        case .other(let type, let number):
            etherType = type.description
            self.protocol = number?.description
        case .vni(let number): vni = number
        case .noVNI, .point: break
        }
    }
}

/// An answer to a question for a view.
public struct FlowGroupListReport: Codable, Hashable, Sendable {
    public var at: String
    public var intervalSeconds: Double
    public var filter: String
    /// `FlowGrouping`.
    public var by: String
    /// `TupleChoice`.
    public var tuple: String
    public var sort: String
    /// Rows there are, of which `groups` are the first.
    public var rows: Int
    public var groups: [FlowGroupReport]

    public init(
        at: Timestamp, interval: Duration, filter: FlowFilter, by grouping: FlowGrouping, tuple: TupleChoice, order: FlowOrder, rows: Int,
        groups: [FlowGroupReport]
    ) {
        self.at = at.description
        intervalSeconds = interval.seconds
        self.filter = filter.description
        by = grouping.rawValue
        self.tuple = tuple.rawValue
        sort = order.measure.rawValue
        self.rows = rows
        self.groups = groups
    }
}
