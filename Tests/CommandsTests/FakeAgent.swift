import API
import Flows
import Foundation
import NetworkTypes
import Reports
import Synchronization

/// An agent of canned flows behind a real control socket. Filters, orders and groupings are the product's own.
final class FakeAgent: Sendable {
    /// What the server's handler holds: not the agent itself, whose end is the server's end.
    private final class State: Sendable {
        let asked = Mutex<[String]>([])
        let server = Mutex<ControlServer?>(nil)

        func end() {
            let last = server.withLock { server in
                defer { server = nil }
                return server
            }
            withExtendedLifetime(last) {}
        }
    }

    let socket = NSTemporaryDirectory() + "nilo-fake-\(UUID().uuidString.prefix(8)).sock"
    private let state = State()

    /// What it was asked, as `GET /v1/flows`, with the query sorted by name.
    var requests: [String] { state.asked.withLock { $0 } }

    /// - Parameters:
    ///   - beat: what the rates depend on.
    ///   - refusal: answered instead of everything.
    ///   - endsOnStop: whether it goes away when it is told to.
    init(beat: Int = 1, refusal: (status: UInt32, error: String, hint: String)? = nil, endsOnStop: Bool = true) throws {
        let server = try ControlServer(.unix(path: socket, group: nil)) { [state] request in
            let query = request.query.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "&")
            state.asked.withLock { $0.append("\(request.method) \(request.path)" + (query.isEmpty ? "" : "?\(query)")) }
            if let refusal { return .failure(refusal.status, refusal.error, hint: refusal.hint) }
            guard request.path == "/v1/stop" else { return Self.answer(request, beat: beat) }
            // Not here: this is the server's own thread.
            if endsOnStop {
                Thread {
                    Thread.sleep(forTimeInterval: 0.1)
                    state.end()
                }.start()
            }
            var report = StopReport(kept: query == "keep=1")
            if report.kept { (report.interfaces, report.mirrors, report.shapers) = (2, 1, 3) } else { report.left = ["a trace"] }
            return ControlResponse(body: Array((try? JSONEncoder().encode(report)) ?? Data()))
        }
        state.server.withLock { $0 = server }
    }

    deinit { state.end() }

    func end() { state.end() }

    // MARK: answers

    private static func answer(_ request: ControlRequest, beat: Int) -> ControlResponse {
        do {
            switch request.path {
            case "/v1/status": return try json(status)
            case "/v1/policy/confirm": return ControlResponse(body: Array("{\"confirmed\":true}\n".utf8))
            case "/v1/interfaces":
                let patterns = (request.query["name"] ?? "").split(separator: ",").map { NamePattern(String($0)) }
                var list = interfaces(beat: beat)
                list.interfaces.removeAll { one in
                    !patterns.isEmpty && !patterns.contains { $0.matches(one.name) }
                        || one.closedAt != nil && request.query["closed"] != "1"
                }
                return try json(list)
            case "/v1/flows", "/v1/groups":
                let filter = try FlowFilter(parsing: request.query["filter"] ?? "")
                let order = FlowOrder(FlowMeasure(rawValue: request.query["sort"] ?? "rate")!, ascending: request.query["reverse"] == "1")
                let top = Int(request.query["top"] ?? "20")!
                let matching = readings(beat: beat).filter { filter.matches($0.record) { names[$0.rawValue] } }
                if request.path == "/v1/groups" {
                    let by = FlowGrouping(rawValue: request.query["by"]!)!
                    let groups = FlowView.groups(of: matching, by: by, tuple: TupleChoice(rawValue: request.query["tuple"]!)!)
                    let first = FlowView.first(top, of: groups, by: order.measure, interval: .seconds(1), ascending: order.ascending)
                    return try json(
                        FlowGroupListReport(
                            at: moment, interval: .seconds(1), filter: filter, by: by, tuple: .outer, order: order, rows: groups.count,
                            groups: first.map { FlowGroupReport($0, interface: names[$0.interface.rawValue]!, interval: .seconds(1)) }))
                }
                return try json(
                    FlowListReport(
                        at: moment, interval: .seconds(1), filter: filter, order: order, matched: matching.count,
                        known: readings(beat: beat).count,
                        flows: order.first(top, of: matching).map { FlowReport($0, interface: names[$0.record.key.interface.rawValue]!) }))
            case let path where path.hasPrefix("/v1/forecast") || path.hasPrefix("/v1/anomalies"):
                return try FakeForesight.answer(request)
            case "/v1/topology/diff", "/v1/events": return try FakeTopology.answer(request)
            default: return .failure(404, "no \(request.path)")
            }
        } catch { return .failure(400, "\(error)") }
    }

    private static func json(_ value: some Encodable) throws -> ControlResponse {
        ControlResponse(body: Array(try JSONEncoder().encode(value)))
    }

    // MARK: what it measured

    static let moment = Timestamp(nanoseconds: 1_700_000_000_000_000_000)
    static let names: [UInt32: String] = [1: "eth0", 2: "veth4f1a9c2"]

    static func tuple(_ a: String, _ b: String, _ proto: IPProtocol, _ ports: (UInt16, UInt16), form: TupleForm = .ports) -> FlowTuple {
        FlowTuple(
            source: IPAddress(a), destination: IPAddress(b), sourcePort: ports.0, destinationPort: ports.1, protocol: proto, form: form,
            etherType: IPAddress(a)!.isV4 ? .ipv4 : .ipv6)
    }

    private static func reading(
        _ tuple: FlowTuple, inner: FlowTuple? = nil, on interface: UInt32 = 1, _ direction: Direction = .ingress, megabits: UInt64,
        rtt: UInt32 = 0, retransmitted: UInt64 = 0
    ) -> FlowReading {
        let key = FlowKey(
            outer: tuple, interface: InterfaceID(rawValue: interface), direction: direction, vxlan: inner.map { (42, $0) })
        let totals = Totals(skbs: megabits * 10, skbBytes: megabits * 9_000, wirePackets: megabits * 100, wireBytes: megabits * 150_000)
        let traits = FlowTraits(first: moment, last: moment, handshakeMicroseconds: rtt, ttlMinimum: 64, ttlMaximum: 64)
        let record = FlowRecord(key: key, totals: totals, transport: TransportCounts(retransmitted: retransmitted), traits: traits)
        return FlowReading(
            record: record, change: Totals(wirePackets: megabits * 83, wireBytes: megabits * 125_000), interval: .seconds(1))
    }

    static func readings(beat: Int) -> [FlowReading] {
        let wave = UInt64(1 + beat % 7)
        let web = tuple("192.168.17.20", "203.0.113.7", .tcp, (51_344, 443))
        var all = [
            reading(web, .egress, megabits: 3 * wave, rtt: 12_300),
            reading(web.reversed, megabits: 90 * wave, rtt: 12_300, retransmitted: 4),
            reading(tuple("10.0.0.9", "10.0.0.1", .tcp, (40_000, 5432)), on: 2, megabits: 940, rtt: 180),
            reading(tuple("2001:db8::20", "2001:db8:1::53", .udp, (40_001, 53)), .egress, megabits: 1),
            reading(tuple("10.0.0.9", "10.0.0.1", .icmp, (7, 8 << 8), form: .icmp), on: 2, megabits: 2),
            reading(
                tuple("198.51.100.1", "198.51.100.2", .udp, (55_555, 4789)), inner: tuple("10.1.0.1", "10.1.0.2", .tcp, (42_000, 80)),
                megabits: 40, rtt: 900),
        ]
        for port in 0..<30 {
            all.append(reading(tuple("10.0.0.9", "10.0.0.\(port + 2)", .tcp, (41_000, 22)), on: 2, megabits: UInt64(port)))
        }
        return all
    }

    static func interfaces(beat: Int) -> InterfaceListReport {
        func ledger(_ n: UInt64, overflow: UInt64 = 0, device: UInt64 = 0) -> LedgerReport {
            func totals(_ n: UInt64) -> Totals { Totals(skbs: n, skbBytes: n * 900, wirePackets: n * 2, wireBytes: n * 1000) }
            return LedgerReport(
                seen: totals(n + overflow), inSlots: totals(n), retired: Totals(),
                overflow: [.init(reason: .logFull, totals: totals(overflow))],
                device: .init(
                    packets: n + overflow + device, bytes: (n + overflow + device) * 900, baselinePackets: 0, baselineBytes: 0,
                    counts: .skbs))
        }
        var eth = InterfaceReport(
            name: "eth0", id: InterfaceID(rawValue: 1), index: 2, attachment: "tcx", attachedAt: moment, ingress: ledger(4_000_000),
            egress: ledger(123_000))
        var veth = InterfaceReport(
            name: "veth4f1a9c2", id: InterfaceID(rawValue: 2), index: 7, namespace: "tenant-a", attachment: "clsact", attachedAt: moment,
            ingress: ledger(900, overflow: 5), egress: ledger(70_000_000, device: 3))
        let gone = InterfaceReport(
            name: "tap9", id: InterfaceID(rawValue: 3), index: 9, attachment: "tcx", attachedAt: moment, closedAt: moment,
            ingress: ledger(1),
            egress: ledger(2))
        let wave = Double(1 + beat % 7)
        eth.ingressBitsPerSecond = 130e6 * wave
        eth.egressBitsPerSecond = 3.5e6 * wave
        veth.ingressBitsPerSecond = 1.2e9
        veth.egressBitsPerSecond = 80e3 * (8 - wave)
        return InterfaceListReport(at: moment, interval: .seconds(1), interfaces: [eth, veth, gone])
    }

    static let status = StatusReport(
        version: "9.9", pid: 4711, kernel: "6.12.0", startedAt: Timestamp(nanoseconds: 0), now: Timestamp(nanoseconds: 3_700_000_000_000),
        recordVersion: 3, tookOver: false, interfaces: 2, interfacesInDoubt: ["veth4f1a9c2"], flows: 36, flowLimit: 1_000_000,
        memory: .init(privateBytes: 34_000_000, mapBytes: 120_000_000),
        collector: .init(slotsUsed: 36, slots: 262_144, fullestLog: 0.01, readings: 99, lastReadingMilliseconds: 1.25),
        nanosecondsPerPacket: 17.4,
        exports: [], warnings: [])
}
