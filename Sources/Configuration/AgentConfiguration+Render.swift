extension AgentConfiguration {
    /// The whole configuration as commented YAML that ``parse(_:file:)`` reads back as an equal value.
    public func render() -> String {
        """
        # How nilo agent behaves. A key left out keeps its default; an unknown key is an error.
        # Durations: 500ms, 30s, 5m, 1h. Counts: 262144 or 256Ki.

        # What is counted: interface names, patterns such as "veth*", default-route, all, all-but-loopback.
        interfaces: \(list(interfaces.map(\.description)))
        # Names and patterns left out of the above.
        exclude: \(list(exclude.map(\.pattern)))
        # Network namespaces: host, all, or names and patterns of names under /run/netns.
        namespaces: \(list(namespaces.map(\.description)))

        attach:
          # tcx, clsact, or auto: tcx where the kernel has it (6.6).
          mode: \(attach.mode.rawValue)
          # Among other programs on the hook: first, last, or outer (nearest to the wire in both directions).
          order: \(attach.order.rawValue)

        datapath:
          # Flow slots in the kernel, \(bounds(Datapath.flowBounds)).
          flows: \(datapath.flows)
          # Records of evicted flows that wait to be read, \(bounds(Datapath.logRecordBounds)).
          log-records: \(datapath.logRecords)
          # Interfaces counted at one time, \(bounds(Datapath.interfaceBounds)).
          interfaces: \(datapath.interfaces)
          # UDP ports that carry VXLAN, at most \(Datapath.maximumVXLANPorts).
          vxlan-ports: [\(datapath.vxlanPorts.map(\.description).joined(separator: ", "))]
          # Handshake RTT, retransmissions and reordering.
          tcp-analysis: \(datapath.tcpAnalysis)

        flows:
          # Flows kept in memory, \(bounds(Flows.limitBounds)).
          limit: \(flows.limit)
          # A flow without a packet for this long is over.
          idle-timeout: \(Configuration.render(flows.idleTimeout))
          # A flow that goes on is reported anew after this long.
          active-timeout: \(Configuration.render(flows.activeTimeout))
          # How often the kernel's counters are read.
          interval: \(Configuration.render(flows.interval))

        control:
          # The socket that may change things, and the group that may use it.
          socket: \(scalar(control.socket))
          group: \(scalar(control.group))
          # The socket that only answers questions, and its group.
          read-socket: \(scalar(control.readSocket))
          read-group: \(scalar(control.readGroup))

        metrics:
          # A loopback address for Prometheus, or off.
          listen: \(metricsListen.map { scalar($0.description) } ?? "off")

        # IPFIX collectors (RFC 7011), each as:
        #   - collector: 192.0.2.1:4739
        #     protocol: udp                         # or tcp
        #     observation-point-interfaces: [eth0]  # empty: flows of every interface
        #     template-refresh: 60s
        \(renderExports())

        # sFlow collectors (version 5) that get samples and interface counters, each as:
        #   - collector: 192.0.2.1:6343
        #     agent: 198.51.100.7      # left out: the address that datagrams leave from
        #     header-bytes: 128
        #     counter-interval: 20s
        #     interfaces: [eth0]       # empty: all that are counted
        \(renderSFlow())

        # Telling applications and names by the first packets of flows; "applications: off" alone will do.
        applications:
          enabled: \(applications.isOn)
          # Most bytes of a frame that are looked at, \(bounds(Applications.snapBounds)).
          snap: \(applications.snap)
          # Packets looked at, \(bounds(Applications.sampleBounds)); what is beyond is counted.
          samples-per-second: \(applications.samplesPerSecond)
          # Of one CPU for looking at them, \(bounds(Applications.cpuBounds)); likewise.
          cpu-percent: \(applications.cpuPercent)

        log:
          # text or json
          format: \(log.format.rawValue)
          # debug, info, warn or error
          level: \(log.level.rawValue)

        # Where maps and links are pinned: the path of a BPF file system, or auto.
        bpffs: \(renderBPFFS())

        # The folder of policy files: what is mirrored, sampled and shaped.
        policy: \(scalar(policy))

        # Whether the rates of classes follow what is expected of their traffic, where policy files have it planned.
        planning:
          # off; observe: tells what it would do, and how that would have fared; auto: does it.
          mode: \(planning.mode.rawValue)
          # The folder of what is remembered of demand and allocations, or off.
          state: \(planning.state.map(scalar) ?? "off")

        topology:
          # What is there and who talks to whom: false costs nothing and answers nothing.
          kept: \(topology.isKept)
          # Nodes in all, \(bounds(Topology.nodeBounds)); beyond it endpoints are folded into prefixes.
          nodes: \(topology.nodes)
          # Links of communication, \(bounds(Topology.communicationBounds)).
          communications: \(topology.communications)
          # Communication without traffic for so long leaves the topology; it stays in the history.
          idle: \(Configuration.render(topology.idle))
          # Virtual networks that only their addresses tell, by name: {shop: [10.1.0.0/16]}.
          networks: \(renderPrefixes(topology.networks))
          # Security zones, likewise.
          zones: \(renderPrefixes(topology.zones))

        history:
          # The database of the topology's past and of rates, or off. Its folder has to exist.
          file: \(history.file.map(scalar) ?? "off")
          # Bytes at most: what is older than its age goes, and the oldest before its age when it grows beyond.
          size: \(renderBytes(history.size))
          # How long: rates a second, of ten seconds, a minute, an hour; changes of the topology.
          keep:
            second: \(Configuration.render(history.keep.second))
            ten-seconds: \(Configuration.render(history.keep.tenSeconds))
            minute: \(Configuration.render(history.keep.minute))
            hour: \(Configuration.render(history.keep.hour))
            topology: \(Configuration.render(history.keep.topology))

        forecast:
          # What comes, by what was: forecasts and profiles of all traffic, the host, interfaces, networks, services,
          # applications and busy links.
          enabled: \(forecast.isOn)
          # Series at most, \(bounds(Forecast.seriesBounds)); some 45 kB each.
          series: \(forecast.series)
          # How long a day takes: less than 24h only where a laboratory plays one in minutes.
          day: \(Configuration.render(forecast.day))
          # A folder for how forecasts did and what was unusual, or off: then both are forgotten when the agent ends.
          state: \(forecast.state.map(scalar) ?? "off")

        # What is unusual is told by "nilo anomalies", the log and metrics.
        anomalies:
          enabled: \(anomalies.isOn)
          # low, normal or high: how little it takes to raise an alert.
          sensitivity: \(anomalies.sensitivity.rawValue)
          # Incidents are posted there as JSON: https://alerts.example/nilo, or off.
          webhook: \((anomalies.webhook?.text).map(scalar) ?? "off")
          # Scans, floods and sudden heavy hitters; "suspicions: off" alone will do.
          suspicions:
            enabled: \(anomalies.suspicions.isOn)
            # Estimates of packets that find no room in the kernel's flow table.
            sketches: \(anomalies.suspicions.sketches)
            # Distinct ports or addresses that a source has tried in vain, \(bounds(Suspicions.scanBounds)).
            scan-targets: \(anomalies.suspicions.scanTargets)
            # Openings a second to one destination that are not completed, \(bounds(Suspicions.floodBounds)).
            flood-openings: \(anomalies.suspicions.floodOpenings)
            # Of the traffic of an interface, \(bounds(Suspicions.heavyBounds)).
            heavy-percent: \(anomalies.suspicions.heavyPercent)

        page:
          # The page to look at, http://127.0.0.1:8643/, or off. An address other than of the loopback needs the three files below.
          listen: \(page.listen.map { scalar($0.description) } ?? "off")
          # Names that this host is asked for by, besides localhost and addresses.
          names: \(list(page.names))
          # One line: the token that a browser has to send (RFC 6750). Readable by root alone.
          token-file: \(page.tokenFile.map(scalar) ?? "off")
          # TLS, in PEM.
          certificate: \(page.certificate.map(scalar) ?? "off")
          key: \(page.key.map(scalar) ?? "off")

        """
    }

    private func renderExports() -> String {
        if export.isEmpty { return "export: []" }
        return "export:\n"
            + export.map { one in
                """
                  - collector: \(scalar(one.collector.description))
                    protocol: \(one.transport.rawValue)
                    observation-point-interfaces: \(list(one.observationPointInterfaces.map(\.pattern)))
                    template-refresh: \(Configuration.render(one.templateRefresh))
                """
            }.joined(separator: "\n")
    }

    private func renderSFlow() -> String {
        if sflow.isEmpty { return "sflow: []" }
        return "sflow:\n"
            + sflow.map { one in
                """
                  - collector: \(scalar(one.collector.description))\(one.agent.map { "\n    agent: " + scalar("\($0)") } ?? "")
                    header-bytes: \(one.headerBytes)
                    counter-interval: \(Configuration.render(one.counterInterval))
                    interfaces: \(list(one.interfaces.map(\.pattern)))
                """
            }.joined(separator: "\n")
    }

    private func renderPrefixes(_ named: [PrefixSet]) -> String {
        "{" + named.map { "\(scalar($0.name)): \(list($0.prefixes.map(\.description)))" }.joined(separator: ", ") + "}"
    }

    private func renderBPFFS() -> String {
        switch bpffs {
        case .automatic: "auto"
        case .path(let path): scalar(path)
        }
    }
}

private func bounds(_ range: ClosedRange<Int>) -> String { "\(range.lowerBound) to \(range.upperBound)" }

func list(_ items: [String]) -> String { "[" + items.map(scalar).joined(separator: ", ") + "]" }

/// The text as a YAML scalar: plain where that is safe in and out of a flow list, else double-quoted (YAML 1.1, 5.7 for the escapes).
func scalar(_ text: String) -> String {
    func plain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "/"): true
        default: false
        }
    }
    let safe = !text.isEmpty && text.utf8.allSatisfy(plain) && text.utf8.first != UInt8(ascii: "-")
    if safe, !["null", "true", "false", "yes", "no", "on", "off"].contains(text) { return text }
    var quoted = "\""
    for unicode in text.unicodeScalars {
        switch unicode {
        case "\"", "\\": quoted += "\\" + String(unicode)
        case _ where unicode.value < 0x20 || (0x7f...0xa0).contains(unicode.value):
            quoted += "\\x" + (unicode.value < 16 ? "0" : "") + String(unicode.value, radix: 16)
        // Breaks of a line and marks that libyaml does not take as they are.
        case "\u{2028}", "\u{2029}", "\u{feff}", "\u{fffe}", "\u{ffff}": quoted += "\\u" + String(unicode.value, radix: 16)
        default: quoted.unicodeScalars.append(unicode)
        }
    }
    return quoted + "\""
}
