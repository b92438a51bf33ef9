import Glibc

/// A frame to be put on the wire, composed of layers from the outside in:
///
///     Frame(EthernetHeader(), VLANTag(5), IPv4Header(from: "10.0.0.1", to: "10.0.0.2"), UDPHeader(from: 1000, to: 53), RawBytes(count: 20))
///
/// Types, lengths and checksums follow from what is inside; every header lets a test set them wrongly.
public struct Frame: Sendable {
    public var layers: [any PacketLayer]

    public init(_ layers: any PacketLayer...) { self.layers = layers }
    public init(layers: [any PacketLayer]) { self.layers = layers }

    /// The same with one more layer inside.
    public func with(_ layer: any PacketLayer) -> Frame { Frame(layers: layers + [layer]) }

    /// The frame without FCS, not padded.
    public var bytes: [UInt8] { bytes(from: 0) }

    /// The frame with zeros up to Ethernet's least length, as a network card pads it.
    public var padded: [UInt8] {
        let bytes = self.bytes
        return bytes + [UInt8](repeating: 0, count: max(0, 60 - bytes.count))
    }

    /// Layer `first` and all within it.
    public func bytes(from first: Int) -> [UInt8] {
        var encoded: [UInt8] = []
        for i in layers.indices.reversed() where i >= first {
            let next = i + 1 < layers.count ? layers[i + 1] : nil
            let pseudoHeader = layers[..<i].reversed().lazy.compactMap(\.pseudoHeader).first
            encoded = layers[i].encoded(around: encoded, in: LayerContext(next: next, pseudoHeader: pseudoHeader))
        }
        return encoded
    }

    /// The frame's IP packet cut into fragments that carry at most `size` bytes, a multiple of 8, of what can be fragmented:
    /// for IPv4 what follows the header, for IPv6 what follows the extension headers before `index`.
    ///
    /// - Parameter index: the first layer that is cut; with IPv6 a fragment header is put before it. By default the one after the IP header.
    public func fragments(of size: Int, identification: UInt32, cutting index: Int? = nil) -> [Frame] {
        precondition(size > 0 && size % 8 == 0)
        guard let ip = layers.lastIndex(where: { $0 is IPv4Header || $0 is IPv6Header }) else {
            preconditionFailure("no IP header in the frame")
        }
        let cut = index ?? ip + 1
        let content = bytes(from: cut)
        let inside = layers[cut].protocolNumber ?? IPProtocol.none
        return stride(from: 0, to: max(content.count, 1), by: size).map { start in
            let end = min(start + size, content.count)
            let more = end < content.count
            var outer = Array(layers[..<cut])
            if var header = outer[ip] as? IPv4Header {
                header.identification = UInt16(truncatingIfNeeded: identification)
                header.fragmentOffset = start / 8
                header.moreFragments = more
                header.announcedProtocol = inside
                outer[ip] = header
            } else {
                outer.append(FragmentHeader(offset: start / 8, more: more, identification: identification, next: inside))
            }
            return Frame(layers: outer + [RawBytes(Array(content[start..<end]))])
        }
    }
}

/// One header, or the payload, of a frame.
public protocol PacketLayer: Sendable {
    /// How an Ethernet header, tag or GRE header announces this layer; nil when it cannot be inside one.
    var etherType: UInt16? { get }
    /// How an IP header announces this layer; nil when it cannot be inside one.
    var protocolNumber: UInt8? { get }
    /// Which checksums within this layer cover; nil unless this is an IP header.
    var pseudoHeader: PseudoHeader? { get }
    func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8]
}

extension PacketLayer {
    public var etherType: UInt16? { nil }
    public var protocolNumber: UInt8? { nil }
    public var pseudoHeader: PseudoHeader? { nil }
}

/// What a layer's bytes depend on besides its payload.
public struct LayerContext {
    /// The layer inside.
    public var next: (any PacketLayer)?
    /// Of the nearest IP header outside.
    public var pseudoHeader: PseudoHeader?
}

/// The addresses that a transport checksum covers (RFC 9293 section 3.1, RFC 8200 section 8.1).
public struct PseudoHeader: Sendable {
    public var source: [UInt8]
    public var destination: [UInt8]

    func checksum(_ protocolNumber: UInt8, _ segment: [UInt8]) -> UInt16 {
        var bytes = source + destination
        bytes.append(be32: UInt32(segment.count))
        bytes += [0, 0, 0, protocolNumber]
        return internetChecksum(bytes + segment)
    }
}

/// Bytes as they are: a payload, or a header that the builder does not know.
public struct RawBytes: PacketLayer {
    public var bytes: [UInt8]
    public var etherType: UInt16?
    public var protocolNumber: UInt8?

    public init(_ bytes: [UInt8], etherType: UInt16? = nil, protocolNumber: UInt8? = nil) {
        self.bytes = bytes
        self.etherType = etherType
        self.protocolNumber = protocolNumber
    }

    /// `count` bytes that tell their position.
    public init(count: Int, etherType: UInt16? = nil, protocolNumber: UInt8? = nil) {
        self.init((0..<count).map { UInt8(truncatingIfNeeded: $0) }, etherType: etherType, protocolNumber: protocolNumber)
    }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] { bytes + payload }
}

/// Assigned Internet protocol numbers that the tests name.
public enum IPProtocol {
    public static let hopByHop: UInt8 = 0
    public static let icmp: UInt8 = 1
    public static let tcp: UInt8 = 6
    public static let udp: UInt8 = 17
    public static let dccp: UInt8 = 33
    public static let routing: UInt8 = 43
    public static let fragment: UInt8 = 44
    public static let gre: UInt8 = 47
    public static let esp: UInt8 = 50
    public static let authentication: UInt8 = 51
    public static let icmpv6: UInt8 = 58
    public static let none: UInt8 = 59
    public static let destination: UInt8 = 60
    public static let sctp: UInt8 = 132
    public static let mobility: UInt8 = 135
    public static let udpLite: UInt8 = 136
}

/// The ones' complement sum of RFC 1071, complemented; over a message with its right checksum in place it is 0.
public func internetChecksum(_ bytes: [UInt8]) -> UInt16 {
    var sum: UInt64 = 0
    for i in stride(from: 0, to: bytes.count, by: 2) {
        sum += UInt64(bytes[i]) << 8 | (i + 1 < bytes.count ? UInt64(bytes[i + 1]) : 0)
    }
    while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
    return ~UInt16(sum)
}

extension Array<UInt8> {
    mutating func append(be16 value: UInt16) { self += [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }
    mutating func append(be32 value: UInt32) {
        append(be16: UInt16(value >> 16))
        append(be16: UInt16(truncatingIfNeeded: value))
    }
    mutating func set(be16 value: UInt16, at offset: Int) {
        self[offset] = UInt8(value >> 8)
        self[offset + 1] = UInt8(truncatingIfNeeded: value)
    }
}

/// The bytes of an address in text; the text is a test's own, so a wrong one is a bug.
public func addressBytes(_ text: String) -> [UInt8] {
    if text.contains(":") {
        var address = in6_addr()
        precondition(inet_pton(AF_INET6, text, &address) == 1, "not an IPv6 address: \(text)")
        return withUnsafeBytes(of: address) { Array($0) }
    }
    var address = in_addr()
    precondition(inet_pton(AF_INET, text, &address) == 1, "not an IPv4 address: \(text)")
    return withUnsafeBytes(of: address) { Array($0) }
}

/// The bytes of a MAC address in text.
public func macBytes(_ text: String) -> [UInt8] {
    let bytes = text.split(separator: ":").compactMap { UInt8($0, radix: 16) }
    precondition(bytes.count == 6, "not a MAC address: \(text)")
    return bytes
}
