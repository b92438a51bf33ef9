import Flows
import NetworkTypes
import Policy

extension PolicyFile {
    /// A policy as YAML that ``parse(_:readList:)`` reads back as an equal value. What has its default is left out.
    public static func render(_ policy: Policy) -> String {
        var text = ""
        if !policy.prefixSets.isEmpty {
            text += "sets:\n"
            for (name, prefixes) in policy.prefixSets.sorted(by: { $0.key < $1.key }) {
                text += "  \(scalar(name)):" + (prefixes.isEmpty ? " []\n" : "\n")
                for prefix in prefixes { text += "    - \(scalar(prefix.description))\n" }
            }
        }
        text += section("links", policy.links.map(\.entries))
        text += section(RuleKind.mirror.rawValue, policy.mirrors.map(\.written))
        text += section(RuleKind.sampler.rawValue, policy.samplers.map(\.written))
        text += section(RuleKind.shaper.rawValue, policy.shapers.map(\.written))
        text += section("plan", policy.plans.map(\.entries))
        text += section("routes", policy.routes.map(\.entries))
        return text
    }

    /// A key and its value as YAML, as it stands in a block mapping; the lines of a value that has several are indented.
    fileprivate typealias Entry = (key: String, value: String)

    private static func section(_ name: String, _ items: [[Entry]]) -> String {
        guard !items.isEmpty else { return "" }
        return "\(name):\n"
            + items.map { entries in
                entries.enumerated().map { "\($0 == 0 ? "  - " : "    ")\($1.key): \($1.value)\n" }.joined()
            }.joined()
    }
}

extension RuleScope {
    /// - Parameter name: of the rule.
    fileprivate func entries(_ name: String) -> [PolicyFile.Entry] {
        var entries: [PolicyFile.Entry] = [("name", scalar(name))]
        if !interfaces.isEmpty { entries.append(("on", list(interfaces))) }
        switch direction {
        case .ingress: entries.append(("direction", "ingress"))
        case .egress: entries.append(("direction", "egress"))
        case nil: break
        }
        if filter != .everything { entries.append(("match", scalar(filter.description))) }
        return entries
    }
}

extension LinkDeclaration {
    fileprivate var entries: [PolicyFile.Entry] {
        var entries: [PolicyFile.Entry] = [("interface", scalar(interface))]
        if let capacity { entries.append(("capacity", capacity.policyText)) }
        if let criticality { entries.append(("criticality", "\(criticality)")) }
        if !alternatives.isEmpty { entries.append(("alternatives", list(alternatives))) }
        return entries
    }
}

extension PlanDeclaration {
    /// What has its default is left out.
    fileprivate var entries: [PolicyFile.Entry] {
        let usual = PlanDeclaration(rule: "")
        var entries: [PolicyFile.Entry] = [("class", scalar(rule))]
        if quantile != usual.quantile { entries.append(("quantile", Percentage.text(quantile))) }
        if lead != usual.lead { entries.append(("lead", Configuration.render(lead))) }
        if headroom != usual.headroom { entries.append(("headroom", Percentage.text(headroom))) }
        if let floor { entries.append(("floor", floor.policyText)) }
        if let ceiling { entries.append(("ceiling", ceiling.policyText)) }
        if criticality != usual.criticality { entries.append(("criticality", "\(criticality)")) }
        if weight != usual.weight { entries.append(("weight", "\(weight)")) }
        if change != usual.change { entries.append(("change", Percentage.text(change))) }
        if hold != usual.hold { entries.append(("hold", Configuration.render(hold))) }
        if !freeze.isEmpty { entries.append(("freeze", list(freeze.map(\.description)))) }
        return entries
    }
}

extension RouteDeclaration {
    /// What has its default is left out.
    fileprivate var entries: [PolicyFile.Entry] {
        let usual = RouteDeclaration(name: "", destination: destination, paths: [])
        var entries: [PolicyFile.Entry] = [("name", scalar(name)), ("to", scalar(destination.description))]
        let paths = paths.map { path in
            "{" + (path.gateway.map { "via: \(scalar($0.description)), " } ?? "") + "on: \(scalar(path.interface))}"
        }
        entries.append(("paths", "[\(paths.joined(separator: ", "))]"))
        if below != usual.below { entries.append(("below", Percentage.text(below))) }
        if quantile != usual.quantile { entries.append(("quantile", Percentage.text(quantile))) }
        if lead != usual.lead { entries.append(("lead", Configuration.render(lead))) }
        if criticality != usual.criticality { entries.append(("criticality", "\(criticality)")) }
        if change != usual.change { entries.append(("change", Percentage.text(change))) }
        if hold != usual.hold { entries.append(("hold", Configuration.render(hold))) }
        if !freeze.isEmpty { entries.append(("freeze", list(freeze.map(\.description)))) }
        return entries
    }
}

extension MirrorRule {
    /// What has its default is left out.
    var written: [(key: String, value: String)] {
        let usual = MirrorRule(name: "", scope: RuleScope(), target: target)
        var entries = scope.entries(name)
        entries.append(("to", target.text))
        switch selection {
        case .all: break
        case .packets(let count): entries.append(("one-in", "{packets: \(count)}"))
        case .flows(let count): entries.append(("one-in", "{flows: \(count)}"))
        }
        if let snapLength { entries.append(("snap", "\(snapLength)")) }
        switch limit {
        case .bits(let rate): entries.append(("limit", rate.policyText))
        case .packets(let rate): entries.append(("limit", rate.policyText))
        case .unlimited: entries.append(("limit", "none"))
        case nil: break
        }
        if priority != usual.priority { entries.append(("priority", "\(priority)")) }
        if segmentation != usual.segmentation { entries.append(("segments", segmentation.rawValue)) }
        return entries
    }
}

extension MirrorRule.Target {
    fileprivate var text: String {
        func address(_ key: String, _ address: IPAddress?) -> String { address.map { "\(key): \(scalar($0.description)), " } ?? "" }
        switch self {
        case .interface(let name): return "{interface: \(scalar(name))}"
        case .vxlan(let tunnel):
            let ends = address("remote", tunnel.remote) + address("local", tunnel.local)
            return "{vxlan: {\(ends)vni: \(tunnel.vni), port: \(tunnel.port)}}"
        case .erspan(let tunnel):
            return "{erspan: {\(address("remote", tunnel.remote))\(address("local", tunnel.local))session: \(tunnel.session)}}"
        case .file(let file):
            return "{file: {path: \(scalar(file.path)), size: \(file.size.policyText), files: \(file.files)}}"
        case .client: preconditionFailure("a client's capture is no part of a policy file")
        }
    }
}

extension SampleRule {
    /// What has its default is left out.
    var written: [(key: String, value: String)] {
        let usual = SampleRule(name: "", scope: RuleScope(), rate: rate)
        var entries = scope.entries(name)
        switch rate {
        case .oneIn(let count): entries.append(("one-in", "\(count)"))
        case .samplesPerSecond(let rate): entries.append(("budget", SampleBudget.text(samplesPerSecond: rate)))
        case .cpu(let part): entries.append(("budget", SampleBudget.text(cpu: part)))
        case .none: break
        }
        if firstPackets != usual.firstPackets { entries.append(("first", "\(firstPackets)")) }
        if !always.isEmpty { entries.append(("always", list(TCPFlags.names.filter { always.contains($0.1) }.map(\.0)))) }
        if snapLength != usual.snapLength { entries.append(("snap", "\(snapLength)")) }
        return entries
    }
}

extension ShapeRule {
    /// What has its default is left out.
    var written: [(key: String, value: String)] {
        let usual = ShapeRule(name: "", scope: RuleScope())
        var entries = scope.entries(name)
        if let rate { entries.append(("rate", rate.policyText)) }
        if let ceiling { entries.append(("ceiling", ceiling.policyText)) }
        if let burst { entries.append(("burst", burst.policyText)) }
        if priority != usual.priority { entries.append(("priority", "\(priority)")) }
        switch aggregation {
        case .prefixes(let side, let rates):
            let items = rates.map { "\n        - {net: \(scalar($0.prefix.description)), rate: \($0.rate.policyText)}" }
            entries.append(("prefixes", "\n      side: \(side == .source ? "source" : "destination")\n      list:\(items.joined())"))
        default:
            if let word = ConfigurationDecoder.sharing.first(where: { $0.1 == aggregation }), aggregation != usual.aggregation {
                entries.append(("per", word.0))
            }
        }
        if let dscp { entries.append(("dscp", DSCPName.of(dscp) ?? "\(dscp)")) }
        if let parent { entries.append(("parent", scalar(parent))) }
        if mechanism != usual.mechanism { entries.append(("mechanism", mechanism.rawValue)) }
        if overhead != usual.overhead { entries.append(("overhead", "\(overhead)")) }
        if ecn != usual.ecn { entries.append(("ecn", "\(ecn)")) }
        return entries
    }
}
