import NetworkTypes

extension ConfigurationDecoder {
    /// The list below `sflow`.
    mutating func sflowCollectors(_ node: YAMLNode) -> [AgentConfiguration.SFlow] {
        guard case .sequence(let items) = node.content else {
            report(node, "sflow", "expected a list, found \(node.kind)", hint: "start each collector with \"- collector: …\"")
            return []
        }
        return items.enumerated().compactMap { sflowCollector($1, "sflow[\($0)]") }
    }

    private mutating func sflowCollector(_ item: YAMLNode, _ path: String) -> AgentConfiguration.SFlow? {
        let before = problems.count
        let values = mapping(item, path, keys: ["collector", "agent", "header-bytes", "counter-interval", "interfaces"])
        guard let node = values["collector"] else {
            if problems.count == before { report(item, path, "has no collector", hint: "add collector: host:port") }
            return nil
        }
        let expected = "host:port such as 192.0.2.1:6343 or [2001:db8::1]:6343"
        guard let collector = parsed(node, "\(path).collector", expected: expected, { HostPort($0) }) else { return nil }
        var one = AgentConfiguration.SFlow(collector: collector)
        if let node = values["agent"] {
            one.agent = parsed(node, "\(path).agent", expected: "an IPv4 or IPv6 address") { IPAddress($0) }
        }
        integer(values["header-bytes"], "\(path).header-bytes", in: AgentConfiguration.SFlow.headerBounds, into: &one.headerBytes)
        let bounds = AgentConfiguration.SFlow.counterIntervalBounds
        duration(values["counter-interval"], "\(path).counter-interval", in: bounds, into: &one.counterInterval)
        if let node = values["interfaces"] {
            list(node, "\(path).interfaces", into: &one.interfaces) {
                $0.parsed($1, $2, expected: "an interface name or pattern", interfaceGlob)
            }
        }
        return one
    }
}
