/// A DNS message, put together by hand (RFC 1035, section 4).
public struct DNSMessage {
    public var flags: UInt16
    /// The question's name; nil: there is none.
    public var question: [UInt8]?
    public var records: [[UInt8]]
    /// Set to announce another number of records.
    public var announcedAnswers: UInt16?

    public init(flags: UInt16 = 0x8180, question: [UInt8]? = nil, records: [[UInt8]] = [], announcedAnswers: UInt16? = nil) {
        self.flags = flags
        self.question = question
        self.records = records
        self.announcedAnswers = announcedAnswers
    }

    public var bytes: [UInt8] {
        var bytes: [UInt8] = [0x12, 0x34]
        bytes.append(be16: flags)
        bytes.append(be16: question == nil ? 0 : 1)
        bytes.append(be16: announcedAnswers ?? UInt16(records.count))
        bytes.append(be32: 0)
        if let question { bytes += question + [0, 1, 0, 1] }
        return records.reduce(bytes) { $0 + $1 }
    }

    /// Labels without compression.
    public static func name(_ text: String) -> [UInt8] {
        text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    public static func record(_ owner: [UInt8], type: UInt16, _ content: [UInt8], timeToLive: UInt32 = 300, kind: UInt16 = 1) -> [UInt8] {
        var bytes = owner
        bytes.append(be16: type)
        bytes.append(be16: kind)
        bytes.append(be32: timeToLive)
        bytes.append(be16: UInt16(content.count))
        return bytes + content
    }

    /// The question's name, which begins behind the header.
    public static let pointerToQuestion: [UInt8] = [0xC0, 12]
}

/// TLVs of LLDP.
public func lldpElement(_ type: UInt8, _ value: [UInt8]) -> [UInt8] {
    [type << 1 | UInt8(value.count >> 8), UInt8(value.count & 0xFF)] + value
}

/// A TLS ClientHello (RFC 8446, section 4.1.2) with a server name behind another extension.
public func clientHello(_ name: String, session: Int = 32, padding: Int = 4) -> [UInt8] {
    var sni: [UInt8] = []
    sni.append(be16: UInt16(name.utf8.count + 3))
    sni.append(0)
    sni.append(be16: UInt16(name.utf8.count))
    sni += name.utf8
    var extensions: [UInt8] = [0, 10]
    extensions.append(be16: UInt16(padding))
    extensions += [UInt8](repeating: 0, count: padding) + [0, 0]
    extensions.append(be16: UInt16(sni.count))
    extensions += sni + [0, 23, 0, 0]
    var body: [UInt8] = [3, 3] + [UInt8](repeating: 7, count: 32) + [UInt8(session)] + [UInt8](repeating: 1, count: session)
    body += [0, 4, 0x13, 1, 0x13, 2, 1, 0]
    body.append(be16: UInt16(extensions.count))
    body += extensions
    var record: [UInt8] = [22, 3, 1]
    record.append(be16: UInt16(body.count + 4))
    return record + [1, 0, UInt8(body.count >> 8), UInt8(body.count & 255)] + body
}
