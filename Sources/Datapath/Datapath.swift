import CDatapath
import CLibBPF
import Flows
import Glibc
import NetworkTypes

/// The kernel side as the agent holds it: the maps, the program instances and what they are attached to.
///
/// Owned by one thread, which calls `attach` and `detach` while it is in the interface's namespace. With a pin directory everything
/// outlives the process, and the next owner takes over without a gap; without one (tests) it ends with this value.
public final class Datapath {
    public struct Options: Sendable {
        public var pins: PinDirectory?
        public var geometry = TableGeometry()
        public var features = DatapathFeatures.all
        public var vxlanPorts: (UInt16, UInt16) = (4789, 0)
        public var mode = AttachMode.auto
        public var order = HookOrder.outer
        /// The first packets of each flow are sampled as `SamplerTables.installFirst` says.
        public var samplesFirst = false
        public init() {}
    }

    /// An interface that is being counted, or was.
    public struct Interface: Sendable {
        public var id: InterfaceID
        public var name: String
        public var ifindex: UInt32
        public var namespaceCookie: UInt64
        public var mode: AttachMode
        public var attachedAt: Timestamp
        /// The device's own counters when the programs were attached, ingress then egress.
        public var base: [DeviceCounters]
        /// How far `base` may be off: what the device counted while the programs were being attached.
        public var baseUnsure: [DeviceCounters]
    }

    /// A program instance and the entries of its port table that are taken.
    final class Group {
        let program: FlowProgram
        var entries: Set<UInt32> = []
        init(program: FlowProgram) { self.program = program }
    }

    struct Attachment {
        var record: nilo_interface
        var group: Group
        var links: [TCXLink]
    }

    public let maps: SharedMaps
    /// True when the maps were there already: counters of an earlier agent go on.
    public let tookOver: Bool
    public let supportsTCX: Bool
    let options: Options
    /// Keeps a second agent off our pins.
    private let lock: PinLock?
    let registry: Registry
    private let ledgers: LedgerReader
    public let reader: SlotReader
    var records: [InterfaceID: nilo_interface]
    var attachments: [InterfaceID: Attachment] = [:]
    private var groups: [UInt64: [Group]] = [:]
    private let firstProgram: FlowProgram
    /// Loaded for namespaces that are about to be attached to.
    private var spares: [FlowProgram] = []
    private var nextID: UInt32
    private var usedLedgers: Set<UInt32>

    public init(options: Options) throws(BPFError) {
        self.options = options
        libbpf_set_print(nil)  // What goes wrong is in the errors; libbpf's own lines would come beside them.
        var random = SystemRandomNumberGenerator()
        if let pins = options.pins {
            try pins.prepare()
            lock = try PinLock(root: pins.root)
            tookOver = pins.hasMaps
            maps =
                tookOver
                ? try SharedMaps(pinnedIn: pins.maps, features: options.features, vxlanPorts: options.vxlanPorts)
                : try SharedMaps(
                    geometry: options.geometry, features: options.features, vxlanPorts: options.vxlanPorts, seed: random.next())
            if !tookOver { try maps.pin(in: pins.maps) }
        } else {
            tookOver = false
            lock = nil
            maps = try SharedMaps(
                geometry: options.geometry, features: options.features, vxlanPorts: options.vxlanPorts, seed: random.next())
        }
        registry = Registry(maps: maps)
        records = try registry.load()
        ledgers = try LedgerReader(maps: maps)
        firstProgram = try FlowProgram(maps: maps)
        reader = try SlotReader(maps: maps, program: firstProgram)
        supportsTCX = TCXLink.isSupported(program: firstProgram.ingress)
        nextID = (records.keys.map(\.rawValue).max() ?? 0) + 1
        usedLedgers = Set(records.values.map(\.ledger))
        if options.mode == .tcx && !supportsTCX { throw BPFError("attach by tcx", code: EOPNOTSUPP, detail: "tcx came with Linux 6.6") }
    }

    public var interfaces: [Interface] { attachments.map { Interface(id: $0.key, $0.value.record) }.sorted { $0.id < $1.id } }
    /// Also those that are gone and whose books are kept.
    public var allInterfaces: [Interface] { records.map { Interface(id: $0.key, $0.value) }.sorted { $0.id < $1.id } }

    /// The books of an interface that is or was attached.
    public func books(_ id: InterfaceID, _ direction: Direction) -> Books? {
        records[id].map { ledgers.books(ledger: $0.ledger, direction) }
    }
    /// When an interface's books were closed; nil while it is counted.
    public func closedAt(_ id: InterfaceID) -> Timestamp? {
        records[id].flatMap { $0.isAlive ? nil : Timestamp(nanoseconds: Int64($0.closed_unix_ns)) }
    }
    /// What arrived on interfaces that no instance knew.
    public func unknownBooks(_ direction: Direction) -> Books { ledgers.books(ledger: UInt32(NILO_LEDGER_UNKNOWN), direction) }

    /// What the attached programs have cost, by the kernel's run-time statistics: nanoseconds and runs. Zero while those are off
    /// (sysctl kernel.bpf_stats_enabled).
    public func runTime() throws(BPFError) -> (nanoseconds: UInt64, runs: UInt64) {
        var sum: (nanoseconds: UInt64, runs: UInt64) = (0, 0)
        for group in groups.values.joined() {
            for program in [group.program.ingress, group.program.egress] {
                var info = bpf_prog_info()
                var size = UInt32(MemoryLayout<bpf_prog_info>.size)
                try check(bpf_obj_get_info_by_fd(program, &info, &size), "ask a program for its run time")
                sum.nanoseconds += info.run_time_ns
                sum.runs += info.run_cnt
            }
        }
        return sum
    }

    // MARK: Attaching

    /// Starts to count an interface, or goes on with it where an earlier agent left off.
    /// - Parameter counters: reads the device's own counters, ingress then egress; called before and after.
    /// - Precondition: the calling thread is in the interface's namespace.
    public func attach(_ device: Device, counters: () throws -> [DeviceCounters]) throws -> InterfaceID {
        if let (id, record) = records.first(where: {
            $0.value.isAlive && $0.value.netns_cookie == device.namespaceCookie && $0.value.ifindex == device.ifindex
        }) {
            if attachments[id] != nil { return id }
            if let attachment = try takeOver(id, record, device) {
                attachments[id] = attachment
                return id
            }
            try close(id)
        }
        let id = InterfaceID(rawValue: nextID)
        var record = nilo_interface()
        record.netns_cookie = device.namespaceCookie
        record.ifindex = device.ifindex
        record.deviceName = device.name
        record.ledger = try freeLedger(for: id)
        record.attachment = useTCX ? NILO_ATTACH_TCX.rawValue : NILO_ATTACH_CLSACT.rawValue
        let group = try group(for: device)
        try group.program.setPort(port(id, record, device))
        group.entries.insert(device.ifindex & UInt32(NILO_PORTS - 1))
        let before = try counters()
        var links: [TCXLink] = []
        do {
            if useTCX {
                links = try attachTCX(id, device, group.program)
            } else {
                try attachClsact(&record, device, group.program)
            }
            let after = try counters()
            record.setBase(before: before, after: after)
            record.attached_unix_ns = UInt64(Timestamp.now.nanoseconds)
            try registry.store(record, id: id)
        } catch {
            undo(id, record, device, group, links)
            throw error
        }
        nextID += 1
        usedLedgers.insert(record.ledger)
        records[id] = record
        attachments[id] = Attachment(record: record, group: group, links: links)
        return id
    }

    private var useTCX: Bool { options.mode == .tcx || options.mode == .auto && supportsTCX }

    private func port(_ id: InterfaceID, _ record: nilo_interface, _ device: Device) -> nilo_port {
        nilo_port(
            ifindex: device.ifindex, if_id: id.rawValue, ledger: record.ledger,
            flags: record.rules | (device.isLayer3 ? NILO_PORT_LAYER3.rawValue : 0)
                | (options.samplesFirst ? NILO_PORT_FIRST.rawValue : 0))
    }

    private func group(for device: Device) throws(BPFError) -> Group {
        let entry = device.ifindex & UInt32(NILO_PORTS - 1)
        if let free = groups[device.namespaceCookie]?.first(where: { !$0.entries.contains(entry) }) { return free }
        // The first instance serves the first namespace; each further namespace, and each clash of entries, gets its own.
        let program: FlowProgram
        if let ready = groups.isEmpty ? firstProgram : spares.popLast() { program = ready } else { program = try FlowProgram(maps: maps) }
        let group = Group(program: program)
        try group.program.setNamespace(device.namespaceCookie)
        groups[device.namespaceCookie, default: []].append(group)
        return group
    }

    /// Loads the instances that so many more namespaces need, on all CPUs at once: the kernel takes some tenths of a second to verify one.
    public func prepare(namespaces count: Int) throws(BPFError) {
        let missing = count - spares.count - (groups.isEmpty ? 1 : 0)
        if missing > 1 { spares += try FlowProgram.load(missing, maps: maps) }
    }

    func attachTCX(_ id: InterfaceID, _ device: Device, _ program: FlowProgram) throws(BPFError) -> [TCXLink] {
        var links: [TCXLink] = []
        for direction in Direction.allCases {
            let link = try TCXLink.attach(
                program: direction == .ingress ? program.ingress : program.egress, ifindex: device.ifindex, direction,
                first: options.order.isFirst(direction))
            if let pins = options.pins {
                // The id is new: a pin of that name is of an agent that died before it could remember it.
                unlink(pins.link(id, direction))
                try link.pin(at: pins.link(id, direction))
            }
            links.append(link)
        }
        return links
    }

    func attachClsact(_ record: inout nilo_interface, _ device: Device, _ program: FlowProgram) throws(BPFError) {
        // One that we made for an earlier attachment is ours still.
        let madeBefore = records.values.contains {
            $0.netns_cookie == device.namespaceCookie && $0.ifindex == device.ifindex && $0.clsact_created == 1
        }
        record.clsact_created = try ClsactFilter.addQdisc(ifindex: device.ifindex) || madeBefore ? 1 : 0
        for direction in Direction.allCases {
            var refused: BPFError?
            for priority in ClsactFilter.priorities(first: options.order.isFirst(direction)) {
                let filter = ClsactFilter(ifindex: device.ifindex, direction: direction, priority: priority)
                do {
                    try filter.attach(program: direction == .ingress ? program.ingress : program.egress)
                    record.setPriority(priority, direction)
                    refused = nil
                    break
                } catch {
                    refused = error
                }
            }
            if let refused { throw refused }
        }
    }

    private func undo(_ id: InterfaceID, _ record: nilo_interface, _ device: Device, _ group: Group, _ links: [TCXLink]) {
        for direction in Direction.allCases {
            if let pins = options.pins { unlink(pins.link(id, direction)) }
            if !useTCX {
                let filter = ClsactFilter(ifindex: device.ifindex, direction: direction, priority: record.priority(direction))
                try? filter.detach(program: direction == .ingress ? group.program.ingress : group.program.egress)
            }
        }
        group.entries.remove(device.ifindex & UInt32(NILO_PORTS - 1))
        try? group.program.clearPort(ifindex: device.ifindex)
    }

    /// Exchanges the programs that an earlier agent attached for our own. Returns nil when they are not there any more.
    private func takeOver(_ id: InterfaceID, _ record: nilo_interface, _ device: Device) throws(BPFError) -> Attachment? {
        var links: [TCXLink] = []
        if record.attachment == NILO_ATTACH_TCX.rawValue {
            guard let pins = options.pins else { return nil }
            for direction in Direction.allCases {
                guard let link = try TCXLink.pinned(at: pins.link(id, direction)), try link.ifindex() == device.ifindex else { return nil }
                links.append(link)
            }
        } else {
            for direction in Direction.allCases {
                let filter = ClsactFilter(ifindex: device.ifindex, direction: direction, priority: record.priority(direction))
                guard try filter.isOurs() else { return nil }
            }
        }
        let group = try group(for: device)
        try group.program.setPort(port(id, record, device))
        group.entries.insert(device.ifindex & UInt32(NILO_PORTS - 1))
        for direction in Direction.allCases {
            let program = direction == .ingress ? group.program.ingress : group.program.egress
            if record.attachment == NILO_ATTACH_TCX.rawValue {
                try links[Int(direction.rawValue)].update(program: program)
            } else {
                try ClsactFilter(ifindex: device.ifindex, direction: direction, priority: record.priority(direction)).attach(
                    program: program)
            }
        }
        return Attachment(record: record, group: group, links: links)
    }

    /// Books for one more interface: unused ones, or else those of the interface that has been gone the longest, whose own end with that.
    private func freeLedger(for id: InterfaceID) throws(BPFError) -> UInt32 {
        if let unused = (1..<maps.config.ledgers).first(where: { !usedLedgers.contains($0) }) {
            try maps.openLedger(unused, for: id)
            return unused
        }
        guard let (gone, record) = records.filter({ !$0.value.isAlive }).min(by: { $0.value.closed_unix_ns < $1.value.closed_unix_ns })
        else {
            throw BPFError(
                "find room for one more interface", code: ENOSPC, detail: "\(maps.config.ledgers - 1) interfaces are being counted")
        }
        try maps.openLedger(record.ledger, for: id)
        try registry.remove(gone)
        records[gone] = nil
        reader.forget(gone)
        return record.ledger
    }

    /// The interface goes by another name now.
    public func rename(_ id: InterfaceID, to name: String) throws(BPFError) {
        guard var record = records[id], record.deviceName != name else { return }
        record.deviceName = name
        try registry.store(record, id: id)
        records[id] = record
        attachments[id]?.record = record
    }

    /// The directions in which an interface's packets are looked at for rules, also as an earlier agent left it.
    public func rules(of id: InterfaceID) -> Set<Direction> {
        let flags = attachments[id]?.record.rules ?? 0
        return Set(Direction.allCases.filter { flags & ($0 == .ingress ? NILO_PORT_RULES_INGRESS : NILO_PORT_RULES_EGRESS).rawValue != 0 })
    }

    /// Says at which directions of an interface a rule of the policy may apply; elsewhere packets are not looked at for it.
    ///
    /// After the policy that has those rules is in force (`PolicyTables.replace`), never before.
    public func setRules(_ id: InterfaceID, at directions: Set<Direction>) throws(BPFError) {
        guard var attachment = attachments[id] else { return }
        let rules =
            (directions.contains(.ingress) ? NILO_PORT_RULES_INGRESS.rawValue : 0)
            | (directions.contains(.egress) ? NILO_PORT_RULES_EGRESS.rawValue : 0)
        guard attachment.record.rules != rules else { return }
        attachment.record.rules = rules
        try attachment.group.program.setRules(rules, ifindex: attachment.record.ifindex)
        try registry.store(attachment.record, id: id)
        records[id] = attachment.record
        attachments[id] = attachment
    }

    // MARK: Detaching

    /// Stops to count an interface and closes its books.
    /// - Precondition: the calling thread is in the interface's namespace, or the interface is gone.
    public func detach(_ id: InterfaceID) throws(BPFError) {
        guard let attachment = attachments[id] else { return }
        if attachment.record.attachment == NILO_ATTACH_CLSACT.rawValue {
            for direction in Direction.allCases {
                let filter = ClsactFilter(
                    ifindex: attachment.record.ifindex, direction: direction, priority: attachment.record.priority(direction))
                try filter.detach(program: direction == .ingress ? attachment.group.program.ingress : attachment.group.program.egress)
            }
        }
        for link in attachment.links { try link.detach() }
        try close(id)
    }

    /// The interface is gone, and what was attached to it went with it.
    public func vanished(_ id: InterfaceID) throws(BPFError) { try close(id) }

    /// Did we make the clsact qdisc of this interface?
    public func madeClsact(_ id: InterfaceID) -> Bool { records[id]?.clsact_created == 1 }

    private func close(_ id: InterfaceID) throws(BPFError) {
        guard var record = records[id] else { return }
        if let pins = options.pins {
            for direction in Direction.allCases where unlink(pins.link(id, direction)) != 0 && errno != ENOENT {
                throw BPFError("unpin \(pins.link(id, direction))", code: errno)
            }
        }
        if let attachment = attachments.removeValue(forKey: id) {
            attachment.group.entries.remove(record.ifindex & UInt32(NILO_PORTS - 1))
            try attachment.group.program.clearPort(ifindex: record.ifindex)
        }
        record.closed_unix_ns = UInt64(Timestamp.now.nanoseconds)
        try registry.store(record, id: id)
        records[id] = record
    }

    /// Takes away every pin: with the last descriptor the maps go too.
    public func removePins() throws(BPFError) { try options.pins?.remove() }

    /// Closes the books of interfaces that an earlier agent counted and that were not attached again.
    public func sweep() throws(BPFError) {
        for (id, record) in records where record.isAlive && attachments[id] == nil { try close(id) }
    }
}
