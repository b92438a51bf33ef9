/// An IP network: an address whose bits beyond `length` are zero.
public struct IPPrefix: Hashable, Sendable {
    public let address: IPAddress
    /// 0...32 or 0...128.
    public let length: Int

    /// The network of that length that holds `address`; nil when the family has no such length.
    public init?(_ address: IPAddress, length: Int) {
        guard length >= 0, length <= address.bitWidth else { return nil }
        self.length = length
        switch address {
        case .v4(let a): self.address = .v4(a & Self.mask(length, of: UInt32.self))
        case .v6(let high, let low):
            self.address = .v6(
                high: high & Self.mask(min(length, 64), of: UInt64.self), low: low & Self.mask(max(length - 64, 0), of: UInt64.self))
        }
    }

    /// Addresses of the other family are never contained; an IPv4-mapped IPv6 address is an IPv6 address.
    @inlinable public func contains(_ other: IPAddress) -> Bool {
        switch (address, other) {
        case (.v4(let a), .v4(let b)): (a ^ b) & Self.mask(length, of: UInt32.self) == 0
        case (.v6(let h, let l), .v6(let h2, let l2)):
            (h ^ h2) & Self.mask(min(length, 64), of: UInt64.self) | (l ^ l2) & Self.mask(max(length - 64, 0), of: UInt64.self) == 0
        default: false
        }
    }

    @inlinable public func contains(_ other: IPPrefix) -> Bool { other.length >= length && contains(other.address) }

    @inlinable static func mask<T: FixedWidthInteger>(_ length: Int, of: T.Type) -> T { length == 0 ? 0 : ~0 << T(T.bitWidth - length) }
}

extension IPPrefix: LosslessStringConvertible {
    public var description: String { "\(address)/\(length)" }

    public init?(_ text: String) {
        guard let prefix = try? IPPrefix(parsing: text) else { return nil }
        self = prefix
    }

    /// Why a text is not a prefix.
    public enum ParseError: Error, Hashable, Sendable {
        case notAnAddress
        /// The length is missing, not a plain number, or too great for the family.
        case badLength
        /// Bits are set beyond the length; the prefix that was probably meant.
        case hostBits(IPPrefix)
    }

    /// Reads `10.0.0.0/8` or `2001:db8::/32`. Host bits must be zero: what is a mistake as often as not is not corrected silently.
    public init(parsing text: String) throws(ParseError) {
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(utf8: Array(parts[0])[...]) else { throw .notAnAddress }
        guard parts.count == 2, (1...3).contains(parts[1].count), parts[1].count == 1 || parts[1].first != UInt8(ascii: "0"),
            parts[1].allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let prefix = IPPrefix(address, length: parts[1].reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) })
        else { throw .badLength }
        guard prefix.address == address else { throw .hostBits(prefix) }
        self = prefix
    }
}
