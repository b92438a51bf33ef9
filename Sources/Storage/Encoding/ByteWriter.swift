/// Bytes of a block as it is built. Integers are LEB128 varints: seven bits a byte, lowest first, the top bit says that more follow.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    init(reserving capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func varint(_ value: Int) { varint(UInt64(value)) }

    /// Small magnitudes of either sign become short: 0, -1, 1, -2 are written as 0, 1, 2, 3.
    mutating func zigzag(_ value: Int64) { varint(Self.zigzag(value)) }

    mutating func byte(_ value: UInt8) { bytes.append(value) }

    mutating func word(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }

    mutating func append(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }

    static func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: (value << 1) ^ (value >> 63)) }

    /// How many bytes a varint takes.
    static func length(_ value: UInt64) -> Int { max(1, (70 - value.leadingZeroBitCount) / 7) }
}
