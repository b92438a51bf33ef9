import Glibc

extension AgentConfiguration {
    /// Reads `bytes`, UTF-8 YAML; `file` is its name in messages. What the text leaves out keeps its default.
    public static func parse(_ bytes: [UInt8], file: String) throws(ConfigurationError) -> AgentConfiguration {
        let root: YAMLNode?
        do {
            root = try YAMLReader.read(bytes)
        } catch {
            let problem = ConfigurationProblem(line: error.line, keyPath: "", value: nil, reason: error.reason, hint: nil)
            throw ConfigurationError(file: file, problems: [problem])
        }
        var configuration = AgentConfiguration()
        guard let root else { return configuration }
        var decoder = ConfigurationDecoder()
        configuration.decode(root, &decoder)
        guard decoder.problems.isEmpty else {
            throw ConfigurationError(file: file, problems: decoder.problems.sorted { $0.line < $1.line })
        }
        return configuration
    }

    /// Reads the file at `path`.
    public static func load(_ path: String) throws(ConfigurationError) -> AgentConfiguration {
        func failure(_ code: Int32) -> ConfigurationError {
            let hint = code == ENOENT ? "write one with: nilo agent --print-config > \(path)" : nil
            let reason = "cannot be read: \(String(cString: strerror(code)))"
            return ConfigurationError(file: path, problems: [.init(line: 0, keyPath: "", value: nil, reason: reason, hint: hint)])
        }
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw failure(errno) }
        defer { close(fd) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        // One chunk past the limit is enough to be refused for its size, also when the path is a device without an end.
        while bytes.count <= YAMLReader.maximumBytes {
            let count = read(fd, &chunk, chunk.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw failure(errno)
            }
            if count == 0 { break }
            bytes += chunk[..<count]
        }
        return try parse(bytes, file: path)
    }

    private mutating func decode(_ root: YAMLNode, _ decoder: inout ConfigurationDecoder) {
        let keys = [
            "interfaces", "exclude", "namespaces", "attach", "datapath", "flows", "control", "metrics", "export", "sflow", "applications",
            "log", "bpffs", "policy", "planning", "topology", "history", "forecast", "anomalies", "page",
        ]
        let values = decoder.mapping(root, "", keys: keys)
        if let node = values["interfaces"] {
            decoder.list(node, "interfaces", into: &interfaces) { decoder, item, path in
                let words = "an interface name of at most 15 bytes, a pattern, default-route, all or all-but-loopback"
                return decoder.parsed(item, path, expected: words) { InterfaceSelector($0) }
            }
        }
        if let node = values["exclude"] {
            decoder.list(node, "exclude", into: &exclude) { $0.parsed($1, $2, expected: "an interface name or pattern", interfaceGlob) }
        }
        if let node = values["namespaces"] {
            decoder.list(node, "namespaces", into: &namespaces) { decoder, item, path in
                decoder.parsed(item, path, expected: "host, all, or a name or pattern of names under /run/netns") { NamespaceSelector($0) }
            }
        }
        if let node = values["attach"] {
            let values = decoder.mapping(node, "attach", keys: ["mode", "order"])
            decoder.choice(values["mode"], "attach.mode", into: &attach.mode)
            decoder.choice(values["order"], "attach.order", into: &attach.order)
        }
        if let node = values["datapath"] { datapath.decode(node, &decoder) }
        if let node = values["flows"] { flows.decode(node, &decoder) }
        if let node = values["control"] { control.decode(node, &decoder) }
        if let node = values["metrics"] { decodeMetrics(node, &decoder) }
        if let node = values["export"] { decodeExports(node, &decoder) }
        if let node = values["sflow"] { sflow = decoder.sflowCollectors(node) }
        if let node = values["applications"] { applications.decode(node, &decoder) }
        if let node = values["log"] {
            let values = decoder.mapping(node, "log", keys: ["format", "level"])
            decoder.choice(values["format"], "log.format", into: &log.format)
            decoder.choice(values["level"], "log.level", into: &log.level)
        }
        if let node = values["topology"] { topology.decode(node, &decoder) }
        if let node = values["history"] { history.decode(node, &decoder) }
        if let node = values["forecast"] { forecast.decode(node, &decoder) }
        if let node = values["anomalies"] { anomalies.decode(node, &decoder) }
        if let node = values["page"] { page.decode(node, &decoder) }
        if let node = values["planning"] { planning.decode(node, &decoder) }
        decoder.path(values["policy"], "policy", limit: 1024, into: &policy)
        if let node = values["bpffs"], let text = decoder.text(node, "bpffs") {
            var path = ""
            if text != "auto" { decoder.path(node, "bpffs", limit: 1024, into: &path) }
            bpffs = path.isEmpty ? .automatic : .path(path)
        }
    }

    private mutating func decodeMetrics(_ node: YAMLNode, _ decoder: inout ConfigurationDecoder) {
        let values = decoder.mapping(node, "metrics", keys: ["listen"])
        guard let node = values["listen"], let text = decoder.text(node, "metrics.listen") else { return }
        if text == "off" {
            metricsListen = nil
        } else if let listen = HostPort(text), listen.isLoopback {
            metricsListen = listen
        } else {
            let hint = "metrics are served without authentication: put a proxy in front to read them from elsewhere"
            decoder.report(node, "metrics.listen", "expected a loopback address with its port such as 127.0.0.1:9411, or off", hint: hint)
        }
    }

    private mutating func decodeExports(_ node: YAMLNode, _ decoder: inout ConfigurationDecoder) {
        guard case .sequence(let items) = node.content else {
            return decoder.report(
                node, "export", "expected a list, found \(node.kind)", hint: "start each collector with \"- collector: …\"")
        }
        export = []
        for (index, item) in items.enumerated() {
            let path = "export[\(index)]"
            let before = decoder.problems.count
            let values = decoder.mapping(item, path, keys: ["collector", "protocol", "observation-point-interfaces", "template-refresh"])
            guard let node = values["collector"] else {
                if decoder.problems.count == before { decoder.report(item, path, "has no collector", hint: "add collector: host:port") }
                continue
            }
            let expected = "host:port such as 192.0.2.1:4739 or [2001:db8::1]:4739"
            guard let collector = decoder.parsed(node, "\(path).collector", expected: expected, { HostPort($0) }) else { continue }
            var one = Export(collector: collector)
            decoder.choice(values["protocol"], "\(path).protocol", into: &one.transport)
            if let node = values["observation-point-interfaces"] {
                let path = "\(path).observation-point-interfaces"
                decoder.list(node, path, into: &one.observationPointInterfaces) {
                    $0.parsed($1, $2, expected: "an interface name or pattern", interfaceGlob)
                }
            }
            let refresh = values["template-refresh"]
            decoder.duration(refresh, "\(path).template-refresh", in: Export.templateRefreshBounds, into: &one.templateRefresh)
            export.append(one)
        }
    }
}

func interfaceGlob(_ text: String) -> Glob? {
    if case .named(let glob)? = InterfaceSelector(text) { return glob }
    return nil
}

extension AgentConfiguration.Datapath {
    fileprivate mutating func decode(_ node: YAMLNode, _ decoder: inout ConfigurationDecoder) {
        let values = decoder.mapping(node, "datapath", keys: ["flows", "log-records", "interfaces", "vxlan-ports", "tcp-analysis"])
        decoder.integer(values["flows"], "datapath.flows", in: Self.flowBounds, into: &flows)
        decoder.integer(values["log-records"], "datapath.log-records", in: Self.logRecordBounds, into: &logRecords)
        decoder.integer(values["interfaces"], "datapath.interfaces", in: Self.interfaceBounds, into: &interfaces)
        decoder.flag(values["tcp-analysis"], "datapath.tcp-analysis", into: &tcpAnalysis)
        guard let node = values["vxlan-ports"] else { return }
        decoder.list(node, "datapath.vxlan-ports", into: &vxlanPorts) { decoder, item, path in
            decoder.parsed(item, path, expected: "a port from 1 to 65535") { UInt16($0).flatMap { $0 > 0 ? $0 : nil } }
        }
        if vxlanPorts.count > Self.maximumVXLANPorts {
            decoder.report(node, "datapath.vxlan-ports", "more than \(Self.maximumVXLANPorts) ports")
        }
    }
}

extension AgentConfiguration.Flows {
    fileprivate mutating func decode(_ node: YAMLNode, _ decoder: inout ConfigurationDecoder) {
        let values = decoder.mapping(node, "flows", keys: ["limit", "idle-timeout", "active-timeout", "interval"])
        decoder.integer(values["limit"], "flows.limit", in: Self.limitBounds, into: &limit)
        decoder.duration(values["idle-timeout"], "flows.idle-timeout", in: Self.idleTimeoutBounds, into: &idleTimeout)
        decoder.duration(values["active-timeout"], "flows.active-timeout", in: Self.activeTimeoutBounds, into: &activeTimeout)
        decoder.duration(values["interval"], "flows.interval", in: Self.intervalBounds, into: &interval)
    }
}

extension AgentConfiguration.Applications {
    /// A mapping, or on or off alone.
    fileprivate mutating func decode(_ node: YAMLNode, _ decoder: inout ConfigurationDecoder) {
        if case .scalar = node.content, !node.isNull { return decoder.flag(node, "applications", into: &isOn) }
        let values = decoder.mapping(node, "applications", keys: ["enabled", "snap", "samples-per-second", "cpu-percent"])
        decoder.flag(values["enabled"], "applications.enabled", into: &isOn)
        decoder.integer(values["snap"], "applications.snap", in: Self.snapBounds, into: &snap)
        decoder.integer(values["samples-per-second"], "applications.samples-per-second", in: Self.sampleBounds, into: &samplesPerSecond)
        decoder.integer(values["cpu-percent"], "applications.cpu-percent", in: Self.cpuBounds, into: &cpuPercent)
    }
}

extension AgentConfiguration.Control {
    fileprivate mutating func decode(_ node: YAMLNode, _ decoder: inout ConfigurationDecoder) {
        let values = decoder.mapping(node, "control", keys: ["socket", "read-socket", "group", "read-group"])
        decoder.path(values["socket"], "control.socket", into: &socket)
        decoder.path(values["read-socket"], "control.read-socket", into: &readSocket)
        decoder.group(values["group"], "control.group", into: &group)
        decoder.group(values["read-group"], "control.read-group", into: &readGroup)
        if socket == readSocket { decoder.report(node, "control", "socket and read-socket are the same path") }
    }
}
