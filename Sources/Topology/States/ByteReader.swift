import NetworkTypes

/// Reads what ``ByteWriter`` wrote, from bytes that may be anything: what does not fit is nil, and then everything after it.
struct ByteReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func byte() -> UInt8? { rest.popFirst() }

    /// nil for more than the type holds and for a longer form than ``ByteWriter/number(_:)`` writes: equal states have equal bytes.
    mutating func number<T: FixedWidthInteger & UnsignedInteger>(_: T.Type) -> T? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while let byte = rest.popFirst() {
            if shift == 63, byte > 1 { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return byte == 0 && shift > 0 ? nil : T(exactly: value) }
            shift += 7
            if shift > 63 { return nil }
        }
        return nil
    }

    mutating func text() -> String? {
        guard let count = number(UInt32.self), count <= rest.count else { return nil }
        let bytes = rest.prefix(Int(count))
        rest = rest.dropFirst(Int(count))
        return String(validating: bytes, as: UTF8.self)
    }

    mutating func word<T: FixedWidthInteger & UnsignedInteger>(_: T.Type) -> T? {
        let size = T.bitWidth / 8
        guard rest.count >= size else { return nil }
        let value = rest.prefix(size).reduce(T(0)) { $0 << 8 | T($1) }
        rest = rest.dropFirst(size)
        return value
    }

    mutating func mac() -> MACAddress? {
        guard let high = word(UInt16.self), let low = word(UInt32.self) else { return nil }
        return MACAddress(rawValue: UInt64(high) << 32 | UInt64(low))
    }

    mutating func address() -> IPAddress? {
        switch byte() {
        case 4: return word(UInt32.self).map { .v4($0) }
        case 6:
            guard let high = word(UInt64.self), let low = word(UInt64.self) else { return nil }
            return .v6(high: high, low: low)
        default: return nil
        }
    }

    mutating func prefix() -> IPPrefix? {
        guard let address = address(), let length = byte(), let prefix = IPPrefix(address, length: Int(length)), prefix.address == address
        else { return nil }
        return prefix
    }
}
