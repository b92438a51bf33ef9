/// A 48-bit IEEE 802 address.
public struct MACAddress: RawRepresentable, Hashable, Sendable {
    /// The six bytes as a number, the first one highest.
    public let rawValue: UInt64
    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue & 0xFFFF_FFFF_FFFF }

    /// The group bit: broadcast and multicast.
    @inlinable public var isGroup: Bool { rawValue >> 40 & 1 != 0 }
    /// Not from a manufacturer's block.
    @inlinable public var isLocal: Bool { rawValue >> 40 & 2 != 0 }
    public static let broadcast = MACAddress(rawValue: 0xFFFF_FFFF_FFFF)
}

extension MACAddress: LosslessStringConvertible {
    /// `52:54:00:12:34:56`.
    public var description: String {
        (0..<6).map { i in
            let byte = UInt8(truncatingIfNeeded: rawValue >> UInt64(40 - 8 * i))
            return (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined(separator: ":")
    }

    /// Six pairs of hexadecimal digits, all joined by `:` or all by `-`.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 17, bytes[2] == UInt8(ascii: ":") || bytes[2] == UInt8(ascii: "-") else { return nil }
        let parts = bytes.split(separator: bytes[2], omittingEmptySubsequences: false)
        guard parts.count == 6 else { return nil }
        var value: UInt64 = 0
        for part in parts {
            guard let byte = hexadecimal(part, digits: 2...2) else { return nil }
            value = value << 8 | UInt64(byte)
        }
        rawValue = value
    }
}
