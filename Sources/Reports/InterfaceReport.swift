import NetworkTypes

/// One interface that is, or was, measured.
public struct InterfaceReport: Codable, Hashable, Sendable {
    public var name: String
    /// Nilometer's own number of it.
    public var id: UInt32
    public var index: UInt32
    /// Which network namespace: a name, the container or unit it belongs to, or its cookie; nil for the agent's own.
    public var namespace: String?
    /// `tcx` or `clsact`.
    public var attachment: String
    public var attachedAt: String
    /// When it vanished or was left; nil while it is measured.
    public var closedAt: String?
    public var ingress: LedgerReport
    public var egress: LedgerReport
    /// Per second over the last interval, wire counts; nil before the second reading.
    public var ingressBitsPerSecond: Double?
    public var egressBitsPerSecond: Double?
    public var ingressPacketsPerSecond: Double?
    public var egressPacketsPerSecond: Double?
    /// What the kernel dropped on this device since the agent started, by its own reasons; nil where the kernel cannot tell.
    public var drops: [Drop]?

    public struct Drop: Codable, Hashable, Sendable {
        /// A name of the kernel's `enum skb_drop_reason`.
        public var reason: String
        public var skbs: UInt64
        public init(reason: String, skbs: UInt64) {
            self.reason = reason
            self.skbs = skbs
        }
    }

    public init(
        name: String, id: InterfaceID, index: UInt32, namespace: String? = nil, attachment: String, attachedAt: Timestamp,
        closedAt: Timestamp? = nil, ingress: LedgerReport, egress: LedgerReport
    ) {
        self.name = name
        self.id = id.rawValue
        self.index = index
        self.namespace = namespace
        self.attachment = attachment
        self.attachedAt = attachedAt.description
        self.closedAt = closedAt?.description
        self.ingress = ingress
        self.egress = egress
    }
}

extension InterfaceReport {
    /// With its namespace where that is not the agent's own, as `blue:eth0`: what `nilo interfaces` takes.
    public var qualifiedName: String { namespacePrefix(namespace) + name }
}

/// The name under /run/netns in a namespace's owner as the agent tells it ("netns blue"); nil for a container, a unit or what is not known.
public func namespaceName(of owner: String) -> String? { owner.hasPrefix("netns ") ? String(owner.dropFirst(6)) : nil }

/// An owner before the name of an interface, as `blue:eth0`; nothing for the agent's own namespace.
public func namespacePrefix(_ owner: String?) -> String { owner.map { "\(namespaceName(of: $0) ?? $0):" } ?? "" }

/// An answer to a question for interfaces.
public struct InterfaceListReport: Codable, Hashable, Sendable {
    public var at: String
    public var intervalSeconds: Double
    public var interfaces: [InterfaceReport]

    public init(at: Timestamp, interval: Duration, interfaces: [InterfaceReport]) {
        self.at = at.description
        intervalSeconds = interval.seconds
        self.interfaces = interfaces
    }
}
