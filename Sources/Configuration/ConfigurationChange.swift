/// What a configuration that was read anew changes in an agent that runs: some of it at once, some only at the next start.
public struct ConfigurationChange: Sendable, Equatable {
    /// The running one, with what can change at once taken from the new one.
    public private(set) var result: AgentConfiguration
    /// Keys that are different and take effect at once.
    public private(set) var atOnce: [String] = []
    /// Keys that are different and take effect at the next start.
    public private(set) var atStart: [String] = []

    public init(from running: AgentConfiguration, to new: AgentConfiguration) {
        result = running
        take("interfaces", new, \.interfaces)
        take("exclude", new, \.exclude)
        take("flows.idle-timeout", new, \.flows.idleTimeout)
        take("flows.active-timeout", new, \.flows.activeTimeout)
        take("flows.interval", new, \.flows.interval)
        take("export", new, \.export)
        take("sflow", new, \.sflow)
        take("log.level", new, \.log.level)
        // The kernel side, what was bound with privileges, and the right to enter other namespaces, which is given up at the start.
        leave("namespaces", new, \.namespaces)
        leave("attach.mode", new, \.attach.mode)
        leave("attach.order", new, \.attach.order)
        leave("datapath.flows", new, \.datapath.flows)
        leave("datapath.log-records", new, \.datapath.logRecords)
        leave("datapath.interfaces", new, \.datapath.interfaces)
        leave("datapath.vxlan-ports", new, \.datapath.vxlanPorts)
        leave("datapath.tcp-analysis", new, \.datapath.tcpAnalysis)
        leave("flows.limit", new, \.flows.limit)
        leave("control.socket", new, \.control.socket)
        leave("control.read-socket", new, \.control.readSocket)
        leave("control.group", new, \.control.group)
        leave("control.read-group", new, \.control.readGroup)
        leave("metrics.listen", new, \.metricsListen)
        leave("applications", new, \.applications)
        leave("log.format", new, \.log.format)
        leave("bpffs", new, \.bpffs)
        leave("policy", new, \.policy)
        leave("planning.mode", new, \.planning.mode)
        leave("planning.state", new, \.planning.state)
        leave("topology.kept", new, \.topology.isKept)
        leave("topology.nodes", new, \.topology.nodes)
        leave("topology.communications", new, \.topology.communications)
        leave("topology.idle", new, \.topology.idle)
        take("topology.networks", new, \.topology.networks)
        take("topology.zones", new, \.topology.zones)
        leave("history.file", new, \.history.file)
        leave("history.size", new, \.history.size)
        leave("history.keep", new, \.history.keep)
        leave("forecast.enabled", new, \.forecast.isOn)
        leave("forecast.series", new, \.forecast.series)
        leave("forecast.day", new, \.forecast.day)
        leave("forecast.state", new, \.forecast.state)
        leave("anomalies", new, \.anomalies)
        leave("page.listen", new, \.page.listen)
        leave("page.names", new, \.page.names)
        leave("page.token-file", new, \.page.tokenFile)
        leave("page.certificate", new, \.page.certificate)
        leave("page.key", new, \.page.key)
    }

    private mutating func take<T: Equatable>(
        _ key: String, _ new: AgentConfiguration, _ path: WritableKeyPath<AgentConfiguration, T>
    ) {
        guard result[keyPath: path] != new[keyPath: path] else { return }
        result[keyPath: path] = new[keyPath: path]
        atOnce.append(key)
    }

    private mutating func leave<T: Equatable>(_ key: String, _ new: AgentConfiguration, _ path: KeyPath<AgentConfiguration, T>) {
        if result[keyPath: path] != new[keyPath: path] { atStart.append(key) }
    }
}
