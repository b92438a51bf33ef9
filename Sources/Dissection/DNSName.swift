/// Domain names in messages (RFC 1035, sections 3.1 and 4.1.4).
enum DNSName {
    /// Octets of a name with its lengths (RFC 1035, section 2.3.4).
    private static let mostOctets = 255
    /// Characters of a name as text that is taken; escapes count.
    static let mostCharacters = 253

    /// The name at the reader's position, which then is behind it; nil when it is malformed or cut off.
    ///
    /// In lower case, without the last dot; `.` for the root. A byte that is no letter, digit, `-`, `_` or `*` is written as `\DDD` (RFC 1035,
    /// section 5.1), so that a name is always printable. A pointer may only lead back, and each further than the one before: no loop is possible.
    static func read(_ reader: inout ByteReader) -> String? {
        var text: [UInt8] = []
        var octets = 1
        var part = reader
        var limit = reader.position
        var hasJumped = false
        while true {
            guard let length = part.byte() else { return nil }
            switch length >> 6 {
            case 0 where length == 0:
                if !hasJumped { reader = part }
                return text.isEmpty ? "." : String(decoding: text, as: UTF8.self)
            case 0:
                octets += Int(length) + 1
                guard octets <= mostOctets, let label = part.take(Int(length)) else { return nil }
                if !text.isEmpty { text.append(UInt8(ascii: ".")) }
                for byte in label { append(byte, to: &text) }
                guard text.count <= mostCharacters else { return nil }
            case 3:
                guard let low = part.byte() else { return nil }
                if !hasJumped { reader = part }
                hasJumped = true
                let target = Int(length & 0x3F) << 8 | Int(low)
                guard target < limit, let next = part.at(target) else { return nil }
                limit = target
                part = next
            default: return nil
            }
        }
    }

    private static func append(_ byte: UInt8, to text: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): text.append(byte | 0x20)
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: "*"):
            text.append(byte)
        default:
            text += [UInt8(ascii: "\\"), 48 + byte / 100, 48 + byte / 10 % 10, 48 + byte % 10]
        }
    }
}
