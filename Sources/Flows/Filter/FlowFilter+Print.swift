import NetworkTypes

extension FlowFilter: CustomStringConvertible {
    /// The canonical text: reading it gives an equal filter.
    public var description: String { expression?.text(within: .whole) ?? "" }
}

extension FlowFilter.Expression: CustomStringConvertible {
    public var description: String { text(within: .whole) }

    /// What surrounds an expression, and so whether it needs parentheses.
    enum Surrounding { case whole, any, all, prefix }

    func text(within surrounding: Surrounding) -> String {
        func grouped(_ text: String, if needed: Bool) -> String { needed ? "(\(text))" : text }
        switch self {
        case .all(let parts):
            return grouped(
                parts.map { $0.text(within: .all) }.joined(separator: " and "), if: surrounding != .whole && surrounding != .any)
        case .any(let parts):
            return grouped(parts.map { $0.text(within: .any) }.joined(separator: " or "), if: surrounding != .whole)
        case .not(let part): return "not " + part.text(within: .prefix)
        case .layer(let layer, let part): return "\(layer.rawValue) " + part.text(within: .prefix)
        case .packet(let predicate): return predicate.description
        case .record(let predicate): return predicate.description
        }
    }
}

extension FlowFilter.PacketPredicate: CustomStringConvertible {
    public var description: String {
        switch self {
        case .host(let side, let address): "\(side.prefix)host \(address)"
        case .net(let side, let prefix): "\(side.prefix)net \(prefix)"
        case .netSet(let side, let name): "\(side.prefix)net @\(name)"
        case .port(let side, let ports, let transport):
            "\(transport.map { $0.rawValue + " " } ?? "")\(side.prefix)port "
                + (ports.count == 1 ? "\(ports.lowerBound)" : "\(ports.lowerBound)-\(ports.upperBound)")
        case .ipProtocol(let number):
            FlowFilter.protocolWords.first { $0.1 == number }?.0 ?? "proto \(number.rawValue)"
        case .etherType(.ipv4): "ip"
        case .etherType(.ipv6): "ip6"
        case .etherType(.arp): "arp"
        case .etherType(let type): "ether proto \(type.hexadecimalText)"
        }
    }
}

extension FlowFilter.RecordPredicate: CustomStringConvertible {
    public var description: String {
        switch self {
        case .interface(let pattern): "interface \(FlowFilter.quotedIfNeeded(pattern.text))"
        case .direction(.ingress): "ingress"
        case .direction(.egress): "egress"
        case .vlan(let identifier): identifier.map { "vlan \($0)" } ?? "vlan"
        case .vxlan(let vni): vni.map { "vni \($0)" } ?? "vxlan"
        case .dscp(let codepoint): "dscp \(codepoint)"
        case .tcpFlags(let flags): "tcp flags \(flags)"
        case .application(let pattern): "app \(FlowFilter.quotedIfNeeded(pattern.text))"
        }
    }
}

extension FlowFilter.Side {
    var prefix: String {
        switch self {
        case .either: ""
        case .source: "src "
        case .destination: "dst "
        }
    }
}

extension TCPFlags: CustomStringConvertible {
    /// Every flag that has a name.
    public static let names: [(String, TCPFlags)] = [
        ("fin", .fin), ("syn", .syn), ("rst", .rst), ("psh", .psh), ("ack", .ack), ("urg", .urg), ("ece", .ece), ("cwr", .cwr),
        ("ae", .ae),
    ]
    /// `syn,ack`; `none` when empty. Bits without a name are left out.
    public var description: String {
        let set = Self.names.filter { contains($0.1) }.map(\.0)
        return set.isEmpty ? "none" : set.joined(separator: ",")
    }
}

extension FlowFilter {
    /// Protocols that are a word of the language by themselves.
    static let protocolWords: [(String, IPProtocol)] = [
        ("tcp", .tcp), ("udp", .udp), ("icmp", .icmp), ("icmp6", .icmpv6), ("sctp", .sctp),
    ]
    static func quotedIfNeeded(_ name: String) -> String {
        let plain = !name.isEmpty && name.utf8.allSatisfy(isWordByte) && !connectives.contains(name.lowercased())
        if plain { return name }
        var text = "\""
        for c in name.unicodeScalars {
            if c == "\"" || c == "\\" { text.unicodeScalars.append("\\") }
            text.unicodeScalars.append(c)
        }
        return text + "\""
    }
}
