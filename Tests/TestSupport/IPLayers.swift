/// An IPv4 header (RFC 791).
public struct IPv4Header: PacketLayer {
    public var source: [UInt8]
    public var destination: [UInt8]
    public var timeToLive: UInt8 = 64
    public var dscp: UInt8 = 0
    public var ecn: UInt8 = 0
    public var identification: UInt16 = 0
    public var doNotFragment = false
    public var moreFragments = false
    /// In units of 8 bytes.
    public var fragmentOffset = 0
    /// Padded to a multiple of 4 with End of Options.
    public var options: [UInt8] = []
    /// Set to say otherwise than what is inside: protocol, version, header length in words, total length, checksum.
    public var announcedProtocol: UInt8?
    public var version: UInt8 = 4
    public var headerWords: UInt8?
    public var totalLength: UInt16?
    public var checksum: UInt16?

    public init(
        from source: String = Pair.addressA, to destination: String = Pair.addressB, _ change: (inout IPv4Header) -> Void = { _ in }
    ) {
        self.source = addressBytes(source)
        self.destination = addressBytes(destination)
        change(&self)
    }

    public var etherType: UInt16? { 0x0800 }
    /// IPv4 within IP.
    public var protocolNumber: UInt8? { 4 }
    public var pseudoHeader: PseudoHeader? { PseudoHeader(source: source, destination: destination) }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        let padded = options + [UInt8](repeating: 0, count: (4 - options.count % 4) % 4)
        let words = headerWords ?? UInt8(5 + padded.count / 4)
        precondition(words < 16 && fragmentOffset < 8192, "does not fit the header")
        var bytes: [UInt8] = [version << 4 | words, dscp << 2 | ecn]
        // A super-packet beyond 64 KiB says 0, as the kernel's do.
        let length = 20 + padded.count + payload.count
        bytes.append(be16: totalLength ?? (length > 0xffff ? 0 : UInt16(length)))
        bytes.append(be16: identification)
        bytes.append(be16: (doNotFragment ? 0x4000 : 0) | (moreFragments ? 0x2000 : 0) | UInt16(fragmentOffset))
        bytes += [timeToLive, announcedProtocol ?? context.next?.protocolNumber ?? IPProtocol.none, 0, 0]
        bytes += source + destination + padded
        bytes.set(be16: checksum ?? internetChecksum(bytes), at: 10)
        return bytes + payload
    }
}

/// An IPv6 header (RFC 8200).
public struct IPv6Header: PacketLayer {
    public var source: [UInt8]
    public var destination: [UInt8]
    public var hopLimit: UInt8 = 64
    public var dscp: UInt8 = 0
    public var ecn: UInt8 = 0
    public var flowLabel: UInt32 = 0
    /// Set to say otherwise than what is inside.
    public var nextHeader: UInt8?
    public var version: UInt8 = 6
    public var payloadLength: UInt16?

    public init(
        from source: String = Pair.addressA6, to destination: String = Pair.addressB6, _ change: (inout IPv6Header) -> Void = { _ in }
    ) {
        self.source = addressBytes(source)
        self.destination = addressBytes(destination)
        change(&self)
    }

    public var etherType: UInt16? { 0x86dd }
    /// IPv6 within IP.
    public var protocolNumber: UInt8? { 41 }
    public var pseudoHeader: PseudoHeader? { PseudoHeader(source: source, destination: destination) }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        precondition(dscp < 64 && ecn < 4 && flowLabel < 1 << 20, "does not fit the header")
        var bytes: [UInt8] = []
        bytes.append(be32: UInt32(version) << 28 | UInt32(dscp << 2 | ecn) << 20 | flowLabel)
        bytes.append(be16: payloadLength ?? (payload.count > 0xffff ? 0 : UInt16(payload.count)))
        bytes += [nextHeader ?? context.next?.protocolNumber ?? IPProtocol.none, hopLimit]
        return bytes + source + destination + payload
    }
}

/// An IPv6 extension header that tells its length in units of 8 bytes beyond the first 8 (RFC 8200, RFC 6275).
public struct IPv6Extension: PacketLayer {
    public enum Kind: Sendable { case hopByHop, routing, destination, mobility }
    public var kind: Kind
    /// All after the length; padded to fill the last 8 bytes.
    public var content: [UInt8]
    /// Set to say otherwise than what is inside.
    public var next: UInt8?
    public var units: UInt8?

    public init(_ kind: Kind, content: [UInt8] = [], next: UInt8? = nil, units: UInt8? = nil) {
        self.kind = kind
        self.content = content
        self.next = next
        self.units = units
    }

    public static let hopByHop = IPv6Extension(.hopByHop)
    public static let destination = IPv6Extension(.destination)
    /// Type 4 (segment routing, RFC 8754) with no segments left: the packet is where it goes.
    public static let routing = IPv6Extension(.routing, content: [4, 0] + [UInt8](repeating: 0, count: 4) + addressBytes("fd00::99"))

    public var protocolNumber: UInt8? {
        switch kind {
        case .hopByHop: IPProtocol.hopByHop
        case .routing: IPProtocol.routing
        case .destination: IPProtocol.destination
        case .mobility: IPProtocol.mobility
        }
    }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        let missing = (8 - (content.count + 2) % 8) % 8
        // PadN fills options (RFC 8200 section 4.2); a lone byte is Pad1.
        let padding: [UInt8] = missing == 0 ? [] : missing == 1 ? [0] : [1, UInt8(missing - 2)] + [UInt8](repeating: 0, count: missing - 2)
        let body = content + padding
        let nextNumber = next ?? context.next?.protocolNumber ?? IPProtocol.none
        return [nextNumber, units ?? UInt8((body.count + 2) / 8 - 1)] + body + payload
    }
}

/// An IPv6 fragment header (RFC 8200 section 4.5).
public struct FragmentHeader: PacketLayer {
    /// In units of 8 bytes.
    public var offset: Int
    public var more: Bool
    public var identification: UInt32
    public var next: UInt8?

    public init(offset: Int = 0, more: Bool = false, identification: UInt32 = 1, next: UInt8? = nil) {
        precondition(offset < 8192)
        self.offset = offset
        self.more = more
        self.identification = identification
        self.next = next
    }

    public var protocolNumber: UInt8? { IPProtocol.fragment }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        var bytes: [UInt8] = [next ?? context.next?.protocolNumber ?? IPProtocol.none, 0]
        bytes.append(be16: UInt16(offset) << 3 | (more ? 1 : 0))
        bytes.append(be32: identification)
        return bytes + payload
    }
}

/// An IP authentication header (RFC 4302), whose length counts words less two.
public struct AuthenticationHeader: PacketLayer {
    public var parametersIndex: UInt32
    public var sequence: UInt32
    /// A multiple of 4 bytes.
    public var check: [UInt8]
    public var next: UInt8?

    public init(
        parametersIndex: UInt32 = 0x1001, sequence: UInt32 = 1, check: [UInt8] = [UInt8](repeating: 0xaa, count: 12), next: UInt8? = nil
    ) {
        precondition(check.count % 4 == 0)
        self.parametersIndex = parametersIndex
        self.sequence = sequence
        self.check = check
        self.next = next
    }

    public var protocolNumber: UInt8? { IPProtocol.authentication }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        var bytes: [UInt8] = [next ?? context.next?.protocolNumber ?? IPProtocol.none, UInt8((12 + check.count) / 4 - 2), 0, 0]
        bytes.append(be32: parametersIndex)
        bytes.append(be32: sequence)
        return bytes + check + payload
    }
}
