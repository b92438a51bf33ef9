import CDatapath
import Configuration
import Datapath
import Flows
import Glibc
import NetworkTypes
import Reports

/// The agent's answers. Each is drawn up on the agent's thread from what is there now.
extension Agent {
    /// The names that interfaces go by, those that are gone included.
    private func interfaceNames() -> [InterfaceID: String] {
        Dictionary(uniqueKeysWithValues: datapath.allInterfaces.map { ($0.id, $0.name) })
    }

    private func name(_ id: InterfaceID, in names: [InterfaceID: String]) -> String { names[id] ?? "#\(id.rawValue)" }

    func flowList(_ filter: FlowFilter, _ order: FlowOrder, _ top: Int) throws -> FlowListReport {
        _ = try collector.collect()
        let names = interfaceNames()
        var best = order.leaders(top)
        var matched = 0
        collector.readings { reading in
            guard filter.matches(reading.record, interfaceName: { names[$0] }) else { return }
            matched += 1
            best.offer((order.measure.value(of: reading), reading))
        }
        let flows = best.inOrder().map { first in
            let interface = first.reading.record.key.interface
            return FlowReport(
                first.reading, interface: name(interface, in: names), namespace: follower.place(of: interface)?.namespace.owner)
        }
        return FlowListReport(
            at: .now, interval: interval, filter: filter, order: order, matched: matched, known: collector.flowCount, flows: flows)
    }

    func groupList(_ filter: FlowFilter, _ grouping: FlowGrouping, _ tuple: TupleChoice, _ order: FlowOrder, _ top: Int) throws
        -> FlowGroupListReport
    {
        _ = try collector.collect()
        let names = interfaceNames()
        var readings: [FlowReading] = []
        collector.readings { reading in
            if filter.matches(reading.record, interfaceName: { names[$0] }) { readings.append(reading) }
        }
        let groups = FlowView.groups(of: readings, by: grouping, tuple: tuple)
        let first = FlowView.first(top, of: groups, by: order.measure, interval: interval, ascending: order.ascending)
        return FlowGroupListReport(
            at: .now, interval: interval, filter: filter, by: grouping, tuple: tuple, order: order, rows: groups.count,
            groups: first.map {
                FlowGroupReport(
                    $0, interface: name($0.interface, in: names), namespace: follower.place(of: $0.interface)?.namespace.owner,
                    interval: interval)
            })
    }

    private var interval: Duration { collector.tick == 0 ? .zero : .seconds(1) }

    func interfaceList(names: [Glob] = [], closed: Bool) throws -> InterfaceListReport {
        let interfaces = (closed ? datapath.allInterfaces : datapath.interfaces)
            .filter { interface in names.isEmpty || names.contains { $0.matches(interface.name) } }
        let reports = Bookkeeper(datapath: datapath, follower: follower, drops: drops, startedAt: startedAt).reports(interfaces)
        return InterfaceListReport(at: .now, interval: interval, interfaces: zip(interfaces, reports).map { withRates($1, of: $0.id) })
    }

    private func withRates(_ report: InterfaceReport, of id: InterfaceID) -> InterfaceReport {
        guard report.closedAt == nil else { return report }
        var report = report
        if let rate = rates[ObservationPoint(interface: id, direction: .ingress)] {
            report.ingressBitsPerSecond = Double(rate.bytes) * 8
            report.ingressPacketsPerSecond = Double(rate.packets)
        }
        if let rate = rates[ObservationPoint(interface: id, direction: .egress)] {
            report.egressBitsPerSecond = Double(rate.bytes) * 8
            report.egressPacketsPerSecond = Double(rate.packets)
        }
        return report
    }

    func status() throws -> StatusReport { try status(interfaceList(closed: false).interfaces) }

    func status(_ interfaces: [InterfaceReport]) throws -> StatusReport {
        let slots = datapath.reader.slotsUsed()
        let run = try datapath.runTime()
        return StatusReport(
            version: Self.version, pid: getpid(), kernel: SystemFiles.kernelRelease, startedAt: startedAt, now: .now,
            recordVersion: UInt32(NILO_ABI_VERSION), tookOver: datapath.tookOver, interfaces: interfaces.count,
            interfacesInDoubt: interfaces.filter { interface in
                [interface.ingress, interface.egress].contains { !$0.closes || $0.agreesWithDevice == false }
            }.map(\.name), flows: collector.flowCount,
            flowLimit: collector.flowLimit, memory: .init(privateBytes: SystemFiles.privateBytes, mapBytes: UInt64(datapath.maps.bytes)),
            collector: .init(
                slotsUsed: slots.used, slots: slots.of, fullestLog: collector.fullestLog, readings: collector.readings,
                lastReadingMilliseconds: Double(collector.lastReading.components.attoseconds) / 1e15
                    + Double(collector.lastReading.components.seconds) * 1000),
            nanosecondsPerPacket: run.runs > 0 && run.nanoseconds > 0 ? Double(run.nanoseconds) / Double(run.runs) : nil,
            exports: targets.map(\.report), warnings: warnings(interfaces))
    }

    private func warnings(_ interfaces: [InterfaceReport]) -> [String] {
        var warnings: [String] = []
        let overflow = interfaces.flatMap { $0.ingress.overflow + $0.egress.overflow }.reduce(UInt64(0)) { $0 + $1.totals.wirePackets }
        if overflow > 0 {
            warnings.append("\(overflow) packets were counted outside of flows: raise datapath.flows or datapath.log-records")
        }
        let strangers = Direction.allCases.reduce(UInt64(0)) { $0 + datapath.unknownBooks($1).seen.skbs }
        if strangers > 0 { warnings.append("\(strangers) packets ran through our programs on interfaces that they do not know") }
        if collector.displaced > 0 { warnings.append("\(collector.displaced) flows had to leave the full flow table: raise flows.limit") }
        for followed in follower.namespaces.values {
            for reason in followed.refused.values.sorted() { warnings.append("not attached: \(reason)") }
        }
        return warnings
    }
}
