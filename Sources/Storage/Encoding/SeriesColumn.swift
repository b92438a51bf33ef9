import Topology

/// One column of a series' values in a block, in whichever of four ways is shortest: varints as they are (small counts), differences from one
/// to the next (levels and steady rates), doubles that are whole numbers as such, other doubles as what changed in their bits, byte by byte
/// of equal weight so that zstd finds the exponents together.
enum SeriesColumn {
    private enum Way: UInt8 {
        case plain = 0
        case differences = 1
        case wholeDoubles = 2
        case changedBits = 3
    }

    static func write(_ values: [UInt64], _ kind: SeriesKind, _ writer: inout ByteWriter) {
        switch kind {
        case .counter:
            let isPlain = plainLength(values) <= differencesLength(values)
            writer.put((isPlain ? Way.plain : .differences).rawValue)
            if isPlain { for value in values { writer.number(value) } } else { writeDifferences(values, &writer) }
        case .gauge:
            let whole = values.compactMap { wholeNumber($0) }
            if whole.count == values.count {
                writer.put(Way.wholeDoubles.rawValue)
                return writeDifferences(whole, &writer)
            }
            writer.put(Way.changedBits.rawValue)
            var before: UInt64 = 0
            let changed = values.map { value in
                defer { before = value }
                return value ^ before
            }
            for shift in stride(from: UInt64(56), through: 0, by: -8) {
                for value in changed { writer.put(UInt8(truncatingIfNeeded: value >> shift)) }
            }
        }
    }

    static func read(_ count: Int, _ reader: inout BlockReader) -> [UInt64] {
        var values: [UInt64] = []
        values.reserveCapacity(count)
        switch Way(rawValue: reader.byte()) {
        case .plain: for _ in 0..<count { values.append(reader.number()) }
        case .differences:
            var value: UInt64 = 0
            for _ in 0..<count {
                value &+= UInt64(bitPattern: reader.zigzag())
                values.append(value)
            }
        case .wholeDoubles:
            var value: Int64 = 0
            for _ in 0..<count {
                value &+= reader.zigzag()
                values.append(Double(value).bitPattern)
            }
        case .changedBits:
            values = [UInt64](repeating: 0, count: count)
            for _ in 0..<8 { for index in values.indices { values[index] = values[index] << 8 | UInt64(reader.byte()) } }
            for index in values.indices.dropFirst() { values[index] ^= values[index - 1] }
        case nil: reader.fail()
        }
        return values
    }

    /// A double's value as an integer, as bits; nil when it has a fraction, is too large for that, or is -0.
    private static func wholeNumber(_ bits: UInt64) -> UInt64? {
        let value = Double(bitPattern: bits)
        guard value.magnitude <= 9_007_199_254_740_992, value == value.rounded(.towardZero), bits != 1 << 63 else { return nil }
        return UInt64(bitPattern: Int64(value))
    }

    private static func plainLength(_ values: [UInt64]) -> Int { values.reduce(0) { $0 + ByteWriter.length($1) } }

    private static func differencesLength(_ values: [UInt64]) -> Int {
        var before: UInt64 = 0
        var length = 0
        for value in values {
            length += ByteWriter.length(ByteWriter.zigzag(Int64(bitPattern: value &- before)))
            before = value
        }
        return length
    }

    private static func writeDifferences(_ values: [UInt64], _ writer: inout ByteWriter) {
        var before: UInt64 = 0
        for value in values {
            writer.zigzag(Int64(bitPattern: value &- before))
            before = value
        }
    }
}
