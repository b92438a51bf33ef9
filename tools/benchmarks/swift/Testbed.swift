import CBench
import CDatapath
import CLibBPF
import CLinux
import Datapath
import Flows
import Glibc
import NetworkTypes

/// The flow programs' pipeline, the no-op and the reference, loaded over fresh maps, with a reader and a flow table as the agent has them.
///
/// Unchecked: `run` may be called on any thread; reader and table belong to the collector's thread while one runs, else to the caller.
final class Testbed: @unchecked Sendable {
    enum Program: String {
        case noop = "bench_noop"
        case empty = "bench_empty"
        case nilo = "bench_nilo"
        case reference = "bench_reference"
        case ringSample = "bench_ring_sample"
    }

    let maps: SharedMaps
    let reader: SlotReader
    var table: FlowTable
    private let object: FlowObject
    private let ledgers: LedgerReader
    private let order: UnsafeMutablePointer<UInt64>
    private static let orderBytes = FlowOrder.count * 8
    private static let ledger: UInt32 = 1
    private static let interface = InterfaceID(rawValue: 1)

    init(_ geometry: TableGeometry = TableGeometry(), _ features: DatapathFeatures = .all) throws {
        libbpf_set_print(nil)
        maps = try SharedMaps(geometry: geometry, features: features, seed: 0x1234_5678_9abc_def1)
        try maps.openLedger(Self.ledger, for: Self.interface)
        object = try FlowObject(config: maps.config, image: .init(bytes: bench_object(), size: bench_object_size()))
        try object.reuse(maps)
        try object.load("the benchmark programs")
        reader = try SlotReader(maps: maps, program: try FlowProgram(maps: maps))
        ledgers = try LedgerReader(maps: maps)
        table = FlowTable(limit: 4_000_000)
        // The interface of a test run is `lo`, which is 1 in every namespace.
        var port = nilo_port(ifindex: 1, if_id: Self.interface.rawValue, ledger: Self.ledger, flags: 0)
        var entry = port.ifindex
        try checked(bpf_map_update_elem(object.mapDescriptor("nilo_ports"), &entry, &port, 0), "register the interface")
        let memory = mmap(nil, Self.orderBytes, PROT_READ | PROT_WRITE, MAP_SHARED, object.mapDescriptor("bench_order"), 0)
        guard let memory, memory != MAP_FAILED else { throw BenchError("map the order of flows into memory", errno: errno) }
        order = memory.assumingMemoryBound(to: UInt64.self)
    }

    deinit { munmap(order, Self.orderBytes) }

    /// Flows differ in their source address, which is spread so that neighbours in number are none in address.
    func meet(_ flows: FlowOrder) {
        for (i, flow) in flows.flows.enumerated() { order[i] = UInt64(flow &* 2_654_435_761) }
    }

    /// Runs a program on the calling thread's CPU. Returns nanoseconds per packet, as the kernel measured them (to the nanosecond).
    func run(_ program: Program, _ frame: [UInt8] = Testbed.acknowledgement, times: Int = FlowOrder.count) throws -> Double {
        var frame = frame
        var options = bpf_test_run_opts()
        options.sz = MemoryLayout<bpf_test_run_opts>.size
        options.repeat = Int32(times)
        let size = UInt32(frame.count)
        let result = frame.withUnsafeMutableBytes { bytes in
            options.data_in = UnsafeRawPointer(bytes.baseAddress)
            options.data_size_in = size
            return bpf_prog_test_run_opts(object.programDescriptor(program.rawValue), &options)
        }
        try checked(result, "run \(program.rawValue)")
        return Double(options.duration)
    }

    /// Sets the port's flags: whether rules may apply (`NILO_PORT_RULES_*`).
    func setRules(_ flags: UInt32) throws {
        var port = nilo_port(ifindex: 1, if_id: Self.interface.rawValue, ledger: Self.ledger, flags: flags)
        var entry = port.ifindex
        try checked(bpf_map_update_elem(object.mapDescriptor("nilo_ports"), &entry, &port, 0), "set the interface's rules")
    }

    func descriptor(ofMap name: String) -> Int32 { object.mapDescriptor(name) }
    func descriptor(of program: Program) -> Int32 { object.programDescriptor(program.rawValue) }

    func collect() throws -> SlotReader.Pass { try reader.collect(into: &table, tick: 1) { _ in } }

    /// The books after a last reading. Throws when they do not close to the packet and byte, whatever was measured: speed without
    /// exactness is not what this program is for.
    func account() throws -> Account {
        _ = try collect()
        let books = ledgers.books(ledger: Self.ledger, .ingress)
        let point = ObservationPoint(interface: Self.interface, direction: .ingress)
        let resident = reader.resident()[point] ?? Totals()
        guard books.seen == resident + books.retired + books.overflowTotal else {
            throw BenchError("the books do not close: seen \(books.seen), resident \(resident), \(books)")
        }
        let told = (table.live()[point] ?? Totals()) + (table.closed[point] ?? Totals())
        guard told + books.overflowTotal == books.seen else {
            throw BenchError("the flow table holds \(told), the books \(books)")
        }
        return Account(seen: books.seen.skbs, overflow: books.overflowTotal.skbs)
    }

    struct Account {
        var seen: UInt64
        var overflow: UInt64
        /// Percent of packets that are in a flow, since `before`.
        func attributed(since before: Account = Account(seen: 0, overflow: 0)) -> Double {
            100 - 100 * Double(overflow - before.overflow) / Double(seen - before.seen)
        }
    }

    /// An acknowledgement in sequence: Ethernet, IPv4, TCP without options, padded to 60 bytes.
    static let acknowledgement = frame(protocol: 6)
    static let datagram = frame(protocol: 17)
    static let opening = frame(protocol: 6, flags: 2)

    private static func frame(protocol: UInt8, flags: UInt8 = 0x10) -> [UInt8] {
        var frame = [UInt8](repeating: 0, count: 60)
        frame[12] = 0x08
        frame[14] = 0x45
        frame[17] = 40
        frame[22] = 64
        frame[23] = `protocol`
        frame[30] = 10
        frame[33] = 2
        frame[34] = 0x30
        frame[37] = 80
        if `protocol` == 6 {
            frame[46] = 0x50
            frame[47] = flags
            frame[48] = 1
        } else {
            frame[39] = 20
        }
        return frame
    }
}
