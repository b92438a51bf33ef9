/// One flow as the collector last saw it. Immutable once published.
public struct FlowRecord: Sendable, Hashable {
    public var key: FlowKey
    public var totals: Totals
    public var transport: TransportCounts
    public var traits: FlowTraits

    public init(key: FlowKey, totals: Totals, transport: TransportCounts, traits: FlowTraits) {
        self.key = key
        self.totals = totals
        self.transport = transport
        self.traits = traits
    }
}
