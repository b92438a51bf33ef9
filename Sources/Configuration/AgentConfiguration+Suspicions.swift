extension AgentConfiguration {
    /// Traffic that looks like an attack or a fault: scans, floods, sudden heavy hitters.
    public struct Suspicions: Sendable, Equatable {
        public static let scanBounds = 10...65536
        public static let floodBounds = 10...10_000_000
        public static let heavyBounds = 1...100
        public var isOn = true
        /// Packets that found no room in the kernel's flow table are sketched there.
        public var sketches = true
        /// Distinct ports or addresses that a source has tried in vain.
        public var scanTargets = 100
        /// Openings of connections a second to one destination that are not completed.
        public var floodOpenings = 200
        /// Percent of the traffic of an interface.
        public var heavyPercent = 1
    }
}

extension AgentConfiguration.Suspicions {
    /// A mapping, or on or off alone.
    mutating func decode(_ node: YAMLNode, _ decoder: inout ConfigurationDecoder) {
        let path = "anomalies.suspicions"
        if case .scalar = node.content, !node.isNull { return decoder.flag(node, path, into: &isOn) }
        let values = decoder.mapping(node, path, keys: ["enabled", "sketches", "scan-targets", "flood-openings", "heavy-percent"])
        decoder.flag(values["enabled"], "\(path).enabled", into: &isOn)
        decoder.flag(values["sketches"], "\(path).sketches", into: &sketches)
        decoder.integer(values["scan-targets"], "\(path).scan-targets", in: Self.scanBounds, into: &scanTargets)
        decoder.integer(values["flood-openings"], "\(path).flood-openings", in: Self.floodBounds, into: &floodOpenings)
        decoder.integer(values["heavy-percent"], "\(path).heavy-percent", in: Self.heavyBounds, into: &heavyPercent)
    }
}
