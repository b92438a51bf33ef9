import Flows
import NetworkTypes

/// Traffic from one place to another, measured or supposed.
public struct Demand: Sendable, Hashable {
    /// Where it starts, or where it comes in.
    public var namespace: String
    /// The interface at which its packets come in from beyond the known network; nil: a socket of the namespace sends them.
    public var entry: LinkPlace?
    /// Addresses, ports and mean size of its packets.
    public var packet: Packet
    /// Of IP packets, from the IP header on. What each link adds (frames, tunnels) is worked out from the size of the packets.
    public var rate: BitRate
    public var application: String?
    /// Those that its ends are in, as keys say them (`vni/100`, `net/blue`).
    public var networks: Set<String>

    public init(
        namespace: String, entry: LinkPlace? = nil, packet: Packet, rate: BitRate, application: String? = nil,
        networks: Set<String> = []
    ) {
        self.namespace = namespace
        self.entry = entry
        self.packet = packet
        self.rate = rate
        self.application = application
        self.networks = networks
    }
}

/// Which demands a change is about: all of what is given has to fit; nothing given: all.
public struct DemandSelector: Sendable, Hashable {
    /// By nDPI's name, in whatever case.
    public var application: String?
    /// A network's key, or the last part of it: `vni/100`, `100`, `blue`.
    public var network: String?
    /// Where the packets start.
    public var node: String?
    public var source: IPPrefix?
    public var destination: IPPrefix?
    /// Either of the two: both directions of what an endpoint says and hears.
    public var endpoint: IPPrefix?
    public var transport: IPProtocol?
    /// Source or destination port.
    public var port: UInt16?
    /// Of addresses, ports and protocols: see ``FlowFilter/Expression/isOfPackets``.
    public var filter: FlowFilter?

    public init() {}

    public func selects(_ demand: Demand) -> Bool {
        let packet = demand.packet
        func isFrom(_ prefix: IPPrefix) -> Bool { packet.source.map { prefix.contains($0) } ?? false }
        if let application, application.lowercased() != demand.application?.lowercased() { return false }
        if let network, !demand.networks.contains(where: { $0 == network || $0.hasSuffix("/" + network) }) { return false }
        if let node, node != demand.namespace { return false }
        if let source, !isFrom(source) { return false }
        if let destination, !destination.contains(packet.destination) { return false }
        if let endpoint, !isFrom(endpoint), !endpoint.contains(packet.destination) { return false }
        if let transport, transport != packet.transport { return false }
        if let port, port != packet.sourcePort, port != packet.destinationPort { return false }
        return filter?.matches(packet) ?? true
    }
}

extension FlowFilter {
    /// Whether it holds for such packets. Ports of clients are not known: they are 0.
    func matches(_ packet: Packet) -> Bool {
        let hasPorts = [IPProtocol.tcp, .udp, .sctp].contains(packet.transport)
        let tuple = FlowTuple(
            source: packet.source, destination: packet.destination, sourcePort: packet.sourcePort, destinationPort: packet.destinationPort,
            protocol: packet.transport, form: hasPorts ? .ports : .none, etherType: packet.destination.isV4 ? .ipv4 : .ipv6)
        let never = Timestamp(nanoseconds: 0)
        let record = FlowRecord(
            key: FlowKey(outer: tuple, interface: InterfaceID(rawValue: 0), direction: .egress), totals: Totals(),
            transport: TransportCounts(), traits: FlowTraits(first: never, last: never))
        return matches(record, interfaceName: { _ in nil })
    }
}

extension FlowFilter.Expression {
    /// Whether it is about addresses, ports and protocols alone: what is known of a demand.
    var isOfPackets: Bool {
        switch self {
        case .all(let parts), .any(let parts): parts.allSatisfy(\.isOfPackets)
        case .not(let part): part.isOfPackets
        case .packet(.netSet), .layer, .record: false
        case .packet: true
        }
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
