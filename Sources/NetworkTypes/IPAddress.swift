/// An IPv4 or IPv6 address.
public enum IPAddress: Hashable, Sendable {
    /// Host order: 10.0.0.1 is 0x0A00_0001.
    case v4(UInt32)
    /// Host order, high and low half.
    case v6(high: UInt64, low: UInt64)

    /// From the first eight bytes of a key's address field, as loaded from memory on a little-endian machine.
    @inlinable public init(v4Field word: UInt64) { self = .v4(UInt32(truncatingIfNeeded: word).byteSwapped) }
    /// From a key's sixteen-byte address field, as loaded from memory on a little-endian machine.
    @inlinable public init(v6Field words: (UInt64, UInt64)) { self = .v6(high: words.0.byteSwapped, low: words.1.byteSwapped) }

    /// The address as a key's sixteen-byte field: network order in memory, IPv4 in the first four bytes.
    @inlinable public var fieldWords: (UInt64, UInt64) {
        switch self {
        case .v4(let a): (UInt64(a.byteSwapped), 0)
        case .v6(let high, let low): (high.byteSwapped, low.byteSwapped)
        }
    }
}
