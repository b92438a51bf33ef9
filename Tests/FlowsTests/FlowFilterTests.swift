import FlowSupport
import Flows
import NetworkTypes
import Testing

@Suite struct FlowFilterTests {
    /// Text, and its canonical form.
    @Test(arguments: [
        ("", ""), ("  \n", ""), ("host 10.0.0.1 and tcp port 443", "host 10.0.0.1 and tcp port 443"),
        ("src net 10.0.0.0/8", "src net 10.0.0.0/8"),
        ("dst port 80-90", "dst port 80-90"), ("port 53 or port 5353", "port 53 or port 5353"),
        ("UDP && !(ARP||ip6)", "udp and not (arp or ip6)"),
        ("proto 47", "proto 47"), ("proto gre", "proto 47"), ("proto 6", "tcp"), ("ether proto 0x88cc", "ether proto 0x88cc"),
        ("ether proto lldp", "ether proto 0x88cc"), ("ether proto 0x800", "ip"), ("vlan", "vlan"),
        ("vlan 100 and vlan", "vlan 100 and vlan"),
        ("vni 42", "vni 42"), ("inner host ::1", "inner host ::1"), ("outer (tcp or udp)", "outer (tcp or udp)"),
        ("interface veth*", "interface veth*"),
        ("iface \"eth0\"", "interface eth0"), ("interface \"and\"", "interface \"and\""), ("interface \"a\\\"b\"", "interface \"a\\\"b\""),
        ("ingress or egress", "ingress or egress"), ("dscp ef", "dscp 46"), ("tcp flags SYN,ack", "tcp flags syn,ack"),
        ("port https", "port 443"),
        ("src 10.0.0.1", "src host 10.0.0.1"), ("tcp src port 80-80", "tcp src port 80"), ("not not icmp6", "not not icmp6"),
        ("(tcp)", "tcp"), ("(tcp and udp) and icmp", "(tcp and udp) and icmp"),
        ("tcp and udp or icmp and arp", "tcp and udp or icmp and arp"),
        ("tcp and (udp or icmp)", "tcp and (udp or icmp)"), ("vxlan", "vxlan"),
        ("app HTTP", "app http"), ("app=tls and not app *.google", "app tls and not app *.google"), ("app \"a b\"", "app \"a b\""),
    ]) func canonical(text: String, canonical: String) throws {
        let filter = try FlowFilter(parsing: text)
        #expect(filter.description == canonical)
        #expect(try FlowFilter(parsing: canonical) == filter)
    }

    @Test(
        arguments: [
            ("app http", ["http"]), ("app tls", ["tls", "tls.google"]), ("app google", ["tls.google"]), ("app *.google", ["tls.google"]),
            ("app tls.google", ["tls.google"]), ("app unknown", ["unknown"]), ("not app http", ["tls", "tls.google", "unknown", nil]),
            ("app *", ["http", "tls", "tls.google", "unknown"]), ("app goo", []),
        ] as [(String, [String?])]) func applications(text: String, matched: [String?]) throws
    {
        let filter = try FlowFilter(parsing: text)
        #expect(filter.namesApplications && !filter.namesInterfaces)
        let traits = FlowTraits(first: Timestamp(nanoseconds: 1), last: Timestamp(nanoseconds: 2))
        let record = FlowRecord(key: FlowKey(), totals: Totals(), transport: TransportCounts(), traits: traits)
        let found = (["http", "tls", "tls.google", "unknown", nil] as [String?]).filter { name in
            filter.matches(record, interfaceName: { _ in nil }, application: { _ in name })
        }
        #expect(found == matched)
    }

    @Test func precedence() throws {
        let tcp = FlowFilter.Expression.packet(.ipProtocol(.tcp))
        let udp = FlowFilter.Expression.packet(.ipProtocol(.udp))
        let arp = FlowFilter.Expression.packet(.etherType(.arp))
        #expect(try FlowFilter(parsing: "not tcp and udp or arp").expression == .any([.all([.not(tcp), udp]), arp]))
        #expect(try FlowFilter(parsing: "arp or inner tcp and udp").expression == .any([arp, .all([.layer(.inner, tcp), udp])]))
    }

    @Test(
        arguments: [
            ("host a and tcp port 443", 6, "a", "expected an IPv4 or IPv6 address", "names are not looked up: give the address"),
            ("tcp    port htp", 13, "htp", "expected a port number or range", "did you mean \"http\"?"),
            ("port 90-80", 6, "90-80", "expected a port number or range", "as 443, 8000-8080 or https"),
            ("port 65536", 6, "65536", "expected a port number or range", "as 443, 8000-8080 or https"),
            ("port +80", 6, "+80", "expected a port number or range", "as 443, 8000-8080 or https"),
            ("hots 10.0.0.1", 1, "hots", "expected a predicate", "did you mean \"host\"?"),
            ("10.0.0.1", 1, "10.0.0.1", "expected a predicate", "an address follows \"host\": host 10.0.0.1"),
            ("port 80 or 443", 12, "443", "expected a predicate", "every number needs its word: port 443"),
            ("net 10.0.0.1/8", 5, "10.0.0.1/8", "expected a network whose host bits are zero", "did you mean net 10.0.0.0/8?"),
            ("host 10.0.0.0/8", 6, "10.0.0.0/8", "expected an IPv4 or IPv6 address", "a network follows \"net\": net 10.0.0.0/8"),
            (
                "tcp host 10.0.0.1", 5, "host", "expected \"and\" or \"or\" before the next predicate",
                "join predicates with \"and\": … and host …"
            ),
            (
                "icmp port 1", 6, "port", "expected \"and\" or \"or\" after \"icmp\"", "icmp has no ports"
            ),
            ("tcp src host 10.0.0.1", 9, "host", "expected \"port\"", "to ask for a protocol and an address: tcp and src host …"),
            (
                "tcp flags syn,fun", 11, "syn,fun", "expected TCP flags, as syn or syn,ack",
                "flags are fin, syn, rst, psh, ack, urg, ece, cwr, ae"
            ),
            ("(tcp", 5, nil, "expected \")\"", "the parenthesis at column 1 is not closed"),
            ("tcp)", 4, ")", "a parenthesis is closed that was not opened", nil),
            ("tcp and", 8, nil, "expected a predicate", "as host 10.0.0.1, tcp port 443 or interface eth0"),
            ("tcp & udp", 5, "&", "not a character of the filter language", "write and"),
            ("interface \"eth0", 11, "\"", "no closing quote", nil),
            (
                "interface and", 11, "and", "expected an interface name or pattern",
                "as eth0 or veth*; other characters need quotes: \"a&b\""
            ),
            ("vlan 4096", 6, "4096", "expected a VLAN identifier (0 to 4095)", nil),
            ("vni 16777216", 5, "16777216", "expected a VXLAN network identifier (0 to 16777215)", nil),
            ("dscp 64", 6, "64", "expected a DSCP (0 to 63) or its name", "names are ef, af41, cs6, be, …"),
            ("ether 0x88cc", 7, "0x88cc", "expected \"proto\" after \"ether\"", "ether proto 0x88cc"),
            ("proto 256", 7, "256", "expected a protocol name or number (0 to 255)", "names are tcp, udp, gre, esp, ospf, …"),
            ("é hots", 1, "é", "expected a predicate", nil),
            ("src prot 80", 5, "prot", "expected \"host\", \"net\", \"port\" or an address", "did you mean \"port\"?"),
        ] as [(String, Int, String?, String, String?)]) func errors(
            text: String, column: Int, found: String?, problem: String, hint: String?
        )
    {
        let expected = FlowFilterError(column: column, found: found, problem: problem, hint: hint)
        #expect(throws: expected) { try FlowFilter(parsing: text) }
    }

    @Test func errorText() throws {
        let error = try #require(throws: FlowFilterError.self) { try FlowFilter(parsing: "tcp    port htp") }
        #expect(error.description == "expected a port number or range, found \"htp\" at column 13")
        #expect(error.marked(in: "tcp    port htp") == "tcp    port htp\n            ^^^")
        let long = String(repeating: "tcp or ", count: 100) + "htp"
        let late = try #require(throws: FlowFilterError.self) { try FlowFilter(parsing: long) }
        let lines = late.marked(in: long, width: 60).split(separator: "\n")
        #expect(lines.count == 2 && lines.allSatisfy { $0.count <= 60 })
        #expect(
            lines[1].firstIndex(of: "^").map {
                lines[0][lines[0].index(lines[0].startIndex, offsetBy: lines[1].distance(from: lines[1].startIndex, to: $0))...].hasPrefix(
                    "htp")
            } == true)
    }

    @Test func bounds() throws {
        let deepest = FlowFilter.deepestNesting
        _ = try FlowFilter(parsing: String(repeating: "(", count: deepest - 1) + "tcp" + String(repeating: ")", count: deepest - 1))
        for (open, close) in [("(", ")"), ("not ", ""), ("inner ", ""), ("!", "")] {
            let text = String(repeating: open, count: deepest) + "tcp" + String(repeating: close, count: deepest)
            #expect(throws: FlowFilterError.self) { try FlowFilter(parsing: text) }
        }
        let wide = String(repeating: "tcp or ", count: 580) + "tcp"
        #expect(throws: Never.self) { try FlowFilter(parsing: wide) }
        #expect(throws: FlowFilterError.self) { try FlowFilter(parsing: wide + " " + String(repeating: " ", count: 100)) }
    }

    @Test func printedFiltersReadBack() throws {
        var flows = RandomFlows(seed: 11)
        for _ in 0..<5000 {
            let filter = FlowFilter(flows.expression(depth: 5))
            let text = filter.description
            guard text.utf8.count <= FlowFilter.longestText else { continue }
            #expect(try FlowFilter(parsing: text, prefixSets: Set(RandomFlows.prefixSets.keys)) == filter, "\(text)")
        }
    }

    /// Texts of random bytes, and of random words of the language, are read or refused with a column inside the text.
    @Test func nothingCrashesTheParser() {
        var flows = RandomFlows(seed: 12)
        let words = [
            "host", "net", "port", "src", "dst", "tcp", "flags", "syn", "and", "or", "not", "(", ")", "!", "&&", "||", "10.0.0.1",
            "10.0.0.0/8", "80-90", "-",
            "inner", "outer", "interface", "\"", "\"x\"", "vlan", "100", "vni", "dscp", "ef", "ether", "proto", "0x88cc", "\\", "\u{0}",
            "é", "\u{301}", "99999999999999999999",
        ]
        var accepted = 0
        for round in 0..<30_000 {
            let text: String
            if round % 2 == 0 {
                text = String(
                    decoding: (0..<Int.random(in: 0...40, using: &flows.random)).map { _ in
                        UInt8.random(in: 0 ... .max, using: &flows.random)
                    }, as: UTF8.self)
            } else {
                text = (0..<Int.random(in: 0...9, using: &flows.random)).map { _ in flows.pick(words) }.joined(
                    separator: flows.pick(["", " ", " "]))
            }
            do throws(FlowFilterError) {
                let filter = try FlowFilter(parsing: text)
                accepted += 1
                #expect(throws: Never.self) { try FlowFilter(parsing: filter.description) }
            } catch {
                #expect((1...text.unicodeScalars.count + 1).contains(error.column))
                _ = error.marked(in: text)
                _ = error.description
            }
        }
        #expect(accepted > 100)
    }

    /// Against an evaluation that spells out the definition: the set of tuples in view, and every case by hand.
    @Test func evaluationMatchesTheDefinition() {
        var flows = RandomFlows(seed: 13)
        var matched = 0
        for _ in 0..<20_000 {
            let filter = flows.expression(depth: 3)
            let record = flows.record()
            let layers: [FlowFilter.Layer: FlowTuple] =
                record.key.inner.map { [.outer: record.key.outer, .inner: $0] } ?? [.outer: record.key.outer]
            let wanted = Oracle(record: record).holds(filter, layers)
            let found = FlowFilter(filter).matches(record, interfaceName: RandomFlows.name, contains: RandomFlows.contains)
            #expect(found == wanted, "\(filter) over \(record)")
            matched += wanted ? 1 : 0
        }
        #expect((4000...16_000).contains(matched))
    }

    /// A set is known only where a policy says so.
    @Test func prefixSetsAreNamed() throws {
        let sets: Set = ["offices", "partners-2"]
        let filter = try FlowFilter(parsing: "src net @offices or not inner dst net @partners-2", prefixSets: sets)
        #expect(
            filter.expression
                == .any([.packet(.netSet(.source, "offices")), .not(.layer(.inner, .packet(.netSet(.destination, "partners-2"))))]))
        #expect(filter.description == "src net @offices or not inner dst net @partners-2")
        func refusal(_ text: String, _ sets: Set<String>) -> FlowFilterError? {
            do throws(FlowFilterError) { _ = try FlowFilter(parsing: text, prefixSets: sets) } catch { return error }
            return nil
        }
        let mistyped = try #require(refusal("tcp and net @ofices", sets))
        #expect(mistyped.column == 13 && mistyped.found == "@ofices" && mistyped.hint == "did you mean net @offices?")
        let unknown = try #require(refusal("net @offices", []))
        #expect(unknown.problem == "expected a network: no prefix sets are known here" && unknown.hint != nil)
        #expect(refusal("net @", sets) != nil)
        #expect(refusal("host @offices", sets) != nil)
    }

    @Test func interfaceNamesAreAskedForOnlyWhenNeeded() throws {
        var flows = RandomFlows(seed: 14)
        let record = flows.record()
        for text in ["tcp", "not (udp or vlan)", "", "inner ingress"] {
            let filter = try FlowFilter(parsing: text)
            #expect(!filter.namesInterfaces)
            _ = filter.matches(record) { _ in
                Issue.record("asked for a name")
                return nil
            }
        }
        #expect(try FlowFilter(parsing: "tcp or not inner interface eth0").namesInterfaces)
    }

    @Test(arguments: [
        ("eth0", true), ("blue:eth0", true), ("b*:eth?", true), ("netns blue:eth0", true), ("*:eth0", true), ("red:eth0", false),
        ("blue:eth1", false), (":eth0", false), ("blue:", false),
    ]) func anInterfaceIsNamedWithItsNamespace(name: String, matches: Bool) throws {
        var flows = RandomFlows(seed: 15)
        let record = flows.record()
        let filter = try FlowFilter(parsing: "interface \"\(name)\"")
        #expect(filter.namesNamespaces == name.contains(":"))
        let found = filter.matches(record, interfaceName: { _ in "eth0" }, namespaceNames: { _ in ["netns blue", "blue"] })
        #expect(found == matches)
        // Where nobody knows of namespaces.
        #expect(filter.matches(record, interfaceName: { _ in "eth0" }) == (name == "eth0"))
        #expect(try FlowFilter(parsing: "not \(filter.expression!)") == FlowFilter(.not(filter.expression!)))
    }

    @Test(arguments: [
        ("eth0", "eth0", true), ("eth0", "eth01", false), ("eth*", "eth", true), ("*0", "eth10", true), ("*", "", true), ("?", "", false),
        ("e?h*1*", "eth010", true),
        ("a*b*c", "axxbyyc", true), ("a*b*c", "axxcyyb", false), ("**a", "ba", true), ("", "", true), ("", "a", false),
        (String(repeating: "*a", count: 30) + "b", String(repeating: "a", count: 60), false),
    ]) func patterns(pattern: String, name: String, matches: Bool) {
        #expect(NamePattern(pattern).matches(name) == matches)
    }
}

private struct Oracle {
    let record: FlowRecord

    func holds(_ e: FlowFilter.Expression, _ layers: [FlowFilter.Layer: FlowTuple]) -> Bool {
        switch e {
        case .all(let parts): return parts.filter { holds($0, layers) }.count == parts.count
        case .any(let parts): return parts.filter { holds($0, layers) }.count > 0
        case .not(let part): return holds(part, layers) == false
        case .layer(let layer, let part):
            let all: [FlowFilter.Layer: FlowTuple] =
                record.key.inner.map { [.outer: record.key.outer, .inner: $0] } ?? [.outer: record.key.outer]
            return holds(part, all.filter { $0.key == layer })
        case .packet(let p): return layers.values.map { packet(p, $0) }.contains(true)
        case .record(let p): return whole(p)
        }
    }

    private func ends<T>(_ side: FlowFilter.Side, _ source: T, _ destination: T) -> [T] {
        side == .either ? [source, destination] : side == .source ? [source] : [destination]
    }

    private func packet(_ p: FlowFilter.PacketPredicate, _ t: FlowTuple) -> Bool {
        switch p {
        case .host(let side, let address): return ends(side, t.source, t.destination).contains(address)
        case .net(let side, let prefix): return ends(side, t.source, t.destination).contains { $0.map { prefix.contains($0) } ?? false }
        case .netSet(let side, let name):
            let prefixes = RandomFlows.prefixSets[name]!
            return ends(side, t.source, t.destination).contains { end in end.map { e in prefixes.contains { $0.contains(e) } } ?? false }
        case .port(let side, let range, let transport):
            if t.form != .ports { return false }
            if let transport, t.protocol.description != transport.rawValue { return false }
            return ends(side, t.sourcePort, t.destinationPort).contains { $0 >= range.lowerBound && $0 <= range.upperBound }
        case .ipProtocol(let number): return t.source != nil && t.protocol.rawValue == number.rawValue
        case .etherType(let type): return t.etherType.rawValue == type.rawValue
        }
    }

    private func whole(_ p: FlowFilter.RecordPredicate) -> Bool {
        let key = record.key
        switch p {
        case .interface(let pattern):
            guard let name = RandomFlows.name(key.interface) else { return false }
            switch pattern.text {
            case "veth*": return name.hasPrefix("veth")
            case "v?th1": return name == "veth1"
            case "*": return true
            case "and*": return name.hasPrefix("and")
            default: return name == pattern.text
            }
        case .direction(let direction): return key.direction == direction
        case .vlan(let wanted): return [key.vlan, key.innerVLAN].compactMap { $0 }.contains { wanted == nil || $0 == wanted }
        case .vxlan(let wanted): return key.isVXLAN && (wanted == nil || key.vni == wanted)
        case .dscp(let codepoint): return record.traits.dscp == codepoint
        case .tcpFlags(let flags): return record.traits.tcpFlags.rawValue & flags.rawValue == flags.rawValue
        // None is known here.
        case .application: return false
        }
    }
}
