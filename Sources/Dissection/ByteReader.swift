import NetworkTypes

/// Reads numbers in network order from bytes that a stranger sent: what lies beyond the end is nil, never a trap.
public struct ByteReader: Sendable {
    private let bytes: ArraySlice<UInt8>
    /// From the first of the bytes; 0...`count`.
    public private(set) var position = 0

    public init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    public var count: Int { bytes.count }
    public var left: Int { count - position }

    public mutating func byte() -> UInt8? {
        guard left >= 1 else { return nil }
        position += 1
        return bytes[bytes.startIndex + position - 1]
    }

    public mutating func short() -> UInt16? { number(bytes: 2).map { UInt16($0) } }
    public mutating func long() -> UInt32? { number(bytes: 4).map { UInt32($0) } }

    /// The next 1...8 bytes as one number.
    public mutating func number(bytes size: Int) -> UInt64? {
        guard let taken = take(size) else { return nil }
        return taken.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The next bytes; nil, and nothing is taken, when there are not as many.
    public mutating func take(_ size: Int) -> ArraySlice<UInt8>? {
        guard size >= 0, size <= left else { return nil }
        let start = bytes.startIndex + position
        position += size
        return bytes[start..<start + size]
    }

    /// As many of the next bytes as there are, at most `size`.
    public mutating func takeUp(to size: Int) -> ArraySlice<UInt8> { take(max(0, min(size, left))) ?? [] }

    public mutating func skip(_ size: Int) -> Bool { take(size) != nil }

    /// The same bytes, read from another place; nil when that is beyond the end.
    public func at(_ position: Int) -> ByteReader? {
        guard position >= 0, position <= count else { return nil }
        var other = self
        other.position = position
        return other
    }

    /// The next 4 or 16 bytes.
    mutating func address(isIPv6: Bool) -> IPAddress? {
        if isIPv6 {
            guard left >= 16, let high = number(bytes: 8), let low = number(bytes: 8) else { return nil }
            return .v6(high: high, low: low)
        }
        return long().map { .v4($0) }
    }
}
