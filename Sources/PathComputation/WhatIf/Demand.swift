import NetworkTypes

/// Traffic from one place to another, measured or supposed.
public struct Demand: Sendable, Hashable {
    /// Where it starts.
    public var namespace: String
    /// Addresses, ports and mean size of its packets.
    public var packet: Packet
    /// Of IP packets, from the IP header on. What each link adds (frames, tunnels) is worked out from the size of the packets.
    public var rate: BitRate
    public var application: String?
    public var network: String?

    public init(namespace: String, packet: Packet, rate: BitRate, application: String? = nil, network: String? = nil) {
        self.namespace = namespace
        self.packet = packet
        self.rate = rate
        self.application = application
        self.network = network
    }
}

/// Which demands a change is about: all of what is given has to fit; nothing given: all.
public struct DemandSelector: Sendable, Hashable {
    public var application: String?
    public var network: String?
    public var node: String?
    public var source: IPPrefix?
    public var destination: IPPrefix?
    public var transport: IPProtocol?
    /// Source or destination port.
    public var port: UInt16?

    public init() {}

    public func selects(_ demand: Demand) -> Bool {
        let packet = demand.packet
        if let application, application != demand.application { return false }
        if let network, network != demand.network { return false }
        if let node, node != demand.namespace { return false }
        if let source, !(packet.source.map { source.contains($0) } ?? false) { return false }
        if let destination, !destination.contains(packet.destination) { return false }
        if let transport, transport != packet.transport { return false }
        if let port, port != packet.sourcePort, port != packet.destinationPort { return false }
        return true
    }
}

/// What happens to the rate of the selected demands together.
public enum DemandAdjustment: Sendable, Hashable {
    case scale(Double)
    /// The sum grows by this (or shrinks), spread in proportion to what there is.
    case add(bitsPerSecond: Double)
    /// The sum becomes this.
    case set(BitRate)
}

extension Array where Element == Demand {
    /// The demands after an adjustment, and how many were selected.
    public func adjusted(_ selector: DemandSelector, _ adjustment: DemandAdjustment) -> (demands: [Demand], selected: Int) {
        let positions = indices.filter { selector.selects(self[$0]) }
        let total = positions.reduce(0) { $0 + self[$1].rate.bitsPerSecond }
        var result = self
        for position in positions {
            let now = self[position].rate.bitsPerSecond
            let part = total > 0 ? now / total : 1 / Double(positions.count)
            let new: Double =
                switch adjustment {
                case .scale(let factor): now * factor
                case .add(let bits): now + bits * part
                case .set(let rate): rate.bitsPerSecond * part
                }
            result[position].rate = BitRate(bitsPerSecond: Swift.max(0, new))
        }
        return (result, positions.count)
    }
}
