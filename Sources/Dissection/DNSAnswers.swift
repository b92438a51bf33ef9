import NetworkTypes

/// The addresses that a DNS answer gives (RFC 1035, RFC 3596), also of multicast DNS (RFC 6762) and LLMNR (RFC 4795).
public struct DNSAnswers: Sendable, Hashable {
    /// An A or AAAA record.
    public struct Address: Sendable, Hashable {
        public var address: IPAddress
        /// What was asked for, if aliases lead from there to this record; else the record's owner.
        public var name: String
        /// The record's owner, where aliases led to it.
        public var canonicalName: String?
        /// Seconds.
        public var timeToLive: UInt32

        public init(address: IPAddress, name: String, canonicalName: String? = nil, timeToLive: UInt32) {
            self.address = address
            self.name = name
            self.canonicalName = canonicalName
            self.timeToLive = timeToLive
        }
    }

    public var addresses: [Address]
    /// Records are missing: the packet is cut off, they are too many, or one of them cannot be read.
    public var isPartial: Bool

    /// More records than that are not looked at.
    public static let mostRecords = 64
    private static let cname: UInt16 = 5
    private static let types: (a: UInt16, aaaa: UInt16) = (1, 28)

    /// nil for what is no answer without error. What is cut off gives what is there.
    /// - Parameter message: from the DNS header on, without TCP's length.
    public init?(_ message: ArraySlice<UInt8>) {
        var reader = ByteReader(message)
        guard reader.skip(2), let flags = reader.short(), let questions = reader.short(), let answers = reader.short(), reader.skip(4)
        else { return nil }
        // An answer (QR), a standard query (opcode 0), no error.
        guard flags & 0xF80F == 0x8000, questions <= 1 else { return nil }
        var question: String?
        if questions == 1 {
            guard let name = DNSName.read(&reader), reader.skip(4) else { return nil }
            question = name
        }
        addresses = []
        isPartial = answers > Self.mostRecords
        var aliases: [String: String] = [:]
        for _ in 0..<min(Int(answers), Self.mostRecords) {
            guard let record = Record(&reader) else {
                isPartial = true
                break
            }
            if let alias = record.alias { aliases[record.owner] = alias }
            if let address = record.address {
                addresses.append(Address(address: address, name: record.owner, timeToLive: record.timeToLive))
            }
        }
        guard let question, !aliases.isEmpty else { return }
        let canonical = Self.names(from: question, aliases)
        for i in addresses.indices where addresses[i].name != question && canonical.contains(addresses[i].name) {
            addresses[i].canonicalName = addresses[i].name
            addresses[i].name = question
        }
    }

    /// All names that aliases lead to. A loop ends where it began.
    private static func names(from question: String, _ aliases: [String: String]) -> Set<String> {
        var reached: Set<String> = []
        var name = question
        while let next = aliases[name], reached.insert(next).inserted { name = next }
        return reached
    }

    private struct Record {
        var owner: String
        var timeToLive: UInt32
        var alias: String?
        var address: IPAddress?

        init?(_ reader: inout ByteReader) {
            guard let owner = DNSName.read(&reader), let type = reader.short(), let kind = reader.short(), let lifetime = reader.long(),
                let size = reader.short()
            else { return nil }
            self.owner = owner
            // The highest bit is no number's (RFC 2181, section 8).
            timeToLive = lifetime >> 31 == 1 ? 0 : lifetime
            var content = reader
            guard reader.skip(Int(size)) else { return nil }
            // The highest bit of multicast DNS's class says that older records are void.
            guard kind & 0x7FFF == 1 else { return }
            switch (type, size) {
            case (DNSAnswers.types.a, 4): address = content.address(isIPv6: false)
            case (DNSAnswers.types.aaaa, 16): address = content.address(isIPv6: true)
            case (DNSAnswers.cname, _):
                guard let name = DNSName.read(&content), content.position <= reader.position else { return nil }
                alias = name
            default: break
            }
        }
    }
}
