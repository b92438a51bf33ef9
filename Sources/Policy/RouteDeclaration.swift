import NetworkTypes

/// Traffic to a prefix that may go over several paths: over the first, and over the next ones too before it fills.
public struct RouteDeclaration: Hashable, Sendable {
    /// A way to the prefix, over an interface of the agent's own namespace.
    public struct Path: Hashable, Sendable {
        /// nil: what is at the other end of the interface takes the packets (a tunnel, a point-to-point link).
        public var gateway: IPAddress?
        public var interface: String

        public init(gateway: IPAddress? = nil, interface: String) {
            self.gateway = gateway
            self.interface = interface
        }
    }

    public var name: String
    public var destination: IPPrefix
    /// By preference, two at least.
    public var paths: [Path]
    /// How far a path is to be filled, as a share of its link's capacity.
    public var below: Double
    /// The share of possible futures in which that is to hold, 0.5 … 0.95.
    public var quantile: Double
    /// How far ahead is looked.
    public var lead: Duration
    /// Where not all routes fit their first paths, the less critical ones make room: 0 (first) to 100.
    public var criticality: Int
    /// The most that is moved within one interval, as a share of the route's traffic.
    public var change: Double
    /// Traffic comes back only after there was room for so long.
    public var hold: Duration
    /// Times of day at which nothing is moved.
    public var freeze: [DailyWindow]

    public init(
        name: String, destination: IPPrefix, paths: [Path], below: Double = 0.8, quantile: Double = 0.9, lead: Duration = .seconds(600),
        criticality: Int = 50, change: Double = 0.25, hold: Duration = .seconds(900), freeze: [DailyWindow] = []
    ) {
        self.name = name
        self.destination = destination
        self.paths = paths
        self.below = below
        self.quantile = quantile
        self.lead = lead
        self.criticality = criticality
        self.change = change
        self.hold = hold
        self.freeze = freeze
    }
}
