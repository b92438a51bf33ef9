import NetworkTypes

extension FlowFilter.Parser {
    typealias Expression = FlowFilter.Expression
    typealias Token = FlowFilter.Token

    mutating func predicate() throws(FlowFilterError) -> Expression {
        guard let word = next.keyword else { throw notAPredicate() }
        if let transport = FlowFilter.protocolWords.first(where: { $0.0 == word }) {
            advance()
            return try afterProtocol(transport.1)
        }
        switch word {
        case "src", "dst", "host", "net", "port": return try sided(transport: nil)
        case "ip": return etherType(.ipv4)
        case "ip6": return etherType(.ipv6)
        case "arp": return etherType(.arp)
        case "proto":
            advance()
            let number = try value("a protocol name or number (0 to 255)", hint: "names are tcp, udp, gre, esp, ospf, …") { IPProtocol($0) }
            return .packet(.ipProtocol(number))
        case "ether":
            advance()
            guard accept(word: "proto") else { throw error("expected \"proto\" after \"ether\"", hint: "ether proto 0x88cc") }
            let type = try value("an ethertype, as 0x88cc or lldp", hint: "ether proto 0x88cc") { EtherType($0) }
            return .packet(.etherType(type))
        case "interface", "iface": return try interface()
        case "app": return try application()
        // As one word too.
        case _ where word.hasPrefix("app=") && word.utf8.count > 4:
            advance()
            return .record(.application(NamePattern(String(word.dropFirst(4)))))
        case "ingress": return record(.direction(.ingress))
        case "egress": return record(.direction(.egress))
        case "vlan": return try vlan()
        case "vni":
            advance()
            let vni = try value("a VXLAN network identifier (0 to 16777215)", hint: nil) { Self.number($0, upTo: 0xFF_FFFF) }
            return .record(.vxlan(UInt32(vni)))
        case "vxlan": return record(.vxlan(nil))
        case "dscp":
            advance()
            let codepoint = try value("a DSCP (0 to 63) or its name", hint: "names are ef, af41, cs6, be, …") {
                DSCPName.codepoint(named: $0) ?? Self.number($0, upTo: 63).map { UInt8($0) }
            }
            return .record(.dscp(codepoint))
        default: throw notAPredicate()
        }
    }

    private mutating func record(_ predicate: FlowFilter.RecordPredicate) -> Expression {
        advance()
        return .record(predicate)
    }

    private mutating func etherType(_ type: EtherType) -> Expression {
        advance()
        return .packet(.etherType(type))
    }

    /// `tcp`, `tcp port 443`, `udp src port 53`, `tcp flags syn`.
    private mutating func afterProtocol(_ number: IPProtocol) throws(FlowFilterError) -> Expression {
        switch next.keyword {
        case "flags" where number == .tcp:
            advance()
            let flags = try value("TCP flags, as syn or syn,ack", hint: "flags are fin, syn, rst, psh, ack, urg, ece, cwr, ae") {
                Self.flags($0)
            }
            return .record(.tcpFlags(flags))
        case "port", "src", "dst":
            guard let transport = FlowFilter.Transport.allCases.first(where: { $0.number == number }) else {
                throw error("expected \"and\" or \"or\" after \"\(number)\"", hint: "\(number) has no ports")
            }
            return try sided(transport: transport)
        default: return .packet(.ipProtocol(number))
        }
    }

    /// What may follow `src` and `dst`: a host, network or port. After a transport only a port.
    private mutating func sided(transport: FlowFilter.Transport?) throws(FlowFilterError) -> Expression {
        var side = FlowFilter.Side.either
        if accept(word: "src") { side = .source } else if accept(word: "dst") { side = .destination }
        if accept(word: "port") { return .packet(.port(side, try ports(), transport)) }
        if let transport {
            throw error("expected \"port\"", hint: "to ask for a protocol and an address: \(transport.rawValue) and \(side.prefix)host …")
        }
        if accept(word: "net") { return .packet(try network(side)) }
        if accept(word: "host") { return .packet(.host(side, try address())) }
        if let word = next.keyword, IPAddress(word) != nil { return .packet(.host(side, try address())) }
        throw error("expected \"host\", \"net\", \"port\" or an address", hint: suggestion(among: ["host", "net", "port"]))
    }

    private mutating func address() throws(FlowFilterError) -> IPAddress {
        let written = next.text
        return try value(
            "an IPv4 or IPv6 address",
            hint: IPPrefix(written) != nil ? "a network follows \"net\": net \(written)" : "names are not looked up: give the address"
        ) { IPAddress($0) }
    }

    /// A prefix, or the name of a prefix set after `@`.
    private mutating func network(_ side: FlowFilter.Side) throws(FlowFilterError) -> FlowFilter.PacketPredicate {
        guard case .word(let word) = next.kind, word.utf8.first == UInt8(ascii: "@") else { return .net(side, try prefix()) }
        let name = String(word.dropFirst())
        guard prefixSets.contains(name) else {
            if prefixSets.isEmpty {
                throw error("expected a network: no prefix sets are known here", hint: "sets are declared in a policy, for its own filters")
            }
            let nearest = Suggestion.nearest(to: name, among: prefixSets.sorted())
            throw error("expected a prefix set of the policy", hint: nearest.map { "did you mean net @\($0)?" } ?? "declare it under sets:")
        }
        advance()
        return .netSet(side, name)
    }

    private mutating func prefix() throws(FlowFilterError) -> IPPrefix {
        let written = next.text
        var hint = "as 10.0.0.0/8 or 2001:db8::/32"
        if let address = IPAddress(written) {
            hint = "give the length (net \(written)/\(address.bitWidth / 2)), or ask for host \(written)"
        }
        do throws(IPPrefix.ParseError) { _ = try IPPrefix(parsing: written) } catch .hostBits(let meant) {
            throw error("expected a network whose host bits are zero", hint: "did you mean net \(meant)?")
        } catch {}
        return try value("a network with its length", hint: hint) { IPPrefix($0) }
    }

    private mutating func ports() throws(FlowFilterError) -> ClosedRange<UInt16> {
        let names = ["http", "https", "ssh", "domain", "smtp", "ntp", "bgp", "imaps", "mysql", "postgresql", "redis", "mdns"]
        let hint = next.keyword.flatMap { Suggestion.nearest(to: $0, among: names) }
        return try value("a port number or range", hint: hint.map { "did you mean \"\($0)\"?" } ?? "as 443, 8000-8080 or https") {
            if let port = Self.port($0) { return port...port }
            let ends = $0.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            guard ends.count == 2, let low = Self.port(String(ends[0])), let high = Self.port(String(ends[1])), low <= high else {
                return nil
            }
            return low...high
        }
    }

    private static func port(_ text: String) -> UInt16? { number(text, upTo: 65_535).map { UInt16($0) } ?? ServiceName.port(named: text) }

    private mutating func interface() throws(FlowFilterError) -> Expression {
        advance()
        switch next.kind {
        case .word(let name), .quoted(let name):
            guard !name.isEmpty else { throw error("expected an interface name") }
            advance()
            return .record(.interface(NamePattern(name)))
        default: throw error("expected an interface name or pattern", hint: "as eth0 or veth*; other characters need quotes: \"a&b\"")
        }
    }

    private mutating func application() throws(FlowFilterError) -> Expression {
        advance()
        switch next.kind {
        case .word(let name), .quoted(let name):
            guard !name.isEmpty else { throw error("expected an application") }
            advance()
            return .record(.application(NamePattern(name.lowercased())))
        default: throw error("expected an application or a pattern", hint: "as http, tls or *.google")
        }
    }

    /// The identifier may be left out.
    private mutating func vlan() throws(FlowFilterError) -> Expression {
        advance()
        guard case .word(let word) = next.kind, word.utf8.first.map({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) == true else {
            return .record(.vlan(nil))
        }
        let identifier = try value("a VLAN identifier (0 to 4095)", hint: nil) { Self.number($0, upTo: 4095) }
        return .record(.vlan(UInt16(identifier)))
    }

    /// Takes the next word if `read` makes sense of it.
    private mutating func value<T>(_ wanted: String, hint: String?, _ read: (String) -> T?) throws(FlowFilterError) -> T {
        guard case .word(let word) = next.kind, let result = read(word) else { throw error("expected \(wanted)", hint: hint) }
        advance()
        return result
    }

    /// Plain decimal digits, no sign.
    private static func number(_ text: String, upTo limit: Int) -> Int? {
        guard let first = text.utf8.first, first >= UInt8(ascii: "0"), first <= UInt8(ascii: "9"), text.utf8.count <= 10,
            let value = Int(text), value <= limit
        else { return nil }
        return value
    }

    private static func flags(_ text: String) -> TCPFlags? {
        var flags: TCPFlags = []
        for part in text.lowercased().split(separator: ",", omittingEmptySubsequences: false) {
            guard let flag = TCPFlags.names.first(where: { $0.0 == part })?.1 else { return nil }
            flags.formUnion(flag)
        }
        return flags.isEmpty ? nil : flags
    }

    private func suggestion(among words: [String]) -> String? {
        next.keyword.flatMap { Suggestion.nearest(to: $0, among: words) }.map { "did you mean \"\($0)\"?" }
    }

    private func notAPredicate() -> FlowFilterError {
        let problem = "expected a predicate"
        guard let word = next.keyword else {
            return error(problem, hint: next.kind == .end ? "as host 10.0.0.1, tcp port 443 or interface eth0" : nil)
        }
        if IPAddress(word) != nil { return error(problem, hint: "an address follows \"host\": host \(next.text)") }
        if IPPrefix(word) != nil { return error(problem, hint: "a network follows \"net\": net \(next.text)") }
        if word.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") || $0 == UInt8(ascii: "-") }) {
            return error(problem, hint: "every number needs its word: port \(next.text)")
        }
        return error(problem, hint: suggestion(among: FlowFilter.predicateWords.sorted()))
    }
}
