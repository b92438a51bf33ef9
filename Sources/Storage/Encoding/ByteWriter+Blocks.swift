import Topology

/// What blocks have besides what states have: signed numbers, lengths, whole pieces.
extension ByteWriter {
    init(reserving capacity: Int) {
        self.init()
        bytes.reserveCapacity(capacity)
    }

    mutating func count(_ value: Int) { number(UInt64(value)) }

    /// Small magnitudes of either sign become short: 0, -1, 1, -2 are written as 0, 1, 2, 3.
    mutating func zigzag(_ value: Int64) { number(Self.zigzag(value)) }

    mutating func append(_ more: [UInt8]) { bytes.append(contentsOf: more) }

    static func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: (value << 1) ^ (value >> 63)) }

    /// How many bytes a number takes.
    static func length(_ value: UInt64) -> Int { max(1, (70 - value.leadingZeroBitCount) / 7) }
}
