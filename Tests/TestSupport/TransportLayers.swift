/// A TCP header (RFC 9293).
public struct TCPHeader: PacketLayer {
    public var source: UInt16
    public var destination: UInt16
    public var sequence: UInt32 = 1
    public var acknowledgement: UInt32 = 0
    public var flags: Flags = .ack
    public var window: UInt16 = 0xffff
    public var urgent: UInt16 = 0
    /// Padded to a multiple of 4 with End of Options.
    public var options: [UInt8] = []
    /// Set to say otherwise: data offset in words, checksum.
    public var headerWords: UInt8?
    public var checksum: UInt16?

    public init(
        from source: UInt16 = 40000, to destination: UInt16 = 80, _ flags: Flags = .ack, _ change: (inout TCPHeader) -> Void = { _ in }
    ) {
        self.source = source
        self.destination = destination
        self.flags = flags
        change(&self)
    }

    /// Maximum segment size, selective acknowledgement permitted, window scale: what a SYN carries.
    public static let openingOptions: [UInt8] = [2, 4, 0x05, 0xb4, 4, 2, 1, 3, 3, 7]
    /// Two no-ops and a timestamp (RFC 7323): what data segments carry.
    public static func timestamps(_ value: UInt32 = 1, echo: UInt32 = 2) -> [UInt8] {
        var bytes: [UInt8] = [1, 1, 8, 10]
        bytes.append(be32: value)
        bytes.append(be32: echo)
        return bytes
    }

    /// The flags of a TCP header (RFC 9293, RFC 9768).
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        public static let fin = Flags(rawValue: 1)
        public static let syn = Flags(rawValue: 2)
        public static let rst = Flags(rawValue: 4)
        public static let psh = Flags(rawValue: 8)
        public static let ack = Flags(rawValue: 16)
        public static let urg = Flags(rawValue: 32)
        public static let ece = Flags(rawValue: 64)
        public static let cwr = Flags(rawValue: 128)
        public static let ae = Flags(rawValue: 256)
    }

    public var protocolNumber: UInt8? { IPProtocol.tcp }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        let padded = options + [UInt8](repeating: 0, count: (4 - options.count % 4) % 4)
        let words = headerWords ?? UInt8(5 + padded.count / 4)
        precondition(words < 16, "options do not fit the header")
        var bytes: [UInt8] = []
        bytes.append(be16: source)
        bytes.append(be16: destination)
        bytes.append(be32: sequence)
        bytes.append(be32: acknowledgement)
        bytes.append(be16: UInt16(words) << 12 | flags.rawValue)
        bytes.append(be16: window)
        bytes.append(be16: 0)
        bytes.append(be16: urgent)
        bytes += padded + payload
        bytes.set(be16: checksum ?? context.pseudoHeader?.checksum(IPProtocol.tcp, bytes) ?? 0, at: 16)
        return bytes
    }
}

/// A UDP header (RFC 768), or one of UDP-Lite with all of the packet covered (RFC 3828).
public struct UDPHeader: PacketLayer {
    public var source: UInt16
    public var destination: UInt16
    public var lite: Bool
    /// Set to say otherwise than what is inside; a UDP checksum of 0 is none.
    public var length: UInt16?
    public var checksum: UInt16?

    public init(
        from source: UInt16 = 40000, to destination: UInt16 = 53, lite: Bool = false, length: UInt16? = nil, checksum: UInt16? = nil
    ) {
        self.source = source
        self.destination = destination
        self.lite = lite
        self.length = length
        self.checksum = checksum
    }

    public var protocolNumber: UInt8? { lite ? IPProtocol.udpLite : IPProtocol.udp }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(be16: source)
        bytes.append(be16: destination)
        // UDP-Lite has the coverage here, 0 for everything.
        bytes.append(be16: length ?? (lite || payload.count + 8 > 0xffff ? 0 : UInt16(payload.count + 8)))
        bytes.append(be16: 0)
        bytes += payload
        let computed = context.pseudoHeader?.checksum(protocolNumber!, bytes) ?? 0
        bytes.set(be16: checksum ?? (computed == 0 ? 0xffff : computed), at: 6)
        return bytes
    }
}

/// An SCTP common header (RFC 9260); its chunks are the payload.
public struct SCTPHeader: PacketLayer {
    public var source: UInt16
    public var destination: UInt16
    public var verificationTag: UInt32

    public init(from source: UInt16 = 40000, to destination: UInt16 = 3868, verificationTag: UInt32 = 0x1234_5678) {
        self.source = source
        self.destination = destination
        self.verificationTag = verificationTag
    }

    /// A HEARTBEAT chunk around opaque bytes.
    public static func heartbeat(_ content: [UInt8] = [1, 2, 3, 4]) -> RawBytes {
        var bytes: [UInt8] = [4, 0]
        bytes.append(be16: UInt16(8 + content.count))
        bytes.append(be16: 1)
        bytes.append(be16: UInt16(4 + content.count))
        return RawBytes(bytes + content)
    }

    public var protocolNumber: UInt8? { IPProtocol.sctp }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(be16: source)
        bytes.append(be16: destination)
        bytes.append(be32: verificationTag)
        bytes.append(be32: 0)
        bytes += payload
        let check = castagnoli(bytes)
        // The sum goes out low byte first (RFC 9260 appendix A).
        for i in 0..<4 { bytes[8 + i] = UInt8(truncatingIfNeeded: check >> (8 * UInt32(i))) }
        return bytes
    }

    /// CRC32c, bit by bit.
    private func castagnoli(_ bytes: [UInt8]) -> UInt32 {
        var sum: UInt32 = 0xffff_ffff
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0x82f6_3b78 : sum >> 1 }
        }
        return ~sum
    }
}

/// A DCCP generic header with 48-bit sequence numbers (RFC 4340 section 5.1).
public struct DCCPHeader: PacketLayer {
    public var source: UInt16
    public var destination: UInt16
    public var sequence: UInt64

    public init(from source: UInt16 = 40000, to destination: UInt16 = 5004, sequence: UInt64 = 1) {
        self.source = source
        self.destination = destination
        self.sequence = sequence
    }

    public var protocolNumber: UInt8? { IPProtocol.dccp }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(be16: source)
        bytes.append(be16: destination)
        // Data offset 4 words; all of the packet is covered; type 2 (DATA) with extended sequence numbers.
        bytes += [4, 0, 0, 0, 2 << 1 | 1, 0]
        bytes.append(be16: UInt16(truncatingIfNeeded: sequence >> 32))
        bytes.append(be32: UInt32(truncatingIfNeeded: sequence))
        bytes += payload
        bytes.set(be16: context.pseudoHeader?.checksum(IPProtocol.dccp, bytes) ?? 0, at: 6)
        return bytes
    }
}
