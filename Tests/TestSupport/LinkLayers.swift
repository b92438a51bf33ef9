/// Ethernet II, or 802.3 with a length when an LLC header is inside.
public struct EthernetHeader: PacketLayer {
    public var source: [UInt8]
    public var destination: [UInt8]
    /// Set to announce something else than what is inside.
    public var type: UInt16?

    /// By default from the pair's host a to its host b.
    public init(from source: String = Pair.macA, to destination: String = Pair.macB, type: UInt16? = nil) {
        self.source = macBytes(source)
        self.destination = macBytes(destination)
        self.type = type
    }

    /// An Ethernet frame within GRE: transparent Ethernet bridging.
    public var etherType: UInt16? { 0x6558 }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        var bytes = destination + source
        bytes.append(be16: type ?? typeOrLength(of: context.next, payload))
        return bytes + payload
    }
}

/// A VLAN tag (IEEE 802.1Q): 0x8100 customer, 0x88a8 service.
public struct VLANTag: PacketLayer {
    public var identifier: UInt16
    public var priority: UInt8
    public var dropEligible: Bool
    public var protocolIdentifier: UInt16
    /// Set to announce something else than what is inside.
    public var type: UInt16?

    public init(
        _ identifier: UInt16, protocolIdentifier: UInt16 = 0x8100, priority: UInt8 = 0, dropEligible: Bool = false, type: UInt16? = nil
    ) {
        precondition(identifier < 4096 && priority < 8)
        self.identifier = identifier
        self.priority = priority
        self.dropEligible = dropEligible
        self.protocolIdentifier = protocolIdentifier
        self.type = type
    }

    public static func service(_ identifier: UInt16) -> VLANTag { VLANTag(identifier, protocolIdentifier: 0x88a8) }

    public var etherType: UInt16? { protocolIdentifier }

    /// Priority, drop eligibility and identifier as the tag carries them.
    public var control: UInt16 { UInt16(priority) << 13 | (dropEligible ? 0x1000 : 0) | identifier }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(be16: control)
        bytes.append(be16: type ?? typeOrLength(of: context.next, payload))
        return bytes + payload
    }
}

/// A type for what has one, else an 802.3 length; 0x88b5 is for local experiments.
private func typeOrLength(of next: (any PacketLayer)?, _ payload: [UInt8]) -> UInt16 {
    if next is LLCHeader { return UInt16(payload.count) }
    return next?.etherType ?? 0x88b5
}

/// IEEE 802.2 logical link control, in an 802.3 frame; by default that of a spanning tree message.
public struct LLCHeader: PacketLayer {
    public var destinationServiceAccessPoint: UInt8
    public var sourceServiceAccessPoint: UInt8
    public var control: UInt8

    public init(destination: UInt8 = 0x42, source: UInt8 = 0x42, control: UInt8 = 3) {
        destinationServiceAccessPoint = destination
        sourceServiceAccessPoint = source
        self.control = control
    }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        [destinationServiceAccessPoint, sourceServiceAccessPoint, control] + payload
    }
}

/// ARP for IPv4 over Ethernet (RFC 826).
public struct ARPMessage: PacketLayer {
    public enum Operation: UInt16, Sendable { case request = 1, reply = 2 }
    public var operation: Operation
    public var senderMAC: [UInt8]
    public var sender: [UInt8]
    public var targetMAC: [UInt8]
    public var target: [UInt8]

    public init(
        _ operation: Operation = .request, from sender: String = Pair.addressA, _ senderMAC: String = Pair.macA,
        to target: String = Pair.addressB, _ targetMAC: String = "00:00:00:00:00:00"
    ) {
        self.operation = operation
        self.sender = addressBytes(sender)
        self.senderMAC = macBytes(senderMAC)
        self.target = addressBytes(target)
        self.targetMAC = macBytes(targetMAC)
    }

    public var etherType: UInt16? { 0x0806 }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        var bytes: [UInt8] = [0, 1, 8, 0, 6, 4]
        bytes.append(be16: operation.rawValue)
        return bytes + senderMAC + sender + targetMAC + target + payload
    }
}
