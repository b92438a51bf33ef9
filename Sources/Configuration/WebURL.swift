import NetworkTypes

/// An http or https URL (RFC 3986, 3) that something is posted to.
public struct WebURL: Sendable, Equatable {
    /// Why a text is none, without what of it may be secret.
    struct Fault: Error {
        var reason: String
    }

    public let text: String
    /// Scheme, host and port, as they may stand in a log: a user, a password, the path or the query may be what admits to it.
    public let origin: String

    private static let longest = 2048

    init(_ text: String) throws(Fault) {
        guard text.utf8.count <= Self.longest else { throw Fault(reason: "it is longer than \(Self.longest) bytes") }
        guard text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw Fault(reason: "it holds a space, a control character, or what is not ASCII: write those as %XX")
        }
        guard let scheme = ["http://", "https://"].first(where: { text.hasPrefix($0) }) else {
            throw Fault(reason: "expected a URL such as https://alerts.example/nilo, or off")
        }
        let address = Self.address(text.dropFirst(scheme.count))
        try Self.check(address)
        self.text = text
        origin = scheme + String(address)
    }

    /// Of what stands behind the scheme: without user and password, path, query and fragment.
    private static func address(_ rest: Substring) -> Substring {
        let authority = rest.prefix { !"/?#".contains($0) }
        return authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
    }

    /// Host and port of what should be a URL; the rest of it is no text for a message.
    static func shown(_ text: String) -> String {
        guard let colon = text.firstRange(of: "://") else { return String(address(text[...])) }
        return String(text[..<colon.upperBound] + address(text[colon.upperBound...]))
    }

    private static func check(_ address: Substring) throws(Fault) {
        var (host, port) = (address, address[address.endIndex...])
        if address.hasPrefix("[") {
            guard let end = address.firstIndex(of: "]") else { throw Fault(reason: "the bracket before the IPv6 address is not closed") }
            // A zone follows a % (RFC 6874).
            let inside = address[address.index(after: address.startIndex)..<end].prefix { $0 != "%" }
            guard inside.contains(":"), IPAddress(String(inside)) != nil else { throw Fault(reason: "in brackets is no IPv6 address") }
            port = address[address.index(after: end)...]
            guard port.isEmpty || port.hasPrefix(":") else { throw Fault(reason: "expected a port or a path after the bracket") }
        } else {
            host = address.prefix { $0 != ":" }
            port = address[host.endIndex...]
            let extra: Set<UInt8> = [0x2d, 0x2e, 0x5f]  // - . _
            let isName = host.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5a).contains($0 & 0xdf) || extra.contains($0)
            }
            guard !host.isEmpty, host.utf8.count <= 253, isName else {
                throw Fault(reason: "its host is no name and no address, which are letters, digits and -._ (IPv6 in brackets)")
            }
        }
        guard !port.isEmpty else { return }
        let digits = port.dropFirst()
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(digits), number > 0 else {
            throw Fault(reason: "its port has to be 1 to 65535")
        }
    }
}
