import NetworkTypes

/// Writes states: numbers in as few bytes as they need (LEB128), texts with their length before them. The store writes its blocks with it
/// too, millions of numbers at a time: hence inlinable.
package struct ByteWriter {
    @usableFromInline package var bytes: [UInt8] = []

    @inlinable package init() {}

    @inlinable package mutating func put(_ byte: UInt8) { bytes.append(byte) }

    @inlinable package mutating func number(_ value: some UnsignedInteger & FixedWidthInteger) {
        var value = UInt64(value)
        while value >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        bytes.append(UInt8(value))
    }

    /// Texts of facts are short; only security rules are long, and they are cut where they are made.
    mutating func text(_ text: String) {
        number(UInt(text.utf8.count))
        bytes += text.utf8
    }

    mutating func mac(_ mac: MACAddress) {
        for shift in stride(from: UInt64(40), through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: mac.rawValue >> shift)) }
    }

    @inlinable package mutating func word(_ value: some FixedWidthInteger & UnsignedInteger) {
        for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    mutating func address(_ address: IPAddress) {
        switch address {
        case .v4(let value):
            put(4)
            word(value)
        case .v6(let high, let low):
            put(6)
            word(high)
            word(low)
        }
    }

    mutating func prefix(_ prefix: IPPrefix) {
        address(prefix.address)
        put(UInt8(prefix.length))
    }
}
