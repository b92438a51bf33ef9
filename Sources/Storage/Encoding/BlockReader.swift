/// Reads what a `ByteWriter` wrote, in place and millions of numbers at a time. Blocks come from a disk, so nothing is believed: what ends
/// too early or cannot be sets `isBroken` and reads as 0 from then on, and whoever decodes asks once at the end.
struct BlockReader {
    let bytes: UnsafeRawBufferPointer
    private(set) var position = 0
    private(set) var isBroken = false

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { position >= bytes.count }

    @inline(__always) mutating func number() -> UInt64 {
        if position < bytes.count {
            let first = bytes[position]
            if first < 0x80 {
                position += 1
                return UInt64(first)
            }
        }
        return longNumber()
    }

    private mutating func longNumber() -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < bytes.count, shift < 64 {
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        fail()
        return 0
    }

    @inline(__always) mutating func zigzag() -> Int64 {
        let value = number()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// A number of things that take at least one byte each, so that a broken one cannot ask for more memory than the block has bytes.
    mutating func count() -> Int {
        let value = number()
        guard value <= UInt64(bytes.count - position) else {
            fail()
            return 0
        }
        return Int(value)
    }

    mutating func byte() -> UInt8 {
        guard position < bytes.count else {
            fail()
            return 0
        }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func word() -> UInt64 {
        guard bytes.count - position >= 8 else {
            fail()
            return 0
        }
        defer { position += 8 }
        return UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
    }

    /// The next bytes, in place.
    mutating func slice(_ count: Int) -> UnsafeRawBufferPointer {
        guard count >= 0, bytes.count - position >= count else {
            fail()
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }

    mutating func fail() {
        isBroken = true
        position = bytes.count
    }
}
