/// A GRE header without options (RFC 2784).
public struct GREHeader: PacketLayer {
    public init() {}

    public var protocolNumber: UInt8? { IPProtocol.gre }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        var bytes: [UInt8] = [0, 0]
        bytes.append(be16: context.next?.etherType ?? 0x88b5)
        return bytes + payload
    }
}

/// An ESP header (RFC 4303); what follows is as if encrypted.
public struct ESPHeader: PacketLayer {
    public var parametersIndex: UInt32
    public var sequence: UInt32

    public init(parametersIndex: UInt32 = 0x2002, sequence: UInt32 = 1) {
        self.parametersIndex = parametersIndex
        self.sequence = sequence
    }

    public var protocolNumber: UInt8? { IPProtocol.esp }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(be32: parametersIndex)
        bytes.append(be32: sequence)
        return bytes + payload
    }
}

/// A VXLAN header (RFC 7348); an Ethernet header follows. Goes inside a UDP header to port 4789.
public struct VXLANHeader: PacketLayer {
    public var vni: UInt32
    /// 0x08: the VNI is valid.
    public var flags: UInt8

    public init(vni: UInt32 = 100, flags: UInt8 = 0x08) {
        precondition(vni < 1 << 24)
        self.vni = vni
        self.flags = flags
    }

    public static let port: UInt16 = 4789

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        var bytes: [UInt8] = [flags, 0, 0, 0]
        bytes.append(be32: vni << 8)
        return bytes + payload
    }
}

extension Frame {
    /// The frame inside VXLAN, from one underlay address to another of the same family.
    public func inVXLAN(
        vni: UInt32 = 100, from source: String = "172.31.0.1", to destination: String = "172.31.0.2", sourcePort: UInt16 = 50000,
        tag: VLANTag? = nil
    ) -> Frame {
        var outer: [any PacketLayer] = [EthernetHeader(from: Wiring.mac(1, space: 1), to: Wiring.mac(2, space: 1))]
        if let tag { outer.append(tag) }
        outer.append(source.contains(":") ? IPv6Header(from: source, to: destination) : IPv4Header(from: source, to: destination))
        outer += [UDPHeader(from: sourcePort, to: VXLANHeader.port), VXLANHeader(vni: vni)] as [any PacketLayer]
        return Frame(layers: outer + layers)
    }
}
