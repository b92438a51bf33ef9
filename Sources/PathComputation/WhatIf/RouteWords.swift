import NetworkTypes
import Topology

/// The words of `ip route add …` after the verb (ip-route(8)).
enum RouteWords {
    private static let kinds: [String: RouteKind] = [
        "unicast": .unicast, "local": .local, "broadcast": .broadcast, "blackhole": .blackhole, "unreachable": .unreachable,
        "prohibit": .prohibit, "throw": .throw,
    ]
    private static let keys = ["via", "dev", "weight", "src", "metric", "table", "tos", "from", "nhid", "onlink", "nexthop", "in"]

    static func parse(_ words: inout ChangeWords) throws(ChangeSyntaxError) -> RouteText {
        let node = words.take("in") ? try words.word("a node") : nil
        var kind = RouteKind.unicast
        if let word = words.peek, let named = kinds[word] {
            kind = named
            _ = words.take(word)
        }
        var text: RouteText
        let isDefault = words.take("default")
        if isDefault {
            // Of which family the gateway tells.
            text = RouteText(destination: IPPrefix(.v4(0), length: 0)!, namespace: node, kind: kind)
        } else {
            text = RouteText(destination: try words.prefix(), namespace: node, kind: kind)
        }
        var way = RouteText.Way()
        while words.peek != nil {
            switch try words.choice(keys) {
            case "in": text.namespace = try words.word("a node")
            case "src": text.preferredSource = try words.address()
            case "metric": text.metric = try words.number("a metric", 0...UInt32.max)
            case "table": text.table = try words.table()
            case "tos": text.tos = try words.number("a type of service", 0...UInt8.max)
            case "from": text.source = try words.prefix()
            case "nhid": text.nexthopObject = try words.number("a nexthop object", 1...UInt32.max)
            case "onlink": text.isOnLink = true
            case "nexthop": text.ways.append(try nexthop(&words, &text))
            case let key: try part(key, of: &way, &words, &text)
            }
        }
        if way != RouteText.Way() { text.ways.insert(way, at: 0) }
        if isDefault, text.ways.contains(where: { $0.gateway?.isV4 == false }) || text.source?.address.isV4 == false {
            text.destination = IPPrefix(.v6(high: 0, low: 0), length: 0)!
        }
        return text
    }

    private static func nexthop(_ words: inout ChangeWords, _ text: inout RouteText) throws(ChangeSyntaxError) -> RouteText.Way {
        var way = RouteText.Way()
        let parts = ["via", "dev", "weight", "onlink"]
        guard words.peek.map({ parts.contains($0) }) ?? false else { throw words.failure(parts, candidates: parts) }
        while let word = words.peek, parts.contains(word) {
            if words.take("onlink") {
                text.isOnLink = true
            } else {
                try part(try words.choice(parts), of: &way, &words, &text)
            }
        }
        return way
    }

    private static func part(
        _ key: String, of way: inout RouteText.Way, _ words: inout ChangeWords, _ text: inout RouteText
    ) throws(ChangeSyntaxError) {
        switch key {
        case "via": way.gateway = try words.address()
        case "dev":
            let link = try words.link()
            way.device = link.name
            if let node = link.namespace { text.namespace = node }
        default: way.weight = try words.number("a weight", 1...256)
        }
    }
}

/// The words of `ip rule add …` after the verb (ip-rule(8)).
enum RuleWords {
    private static let keys = [
        "in", "not", "from", "to", "tos", "fwmark", "iif", "oif", "ipproto", "sport", "dport", "uidrange", "priority", "table", "lookup",
        "goto", "nop", "blackhole", "unreachable", "prohibit", "suppress_prefixlength", "l3mdev",
    ]
    private static let others = ["prio", "pref", "preference", "order", "dsfield"]

    static func parse(_ words: inout ChangeWords, deleting: Bool) throws(ChangeSyntaxError) -> RuleText {
        var text = RuleText(rule: RoutingRule(family: .ipv4, priority: 0), hasPriority: false, familyIsGuessed: true)
        var hasAction = false
        while let word = words.peek {
            if !others.contains(word), !keys.contains(word) { throw words.failure(keys, candidates: keys) }
            _ = words.take(word)
            if word == "in" {
                text.namespace = try words.word("a node")
            } else if try action(word, &text.rule, &words) {
                hasAction = true
            } else {
                try selector(word, &text, &words)
            }
        }
        if !hasAction, !deleting { throw words.failure(["table", "goto", "nop", "blackhole", "unreachable", "prohibit"]) }
        return text
    }

    private static func action(_ word: String, _ rule: inout RoutingRule, _ words: inout ChangeWords) throws(ChangeSyntaxError) -> Bool {
        switch word {
        case "table", "lookup":
            rule.action = .table
            rule.table = try words.table()
        case "l3mdev":
            rule.action = .table
            rule.followsVRF = true
        case "goto":
            rule.action = .goto
            rule.target = try words.number("a priority", 1...UInt32.max)
        case "nop": rule.action = .nothing
        case "blackhole": rule.action = .blackhole
        case "unreachable": rule.action = .unreachable
        case "prohibit": rule.action = .prohibit
        default: return false
        }
        return true
    }

    private static func selector(_ word: String, _ text: inout RuleText, _ words: inout ChangeWords) throws(ChangeSyntaxError) {
        func prefix(_ words: inout ChangeWords, _ text: inout RuleText) throws(ChangeSyntaxError) -> IPPrefix? {
            if words.take("all", "any") { return nil }
            let prefix = try words.prefix()
            let family = prefix.address.family
            if !text.familyIsGuessed, text.rule.family != family {
                throw words.failure(["an \(text.rule.family == .ipv4 ? "IPv4" : "IPv6") prefix"], back: 1)
            }
            text.rule.family = family
            text.familyIsGuessed = false
            return prefix
        }
        switch word {
        case "not": text.rule.isInverted = true
        case "from": text.rule.source = try prefix(&words, &text)
        case "to": text.rule.destination = try prefix(&words, &text)
        case "tos", "dsfield": text.rule.tos = try words.number("a type of service", 0...UInt8.max)
        case "fwmark": (text.rule.mark, text.rule.markMask) = try words.value("a mark (1, 0x10/0xff)") { mark($0) }
        case "iif": text.rule.inputInterface = try words.word("an interface's name")
        case "oif": text.rule.outputInterface = try words.word("an interface's name")
        case "ipproto":
            let transport: IPProtocol = try words.value("a protocol") { IPProtocol($0) }
            text.rule.transport = transport
        case "sport": text.rule.sourcePorts = try ports(&words)
        case "dport": text.rule.destinationPorts = try ports(&words)
        case "uidrange":
            let users: ClosedRange<UInt32> = try words.value("two user numbers (5-9)") { range($0) }
            text.rule.users = users
        case "suppress_prefixlength": text.rule.suppressedLength = try words.number("a length", 0...128)
        default:
            text.rule.priority = try words.number("a priority", 0...UInt32.max)
            text.hasPriority = true
        }
    }

    private static func ports(_ words: inout ChangeWords) throws(ChangeSyntaxError) -> ClosedRange<UInt16> {
        try words.value("a port or ports (53, 1000-2000)") { range($0) }
    }

    private static func mark(_ word: String) -> (UInt32, UInt32)? {
        let parts = word.split(separator: "/", omittingEmptySubsequences: false).map { part in
            part.hasPrefix("0x") ? UInt32(part.dropFirst(2), radix: 16) : UInt32(part)
        }
        guard let value = parts[0], parts.count <= 2 else { return nil }
        guard parts.count == 2 else { return (value, .max) }
        return parts[1].map { (value, $0) }
    }

    private static func range<T: FixedWidthInteger>(_ word: String) -> ClosedRange<T>? {
        let parts = word.split(separator: "-", omittingEmptySubsequences: false).map { T($0) }
        guard parts.count <= 2, let first = parts[0] else { return nil }
        guard parts.count == 2 else { return first...first }
        guard let last = parts[1], first <= last else { return nil }
        return first...last
    }
}
