import NetworkTypes

/// A rule of the routing policy database (RTM_NEWRULE, ip-rule(8)): one line of `ip rule show`. Lowest priority number first.
public struct RoutingRule: Sendable, Hashable {
    public enum Family: UInt8, Sendable, Hashable, CaseIterable {
        case ipv4 = 2
        case ipv6 = 10
    }
    /// What happens to a packet that matches (FR_ACT_*).
    public enum Action: UInt8, Sendable, Hashable, CaseIterable {
        case table = 1
        case goto = 2
        case nothing = 3
        case blackhole = 6
        case unreachable = 7
        case prohibit = 8
    }
    public var family: Family
    public var priority: UInt32
    public var action: Action
    /// For ``Action/table``.
    public var table: UInt32
    /// For ``Action/goto``: a priority.
    public var target: UInt32?
    /// `not`: the rule matches what its selectors do not.
    public var isInverted: Bool
    public var source: IPPrefix?
    public var destination: IPPrefix?
    public var tos: UInt8
    public var mark: UInt32
    /// Zero: the mark is not looked at.
    public var markMask: UInt32
    /// Names, for the interface need not exist.
    public var inputInterface: String?
    public var outputInterface: String?
    public var transport: IPProtocol?
    public var sourcePorts: ClosedRange<UInt16>?
    public var destinationPorts: ClosedRange<UInt16>?
    public var users: ClosedRange<UInt32>?
    /// `l3mdev`: the table is that of the packet's VRF.
    public var followsVRF: Bool
    /// `suppress_prefixlength`: routes found with a prefix this long or shorter do not count; -1 for none.
    public var suppressedLength: Int32
    /// Who made it (RTPROT_*).
    public var origin: UInt8
    /// It also looks at something that is not told here (a DSCP, a flow label, a tunnel's key, …): whether a packet matches is unknown.
    public var hasOtherSelectors: Bool

    public init(family: Family, priority: UInt32, action: Action = .table, table: UInt32 = 0) {
        self.family = family
        self.priority = priority
        self.action = action
        self.table = table
        target = nil
        isInverted = false
        source = nil
        destination = nil
        tos = 0
        mark = 0
        markMask = 0
        inputInterface = nil
        outputInterface = nil
        transport = nil
        sourcePorts = nil
        destinationPorts = nil
        users = nil
        followsVRF = false
        suppressedLength = -1
        origin = 0
        hasOtherSelectors = false
    }
}
