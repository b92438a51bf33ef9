/// An information element with the length it is sent with (IANA "IPFIX Information Elements"; RFC 7012).
///
/// Numbers may be sent shorter than their type (reduced-size encoding, RFC 7011 section 6.2).
struct InformationElement: Hashable {
    var number: UInt16
    var length: UInt16

    init(_ number: UInt16, _ length: UInt16) {
        self.number = number
        self.length = length
    }

    /// The length of a template field whose records carry their own (RFC 7011 section 7).
    static let variable: UInt16 = 65_535

    static let octetDeltaCount = InformationElement(1, 8)
    static let packetDeltaCount = InformationElement(2, 8)
    static let protocolIdentifier = InformationElement(4, 1)
    static let ipClassOfService = InformationElement(5, 1)
    /// Both bytes of the header (RFC 7125).
    static let tcpControlBits = InformationElement(6, 2)
    static let sourceTransportPort = InformationElement(7, 2)
    static let sourceIPv4Address = InformationElement(8, 4)
    static let ingressInterface = InformationElement(10, 4)
    static let destinationTransportPort = InformationElement(11, 2)
    static let destinationIPv4Address = InformationElement(12, 4)
    static let egressInterface = InformationElement(14, 4)
    static let minimumIpTotalLength = InformationElement(25, 4)
    static let maximumIpTotalLength = InformationElement(26, 4)
    static let sourceIPv6Address = InformationElement(27, 16)
    static let destinationIPv6Address = InformationElement(28, 16)
    static let icmpTypeCodeIPv4 = InformationElement(32, 2)
    static let exportedOctetTotalCount = InformationElement(40, 8)
    static let exportedMessageTotalCount = InformationElement(41, 8)
    static let exportedFlowRecordTotalCount = InformationElement(42, 8)
    static let minimumTTL = InformationElement(52, 1)
    static let maximumTTL = InformationElement(53, 1)
    static let vlanId = InformationElement(58, 2)
    static let flowDirection = InformationElement(61, 1)
    static let interfaceName = InformationElement(82, variable)
    static let flowEndReason = InformationElement(136, 1)
    static let observationPointId = InformationElement(138, 8)
    static let icmpTypeCodeIPv6 = InformationElement(139, 2)
    static let observationDomainId = InformationElement(149, 4)
    static let flowStartMilliseconds = InformationElement(152, 8)
    static let flowEndMilliseconds = InformationElement(153, 8)
    static let ignoredPacketTotalCount = InformationElement(164, 8)
    static let ignoredOctetTotalCount = InformationElement(165, 8)
    static let notSentFlowTotalCount = InformationElement(166, 8)
    static let notSentPacketTotalCount = InformationElement(167, 8)
    static let notSentOctetTotalCount = InformationElement(168, 8)
    static let dot1qVlanId = InformationElement(243, 2)
    static let dot1qCustomerVlanId = InformationElement(245, 2)
    static let ethernetType = InformationElement(256, 2)
    static let selectorId = InformationElement(302, 8)
    static let selectorAlgorithm = InformationElement(304, 2)
    static let samplingPacketInterval = InformationElement(305, 4)
    static let samplingPacketSpace = InformationElement(306, 4)
    /// Type 1 (VXLAN) in the highest byte, the VNI in the lowest three.
    static let layer2SegmentId = InformationElement(351, 8)
    static let layer2OctetDeltaCount = InformationElement(352, 8)
}
