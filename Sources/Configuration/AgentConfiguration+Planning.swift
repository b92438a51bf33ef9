extension AgentConfiguration {
    /// Whether the rates of classes follow what is expected of their traffic.
    public struct Planning: Sendable, Equatable {
        public enum Mode: String, Sendable, CaseIterable {
            case off
            /// Tells what it would do, and how that would have fared.
            case observe
            /// Does it.
            case auto
        }

        public var mode = Mode.observe
        /// The folder of what is remembered of demand, and of what classes are allocated; nil: it is forgotten when the agent ends.
        public var state: String? = "/var/lib/nilo/planning"
    }
}

extension AgentConfiguration.Planning {
    /// A mapping, or the mode alone.
    mutating func decode(_ node: YAMLNode, _ decoder: inout ConfigurationDecoder) {
        if case .scalar = node.content, !node.isNull { return decoder.choice(node, "planning", into: &mode) }
        let values = decoder.mapping(node, "planning", keys: ["mode", "state"])
        decoder.choice(values["mode"], "planning.mode", into: &mode)
        decoder.optionalPath(values["state"], "planning.state", into: &state)
    }
}
