// Keys as text: what a person reads and the store keeps.
//
//     host/web1   host/web1/ns/blue   host/web1/ns/blue/if/eth0   …/route/main/10.0.0.0/8/metric/100   …/rule/4/100/DIGEST   …/security
//     vni/100   bridge/web1/init/br0   vlan/7/web1/init/eth0.7   link/web1/init/eth0   net/production   external
//     vni/100/ip/10.0.0.1   external/prefix/192.0.2.0/24   vni/100/mac/52:54:00:12:34:56   vni/100/service/tcp/5432
//     app/postgres   zone/dmz
//     NODE~KIND~NODE, and where it needs one a qualifier: NODE~talks:tcp/5432:postgres~NODE   NODE~tunnel:100~NODE
//
// A name's own `/`, `~`, `:`, `%`, spaces and control characters are written %XX; a name of more than 64 bytes is cut and gets a digest, so
// that the longest key (two interfaces) stays within 512.

enum KeyText {
    static let longestName = 64

    static func append(name: String, to text: inout String) {
        var name = name
        let isPlain = name.utf8.count <= longestName && name.utf8.allSatisfy { !isReserved($0) } && !name.isEmpty
        if isPlain {
            text += name
            return
        }
        var bytes: [UInt8] = []
        for byte in name.utf8 {
            if isReserved(byte) {
                bytes += [UInt8(ascii: "%"), digit(byte >> 4), digit(byte & 15)]
            } else {
                bytes.append(byte)
            }
        }
        if bytes.count > longestName {
            // Not within a character or an escape: what is cut must still be read.
            let digest = fnv(name.utf8)
            var end = longestName - 17
            while end > 0, bytes[end] & 0xC0 == 0x80 { end -= 1 }
            if let escape = bytes[max(0, end - 2)..<end].lastIndex(of: UInt8(ascii: "%")) { end = escape }
            bytes = bytes[..<end] + [UInt8(ascii: "=")] + (0..<16).map { digit(UInt8(truncatingIfNeeded: digest >> (60 - 4 * $0) & 15)) }
        }
        name = String(decoding: bytes, as: UTF8.self)
        text += name.isEmpty ? "%" : name
    }

    /// The name that ``append(name:to:)`` wrote; a cut one as it was cut. nil for an escape that is none.
    static func name(_ text: Substring) -> String? {
        if text == "%" { return "" }
        guard !text.isEmpty else { return nil }
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(value), let low = rest.popFirst().flatMap(value) else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// What keys and states hold in place of a name: the same that reading it back from its key gives.
    static func kept(_ name: String) -> String {
        guard name.utf8.count > longestName || name.utf8.contains(where: isReserved) else { return name }
        var text = ""
        append(name: name, to: &text)
        return Self.name(text[...]) ?? text
    }

    static func isReserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...32, 127, UInt8(ascii: "/"), UInt8(ascii: "~"), UInt8(ascii: ":"), UInt8(ascii: "%"): true
        default: false
        }
    }

    static func digit(_ value: UInt8) -> UInt8 { value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10 }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
