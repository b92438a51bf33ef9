import NetworkTypes
import Topology

/// Everything that decides where packets go: network namespaces with their links, addresses, routes and rules.
///
/// A value: what-if questions change a copy. Facts are those that netlink dumps; their order within a namespace is the dump's, which
/// for equal routes and for addresses is the order in which the kernel looks at them.
public struct NetworkState: Sendable, Hashable {
    /// By name. Names are the caller's: unique, and without `:`.
    public var namespaces: [String: NamespaceState]

    public init(namespaces: [String: NamespaceState] = [:]) { self.namespaces = namespaces }

    public init(_ namespaces: [NamespaceState]) {
        self.namespaces = Dictionary(namespaces.map { ($0.name, $0) }, uniquingKeysWith: { _, last in last })
    }

    public func link(_ place: LinkPlace) -> LinkState? { namespaces[place.namespace]?.links[place.interface] }

    mutating func update(_ place: LinkPlace, _ change: (inout LinkState) -> Void) {
        guard var link = namespaces[place.namespace]?.links[place.interface] else { return }
        change(&link)
        namespaces[place.namespace]?.links[place.interface] = link
    }

    /// `NAMESPACE:NAME`, or the number where there is no such link.
    public func text(of place: LinkPlace) -> String { "\(place.namespace):\(link(place)?.name ?? String(place.interface))" }
}

/// An interface of a namespace: numbers are unique only within one.
public struct LinkPlace: Sendable, Hashable, Comparable {
    public var namespace: String
    public var interface: Int32

    public init(namespace: String, interface: Int32) {
        self.namespace = namespace
        self.interface = interface
    }

    public static func < (a: LinkPlace, b: LinkPlace) -> Bool { (a.namespace, a.interface) < (b.namespace, b.interface) }
}

/// One network namespace, as netlink shows it.
public struct NamespaceState: Sendable, Hashable {
    public var name: String
    /// By number.
    public var links: [Int32: LinkState]
    /// In the order of `ip address show`.
    public var addresses: [InterfaceAddress]
    /// Of all tables, in the order of `ip route show table all`.
    public var routes: [Route]
    /// Of both families.
    public var rules: [RoutingRule]
    public var nexthopObjects: [UInt32: NexthopObject]
    public var neighbours: [Neighbour]
    public var forwardingEntries: [ForwardingEntry]
    /// `net.ipv4.ip_forward`, for interfaces that say nothing else.
    public var forwardsIPv4: Bool
    /// `net.ipv6.conf.all.forwarding`.
    public var forwardsIPv6: Bool
    /// `net.ipv4.ip_default_ttl`, `net.ipv6.conf.all.hop_limit`.
    public var defaultTTL: Int
    /// `net.ipv6.conf.all.keep_addr_on_down` is positive.
    public var keepsIPv6AddressesOnDown: Bool
    /// `net.ipv4.conf.X.promote_secondaries`: a secondary address takes the place of a primary one that is deleted.
    public var promotesSecondaries: Bool
    /// Whether the kernel still holds the IPv4 tables local and main in one trie, as it does until the first rule is made or deleted
    /// (fib_unmerge in net/ipv4/fib_trie.c). Then a longer prefix in main beats a shorter one in local. Netlink does not show it; nil:
    /// taken to be so while the rules are the three that every namespace is born with.
    public var mergesLocalTable: Bool?

    public init(name: String, links: [LinkState] = [], forwardsIPv4: Bool = false, forwardsIPv6: Bool = false) {
        self.name = name
        self.links = Dictionary(links.map { ($0.index, $0) }, uniquingKeysWith: { _, last in last })
        addresses = []
        routes = []
        rules = RoutingRule.initial
        nexthopObjects = [:]
        neighbours = []
        forwardingEntries = []
        self.forwardsIPv4 = forwardsIPv4
        self.forwardsIPv6 = forwardsIPv6
        defaultTTL = 64
        keepsIPv6AddressesOnDown = false
        promotesSecondaries = false
        mergesLocalTable = nil
    }

    public func link(named name: String) -> LinkState? { links.values.first { $0.name == name } }

    /// Of what holds the interfaces of a VRF together: the master, if that is one.
    func vrf(of interface: Int32) -> LinkState? {
        guard let link = links[interface] else { return nil }
        if case .vrf = link.kind { return link }
        guard let master = link.master.flatMap({ links[$0] }), case .vrf = master.kind else { return nil }
        return master
    }
}

extension RoutingRule {
    /// What a namespace starts with: local, main and (IPv4 only) default.
    public static let initial: [RoutingRule] = [
        RoutingRule(family: .ipv4, priority: 0, table: 255), RoutingRule(family: .ipv4, priority: 32766, table: 254),
        RoutingRule(family: .ipv4, priority: 32767, table: 253), RoutingRule(family: .ipv6, priority: 0, table: 255),
        RoutingRule(family: .ipv6, priority: 32766, table: 254),
    ]
}

extension IPAddress {
    var family: RoutingRule.Family { isV4 ? .ipv4 : .ipv6 }
}
