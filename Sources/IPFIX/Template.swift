import Flows
import NetworkTypes

/// Which fields a flow's record has. Each shape is a template of its own.
struct RecordShape: Hashable, CaseIterable {
    enum Network: Int, Hashable, CaseIterable { case ipv4, ipv6, other }
    var outer: Network
    /// nil: no tunnel.
    var inner: Network?

    static let allCases: [RecordShape] =
        Network.allCases.map { RecordShape(outer: $0, inner: nil) }
        + [.ipv4, .ipv6].flatMap { outer in Network.allCases.map { RecordShape(outer: outer, inner: $0) } }

    init(outer: Network, inner: Network?) {
        self.outer = outer
        self.inner = inner
    }

    init(_ key: FlowKey, tunnel: TunnelView) {
        func network(_ tuple: FlowTuple) -> Network {
            switch tuple.etherType {
            case .ipv4: .ipv4
            case .ipv6: .ipv6
            default: .other
            }
        }
        outer = network(key.outer)
        inner = tunnel == .both && outer != .other ? key.inner.map(network) : nil
    }

    /// Template identifiers begin at 256 (RFC 7011 section 3.4.1).
    var template: UInt16 {
        let place = inner.map { 3 + outer.rawValue * 3 + $0.rawValue } ?? outer.rawValue
        return UInt16(256 + place)
    }

    /// The order in which `MessageWriter.append(_:shape:)` writes. Where an element stands twice the first one is of the outer packet.
    var fields: [InformationElement] {
        var fields: [InformationElement] = [
            .flowStartMilliseconds, .flowEndMilliseconds, .packetDeltaCount, .layer2OctetDeltaCount, .observationPointId, .ingressInterface,
            .egressInterface, .flowDirection, .flowEndReason, .vlanId, .dot1qVlanId, .dot1qCustomerVlanId,
        ]
        if outer != .other {
            fields += [
                .octetDeltaCount, .minimumIpTotalLength, .maximumIpTotalLength, .ipClassOfService, .tcpControlBits, .minimumTTL,
                .maximumTTL,
            ]
        }
        fields += Self.tuple(outer)
        if let inner { fields += [.layer2SegmentId] + Self.tuple(inner) }
        return fields
    }

    static func tuple(_ network: Network) -> [InformationElement] {
        switch network {
        case .ipv4:
            [
                .sourceIPv4Address, .destinationIPv4Address, .sourceTransportPort, .destinationTransportPort, .protocolIdentifier,
                .icmpTypeCodeIPv4,
            ]
        case .ipv6:
            [
                .sourceIPv6Address, .destinationIPv6Address, .sourceTransportPort, .destinationTransportPort, .protocolIdentifier,
                .icmpTypeCodeIPv6,
            ]
        case .other: [.ethernetType]
        }
    }

    var length: Int { fields.reduce(0) { $0 + Int($1.length) } }
}

/// What becomes of a VXLAN flow on an underlay.
public enum TunnelView: Hashable, Sendable {
    /// The record has the outer tuple, then layer2SegmentId and the inner tuple: the same elements a second time.
    case both
    /// The record is that of the underlay's packet; for collectors that cannot tell elements that stand twice.
    case outer
}

/// Option templates: what the exporter says of itself.
enum OptionsShape: UInt16, CaseIterable {
    case statistics = 320
    case sampling = 321
    case interfaces = 322

    /// The first field is the scope.
    var fields: [InformationElement] {
        switch self {
        case .statistics:
            [
                .observationDomainId, .exportedMessageTotalCount, .exportedFlowRecordTotalCount, .exportedOctetTotalCount,
                .notSentFlowTotalCount, .notSentPacketTotalCount, .notSentOctetTotalCount, .ignoredPacketTotalCount,
                .ignoredOctetTotalCount,
            ]
        case .sampling: [.selectorId, .selectorAlgorithm, .samplingPacketInterval, .samplingPacketSpace]
        case .interfaces: [.observationPointId, .ingressInterface, .interfaceName]
        }
    }
}
