import Flows
import NetworkTypes
import Topology

/// Reads a change from text. The words are those of ip(8), where it has them:
///
/// ```
/// change    = link | mtu | capacity | address | route | rule | forwarding | remove | rate
/// link      = "link" ("up" | "down") LINK
///           | "link" "set" ["dev"] LINK ("up" | "down" | "mtu" BYTES | "master" NAME | "nomaster")
/// mtu       = ["link"] "mtu" LINK BYTES
/// capacity  = ["link"] "capacity" LINK RATE
/// address   = ("add" | "del") ("address" | "addr") ADDRESS "/" LENGTH "dev" LINK
/// route     = ("add" | "replace" | "del") "route" ["in" NODE] [TYPE] (PREFIX | "default") {ROUTE-WORD}
/// rule      = ("add" | "del") "rule" ["in" NODE] {RULE-WORD}
/// forwarding= "forwarding" ("on" | "off") ["ipv4" | "ipv6"] ["in" NODE]
/// remove    = "remove" "node" NODE
/// rate      = "rate" {SELECTOR} ["where" FILTER] ("x" FACTOR | "+" RATE | "-" RATE | RATE)
/// SELECTOR  = ("app" | "network" | "node" | "from" | "to" | "endpoint" | "proto" | "port") "=" VALUE
/// LINK      = [NODE ":"] NAME
/// RATE      = NUMBER ["k" | "M" | "G" | "T"] "bit" ["/s"]
/// ```
///
/// TYPE, ROUTE-WORD and RULE-WORD are as in ip-route(8) and ip-rule(8); the order `route add` is taken too. FILTER is of the filter
/// language (``FlowFilter``), as far as it is about addresses, ports and protocols.
public enum ChangeParser {
    public static func parse(_ text: String) throws(ChangeSyntaxError) -> Change {
        var words = ChangeWords(text)
        let change = try change(&words)
        try words.atEnd()
        return change
    }

    private static let verbs = ["link", "mtu", "capacity", "add", "replace", "del", "forwarding", "remove", "rate"]
    private static let objects = ["route", "rule", "address"]

    private static func change(_ words: inout ChangeWords) throws(ChangeSyntaxError) -> Change {
        // ip(8) has the object first.
        if let object = words.peek, (objects + ["addr"]).contains(object) {
            _ = words.take(object)
            let verb = try words.choice(["add", "replace", "del", "delete"])
            return try verbObject(object, verb, &words)
        }
        switch try words.choice(verbs + ["delete"]) {
        case "link": return try link(&words)
        case "mtu": return try mtu(&words)
        case "capacity": return try capacity(&words)
        case "forwarding": return try forwarding(&words)
        case "remove":
            _ = try words.choice(["node"])
            return .removeNode(try words.word("a node"))
        case "rate": return try rate(&words)
        case let verb: return try verbObject(try words.choice(objects + ["addr"]), verb, &words)
        }
    }

    private static func verbObject(_ object: String, _ verb: String, _ words: inout ChangeWords) throws(ChangeSyntaxError) -> Change {
        let deletes = verb == "del" || verb == "delete"
        if object == "route" {
            let text = try RouteWords.parse(&words)
            return deletes ? .deleteRoute(text) : verb == "replace" ? .replaceRoute(text) : .addRoute(text)
        }
        if verb == "replace" { throw words.failure(["add", "del"], back: 1) }
        if object == "rule" {
            let text = try RuleWords.parse(&words, deleting: deletes)
            return deletes ? .deleteRule(text) : .addRule(text)
        }
        let address: AddressText = try words.value("an address with its length (10.0.0.1/24)") { word in
            let parts = word.split(separator: "/", omittingEmptySubsequences: false)
            guard let address = IPAddress(String(parts[0])), parts.count <= 2 else { return nil }
            let length = parts.count == 2 ? Int(parts[1]) : address.bitWidth
            guard let length, (0...address.bitWidth).contains(length) else { return nil }
            return AddressText(address: address, prefixLength: length)
        }
        _ = try words.choice(["dev"])
        let link = try words.link()
        return deletes ? .deleteAddress(link, address) : .addAddress(link, address)
    }

    private static func link(_ words: inout ChangeWords) throws(ChangeSyntaxError) -> Change {
        let verb = try words.choice(["up", "down", "set", "mtu", "capacity"])
        if verb == "mtu" { return try mtu(&words) }
        if verb == "capacity" { return try capacity(&words) }
        if verb != "set" { return .setLink(try words.link(), isUp: verb == "up") }
        _ = words.take("dev")
        let link = try words.link()
        switch try words.choice(["up", "down", "mtu", "master", "nomaster"]) {
        case "up": return .setLink(link, isUp: true)
        case "down": return .setLink(link, isUp: false)
        case "mtu": return .setMTU(link, try words.number("bytes", 68...65_536))
        case "master": return .setMaster(link, try words.word("a bridge"))
        default: return .setMaster(link, nil)
        }
    }

    private static func mtu(_ words: inout ChangeWords) throws(ChangeSyntaxError) -> Change {
        .setMTU(try words.link(), try words.number("bytes", 68...65_536))
    }

    private static func capacity(_ words: inout ChangeWords) throws(ChangeSyntaxError) -> Change {
        .setCapacity(try words.link(), try words.value("a rate (100Mbit/s)") { RateText.parse($0) })
    }

    private static func forwarding(_ words: inout ChangeWords) throws(ChangeSyntaxError) -> Change {
        let isOn = try words.choice(["on", "off"]) == "on"
        let isV4 = !words.take("ipv6")
        if isV4 { _ = words.take("ipv4") }
        let node = words.take("in") ? try words.word("a node") : nil
        return .setForwarding(namespace: node, isV4: isV4, isOn)
    }

    private static let selectors = ["app", "network", "node", "from", "to", "endpoint", "proto", "port"]

    private static func rate(_ words: inout ChangeWords) throws(ChangeSyntaxError) -> Change {
        var selector = DemandSelector()
        while let word = words.peek, let equals = word.firstIndex(of: "=") {
            let key = String(word[..<equals])
            let value = String(word[word.index(after: equals)...])
            guard selectors.contains(key) else {
                var error = words.failure(selectors.map { $0 + "=" })
                error.suggestion = Suggestion.nearest(to: key, among: selectors).map { $0 + "=" }
                throw error
            }
            guard !value.isEmpty, set(key, value, &selector) else { throw words.failure([expectation(key)]) }
            _ = words.take(word)
        }
        if words.take("where") { selector.filter = try filter(&words) }
        let expected = ["x and a factor (x2)", "+ or - and a rate (+100Mbit/s)", "a rate"]
        guard let word = words.peek else { throw words.failure(selectors.map { $0 + "=…" } + expected) }
        guard let adjustment = adjustment(word) else { throw words.failure(expected, candidates: selectors.map { $0 + "=" }) }
        _ = words.take(word)
        return .adjustDemands(selector, adjustment)
    }

    /// All words but the last.
    private static func filter(_ words: inout ChangeWords) throws(ChangeSyntaxError) -> FlowFilter {
        let (text, position) = try words.allButLast("a filter (tcp port 443)")
        let filter: FlowFilter
        do {
            filter = try FlowFilter(parsing: text)
        } catch {
            let prefix = "expected "
            let problem = error.problem.hasPrefix(prefix) ? String(error.problem.dropFirst(prefix.count)) : "a filter (\(error.problem))"
            throw ChangeSyntaxError(position: position + error.column - 1, found: error.found, expected: [problem])
        }
        guard filter.expression?.isOfPackets ?? true else {
            throw ChangeSyntaxError(position: position, found: text, expected: ["a filter of addresses, ports and protocols alone"])
        }
        return filter
    }

    private static func expectation(_ key: String) -> String {
        switch key {
        case "from", "to", "endpoint": "\(key)= and an address or prefix"
        case "proto": "proto= and a protocol's name or number"
        case "port": "port= and a port's number or a service's name"
        default: "\(key)= and a name"
        }
    }

    private static func set(_ key: String, _ value: String, _ selector: inout DemandSelector) -> Bool {
        func prefix() -> IPPrefix? { IPPrefix(value) ?? IPAddress(value).flatMap { IPPrefix($0, length: $0.bitWidth) } }
        switch key {
        case "app": selector.application = value
        case "network": selector.network = value
        case "node": selector.node = value
        case "from":
            selector.source = prefix()
            return selector.source != nil
        case "to":
            selector.destination = prefix()
            return selector.destination != nil
        case "endpoint":
            selector.endpoint = prefix()
            return selector.endpoint != nil
        case "proto":
            selector.transport = IPProtocol(value)
            return selector.transport != nil
        default:
            selector.port = UInt16(value) ?? ServiceName.port(named: value)
            return selector.port != nil
        }
        return true
    }

    private static func adjustment(_ word: String) -> DemandAdjustment? {
        switch word.first {
        case "x":
            guard let factor = Double(word.dropFirst()), (0...1e6).contains(factor) else { return nil }
            return .scale(factor)
        case "+": return RateText.parse(word.dropFirst()).map { .add(bitsPerSecond: $0.bitsPerSecond) }
        case "-": return RateText.parse(word.dropFirst()).map { .add(bitsPerSecond: -$0.bitsPerSecond) }
        default: return RateText.parse(word).map { .set($0) }
        }
    }
}
