import Flows
import NetworkTypes

/// Where the headers of a packet lie and what they say: Ethernet with up to two VLAN tags, IPv4 or IPv6, ports, and through one VXLAN header
/// (RFC 7348) to the same inside. Offsets count from the first byte given. The frame may be cut off anywhere.
public struct FrameHeaders: Sendable, Hashable {
    /// What the bytes begin with.
    public enum Layer: UInt8, Sendable, Hashable {
        case ethernet = 0
        case network = 1
    }

    /// Of the innermost frame, host order.
    public var etherType: EtherType
    /// Where the innermost network header begins; for LLDP, the LLDPDU.
    public var networkOffset: Int
    /// The innermost tuple; nil for what is not IP or too short to tell. Ports are 0 where the protocol has none.
    public var tuple: FlowTuple?
    /// Of the tunnel that the tuple was in.
    public var vni: UInt32?
    /// Where the transport header begins; nil when it is not there (a later fragment, cut off).
    public var transportOffset: Int?
    /// Where TCP's or UDP's payload begins, at most the number of bytes given; nil when that is not known.
    public var payloadOffset: Int?
    /// Bytes of the network packet by its own header.
    public var networkBytes = 0
    /// TCP's flags; 0 without.
    public var tcpFlags: UInt8 = 0

    /// IANA's port and the one that Linux used before (RFC 7348, section 8).
    private static let vxlanPorts: Set<UInt16> = [4789, 8472]
    private static let vlanTypes: Set<UInt16> = [0x8100, 0x88A8, 0x9100]
    public static let lldp = EtherType(rawValue: 0x88CC)

    /// nil when not even the type of the frame is there.
    public init?(_ bytes: ArraySlice<UInt8>, layer: Layer = .ethernet) {
        guard var headers = Self(bytes, layer, from: 0) else { return nil }
        if let inner = headers.insideVXLAN(bytes) { headers = inner }
        self = headers
    }

    private init?(_ bytes: ArraySlice<UInt8>, _ layer: Layer, from start: Int) {
        guard var reader = ByteReader(bytes).at(start) else { return nil }
        if layer == .ethernet {
            guard reader.skip(12), var type = reader.short() else { return nil }
            for _ in 0..<2 where Self.vlanTypes.contains(type) {
                guard reader.skip(2), let next = reader.short() else { return nil }
                type = next
            }
            etherType = EtherType(rawValue: type < 0x600 ? EtherType.llc.rawValue : type)
        } else {
            var look = reader
            guard let first = look.byte() else { return nil }
            switch first >> 4 {
            case 4: etherType = .ipv4
            case 6: etherType = .ipv6
            default: return nil
            }
        }
        networkOffset = reader.position
        switch etherType {
        case .ipv4: readIPv4(&reader)
        case .ipv6: readIPv6(&reader)
        default: break
        }
    }

    private mutating func readIPv4(_ reader: inout ByteReader) {
        guard let first = reader.byte(), first >> 4 == 4, first & 15 >= 5, reader.skip(1), let total = reader.short(), reader.skip(2),
            let fragment = reader.short(), reader.skip(1), let number = reader.byte(), reader.skip(2),
            let source = reader.address(isIPv6: false), let destination = reader.address(isIPv6: false)
        else { return }
        // 0 is written by segmentation offload for what does not fit the field.
        networkBytes = total == 0 ? reader.count - networkOffset : Int(total)
        let options = Int(first & 15) * 4 - 20
        let isWhole = fragment & 0x1FFF == 0 && reader.skip(options)
        readTransport(&reader, IPProtocol(rawValue: number), source, destination, hasHeader: isWhole)
    }

    private mutating func readIPv6(_ reader: inout ByteReader) {
        guard let first = reader.byte(), first >> 4 == 6, reader.skip(3), let length = reader.short(), var next = reader.byte(),
            reader.skip(1), let source = reader.address(isIPv6: true), let destination = reader.address(isIPv6: true)
        else { return }
        networkBytes = length == 0 ? reader.count - networkOffset : 40 + Int(length)
        var isWhole = true
        // Hop-by-hop, routing, destination options, fragment, authentication (RFC 8200, section 4); more than eight are nobody's.
        for _ in 0..<8 {
            guard [0, 43, 60, 44, 51].contains(next) else { break }
            let kind = next
            guard let following = reader.byte(), let size = reader.byte() else { return }
            let rest = kind == 44 ? 6 : kind == 51 ? (Int(size) + 2) * 4 - 2 : Int(size) * 8 + 6
            var look = reader
            if kind == 44, let offset = look.short(), offset & 0xFFF8 != 0 { isWhole = false }
            guard reader.skip(rest) else { return }
            next = following
        }
        readTransport(&reader, IPProtocol(rawValue: next), source, destination, hasHeader: isWhole)
    }

    private mutating func readTransport(
        _ reader: inout ByteReader, _ number: IPProtocol, _ source: IPAddress, _ destination: IPAddress, hasHeader: Bool
    ) {
        let hasPorts = [6, 17, 132, 136, 33].contains(number.rawValue)
        var ports: (UInt16, UInt16)?
        if hasHeader {
            transportOffset = reader.position
            var look = reader
            if hasPorts, let from = look.short(), let to = look.short() { ports = (from, to) }
        }
        // Without its ports a packet belongs to no conversation that could be told.
        if hasPorts && ports == nil { return }
        tuple = FlowTuple(
            source: source, destination: destination, sourcePort: ports?.0 ?? 0, destinationPort: ports?.1 ?? 0, protocol: number,
            form: hasPorts ? .ports : .none, etherType: etherType)
        guard let start = transportOffset, let header = reader.at(start) else { return }
        if number == .udp {
            payloadOffset = min(start + 8, header.count)
        } else if number == .tcp {
            var look = header
            guard look.skip(12), let size = look.byte(), let flags = look.byte() else { return }
            tcpFlags = flags
            payloadOffset = min(start + Int(size >> 4) * 4, header.count)
        }
    }

    /// The frame inside, when this one is VXLAN with a network identifier and the inner headers can be told.
    private func insideVXLAN(_ bytes: ArraySlice<UInt8>) -> FrameHeaders? {
        guard let tuple, tuple.protocol == .udp, Self.vxlanPorts.contains(tuple.destinationPort), let payloadOffset,
            var reader = ByteReader(bytes).at(payloadOffset), let flags = reader.byte(), flags & 0x08 != 0, reader.skip(3),
            let field = reader.long(), var inner = FrameHeaders(bytes, .ethernet, from: reader.position)
        else { return nil }
        inner.vni = field >> 8
        return inner
    }
}
