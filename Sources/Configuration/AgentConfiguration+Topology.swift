import NetworkTypes

extension AgentConfiguration {
    /// What of the network is known, and how much of it.
    public struct Topology: Sendable, Equatable {
        public static let nodeBounds = 1024...10_000_000
        public static let communicationBounds = 1024...10_000_000
        public static let idleBounds = Duration.seconds(10)...Duration.seconds(86400)
        public var isKept = true
        public var nodes = 100_000
        /// Links between endpoints that talk.
        public var communications = 1_000_000
        /// Communication without traffic for so long is no longer part of the topology.
        public var idle = Duration.seconds(300)
        /// Virtual networks that only their addresses tell.
        public var networks: [PrefixSet] = []
        public var zones: [PrefixSet] = []
    }

    /// Prefixes under a name.
    public struct PrefixSet: Sendable, Equatable {
        public var name: String
        public var prefixes: [IPPrefix]

        public init(name: String, prefixes: [IPPrefix]) {
            self.name = name
            self.prefixes = prefixes
        }
    }

    /// What is kept of the past.
    public struct History: Sendable, Equatable {
        /// Of time, by what it is kept of.
        public struct Ages: Sendable, Equatable {
            public static let bounds = Duration.seconds(60)...Duration.seconds(20 * 366 * 86400)
            public var second = Duration.seconds(6 * 3600)
            public var tenSeconds = Duration.seconds(3 * 86400)
            public var minute = Duration.seconds(30 * 86400)
            public var hour = Duration.seconds(400 * 86400)
            public var topology = Duration.seconds(90 * 86400)
        }

        public static let sizeBounds = 4 << 20...1 << 44
        /// An SQLite database; nil: nothing is kept.
        public var file: String? = "/var/lib/nilo/history.db"
        /// Bytes of the file at most.
        public var size = 1 << 30
        public var keep = Ages()
    }
}

extension AgentConfiguration.Topology {
    mutating func decode(_ node: YAMLNode, _ decoder: inout ConfigurationDecoder) {
        let values = decoder.mapping(node, "topology", keys: ["kept", "nodes", "communications", "idle", "networks", "zones"])
        decoder.flag(values["kept"], "topology.kept", into: &isKept)
        decoder.integer(values["nodes"], "topology.nodes", in: Self.nodeBounds, into: &nodes)
        decoder.integer(values["communications"], "topology.communications", in: Self.communicationBounds, into: &communications)
        decoder.duration(values["idle"], "topology.idle", in: Self.idleBounds, into: &idle)
        if let node = values["networks"] { networks = decoder.prefixSets(node, "topology.networks") }
        if let node = values["zones"] { zones = decoder.prefixSets(node, "topology.zones") }
    }
}

extension AgentConfiguration.History {
    mutating func decode(_ node: YAMLNode, _ decoder: inout ConfigurationDecoder) {
        let values = decoder.mapping(node, "history", keys: ["file", "size", "keep"])
        decoder.optionalPath(values["file"], "history.file", into: &file)
        decoder.integer(values["size"], "history.size", in: Self.sizeBounds, into: &size)
        guard let node = values["keep"] else { return }
        let ages = decoder.mapping(node, "history.keep", keys: ["second", "ten-seconds", "minute", "hour", "topology"])
        decoder.duration(ages["second"], "history.keep.second", in: Ages.bounds, into: &keep.second)
        decoder.duration(ages["ten-seconds"], "history.keep.ten-seconds", in: Ages.bounds, into: &keep.tenSeconds)
        decoder.duration(ages["minute"], "history.keep.minute", in: Ages.bounds, into: &keep.minute)
        decoder.duration(ages["hour"], "history.keep.hour", in: Ages.bounds, into: &keep.hour)
        decoder.duration(ages["topology"], "history.keep.topology", in: Ages.bounds, into: &keep.topology)
    }
}

extension ConfigurationDecoder {
    /// An absolute path, or `off` for none.
    mutating func optionalPath(_ node: YAMLNode?, _ path: String, into target: inout String?) {
        guard let node, let text = text(node, path) else { return }
        if text == "off" {
            target = nil
            return
        }
        var value = ""
        self.path(node, path, limit: 1024, into: &value)
        if !value.isEmpty { target = value }
    }

    /// `{shop: [10.1.0.0/16], office: 10.2.0.0/16}`.
    fileprivate mutating func prefixSets(_ node: YAMLNode, _ path: String) -> [AgentConfiguration.PrefixSet] {
        guard case .mapping(let entries) = node.content else {
            report(node, path, "expected a mapping of names to prefixes, found \(node.kind)")
            return []
        }
        var sets: [AgentConfiguration.PrefixSet] = []
        for entry in entries {
            let at = "\(path).\(entry.key)"
            guard !entry.key.isEmpty, entry.key.utf8.count <= 64, !entry.key.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else {
                report(line: entry.line, path: at, "a name has 1 to 64 bytes, none of them a control character")
                continue
            }
            guard !sets.contains(where: { $0.name == entry.key }) else {
                report(line: entry.line, path: at, "the name was already given")
                continue
            }
            var prefixes: [IPPrefix] = []
            list(entry.value, at, into: &prefixes) { $0.parsed($1, $2, expected: "a prefix such as 10.1.0.0/16") { IPPrefix($0) } }
            sets.append(.init(name: entry.key, prefixes: prefixes))
        }
        return sets
    }
}

/// The shortest form that `parseCount` reads back: 1 GiB is `1Gi`.
func renderBytes(_ bytes: Int) -> String {
    for (name, factor) in [("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)] where bytes >= factor && bytes % factor == 0 {
        return "\(bytes / factor)\(name)"
    }
    return "\(bytes)"
}
