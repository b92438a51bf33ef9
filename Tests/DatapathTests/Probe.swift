import CDatapath
import CLinux
import Flows
import Glibc
import NetworkTypes
import Policy
import TestSupport

@testable import Datapath

/// What an agent is to the kernel: a datapath, its reader and a flow table, on one thread that goes to an interface's namespace to attach.
actor Probe {
    private let executor = ThreadExecutor()
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    static let geometry = TableGeometry(flows: 4096, logRecordsPerCPU: 256, ledgers: 64, ghosts: 1024)

    private var datapath: Datapath?
    /// Set by `startSampling`.
    var samples: SamplesUnderTest?
    private var table = FlowTable(limit: 1 << 20)

    /// - Parameters:
    ///   - mode: how the programs are attached.
    ///   - pins: what is counted outlives this value, and is taken over from one before.
    init(_ mode: AttachMode, order: HookOrder = .outer, pins: PinDirectory? = nil, geometry: TableGeometry = Probe.geometry) throws {
        var options = Datapath.Options()
        options.mode = mode
        options.order = order
        options.pins = pins
        options.geometry = geometry
        datapath = try Datapath(options: options)
    }

    private var held: Datapath {
        guard let datapath else { preconditionFailure("the probe was abandoned") }
        return datapath
    }

    /// Runs `body` on this thread in the namespace; it is home again before anything else runs.
    private func abroad<T>(in namespace: NetworkNamespace, _ body: () throws -> T) throws -> T {
        let home = Glibc.open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        guard home >= 0, lx_setns_net(namespace.descriptor) == 0 else { throw SystemError("setns") }
        defer {
            precondition(lx_setns_net(home) == 0, "cannot return to the home namespace: errno \(errno)")
            close(home)
        }
        return try body()
    }

    @discardableResult func attach(_ interface: String, in namespace: NetworkNamespace, isLayer3: Bool = false) throws -> InterfaceID {
        try abroad(in: namespace) {
            let device = Device(
                ifindex: try interfaceIndex(interface), name: interface, namespaceCookie: lx_netns_cookie(), isLayer3: isLayer3)
            return try held.attach(device) { try Self.counters(of: interface) }
        }
    }

    /// Does something else with the datapath, on its thread, in a namespace.
    func perform<T: Sendable>(in namespace: NetworkNamespace, _ body: @Sendable (Datapath) throws -> T) throws -> T {
        try abroad(in: namespace) { try body(held) }
    }

    func detach(_ id: InterfaceID, in namespace: NetworkNamespace) throws { try abroad(in: namespace) { try held.detach(id) } }
    func isAttached(_ id: InterfaceID, in namespace: NetworkNamespace) throws -> Bool {
        try abroad(in: namespace) { try held.isAttached(id) }
    }
    func reattach(_ id: InterfaceID, in namespace: NetworkNamespace) throws { try abroad(in: namespace) { try held.reattach(id) } }
    func restorePins() throws -> Bool { try held.restorePins() }
    func vanished(_ id: InterfaceID) throws { try held.vanished(id) }

    func withDatapath<T>(_ body: (Datapath) throws -> T) rethrows -> T { try body(held) }

    /// Ends as kill -9 would: nothing is detached, and descriptors are closed.
    func abandon() { datapath = nil }

    private var madeShapeTables: ShapeTables?
    private func shapeTables() throws -> ShapeTables {
        if let made = madeShapeTables { return made }
        let tables = try ShapeTables(maps: held.maps)
        madeShapeTables = tables
        return tables
    }

    /// Puts shaping rules in force on the named interfaces and directions, all of whose packets they are for.
    func shape(_ shapers: [ShaperName: Shaper]) throws {
        let tables = try shapeTables()
        let numbers = try tables.apply(shapers)
        var program: [nilo_instruction] = []
        for (name, number) in numbers {
            let next = UInt16(program.count + 3)
            for (field, value) in [
                (NILO_FIELD_INTERFACE, name.interface.rawValue), (NILO_FIELD_DIRECTION, UInt32(name.direction.rawValue)),
            ] {
                var test = nilo_instruction()
                test.operation = UInt8(NILO_OP_RANGE.rawValue)
                test.field = UInt8(field.rawValue)
                test.low = value
                test.high = value
                test.on_true = UInt16(program.count + 1)
                test.on_false = next
                program.append(test)
            }
            var shape = nilo_instruction()
            shape.operation = UInt8(NILO_OP_SHAPE.rawValue)
            shape.low = UInt32(number)
            shape.on_true = next
            shape.on_false = next
            program.append(shape)
        }
        try PolicyTables(maps: held.maps).replace(program + [nilo_instruction()])
        try tables.retire()
        for interface in held.interfaces {
            try held.setRules(interface.id, at: Set(shapers.keys.filter { $0.interface == interface.id }.map(\.direction)))
        }
    }

    func shaped(_ name: ShaperName) throws -> ShaperCounters? { try shapeTables().counters(name) }

    @discardableResult func collect() throws -> SlotReader.Pass {
        try held.reader.collect(into: &table, tick: 1) { _ in preconditionFailure("the table is not full") }
    }

    func interface(_ id: InterfaceID) -> Datapath.Interface? { held.allInterfaces.first { $0.id == id } }
    var tookOver: Bool { held.tookOver }
    func sweep() throws { try held.sweep() }
    func unknownBooks(_ direction: Direction) -> Books { held.unknownBooks(direction) }
    /// nil: not even remembered.
    func interfaceIsClosed(_ id: InterfaceID) throws -> Bool? { try Registry(maps: held.maps).load()[id].map { !$0.isAlive } }

    func books(_ id: InterfaceID, _ direction: Direction) throws -> Books {
        guard let books = held.books(id, direction) else {
            throw SystemError(command: "read the books", status: 1, output: "no interface \(id)")
        }
        return books
    }

    /// Collects, then returns the flows of an interface and direction.
    func flows(_ id: InterfaceID, _ direction: Direction) throws -> [FlowRecord] {
        try collect()
        var flows: [FlowRecord] = []
        table.forEach { if $0.record.key.interface == id && $0.record.key.direction == direction { flows.append($0.record) } }
        return flows
    }

    /// The sides of an interface's books, as they stand after a pass. Exact when no packet passes meanwhile.
    func account(_ id: InterfaceID, _ direction: Direction) throws -> Account {
        try collect()
        let point = ObservationPoint(interface: id, direction: direction)
        return Account(
            books: try books(id, direction), resident: held.reader.resident()[point] ?? Totals(),
            told: table.live()[point] ?? Totals(),
            readerRetired: held.reader.retired(id, direction)
        )
    }

    /// Of the calling thread's namespace, ingress then egress, from /proc/net/dev.
    private static func counters(of interface: String) throws -> [DeviceCounters] {
        let text = try contents(of: "/proc/thread-self/net/dev")
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].drop(while: { $0 == " " }) == interface else { continue }
            let fields = parts[1].split(separator: " ").compactMap { UInt64($0) }
            return [DeviceCounters(packets: fields[1], bytes: fields[0]), DeviceCounters(packets: fields[9], bytes: fields[8])]
        }
        throw SystemError(command: "read /proc/net/dev", status: 1, output: "no \(interface) in \(text)")
    }
}

/// The sides that must be equal.
struct Account: Sendable {
    var books: Books
    var resident: Totals
    /// By the reader since it was made.
    var told: Totals
    /// The part of `books.retired` that the reader has told.
    var readerRetired: Totals

    /// seen = flows in slots + retired + overflow
    var closes: Bool { books.seen == resident + books.retired + books.overflowTotal }
    /// Everything in flows was told, by this reader or one before it.
    var isTold: Bool { told + (books.retired - readerRetired) + books.overflowTotal == books.seen }
}
