/// An ICMP message for IPv4 (RFC 792).
public struct ICMPMessage: PacketLayer {
    public var type: UInt8
    public var code: UInt8
    /// Bytes 4–7: identifier and sequence number of an echo, otherwise what the type says.
    public var rest: UInt32

    public init(type: UInt8, code: UInt8 = 0, rest: UInt32 = 0) {
        self.type = type
        self.code = code
        self.rest = rest
    }

    public static func echoRequest(_ identifier: UInt16, sequence: UInt16 = 1) -> ICMPMessage {
        ICMPMessage(type: 8, rest: UInt32(identifier) << 16 | UInt32(sequence))
    }
    public static func echoReply(_ identifier: UInt16, sequence: UInt16 = 1) -> ICMPMessage {
        ICMPMessage(type: 0, rest: UInt32(identifier) << 16 | UInt32(sequence))
    }
    /// The IP packet that the error answers goes inside: `ICMPMessage.quote`.
    public static func unreachable(code: UInt8 = 3) -> ICMPMessage { ICMPMessage(type: 3, code: code) }
    public static func timeExceeded() -> ICMPMessage { ICMPMessage(type: 11) }

    /// The IP header and what follows of a frame, cut as an error message cuts it.
    public static func quote(_ frame: Frame, atMost count: Int = 28) -> RawBytes {
        guard let ip = frame.layers.firstIndex(where: { $0.pseudoHeader != nil }) else { preconditionFailure("no IP header in the frame") }
        return RawBytes(Array(frame.bytes(from: ip).prefix(count)))
    }

    public var protocolNumber: UInt8? { IPProtocol.icmp }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        var bytes: [UInt8] = [type, code, 0, 0]
        bytes.append(be32: rest)
        bytes += payload
        bytes.set(be16: internetChecksum(bytes), at: 2)
        return bytes
    }
}

/// An ICMP message for IPv6 (RFC 4443).
public struct ICMPv6Message: PacketLayer {
    public var type: UInt8
    public var code: UInt8
    /// Bytes 4–7, as for IPv4.
    public var rest: UInt32

    public init(type: UInt8, code: UInt8 = 0, rest: UInt32 = 0) {
        self.type = type
        self.code = code
        self.rest = rest
    }

    public static func echoRequest(_ identifier: UInt16, sequence: UInt16 = 1) -> ICMPv6Message {
        ICMPv6Message(type: 128, rest: UInt32(identifier) << 16 | UInt32(sequence))
    }
    public static func echoReply(_ identifier: UInt16, sequence: UInt16 = 1) -> ICMPv6Message {
        ICMPv6Message(type: 129, rest: UInt32(identifier) << 16 | UInt32(sequence))
    }
    public static func unreachable(code: UInt8 = 4) -> ICMPv6Message { ICMPv6Message(type: 1, code: code) }
    public static func packetTooBig(mtu: UInt32) -> ICMPv6Message { ICMPv6Message(type: 2, rest: mtu) }

    public var protocolNumber: UInt8? { IPProtocol.icmpv6 }

    public func encoded(around payload: [UInt8], in context: LayerContext) -> [UInt8] {
        var bytes: [UInt8] = [type, code, 0, 0]
        bytes.append(be32: rest)
        bytes += payload
        bytes.set(be16: context.pseudoHeader?.checksum(IPProtocol.icmpv6, bytes) ?? 0, at: 2)
        return bytes
    }
}
