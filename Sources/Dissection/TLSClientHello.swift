/// The server's name in the first message of a TLS client (RFC 8446, section 4.1.2; RFC 6066, section 3), also when the rest is cut off.
public enum TLSClientHello {
    /// nil when there is none, the message is of another kind, or its part that was captured ends before the name does.
    /// - Parameter payload: of TCP, from the first byte of the record on.
    public static func serverName(_ payload: ArraySlice<UInt8>) -> String? {
        var reader = ByteReader(payload)
        // A handshake record of SSL 3 or TLS, a ClientHello in it; version and random follow.
        guard reader.byte() == 22, reader.byte() == 3, reader.skip(3), reader.byte() == 1, reader.skip(3 + 2 + 32) else { return nil }
        guard let session = reader.byte(), reader.skip(Int(session)), let suites = reader.short(), reader.skip(Int(suites)),
            let methods = reader.byte(), reader.skip(Int(methods)), var left = reader.short().map({ Int($0) })
        else { return nil }
        while left >= 4, let type = reader.short(), let size = reader.short().map({ Int($0) }), size <= left - 4 {
            if type == 0 { return hostName(&reader) }
            guard reader.skip(size) else { return nil }
            left -= 4 + size
        }
        return nil
    }

    /// The first entry of the list, which is of type 0, a host's name.
    private static func hostName(_ reader: inout ByteReader) -> String? {
        guard reader.skip(2), reader.byte() == 0, let size = reader.short(), (1...253).contains(size), let name = reader.take(Int(size))
        else { return nil }
        return HostName.of(name)
    }
}

/// Host names as strangers write them.
public enum HostName {
    public static let mostCharacters = 253

    /// In lower case, without a last dot; nil when a byte can stand in no host name (letters, digits, `-`, `_`, `.`, `*`; `:`, `[`, `]` of
    /// ports and addresses).
    public static func of(_ bytes: ArraySlice<UInt8>) -> String? {
        var bytes = bytes
        if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
        guard (1...mostCharacters).contains(bytes.count), bytes.allSatisfy(isAllowed) else { return nil }
        return String(decoding: bytes.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "-_.*:[]".utf8.contains(byte)
        }
    }
}
