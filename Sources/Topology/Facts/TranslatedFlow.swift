import NetworkTypes

/// A flow whose addresses or ports are translated (NAT), with both of its sides: a line of `conntrack --dump --any-nat`.
public struct TranslatedFlow: Sendable, Hashable {
    /// One direction of a flow, as a packet of it looks.
    public struct Direction: Sendable, Hashable {
        public var source: IPAddress
        public var destination: IPAddress
        /// 0 where the protocol has no ports.
        public var sourcePort: UInt16
        public var destinationPort: UInt16

        public init(source: IPAddress, destination: IPAddress, sourcePort: UInt16 = 0, destinationPort: UInt16 = 0) {
            self.source = source
            self.destination = destination
            self.sourcePort = sourcePort
            self.destinationPort = destinationPort
        }
    }

    public var transport: IPProtocol
    /// Packets of the side that began, before they are translated.
    public var original: Direction
    /// Packets of the answering side, before they are translated back. On the far side the flow's packets run from this one's destination to
    /// its source.
    public var reply: Direction
    /// The original direction's source is changed (SNAT, masquerading).
    public var isSourceTranslated: Bool
    /// The original direction's destination is changed (DNAT, redirection).
    public var isDestinationTranslated: Bool
    /// Tells apart flows of the same addresses (CTA_ZONE); 0 where there are no zones.
    public var zone: UInt16

    public init(
        transport: IPProtocol, original: Direction, reply: Direction, isSourceTranslated: Bool, isDestinationTranslated: Bool,
        zone: UInt16 = 0
    ) {
        self.transport = transport
        self.original = original
        self.reply = reply
        self.isSourceTranslated = isSourceTranslated
        self.isDestinationTranslated = isDestinationTranslated
        self.zone = zone
    }
}
