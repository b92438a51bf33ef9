import NetworkTypes
import Topology

/// One supposed change of a network or of what is sent over it; the text form is ``ChangeParser``'s.
public enum Change: Sendable, Hashable {
    case setLink(LinkName, isUp: Bool)
    case setMTU(LinkName, Int)
    /// What the link can carry in each direction.
    case setCapacity(LinkName, BitRate)
    case setMaster(LinkName, String?)
    case addRoute(RouteText)
    case replaceRoute(RouteText)
    case deleteRoute(RouteText)
    case addRule(RuleText)
    case deleteRule(RuleText)
    case addAddress(LinkName, AddressText)
    case deleteAddress(LinkName, AddressText)
    case setForwarding(namespace: String?, isV4: Bool, Bool)
    case removeNode(String)
    case adjustDemands(DemandSelector, DemandAdjustment)
}

/// An interface as a person names it: `veth3`, or `router1:veth3` where several namespaces have one.
public struct LinkName: Sendable, Hashable, CustomStringConvertible {
    public var namespace: String?
    public var name: String

    public init(namespace: String? = nil, name: String) {
        self.namespace = namespace
        self.name = name
    }

    public var description: String { namespace.map { "\($0):\(name)" } ?? name }
}

/// A route as `ip route add` takes it: interfaces by name.
public struct RouteText: Sendable, Hashable {
    public struct Way: Sendable, Hashable {
        public var gateway: IPAddress?
        public var device: String?
        public var weight: UInt16

        public init(gateway: IPAddress? = nil, device: String? = nil, weight: UInt16 = 1) {
            self.gateway = gateway
            self.device = device
            self.weight = weight
        }
    }
    public var namespace: String?
    public var kind: RouteKind
    public var destination: IPPrefix
    public var source: IPPrefix?
    public var table: UInt32?
    public var metric: UInt32?
    public var tos: UInt8
    public var preferredSource: IPAddress?
    public var ways: [Way]
    public var nexthopObject: UInt32?
    /// The gateway is on the link though no address says so.
    public var isOnLink: Bool

    public init(destination: IPPrefix, namespace: String? = nil, kind: RouteKind = .unicast) {
        self.destination = destination
        self.namespace = namespace
        self.kind = kind
        source = nil
        table = nil
        metric = nil
        tos = 0
        preferredSource = nil
        ways = []
        nexthopObject = nil
        isOnLink = false
    }
}

/// A rule as `ip rule add` takes it.
public struct RuleText: Sendable, Hashable {
    public var namespace: String?
    /// Its priority is 0 where none was given.
    public var rule: RoutingRule
    /// Given in the text; else the kernel picks the one before the lowest.
    public var hasPriority: Bool
    /// Nothing in the text told IPv4 from IPv6.
    public var familyIsGuessed: Bool

    public init(namespace: String? = nil, rule: RoutingRule, hasPriority: Bool = true, familyIsGuessed: Bool = false) {
        self.namespace = namespace
        self.rule = rule
        self.hasPriority = hasPriority
        self.familyIsGuessed = familyIsGuessed
    }
}

/// An address with the length of its network: `10.0.0.1/24`.
public struct AddressText: Sendable, Hashable {
    public var address: IPAddress
    public var prefixLength: Int

    public init(address: IPAddress, prefixLength: Int) {
        self.address = address
        self.prefixLength = prefixLength
    }
}

/// Why a change cannot be made: the kernel would refuse it too, or a name is not known.
public enum ChangeRefusal: Error, Sendable, Hashable {
    case unknownNode(String, suggestion: String?)
    case unknownLink(String, suggestion: String?)
    /// No traffic that is measured is of it.
    case unknownApplication(String, suggestion: String?)
    /// The name is that of links in several namespaces.
    case ambiguousLink(String, candidates: [String])
    /// The namespace has to be named where there are several.
    case namespaceMissing
    /// EEXIST.
    case exists(String)
    /// ESRCH, EADDRNOTAVAIL.
    case notFound(String)
    /// ENETDOWN.
    case linkDown(String)
    /// ENETUNREACH, EINVAL: no link leads to the gateway.
    case gatewayUnreachable(String)
    /// Other reasons, in words.
    case refused(String)
}

extension ChangeRefusal: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unknownNode(let name, let suggestion): "no node “\(name)”" + Self.hint(suggestion)
        case .unknownLink(let name, let suggestion): "no interface “\(name)”" + Self.hint(suggestion)
        case .unknownApplication(let name, let suggestion): "no traffic of the application “\(name)”" + Self.hint(suggestion)
        case .ambiguousLink(let name, let candidates): "“\(name)” is an interface of several nodes: \(candidates.joined(separator: ", "))"
        case .namespaceMissing: "several nodes are known: say which with “in NODE”"
        case .exists(let what): "\(what): exists already"
        case .notFound(let what): "\(what): there is no such"
        case .linkDown(let name): "\(name): the link is down"
        case .gatewayUnreachable(let gateway): "\(gateway): no link leads to this gateway"
        case .refused(let reason): reason
        }
    }

    private static func hint(_ suggestion: String?) -> String { suggestion.map { " (did you mean “\($0)”?)" } ?? "" }
}

/// What a change brought with it, in the order in which the kernel does it.
public enum Consequence: Sendable, Hashable {
    case linkUp(LinkPlace)
    case linkDown(LinkPlace)
    case carrierGained(LinkPlace)
    case carrierLost(LinkPlace)
    case linkRemoved(LinkPlace, name: String)
    case routeAdded(namespace: String, Route)
    case routeRemoved(namespace: String, Route)
    /// Some nexthops are dead now, or alive again.
    case routeChanged(namespace: String, Route)
    case addressAdded(namespace: String, InterfaceAddress)
    case addressRemoved(namespace: String, InterfaceAddress)
    case nexthopObjectRemoved(namespace: String, UInt32)
    case neighbourRemoved(namespace: String, Neighbour)
    case forwardingEntryRemoved(namespace: String, ForwardingEntry)
    case nodeRemoved(String)
}
