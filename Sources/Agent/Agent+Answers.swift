import API
import CDatapath
import Configuration
import Datapath
import Flows
import Glibc
import NetworkTypes
import Reports

/// The agent's answers. Each is drawn up on the agent's thread from what is there now.
extension Agent {
    /// What interfaces go by, those that are gone included: the same for all rows of an answer.
    private struct Places: Sendable {
        var names: [InterfaceID: String]
        var owners: [InterfaceID: String]

        func name(_ id: InterfaceID) -> String { names[id] ?? "#\(id.rawValue)" }

        /// As answers and the topology call it.
        func namespaces(of id: InterfaceID) -> [String] {
            guard let owner = owners[id] else { return ["host", SystemFiles.hostName] }
            return [owner] + (namespaceName(of: owner).map { [$0] } ?? [])
        }
    }

    private func places() -> Places {
        var places = Places(names: [:], owners: [:])
        for interface in datapath.allInterfaces {
            places.names[interface.id] = interface.name
            places.owners[interface.id] = follower.place(of: interface.id)?.namespace.owner
        }
        return places
    }

    func flowList(_ filter: FlowFilter, _ order: FlowOrder, _ top: Int) throws -> ControlResponse {
        _ = try collector.collect()
        let places = places()
        let first = collector.first(top, by: order) {
            matches($0, filter, places)
        } as: {
            (reading: $0, application: applications?.application(of: $0.record.key))
        }
        let list = FlowListReport(
            at: .now, interval: interval, filter: filter, order: order, matched: first.matched, known: collector.flowCount, flows: [])
        return try answer(list, member: "flows", rows: first.rows) { row in
            let interface = row.reading.record.key.interface
            var report = FlowReport(row.reading, interface: places.name(interface), namespace: places.owners[interface])
            if let application = row.application { report.tell(application) }
            return try ControlRoutes.encoded(report)
        }
    }

    private func matches(_ record: FlowRecord, _ filter: FlowFilter, _ places: Places) -> Bool {
        filter.matches(
            record, interfaceName: { places.names[$0] }, application: { [applications] in applications?.application(of: $0)?.name },
            namespaceNames: { places.namespaces(of: $0) })
    }

    func groupList(_ filter: FlowFilter, _ grouping: FlowGrouping, _ tuple: TupleChoice, _ order: FlowOrder, _ top: Int) throws
        -> ControlResponse
    {
        _ = try collector.collect()
        let places = places()
        var readings: [FlowReading] = []
        collector.readings { reading in
            if matches(reading.record, filter, places) { readings.append(reading) }
        }
        if readings.count > ListPieces<FlowGroup>.largeCount { memory.wasUsed() }
        let groups = FlowView.groups(of: readings, by: grouping, tuple: tuple)
        let first = FlowView.first(top, of: groups, by: order.measure, interval: interval, ascending: order.ascending)
        let interval = interval
        let list = FlowGroupListReport(
            at: .now, interval: interval, filter: filter, by: grouping, tuple: tuple, order: order, rows: groups.count, groups: [])
        return try answer(list, member: "groups", rows: first) { group in
            try ControlRoutes.encoded(
                FlowGroupReport(
                    group, interface: places.name(group.interface), namespace: places.owners[group.interface], interval: interval))
        }
    }

    /// A list whose rows become text while the client takes them, on the server's thread.
    private func answer<Row: Sendable>(
        _ list: some Encodable, member: String, rows: [Row], text: @escaping @Sendable (Row) throws -> [UInt8]
    ) throws -> ControlResponse {
        let pieces = try ListPieces(list, member: member, rows: rows, memory: memory, text: text)
        return ControlResponse { try pieces.next() }
    }

    private var interval: Duration { collector.tick == 0 ? .zero : collector.turnLength }

    /// - Parameter patterns: which; empty: all.
    func interfaceList(_ patterns: [InterfacePattern] = [], closed: Bool) throws -> InterfaceListReport {
        let interfaces = (closed ? datapath.allInterfaces : datapath.interfaces).filter { interface in
            let owner = follower.place(of: interface.id)?.namespace.owner
            return patterns.isEmpty || patterns.contains { $0.matches(interface.name, owner: owner) }
        }
        let reports = Bookkeeper(datapath: datapath, follower: follower, drops: drops, startedAt: startedAt).reports(interfaces)
        return InterfaceListReport(at: .now, interval: interval, interfaces: zip(interfaces, reports).map { withRates($1, of: $0.id) })
    }

    private func withRates(_ report: InterfaceReport, of id: InterfaceID) -> InterfaceReport {
        guard report.closedAt == nil else { return report }
        var report = report
        if let rate = rates[ObservationPoint(interface: id, direction: .ingress)] {
            report.ingressBitsPerSecond = BitRate(bytes: rate.bytes, over: collector.turnLength).bitsPerSecond
            report.ingressPacketsPerSecond = PacketRate(packets: rate.packets, over: collector.turnLength).packetsPerSecond
        }
        if let rate = rates[ObservationPoint(interface: id, direction: .egress)] {
            report.egressBitsPerSecond = BitRate(bytes: rate.bytes, over: collector.turnLength).bitsPerSecond
            report.egressPacketsPerSecond = PacketRate(packets: rate.packets, over: collector.turnLength).packetsPerSecond
        }
        return report
    }

    func status() throws -> StatusReport { try status(interfaceList(closed: false).interfaces) }

    func status(_ interfaces: [InterfaceReport]) throws -> StatusReport {
        let slots = datapath.reader.slotsUsed()
        let run = try datapath.runTime()
        var report = StatusReport(
            version: Self.version, pid: getpid(), kernel: SystemFiles.kernelRelease, startedAt: startedAt, now: .now,
            recordVersion: UInt32(NILO_ABI_VERSION), tookOver: datapath.tookOver, interfaces: interfaces.count,
            interfacesInDoubt: interfaces.filter { interface in
                [interface.ingress, interface.egress].contains { !$0.closes || $0.agreesWithDevice == false }
            }.map(\.qualifiedName), flows: collector.flowCount,
            flowLimit: collector.flowLimit, memory: .init(privateBytes: SystemFiles.privateBytes, mapBytes: UInt64(datapath.maps.bytes)),
            collector: .init(
                slotsUsed: slots.used, slots: slots.of, fullestLog: collector.fullestLog, readings: collector.readings,
                lastReadingMilliseconds: Double(collector.lastReading.components.attoseconds) / 1e15
                    + Double(collector.lastReading.components.seconds) * 1000),
            nanosecondsPerPacket: run.runs > 0 && run.nanoseconds > 0 ? Double(run.nanoseconds) / Double(run.runs) : nil,
            exports: targets.map(\.report) + consumer.collectors.map(\.report), policy: reporter?.summary(),
            applications: applications?.report() ?? .init(state: applicationsProblem == nil ? "off" : "failed"),
            warnings: warnings(interfaces))
        report.page = configuration.page.url
        guard let topology else { return report }
        report.forecast = topology.foresight?.report
        let snapshot = topology.snapshot
        report.topology = .init(
            epoch: snapshot.epoch, nodes: snapshot.nodeCount, links: snapshot.linkCount, foldedEnds: snapshot.folded.foldedEnds,
            forgottenFlows: snapshot.folded.evictedFlows)
        if let place = historyPlace, let health = topology.history?.health {
            report.history = .init(
                file: place.path, epochs: health.epochs, bytes: place.bytes, limitBytes: UInt64(configuration.history.size),
                lostSeconds: health.lostSeconds, pausedAt: health.pausedAt?.description, problem: health.problem)
        }
        return report
    }

    /// What is wrong with the policy files, a sentence each; what to do about it `nilo doctor` tells.
    private static func sentences(_ problem: String) -> [String] {
        let most = 8
        let lines = problem.split(separator: "\n").filter { !$0.hasPrefix("hint: ") }.map(String.init)
        var sentences = Array(lines.prefix(most))
        if let first = sentences.first { sentences[0] = "the policy files are not what is in force: \(first)" }
        if lines.count > most { sentences.append("\(lines.count - most) more like that: nilo doctor lists them") }
        return sentences
    }

    private func warnings(_ interfaces: [InterfaceReport]) -> [String] {
        var warnings: [String] = []
        let overflow = interfaces.flatMap { $0.ingress.overflow + $0.egress.overflow }.reduce(UInt64(0)) { $0 + $1.totals.wirePackets }
        if overflow > 0 {
            warnings.append("\(overflow) packets were counted outside of flows: raise datapath.flows or datapath.log-records")
        }
        if let applicationsProblem { warnings.append("applications are not told: \(applicationsProblem)") }
        let strangers = Direction.allCases.reduce(UInt64(0)) { $0 + datapath.unknownBooks($1).seen.skbs }
        if strangers > 0 { warnings.append("\(strangers) packets ran through our programs on interfaces that they do not know") }
        if collector.displaced > 0 { warnings.append("\(collector.displaced) flows had to leave the full flow table: raise flows.limit") }
        if let problem = keeper.problem { warnings += Self.sentences(problem) }
        if !keeper.lastComplaint.isEmpty { warnings += Self.sentences("policy not kept: \(keeper.lastComplaint)") }
        if let problem = keeper.shapes.replaced.problem {
            warnings.append("no qdisc of others is replaced or put back: \(problem.what): \(problem.why)")
        }
        if let health = topology?.history?.health, let problem = health.problem {
            warnings.append("the history is not kept: \(problem)" + (health.hint.map { "; \($0)" } ?? ""))
        }
        warnings += keeper.unread
        warnings += reporter.problems()
        for refusal in keeper.refusals { warnings.append("rule \(refusal.rule) is not in force: \(refusal.reason)") }
        // One reason is often that of many: a full table.
        let reasons = follower.namespaces.values.flatMap(\.refused.values)
        for (reason, times) in Dictionary(grouping: reasons, by: { $0 }).sorted(by: { $0.key < $1.key }) {
            warnings.append(times.count == 1 ? "not attached: \(reason)" : "\(times.count) interfaces are not attached: \(reason)")
        }
        return warnings
    }
}

extension FlowReport {
    fileprivate mutating func tell(_ found: FlowApplication) {
        application = found.name
        applicationBasis = found.isUnknown ? nil : "\(found.basis)"
        encrypted = found.isEncrypted
        serverName = found.serverName ?? found.otherName
    }
}
