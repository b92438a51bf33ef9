import Flows
import NetworkTypes
import Policy

// The rules of a policy file. What the model's own judgement covers (`Policy.violations`) is not asked here.

extension ConfigurationDecoder {
    private static let scopeKeys = ["name", "on", "direction", "match"]

    mutating func link(_ node: YAMLNode, _ path: String) -> LinkDeclaration {
        let values = mapping(node, path, keys: ["interface", "capacity", "criticality", "alternatives"])
        var link = LinkDeclaration(interface: "")
        if let name = required("interface", in: values, node, path) {
            link.interface = parsed(name, "\(path).interface", expected: Self.interfaceWords, Self.interface) ?? ""
        }
        link.capacity = optional(values["capacity"], "\(path).capacity", expected: BitRate.written) { BitRate(policy: $0) }
        link.criticality = optional(values["criticality"], "\(path).criticality", expected: "a whole number from 0 to 100") { Int($0) }
        if let node = values["alternatives"] {
            list(node, "\(path).alternatives", into: &link.alternatives) {
                $0.parsed($1, $2, expected: Self.interfaceWords, Self.interface)
            }
        }
        return link
    }

    mutating func mirror(_ node: YAMLNode, _ path: String, _ sets: Set<String>) -> MirrorRule {
        let values = mapping(node, path, keys: Self.scopeKeys + ["to", "one-in", "snap", "limit", "priority", "segments"])
        var rule = MirrorRule(name: name(values, node, path), scope: scope(values, path, sets), target: .interface(""))
        if let node = required("to", in: values, node, path) {
            if let target = target(node, "\(path).to") { rule.target = target } else { leftUnread("\(path).to") }
        }
        if let node = values["one-in"] { selection(node, "\(path).one-in", into: &rule.selection) }
        rule.snapLength = optional(values["snap"], "\(path).snap", expected: "a whole number of bytes") { Int($0) }
        rule.limit = optional(values["limit"], "\(path).limit", expected: "a rate such as 100 Mbit/s or 10 kpps, or none") { text in
            text == "none"
                ? .unlimited
                : BitRate(policy: text).map { .bits($0) } ?? PacketRate(policy: text).map { .packets($0) }
        }
        wholeNumber(values["priority"], "\(path).priority", into: &rule.priority)
        choice(values["segments"], "\(path).segments", into: &rule.segmentation)
        return rule
    }

    mutating func sampler(_ node: YAMLNode, _ path: String, _ sets: Set<String>) -> SampleRule {
        let values = mapping(node, path, keys: Self.scopeKeys + ["one-in", "budget", "first", "always", "snap"])
        var rule = SampleRule(name: name(values, node, path), scope: scope(values, path, sets), rate: .none)
        if let node = values["one-in"], let count = count(node, "\(path).one-in") { rule.rate = .oneIn(count) }
        if let node = values["budget"] {
            if values["one-in"] != nil { report(node, "\(path).budget", "one-in is given too", hint: "a budget chooses the rate itself") }
            let budget = parsed(node, "\(path).budget", expected: SampleBudget.written) { text in
                SampleBudget.samplesPerSecond(text).map { SampleRule.Rate.samplesPerSecond($0) } ?? SampleBudget.cpu(text).map { .cpu($0) }
            }
            if let budget { rule.rate = budget }
        }
        if let node = values["first"], let count = count(node, "\(path).first") { rule.firstPackets = count }
        if let node = values["always"] {
            var flags: [TCPFlags] = []
            list(node, "\(path).always", into: &flags) { decoder, item, path in
                let names = TCPFlags.names.map(\.0).joined(separator: ", ")
                return decoder.parsed(item, path, expected: "one of \(names)") { text in TCPFlags.names.first { $0.0 == text }?.1 }
            }
            rule.always = flags.reduce(into: []) { $0.formUnion($1) }
        }
        wholeNumber(values["snap"], "\(path).snap", into: &rule.snapLength)
        return rule
    }

    mutating func shaper(_ node: YAMLNode, _ path: String, _ sets: Set<String>) -> ShapeRule {
        let keys = [
            "rate", "ceiling", "burst", "priority", "per", "prefixes", "dscp", "parent", "mechanism", "overhead", "ecn",
        ]
        let values = mapping(node, path, keys: Self.scopeKeys + keys)
        var rule = ShapeRule(name: name(values, node, path), scope: scope(values, path, sets))
        rule.rate = optional(values["rate"], "\(path).rate", expected: BitRate.written) { BitRate(policy: $0) }
        rule.ceiling = optional(values["ceiling"], "\(path).ceiling", expected: BitRate.written) { BitRate(policy: $0) }
        rule.burst = optional(values["burst"], "\(path).burst", expected: ByteCount.written) { ByteCount(policy: $0) }
        wholeNumber(values["priority"], "\(path).priority", into: &rule.priority)
        if let node = values["per"] {
            let words = Self.sharing.map(\.0)
            let value = parsed(node, "\(path).per", expected: "one of \(words.joined(separator: ", "))") { text in
                Self.sharing.first { $0.0 == text }?.1
            }
            if let value { rule.aggregation = value }
        }
        if let node = values["prefixes"] {
            if values["per"] != nil { report(node, "\(path).prefixes", "per is given too", hint: "each prefix has its own rate") }
            if let aggregation = prefixRates(node, "\(path).prefixes") { rule.aggregation = aggregation }
        }
        rule.dscp = optional(values["dscp"], "\(path).dscp", expected: "a DSCP from 0 to 63 or its name, such as cs1 or ef") {
            DSCPName.codepoint(named: $0) ?? UInt8($0)
        }
        rule.parent = optional(values["parent"], "\(path).parent", expected: "the name of a rule") { $0.isEmpty ? nil : $0 }
        choice(values["mechanism"], "\(path).mechanism", into: &rule.mechanism)
        wholeNumber(values["overhead"], "\(path).overhead", into: &rule.overhead)
        flag(values["ecn"], "\(path).ecn", into: &rule.ecn)
        return rule
    }

    static let sharing: [(String, ShapeRule.Aggregation)] = [
        ("aggregate", .aggregate), ("host source", .host(.source)), ("host destination", .host(.destination)), ("flow", .flow),
    ]
}

// What rules have in common.
extension ConfigurationDecoder {
    mutating func required(_ key: String, in values: [String: YAMLNode], _ node: YAMLNode, _ path: String) -> YAMLNode? {
        if let value = values[key] { return value }
        // A mapping that is none, or the key mistyped, was told already.
        if case .mapping = node.content { reportMissing(key, in: node, path) }
        return nil
    }

    private mutating func optional<T>(_ node: YAMLNode?, _ path: String, expected: String, _ parse: (String) -> T?) -> T? {
        node.flatMap { parsed($0, path, expected: expected, parse) }
    }

    private mutating func wholeNumber(_ node: YAMLNode?, _ path: String, into target: inout Int) {
        if let value = optional(node, path, expected: "a whole number", { Int($0) }) { target = value }
    }

    private mutating func count(_ node: YAMLNode, _ path: String) -> UInt32? {
        parsed(node, path, expected: "a whole number such as 1000") { text in parseCount(text).flatMap { UInt32(exactly: $0) } }
    }

    mutating func name(_ values: [String: YAMLNode], _ node: YAMLNode, _ path: String) -> String {
        required("name", in: values, node, path).flatMap { text($0, "\(path).name") } ?? ""
    }

    private mutating func scope(_ values: [String: YAMLNode], _ path: String, _ sets: Set<String>) -> RuleScope {
        var scope = RuleScope()
        if let node = values["on"] {
            list(node, "\(path).on", into: &scope.interfaces) {
                $0.parsed($1, $2, expected: Self.interfaceWords, Self.interfacePattern)
            }
            if case .sequence(let items) = node.content, items.isEmpty {
                report(node, "\(path).on", "is empty", hint: "leave the key out to mean every interface that is counted")
            }
        }
        scope.direction = optional(values["direction"], "\(path).direction", expected: "ingress, egress or both") { text in
            ["ingress": Direction.ingress, "egress": Direction.egress, "both": nil][text]
        }.flatMap { $0 }
        if let node = values["match"], let text = text(node, "\(path).match") {
            do throws(FlowFilterError) { scope.filter = try FlowFilter(parsing: text, prefixSets: sets) } catch {
                report(node, "\(path).match", error.description, hint: error.hint)
            }
        }
        return scope
    }

    private mutating func selection(_ node: YAMLNode, _ path: String, into target: inout MirrorRule.Selection) {
        let values = mapping(node, path, keys: ["packets", "flows"])
        switch (values["packets"], values["flows"]) {
        case (let node?, nil): if let count = count(node, "\(path).packets") { target = .packets(oneIn: count) }
        case (nil, let node?): if let count = count(node, "\(path).flows") { target = .flows(oneIn: count) }
        case (nil, nil): if case .mapping = node.content { report(node, path, "expected packets or flows", hint: "as {packets: 10}") }
        default: report(node, path, "packets and flows are both given", hint: "choose one")
        }
    }

    private mutating func prefixRates(_ node: YAMLNode, _ path: String) -> ShapeRule.Aggregation? {
        let values = mapping(node, path, keys: ["side", "list"])
        var side: FlowFilter.Side?
        if let node = required("side", in: values, node, path) {
            side = parsed(node, "\(path).side", expected: "source or destination") { text in
                ["source": FlowFilter.Side.source, "destination": .destination][text]
            }
        }
        var rates: [ShapeRule.PrefixRate] = []
        if let node = required("list", in: values, node, path) {
            list(node, "\(path).list", into: &rates) { decoder, item, path in
                let values = decoder.mapping(item, path, keys: ["net", "rate"])
                var prefix: IPPrefix?
                if let node = decoder.required("net", in: values, item, path), let text = decoder.text(node, "\(path).net") {
                    let read = PolicyReading.prefix(text)
                    if let reason = read.reason { decoder.report(node, "\(path).net", reason, hint: read.hint) }
                    prefix = read.0
                }
                let rate = decoder.required("rate", in: values, item, path)
                    .flatMap { decoder.parsed($0, "\(path).rate", expected: BitRate.written) { BitRate(policy: $0) } }
                guard let prefix, let rate else { return nil }
                return ShapeRule.PrefixRate(prefix: prefix, rate: rate)
            }
        }
        return side.map { .prefixes($0, rates) }
    }
}

// Where copies go.
extension ConfigurationDecoder {
    private mutating func target(_ node: YAMLNode, _ path: String) -> MirrorRule.Target? {
        let kinds = ["interface", "vxlan", "erspan", "file"]
        let values = mapping(node, path, keys: kinds)
        guard values.count == 1, let (kind, value) = values.first else {
            if case .mapping(let entries) = node.content, entries.allSatisfy({ kinds.contains($0.key) }) {
                report(node, path, "expected one of \(kinds.joined(separator: ", "))", hint: "as {interface: span0}")
            }
            return nil
        }
        let path = "\(path).\(kind)"
        switch kind {
        case "interface": return parsed(value, path, expected: Self.interfaceWords, Self.interface).map { .interface($0) }
        case "vxlan": return vxlan(value, path)
        case "erspan": return erspan(value, path)
        default: return captureFile(value, path)
        }
    }

    private mutating func vxlan(_ node: YAMLNode, _ path: String) -> MirrorRule.Target? {
        let values = mapping(node, path, keys: ["remote", "local", "vni", "port"])
        let (remote, local) = endpoints(values, node, path)
        let vni = required("vni", in: values, node, path).flatMap {
            parsed($0, "\(path).vni", expected: "a number, such as 16711680 or 0xff0000", Self.number)
        }
        let port = optional(values["port"], "\(path).port", expected: "a port from 1 to 65535") { UInt16($0) }
        guard let remote, let vni else { return nil }
        return .vxlan(.init(remote: remote, local: local, vni: vni, port: port ?? 4789))
    }

    private mutating func erspan(_ node: YAMLNode, _ path: String) -> MirrorRule.Target? {
        let values = mapping(node, path, keys: ["remote", "local", "session"])
        let (remote, local) = endpoints(values, node, path)
        let session = required("session", in: values, node, path).flatMap {
            parsed($0, "\(path).session", expected: "a number from 0 to 1023") { UInt16($0) }
        }
        guard let remote, let session else { return nil }
        return .erspan(.init(remote: remote, local: local, session: session))
    }

    private mutating func endpoints(_ values: [String: YAMLNode], _ node: YAMLNode, _ path: String) -> (IPAddress?, IPAddress?) {
        let words = "an IPv4 or IPv6 address"
        let remote = required("remote", in: values, node, path).flatMap {
            parsed($0, "\(path).remote", expected: words) { IPAddress($0) }
        }
        return (remote, optional(values["local"], "\(path).local", expected: words) { IPAddress($0) })
    }

    private mutating func captureFile(_ node: YAMLNode, _ path: String) -> MirrorRule.Target? {
        let values = mapping(node, path, keys: ["path", "size", "files"])
        guard let name = required("path", in: values, node, path) else { return nil }
        var file = MirrorRule.CaptureFile(path: "")
        self.path(name, "\(path).path", limit: 4000, into: &file.path)
        if let size = optional(values["size"], "\(path).size", expected: ByteCount.written, { ByteCount(policy: $0) }) { file.size = size }
        wholeNumber(values["files"], "\(path).files", into: &file.files)
        return .file(file)
    }

    private static func number(_ text: String) -> UInt32? {
        text.hasPrefix("0x") ? UInt32(text.dropFirst(2), radix: 16) : UInt32(text)
    }

    static let interfaceWords = "an interface name of at most 15 bytes"

    /// As the kernel takes it (dev_valid_name).
    static func interface(_ text: String) -> String? {
        guard case .named? = InterfaceSelector(text), text.utf8.count <= 15 else { return nil }
        return text
    }

    /// A name or pattern, after the name of a namespace and a colon if in another one.
    private static func interfacePattern(_ text: String) -> String? {
        var name = text[...]
        if let colon = text.lastIndex(of: ":") {
            guard NamespaceSelector(String(text[..<colon])) != nil else { return nil }
            name = text[text.index(after: colon)...]
        }
        guard case .named? = InterfaceSelector(String(name)) else { return nil }
        return text
    }
}
