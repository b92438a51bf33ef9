// Text forms: RFC 5952 for output, RFC 4291 section 2.2 for input. Input is strict: what inet_pton(3) refuses is refused here
// (leading zeros in IPv4 octets, zone identifiers, a "::" that stands for nothing).

extension IPAddress: CustomStringConvertible {
    /// `10.0.0.1`, or the canonical IPv6 form of RFC 5952; an IPv4-mapped address keeps its dotted tail (`::ffff:10.0.0.1`).
    public var description: String {
        switch self {
        case .v4(let a): Self.dotted(a)
        case .v6(let high, let low): Self.colons(high, low)
        }
    }

    private static func dotted(_ a: UInt32) -> String { "\(a >> 24).\(a >> 16 & 255).\(a >> 8 & 255).\(a & 255)" }

    private static func colons(_ high: UInt64, _ low: UInt64) -> String {
        if high == 0, low >> 32 == 0xFFFF { return "::ffff:" + dotted(UInt32(truncatingIfNeeded: low)) }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: ($0 < 4 ? high : low) >> UInt64(48 - 16 * ($0 & 3))) }
        let gap = longestZeros(groups)
        func join(_ part: ArraySlice<UInt16>) -> String { part.map { String($0, radix: 16) }.joined(separator: ":") }
        guard gap.count >= 2 else { return join(groups[...]) }
        return join(groups[..<gap.lowerBound]) + "::" + join(groups[gap.upperBound...])
    }

    /// The first of the longest runs of zero groups (RFC 5952 section 4.2.3).
    private static func longestZeros(_ groups: [UInt16]) -> Range<Int> {
        var best = 0..<0
        var start = 0
        for i in 0...groups.count where i == groups.count || groups[i] != 0 {
            if i - start > best.count { best = start..<i }
            start = i + 1
        }
        return best
    }
}

extension IPAddress: LosslessStringConvertible {
    /// nil when `text` is not exactly one address.
    public init?(_ text: String) { self.init(utf8: Array(text.utf8)[...]) }

    public init?(utf8 text: ArraySlice<UInt8>) {
        guard text.count <= 45 else { return nil }
        if text.contains(UInt8(ascii: ":")) {
            guard let (high, low) = Self.parseV6(text) else { return nil }
            self = .v6(high: high, low: low)
        } else {
            guard let address = Self.parseV4(text) else { return nil }
            self = .v4(address)
        }
    }

    private static func parseV4(_ text: ArraySlice<UInt8>) -> UInt32? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var address: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
            var octet: UInt32 = 0
            for c in part {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(c) else { return nil }
                octet = octet * 10 + UInt32(c - UInt8(ascii: "0"))
            }
            guard octet <= 255 else { return nil }
            address = address << 8 | octet
        }
        return address
    }

    private static func parseV6(_ text: ArraySlice<UInt8>) -> (UInt64, UInt64)? {
        let colon = UInt8(ascii: ":")
        var head: [UInt16] = []
        var tail: [UInt16] = []
        var gap = false
        var rest = text
        if rest.starts(with: [colon, colon]) {
            gap = true
            rest = rest.dropFirst(2)
        }
        while !rest.isEmpty {
            let end = rest.firstIndex(of: colon) ?? rest.endIndex
            let part = rest[rest.startIndex..<end]
            var groups: [UInt16]
            if end == rest.endIndex, part.contains(UInt8(ascii: ".")) {
                guard let v4 = parseV4(part) else { return nil }
                groups = [UInt16(v4 >> 16), UInt16(v4 & 0xFFFF)]
            } else {
                guard let group = hexadecimal(part, digits: 1...4) else { return nil }
                groups = [UInt16(group)]
            }
            if gap { tail += groups } else { head += groups }
            guard head.count + tail.count <= 8 else { return nil }
            if end == rest.endIndex { break }
            rest = rest[(end + 1)...]
            if rest.first == colon {
                if gap { return nil }
                gap = true
                rest = rest.dropFirst()
            } else if rest.isEmpty {
                return nil  // a single colon at the end
            }
        }
        let given = head.count + tail.count
        guard gap ? given <= 7 : given == 8 else { return nil }
        let groups = head + Array(repeating: 0, count: 8 - given) + tail
        func half(_ part: ArraySlice<UInt16>) -> UInt64 { part.reduce(0) { $0 << 16 | UInt64($1) } }
        return (half(groups[..<4]), half(groups[4...]))
    }
}

extension IPAddress: Comparable {
    /// IPv4 before IPv6, each by number.
    @inlinable public static func < (a: IPAddress, b: IPAddress) -> Bool {
        switch (a, b) {
        case (.v4(let x), .v4(let y)): x < y
        case (.v4, .v6): true
        case (.v6, .v4): false
        case (.v6(let h, let l), .v6(let h2, let l2)): (h, l) < (h2, l2)
        }
    }
}

extension IPAddress {
    /// 32 or 128.
    @inlinable public var bitWidth: Int { if case .v4 = self { 32 } else { 128 } }
    @inlinable public var isV4: Bool { if case .v4 = self { true } else { false } }
}

/// The value of `text` read as hexadecimal digits and nothing else.
func hexadecimal(_ text: ArraySlice<UInt8>, digits: ClosedRange<Int>) -> UInt32? {
    guard digits.contains(text.count) else { return nil }
    var value: UInt32 = 0
    for c in text {
        let digit: UInt8
        switch c {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = c - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = c - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = c - UInt8(ascii: "A") + 10
        default: return nil
        }
        value = value << 4 | UInt32(digit)
    }
    return value
}
