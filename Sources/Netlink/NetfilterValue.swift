import NetworkTypes

/// Constants of nf_tables rules as text.
enum NetfilterValue {
    static func text(_ bytes: [UInt8], _ form: NetfilterWords.Form) -> String {
        switch form {
        case .network where bytes.count <= 8: return "\(bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })"
        case .host where bytes.count <= 8, .link where bytes.count <= 8: return "\(hostNumber(bytes))"
        case .address: return address(bytes)
        case .name:
            // Without its NUL it is the beginning of a name.
            let text = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self).visible
            return "\"\(text)\(bytes.contains(0) ? "" : "*")\""
        case .transport where bytes.count == 1: return "\(IPProtocol(rawValue: bytes[0]))"
        case .family where bytes == [2]: return "ipv4"
        case .family where bytes == [10]: return "ipv6"
        case .state where bytes.count == 4:
            let number = hostNumber(bytes)
            let names = [(2, "established"), (4, "related"), (8, "new"), (1, "invalid"), (64, "untracked")]
            return names.filter { number & UInt64($0.0) != 0 }.map(\.1).joined(separator: ",")
        default: return "0x" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }
    }

    /// In the machine's order; both that are supported have the least byte first.
    private static func hostNumber(_ bytes: [UInt8]) -> UInt64 { bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }

    /// With its length where it is the beginning of one.
    private static func address(_ bytes: [UInt8]) -> String {
        guard (1...16).contains(bytes.count) else { return text(bytes, .bytes) }
        let isV4 = bytes.count <= 4
        let size = isV4 ? 4 : 16
        let whole = (bytes + [UInt8](repeating: 0, count: size - bytes.count))
        let address: IPAddress =
            if isV4 {
                .v4(whole.reduce(0) { $0 << 8 | UInt32($1) })
            } else {
                .v6(
                    high: whole[..<8].reduce(0) { $0 << 8 | UInt64($1) }, low: whole[8...].reduce(0) { $0 << 8 | UInt64($1) })
            }
        return "\(address)" + (bytes.count < size ? "/\(bytes.count * 8)" : "")
    }

    /// nil where the mask has gaps.
    static func prefixLength(_ mask: [UInt8]) -> Int? {
        let length = mask.reduce(0) { $0 + $1.nonzeroBitCount }
        let wanted = mask.indices.map { index -> UInt8 in
            let bits = min(8, max(0, length - index * 8))
            return bits == 0 ? 0 : ~(0xFF >> UInt8(bits))
        }
        return mask == wanted ? length : nil
    }
}
