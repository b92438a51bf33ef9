/// What decides where a namespace's packets go and no snapshot tells, for it is in sysctls: `net.ipv4`, `net.ipv6` (ip-sysctl.rst).
///
/// Where nobody tells them, a namespace is supposed to forward and to have the kernel's defaults for the rest.
public struct NamespaceSettings: Sendable, Hashable {
    /// `net.ipv4.conf.X`, `net.ipv6.conf.X`, with what `all` adds to them.
    public struct Interface: Sendable, Hashable {
        /// `forwarding` of IPv4; nil: as the namespace.
        public var forwardsIPv4: Bool?
        /// `ignore_routes_with_linkdown`.
        public var ignoresIPv4RoutesWithLinkDown: Bool
        public var ignoresIPv6RoutesWithLinkDown: Bool
        /// `rp_filter`: 0 off, 1 strict, 2 loose.
        public var reversePathFilter: UInt8

        public init(
            forwardsIPv4: Bool? = nil, ignoresIPv4RoutesWithLinkDown: Bool = false, ignoresIPv6RoutesWithLinkDown: Bool = false,
            reversePathFilter: UInt8 = 0
        ) {
            self.forwardsIPv4 = forwardsIPv4
            self.ignoresIPv4RoutesWithLinkDown = ignoresIPv4RoutesWithLinkDown
            self.ignoresIPv6RoutesWithLinkDown = ignoresIPv6RoutesWithLinkDown
            self.reversePathFilter = reversePathFilter
        }
    }

    /// `net.ipv4.ip_forward`.
    public var forwardsIPv4: Bool
    /// `net.ipv6.conf.all.forwarding`.
    public var forwardsIPv6: Bool
    /// `net.ipv4.ip_default_ttl`.
    public var defaultTTL: Int
    /// `net.ipv6.conf.all.keep_addr_on_down` is positive.
    public var keepsIPv6AddressesOnDown: Bool
    /// `net.ipv4.conf.all.promote_secondaries`.
    public var promotesSecondaries: Bool
    /// By name.
    public var interfaces: [String: Interface]

    public init(
        forwardsIPv4: Bool = true, forwardsIPv6: Bool = true, defaultTTL: Int = 64, keepsIPv6AddressesOnDown: Bool = false,
        promotesSecondaries: Bool = false, interfaces: [String: Interface] = [:]
    ) {
        self.forwardsIPv4 = forwardsIPv4
        self.forwardsIPv6 = forwardsIPv6
        self.defaultTTL = defaultTTL
        self.keepsIPv6AddressesOnDown = keepsIPv6AddressesOnDown
        self.promotesSecondaries = promotesSecondaries
        self.interfaces = interfaces
    }
}
