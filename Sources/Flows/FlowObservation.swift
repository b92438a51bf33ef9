/// What a flow has done since it was last looked at, and what is known of it as a whole.
///
/// The observations of one flow on one CPU are made in the order of its packets.
public struct FlowObservation: Sendable {
    public var key: FlowKey
    /// Since the previous observation of the same flow in the same place.
    public var totals: Totals
    public var transport: TransportCounts
    /// Of the flow's whole stay in that place.
    public var traits: FlowTraits
    /// The first observation of this stay. When false and the flow is no longer in the table, its beginning was reported before.
    public var isNewStay: Bool
    /// The CPU whose part of the kernel's table the flow is in.
    public var cpu: UInt16
    /// What an earlier agent exported of `totals` before this one took over.
    public var exported = Totals()

    public init(key: FlowKey, totals: Totals, transport: TransportCounts, traits: FlowTraits, isNewStay: Bool, cpu: UInt16 = 0) {
        self.key = key
        self.totals = totals
        self.transport = transport
        self.traits = traits
        self.isNewStay = isNewStay
        self.cpu = cpu
    }
}
