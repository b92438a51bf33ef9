import NetworkTypes

/// What a node of the topology is called: stable over restarts, the same from whichever observation it is known.
public enum NodeKey: Sendable, Hashable {
    case host(String)
    case namespace(NamespaceKey)
    case interface(NamespaceKey, String)
    indirect case route(NamespaceKey, RouteIdentity)
    indirect case rule(NamespaceKey, RuleIdentity)
    /// The security rules in force in a namespace (nftables), as text.
    case security(NamespaceKey)
    case network(NetworkKey)
    /// An address in a network.
    case endpoint(NetworkKey, IPAddress)
    /// Addresses that were folded into one node.
    case prefix(NetworkKey, IPPrefix)
    /// A link-layer address of which no IP address is known.
    case station(NetworkKey, MACAddress)
    /// A port with servers behind it. Not of one server: those are the endpoints that ``LinkKind/serves`` links lead from.
    case service(NetworkKey, IPProtocol, UInt16)
    case application(String)
    case zone(String)

    /// What the node is part of; every node but hosts, networks, applications and zones is.
    public var parent: NodeKey? {
        switch self {
        case .host, .network, .application, .zone: nil
        case .namespace(let key): .host(key.host)
        case .interface(let key, _), .route(let key, _), .rule(let key, _), .security(let key): .namespace(key)
        case .endpoint(let key, _), .prefix(let key, _), .station(let key, _), .service(let key, _, _): .network(key)
        }
    }

    public var kind: NodeKind {
        switch self {
        case .host: .host
        case .namespace: .namespace
        case .interface: .interface
        case .route: .route
        case .rule: .rule
        case .security: .security
        case .network: .network
        case .endpoint: .endpoint
        case .prefix: .prefix
        case .station: .station
        case .service: .service
        case .application: .application
        case .zone: .zone
        }
    }
}

public enum NodeKind: UInt8, Sendable, Hashable, CaseIterable {
    case host = 1
    case namespace = 2
    case interface = 3
    case route = 4
    case rule = 5
    case security = 6
    case network = 7
    case endpoint = 8
    case prefix = 9
    case station = 10
    case service = 11
    case application = 12
    case zone = 13
}

/// What makes a route of a namespace this one and no other (the kernel's own notion: fib_table_insert, ip6_fib): the rest may change.
public struct RouteIdentity: Sendable, Hashable {
    public var table: UInt32
    public var destination: IPPrefix
    public var source: IPPrefix?
    public var tos: UInt8
    public var metric: UInt32
    /// Of IPv6 routes onto a link, of which each interface may have one; empty for all others.
    public var interface: String
    /// See ``Route/sibling``.
    public var sibling: UInt32

    public init(
        table: UInt32, destination: IPPrefix, source: IPPrefix? = nil, tos: UInt8 = 0, metric: UInt32 = 0, interface: String = "",
        sibling: UInt32 = 0
    ) {
        self.table = table
        self.destination = destination
        self.source = source
        self.tos = tos
        self.metric = metric
        self.interface = interface
        self.sibling = sibling
    }
}

extension Route {
    /// - Parameter interface: the name of ``linkInterface``.
    public func identity(interface: String = "") -> RouteIdentity {
        RouteIdentity(
            table: table, destination: destination, source: source, tos: tos, metric: metric, interface: interface, sibling: sibling)
    }
}

/// A routing rule is its own identity: a change of anything is another rule. The digest stands for all that the text does not show.
public struct RuleIdentity: Sendable, Hashable {
    public var family: RoutingRule.Family
    public var priority: UInt32
    public var digest: UInt64

    public init(family: RoutingRule.Family, priority: UInt32, digest: UInt64) {
        self.family = family
        self.priority = priority
        self.digest = digest
    }
}
