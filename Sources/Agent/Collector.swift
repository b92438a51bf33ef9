import Configuration
import Datapath
import Flows
import NetworkTypes

/// Reads the datapath into the flow table, on time and more often under pressure, and lets go of flows that have ended.
final class Collector {
    let datapath: Datapath
    /// The table's size stays as it was made.
    var limits: AgentConfiguration.Flows
    private(set) var tick: UInt32 = 0
    /// From the turn before to the latest one: what rates are divided by.
    private(set) var turnLength = Duration.seconds(1)
    private(set) var readings: UInt64 = 0
    private(set) var lastReading = Duration.zero
    private(set) var spilled: UInt64 = 0
    private(set) var fullestLog = 0.0
    private let table: TableBox
    /// Flows that are due for export, in the order in which they came up.
    private(set) var due: [FlowExport] = []
    /// Whether anyone wants them.
    var isExporting = false

    /// A flow to export: what it did since its last record.
    struct FlowExport {
        var record: FlowRecord
        var delta: Totals
        var end: FlowEnd
    }

    /// The table is not copyable; a class holds it.
    private final class TableBox {
        var table: FlowTable
        init(limit: Int) { table = FlowTable(limit: limit) }
    }

    init(_ datapath: Datapath, _ limits: AgentConfiguration.Flows) {
        self.datapath = datapath
        self.limits = limits
        table = TableBox(limit: limits.limit)
    }

    var flowCount: Int { table.table.count }
    var flowLimit: Int { table.table.limit }
    var displaced: UInt64 { table.table.displaced }

    /// One reading. Returns after how long the next one is due.
    func collect() throws -> Duration {
        let clock = ContinuousClock()
        let start = clock.now
        fullestLog = max(fullestLog, datapath.reader.logFill())
        let pass = try datapath.reader.collect(into: &table.table, tick: tick) { closed in export(closed.entry, closed.end) }
        readings += 1
        spilled += UInt64(pass.spilled)
        lastReading = clock.now - start
        // A log that fills between two readings is read again soon; half the time at most goes into reading.
        return pass.spilled > datapath.reader.logCapacity / 8 ? max(.milliseconds(10), lastReading) : limits.interval
    }

    /// A second has passed: rates turn over, ended flows leave. A tenth of the table a second, so that an idle one costs little.
    func turn(now: Timestamp, length: Duration) {
        tick &+= 1
        turnLength = length
        table.table.expire(
            now: now, idle: limits.idleTimeout, ended: min(limits.idleTimeout, .seconds(10)), active: limits.activeTimeout, share: 0.1,
            onActive: { entry in
                export(entry, .activeTimeout)
                entry.exported = entry.record.totals
            }, onClose: { closed in export(closed.entry, closed.end) })
    }

    private func export(_ entry: FlowTable.Entry, _ end: FlowEnd) {
        guard isExporting else { return }
        due.append(FlowExport(record: entry.record, delta: entry.record.totals - entry.exported, end: end))
    }

    /// Whether what flows gain is kept for ``takeGains(_:)``.
    var keepsGains: Bool {
        get { table.table.keepsGains }
        set { table.table.keepsGains = newValue }
    }

    /// What each flow gained since the last call.
    func takeGains(_ body: (FlowRecord, Totals, TransportCounts) -> Void) { table.table.takeGains(body) }

    func takeDue() -> [FlowExport] {
        defer { due = [] }
        return due
    }

    /// Ends every flow of an interface that is gone.
    func close(_ interface: InterfaceID) {
        table.table.close(interface: interface) { closed in export(closed.entry, closed.end) }
    }

    /// Ends every flow: the agent stops.
    func endAll() {
        table.table.closeAll { closed in export(closed.entry, closed.end) }
    }

    /// Every flow, with its rate.
    func readings(_ body: (FlowReading) -> Void) {
        let (tick, length) = (tick, turnLength)
        table.table.forEach { entry in
            body(FlowReading(record: entry.record, rate: entry.rate(at: tick), over: length))
        }
    }

    /// The `count` first flows of those that `include` admits, in order, as they are now, and how many it admits.
    ///
    /// They are put in order by number: of all that match only the chosen ones are copied.
    func first<Row>(
        _ count: Int, by order: FlowOrder, where include: (FlowRecord) -> Bool, as row: (FlowReading) -> Row
    ) -> (rows: [Row], matched: Int) {
        let (tick, length, box) = (tick, turnLength, table)
        var matched = 0
        var best = Leaders<(value: Double, number: UInt32)>(count) { a, b in
            if a.value != b.value { return order.ascending ? a.value < b.value : a.value > b.value }
            let key = box.table.withEntry(b.number) { $0.record.key }
            return box.table.withEntry(a.number) { $0.record.key.precedes(key) }
        }
        box.table.forEachNumbered { number, entry in
            guard include(entry.record) else { return }
            matched += 1
            best.offer((order.measure.value(of: FlowReading(record: entry.record, rate: entry.rate(at: tick), over: length)), number))
        }
        let rows = best.inOrder().map { first in
            row(box.table.withEntry(first.number) { FlowReading(record: $0.record, rate: $0.rate(at: tick), over: length) })
        }
        return (rows, matched)
    }
}
