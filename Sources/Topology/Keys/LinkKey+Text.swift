import NetworkTypes

extension LinkKey: LosslessStringConvertible {
    public var description: String { text(a.description, b.description) }

    /// With the ends' texts at hand: a thousand links of one node need its text once.
    func text(_ a: String, _ b: String) -> String {
        var text = a
        text += "~"
        text += kind.word
        switch qualifier {
        case .none: break
        case .vni(let number): text += ":\(number)"
        case .flow(let transport, let port, let application):
            text += ":"
            text += transport.description
            text += "/"
            text += String(port)
            if let application {
                text += ":"
                KeyText.append(name: application, to: &text)
            }
        }
        text += "~"
        text += b
        return text
    }

    /// Reads what ``description`` writes; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "~", omittingEmptySubsequences: false)
        guard parts.count == 3, let a = NodeKey(String(parts[0])), let b = NodeKey(String(parts[2])) else { return nil }
        let words = parts[1].split(separator: ":", omittingEmptySubsequences: false)
        guard let kind = LinkKind(word: words[0]), let qualifier = Self.qualifier(kind, words.dropFirst()) else { return nil }
        self.init(kind, a, b, qualifier)
        guard description == text else { return nil }
    }

    private static func qualifier(_ kind: LinkKind, _ words: ArraySlice<Substring>) -> LinkQualifier? {
        var words = words
        guard let first = words.popFirst() else { return LinkQualifier.none }
        switch kind {
        case .talks, .translates:
            let parts = first.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2, let transport = IPProtocol(String(parts[0])), let port = UInt16(parts[1]) else { return nil }
            guard let word = words.popFirst() else { return .flow(transport, port: port, application: nil) }
            guard let application = KeyText.name(word), words.isEmpty else { return nil }
            return .flow(transport, port: port, application: application)
        default:
            guard words.isEmpty, let vni = UInt32(first) else { return nil }
            return .vni(vni)
        }
    }
}

extension EntityKey: LosslessStringConvertible {
    public var description: String {
        switch self {
        case .node(let key): key.description
        case .link(let key): key.description
        }
    }

    /// Reads what ``description`` writes; nil for anything else.
    public init?(_ text: String) {
        if text.utf8.contains(UInt8(ascii: "~")) {
            guard let key = LinkKey(text) else { return nil }
            self = .link(key)
        } else {
            guard let key = NodeKey(text) else { return nil }
            self = .node(key)
        }
    }
}
