import CDatapath
import CLibBPF
import Flows
import Glibc
import NetworkTypes
import TestSupport

@testable import Datapath

/// The flow programs without an interface: packets come by BPF_PROG_TEST_RUN on one CPU, so that their order is the test's.
actor ProgramBench {
    private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// For tests that need nothing but a fresh interface (`begin`) and do all within one `perform`: loading takes longer than most of them.
    static let shared = Task { try ProgramBench(geometry: TableGeometry(flows: 4096, logRecordsPerCPU: 256, ledgers: 512, ghosts: 1024)) }

    /// The interface that packets come by now, and its books.
    private(set) var interface = InterfaceID(rawValue: 7)
    private(set) var ledger: UInt32 = 1

    let maps: SharedMaps
    let program: FlowProgram
    private(set) var reader: SlotReader
    private(set) var table: FlowTable
    private let ledgers: LedgerReader

    init(
        geometry: TableGeometry = TableGeometry(flows: 4096, logRecordsPerCPU: 256, ledgers: 8, ghosts: 1024),
        features: DatapathFeatures = .all, cpu: Int32? = 0
    ) throws {
        executor = ThreadExecutor(cpu: cpu)
        maps = try SharedMaps(geometry: geometry, features: features, seed: 0x1234_5678_9abc_def1)
        program = try FlowProgram(maps: maps)
        try maps.openLedger(ledger, for: interface)
        reader = try SlotReader(maps: maps, program: program)
        table = FlowTable(limit: 1 << 20)
        ledgers = try LedgerReader(maps: maps)
        try program.setPort(nilo_port(ifindex: 1, if_id: interface.rawValue, ledger: ledger, flags: 0))
    }

    /// From here on packets come by another interface, with empty books. (The interface of a test run is the thread's `lo`.)
    func begin() throws {
        interface = InterfaceID(rawValue: interface.rawValue + 1)
        ledger += 1
        try program.setPort(nilo_port(ifindex: 1, if_id: interface.rawValue, ledger: ledger, flags: 0))
    }

    /// Rules may apply to what comes now.
    func setRules(_ flags: UInt32) throws {
        try program.setPort(nilo_port(ifindex: 1, if_id: interface.rawValue, ledger: ledger, flags: flags))
    }

    /// The verdicts remembered with slots, of the policy in force, those that apply to nothing left out.
    func verdicts() throws -> [nilo_verdict] {
        let generation = try PolicyTables(maps: maps).generation
        var found: [nilo_verdict] = []
        for slot in 0..<UInt32(maps.config.slotCount) {
            var key = slot
            var remembered = nilo_remembered()
            try check(bpf_map_lookup_elem(maps.descriptor("nilo_verdicts"), &key, &remembered), "read a verdict")
            let verdict = remembered.verdict
            if remembered.generation == generation, verdict.mirrors != 0 || verdict.sampler != 0 || verdict.shaper != 0 {
                found.append(verdict)
            }
        }
        return found
    }

    /// To run the ingress program from other threads, whose CPUs count for themselves.
    var ingress: Int32 { program.ingress }

    /// Does several things on the bench's thread without a pause between them.
    func perform<T: Sendable>(_ body: @Sendable (isolated ProgramBench) throws -> T) rethrows -> T { try body(self) }

    func send(_ frame: [UInt8], _ direction: Direction = .ingress, times: Int = 1, context: PacketContext? = nil) throws {
        let program = direction == .ingress ? program.ingress : program.egress
        let run = try ProgramTestRun(program, frame, repetitions: times, context: context)
        // TC_ACT_UNSPEC: the packet goes its way, whatever it is.
        precondition(run.result == -1 && run.packet == frame, "the program returned \(run.result)")
    }

    func send(_ frame: Frame, _ direction: Direction = .ingress, times: Int = 1, context: PacketContext? = nil) throws {
        try send(frame.bytes, direction, times: times, context: context)
    }

    @discardableResult func collect() throws -> SlotReader.Pass {
        try reader.collect(into: &table, tick: 1) { _ in preconditionFailure("the table is not full") }
    }

    /// As a new agent does: an empty table, and a reader that has told nothing.
    func restart(handover: String? = nil) throws {
        reader = try SlotReader(maps: maps, program: program)
        if let handover { reader.takeOver(from: handover) }
        table = FlowTable(limit: 1 << 20)
    }

    /// What an exporter would still have to send, flows of this bench's interface in all.
    func unexported() -> Totals {
        var sum = Totals()
        table.forEach { if $0.record.key.interface == interface { sum += $0.record.totals - $0.exported } }
        return sum
    }

    func flows() -> [FlowRecord] {
        var flows: [FlowRecord] = []
        table.forEach { if $0.record.key.interface == interface { flows.append($0.record) } }
        return flows
    }

    func unknownBooks(_ direction: Direction) -> Books { ledgers.books(ledger: UInt32(NILO_LEDGER_UNKNOWN), direction) }
    func books(_ direction: Direction) -> Books { ledgers.books(ledger: ledger, direction) }
    func resident(_ direction: Direction) -> Totals {
        reader.resident()[ObservationPoint(interface: interface, direction: direction)] ?? Totals()
    }
    func told(_ direction: Direction) -> Totals {
        table.live()[ObservationPoint(interface: interface, direction: direction)] ?? Totals()
    }
    func readerRetired(_ direction: Direction) -> Totals { reader.retired(interface, direction) }
}
