import Flows
import NetworkTypes

/// Two ends that talk to each other: a five-tuple without a direction, in the network where its addresses are told apart.
public struct Conversation: Hashable, Sendable {
    /// What the caller tells equal addresses of different networks apart by; 0 where there is but one.
    public let network: UInt32
    /// The tunnel's identifier, for the packets inside a VXLAN.
    public let vni: UInt32?
    /// The lower end, by address and port, as the source. Ports are 0 where the protocol has none.
    public let tuple: FlowTuple

    /// nil for what is not IP, and for packets whose ports are not known.
    /// - Parameter tuple: in either direction.
    public init?(_ tuple: FlowTuple, vni: UInt32? = nil, network: UInt32 = 0) {
        guard let source = tuple.source, let destination = tuple.destination else { return nil }
        switch tuple.form {
        case .ports, .none, .icmp: break
        case .fragment, .truncated: return nil
        }
        let hasPorts = tuple.form == .ports
        let (from, to) = hasPorts ? (tuple.sourcePort, tuple.destinationPort) : (0, 0)
        let isLow = Self.isLower(source, from, than: destination, to)
        self.network = network
        self.vni = vni
        self.tuple = FlowTuple(
            source: isLow ? source : destination, destination: isLow ? destination : source, sourcePort: isLow ? from : to,
            destinationPort: isLow ? to : from, protocol: tuple.protocol, form: hasPorts ? .ports : .none, etherType: tuple.etherType)
    }

    /// The conversation that a flow is one direction of: the inner one when it is tunnelled.
    public init?(_ key: FlowKey, network: UInt32 = 0) { self.init(key.inner ?? key.outer, vni: key.vni, network: network) }

    /// Whether a packet with that tuple comes from the lower end.
    public func isFromLowerEnd(_ packet: FlowTuple) -> Bool {
        packet.source == tuple.source && (tuple.form != .ports || packet.sourcePort == tuple.sourcePort)
    }

    private static func isLower(_ a: IPAddress, _ aPort: UInt16, than b: IPAddress, _ bPort: UInt16) -> Bool {
        let (x, y) = (words(a), words(b))
        if x.0 != y.0 { return x.0 < y.0 }
        if x.1 != y.1 { return x.1 < y.1 }
        return aPort < bPort
    }

    private static func words(_ address: IPAddress) -> (UInt64, UInt64) {
        switch address {
        case .v4(let a): (0, UInt64(a))
        case .v6(let high, let low): (high, low)
        }
    }
}
