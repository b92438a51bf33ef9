import NetworkTypes
import Topology

/// What a route is looked up for: the arguments of `ip route get` (struct flowi4 and flowi6 in the kernel).
public struct RouteQuery: Sendable, Hashable {
    public var destination: IPAddress
    /// nil: a socket without an address of its own asks.
    public var source: IPAddress?
    /// The packet came in here and is to be forwarded or delivered; nil: it is made in the namespace.
    public var inputInterface: Int32?
    /// The socket is bound to this interface.
    public var outputInterface: Int32?
    public var mark: UInt32
    /// DSCP and ECN field.
    public var tos: UInt8
    public var transport: IPProtocol?
    public var sourcePort: UInt16
    public var destinationPort: UInt16
    /// Of the socket.
    public var user: UInt32

    public init(
        destination: IPAddress, source: IPAddress? = nil, inputInterface: Int32? = nil, outputInterface: Int32? = nil, mark: UInt32 = 0,
        tos: UInt8 = 0, transport: IPProtocol? = nil, sourcePort: UInt16 = 0, destinationPort: UInt16 = 0, user: UInt32 = 0
    ) {
        self.destination = destination
        self.source = source
        self.inputInterface = inputInterface
        self.outputInterface = outputInterface
        self.mark = mark
        self.tos = tos
        self.transport = transport
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
        self.user = user
    }

    var isV4: Bool { destination.isV4 }
}

/// Where a packet goes, or would go: what `ip route get` prints.
public struct RouteDecision: Sendable, Hashable {
    /// Unicast, local, broadcast or multicast.
    public var kind: RouteKind
    /// nil where no route matched but the socket is bound to an interface: then IPv4 takes the destination to be on that link.
    public var route: Route?
    /// The priority of the rule that led to the table; nil where the kernel looked without rules.
    public var rule: UInt32?
    /// At least one. Several: which one a flow takes depends on a hash with a secret seed (fib_multipath_hash, net/ipv4/route.c), so a
    /// share is the fraction of *many* flows that is expected there, not a prediction for one.
    public var choices: [RouteChoice]

    public var isSplit: Bool { choices.count > 1 }
}

/// One way on of a decision.
public struct RouteChoice: Sendable, Hashable {
    /// For what is delivered in the namespace itself: the loopback interface.
    public var interface: Int32
    public var gateway: IPAddress?
    /// What a socket without an address gets, else the query's source. nil: the namespace has none to give.
    public var source: IPAddress?
    /// 0...1; all of a decision sum to 1.
    public var share: Double
}

/// Why there is no way: the error that the kernel returns for the look-up.
public enum LookupFailure: Error, Sendable, Hashable {
    /// ENETUNREACH: no route, or a rule of kind `unreachable`.
    case noRoute
    /// EHOSTUNREACH: a route of kind `unreachable`.
    case unreachable
    /// EACCES: a route or rule of kind `prohibit`.
    case prohibited
    /// EINVAL: a route or rule of kind `blackhole`.
    case blackhole
    /// EINVAL: the source is not an address of the namespace.
    case sourceNotLocal
    /// EINVAL: source or destination cannot come in from outside (RFC 1812, 5.3.7).
    case martian
    /// EINVAL (EXDEV before Linux 6.13): the reverse path filter (RFC 3704).
    case reversePath
    /// EHOSTUNREACH: the interface does not forward.
    case notForwarding
    /// ENODEV: there is no such interface.
    case noInterface
    /// ENETUNREACH: the interface that the socket is bound to is down.
    case interfaceDown

    /// errno(3) of `ip route get`.
    public var errorNumber: Int32 {
        switch self {
        case .noRoute, .interfaceDown: 101
        case .unreachable, .notForwarding: 113
        case .prohibited: 13
        case .blackhole, .sourceNotLocal, .martian, .reversePath: 22
        case .noInterface: 19
        }
    }
}
