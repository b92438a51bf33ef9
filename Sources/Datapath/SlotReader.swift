import CDatapath
import Flows
import Glibc
import NetworkTypes

/// Reads what the programs have counted, without a system call per flow, and tells each increment exactly once.
///
/// For every slot it remembers what it has told of the present stay (generation). A stay ends in one of two ways: dirty, then the spill
/// log holds its last word; or clean, then all had been told. So whenever a slot shows a new generation, the log is drained first.
///
/// Owned by one thread: not Sendable.
public final class SlotReader {
    /// What has been told of a slot's present stay.
    private struct Told {
        var generation: UInt32 = 0
        var flow: UInt32 = .max
        var totals = Totals()
        var ce: UInt32 = 0
        var retransmitted: UInt32 = 0
        var outOfOrder: UInt32 = 0
        var zeroWindows: UInt32 = 0
        /// if_id << 1 | direction
        var point: UInt32 = 0
    }

    public struct Pass: Sendable {
        /// Slots that had changed.
        public var changed = 0
        /// Records taken from the spill logs.
        public var spilled = 0
        /// Slots that their CPU kept writing through all tries; they are met again.
        public var busy = 0
        public init() {}
    }

    private let config: nilo_config
    private let sets: MappedArray<nilo_flow_set>
    private let slots: MappedArray<nilo_flow_slot>
    private let seen: MappedArray<nilo_seen_set>
    private let log: MappedArray<nilo_spill>
    private let heads: MappedArray<nilo_log_head>
    private let tails: MappedArray<nilo_log_tail>
    private let told: UnsafeMutablePointer<Told>
    private let toldBytes: Int
    private var isFirstPass = true
    /// What an earlier agent exported; of use in the first pass only.
    private var handover = Handover()
    /// Of flows that ended their stay and were told here. By interface: an interface's books are given to another one day.
    private var ended: [ObservationPoint: Totals] = [:]
    private var clock: JiffyClock
    private let program: FlowProgram

    /// - Parameter program: any instance; its clock is used.
    public init(maps: SharedMaps, program: FlowProgram) throws(BPFError) {
        config = maps.config
        sets = try MappedArray(maps, "nilo_sets", count: config.setCount)
        slots = try MappedArray(maps, "nilo_slots", count: config.slotCount)
        seen = try MappedArray(maps, "nilo_seen", count: config.setCount, writable: true)
        log = try MappedArray(maps, "nilo_log", count: config.logCount)
        heads = try MappedArray(maps, "nilo_log_heads", count: Int(config.cpus))
        tails = try MappedArray(maps, "nilo_log_tails", count: Int(config.cpus), writable: true)
        toldBytes = config.slotCount * MemoryLayout<Told>.stride
        // Anonymous memory is zero and costs nothing until a slot is used.
        let memory = mmap(nil, toldBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let memory, memory != MAP_FAILED else { throw BPFError("allocate the reader's memory", code: errno) }
        told = memory.assumingMemoryBound(to: Told.self)
        self.program = program
        clock = try JiffyClock(program: program.clock)
    }

    deinit { munmap(told, toldBytes) }

    /// Tells everything that is new into `table`.
    /// - Parameter tick: the second in progress, for rates.
    /// - Parameter onClose: a flow that had to leave the table to make room.
    public func collect(into table: inout FlowTable, tick: UInt32, onClose: (FlowTable.Closed) -> Void) throws(BPFError) -> Pass {
        var pass = Pass()
        clock = try JiffyClock(program: program.clock, previous: clock)
        pass.spilled += drain(into: &table, tick: tick, onClose: onClose)
        for set in 0..<config.setCount {
            let now = UnsafeRawPointer(sets.base + set)
            let before = UnsafeRawPointer(seen.base + set)
            if !isFirstPass && Self.sequencesEqual(now, before) { continue }
            for way in 0..<Int(NILO_WAYS) {
                let sequence = now.assumingMemoryBound(to: UInt32.self) + way
                let told = before.assumingMemoryBound(to: UInt32.self) + way
                // 0: never used. The first pass of a reader tells also what an earlier reader had told to its own agent.
                if sequence.pointee == 0 || !isFirstPass && sequence.pointee == told.pointee { continue }
                read(set * Int(NILO_WAYS) + way, sequence, into: &table, tick: tick, &pass, onClose)
            }
        }
        isFirstPass = false
        handover = Handover()
        return pass
    }

    private var slotsPerCPU: Int { Int(config.sets_mask + 1) * Int(NILO_WAYS) }

    /// The part of an interface's `retired` that this reader has told.
    public func retired(_ interface: InterfaceID, _ direction: Direction) -> Totals {
        ended[ObservationPoint(interface: interface, direction: direction)] ?? Totals()
    }

    /// Lets go of what it remembers of an interface whose books are given to another.
    func forget(_ interface: InterfaceID) {
        for direction in Direction.allCases { ended[ObservationPoint(interface: interface, direction: direction)] = nil }
    }

    /// Leaves word of all that was told, for the reader that takes over. Call it when all of it has been exported.
    public func handOver(to path: String) throws(BPFError) {
        var handover = Handover()
        for index in 0..<config.slotCount where !told[index].totals.isZero {
            handover.add(.init(index: UInt32(index), generation: told[index].generation), told[index].totals)
        }
        try handover.write(to: path)
    }

    /// Takes the word that an earlier reader left. Before the first pass.
    public func takeOver(from path: String) {
        precondition(isFirstPass, "a reader takes over before it reads")
        handover = Handover(taking: path)
    }

    /// Records that one CPU's spill log holds.
    public var logCapacity: Int { Int(config.log_mask) + 1 }

    /// How full the fullest spill log is, 0...1.
    public func logFill() -> Double {
        (0..<Int(config.cpus)).reduce(0) { fullest, cpu in
            max(fullest, Double(heads.base[cpu].written &- tails.base[cpu].taken) / Double(logCapacity))
        }
    }

    /// Slots that hold a flow, of all.
    public func slotsUsed() -> (used: Int, of: Int) {
        var used = 0
        for set in 0..<config.setCount {
            let tags = withUnsafeBytes(of: &sets.base[set].tag) { $0.load(as: SIMD8<UInt16>.self) }
            used += Int(NILO_WAYS)
            for way in 0..<Int(NILO_WAYS) where tags[way] == 0 { used -= 1 }
        }
        return (used, config.slotCount)
    }

    /// Whether a pass would find anything: how the cost of finding is measured apart from copying.
    public func changedSets() -> Int {
        var changed = 0
        for set in 0..<config.setCount where !Self.sequencesEqual(UnsafeRawPointer(sets.base + set), UnsafeRawPointer(seen.base + set)) {
            changed += 1
        }
        return changed
    }

    /// Compares the eight sequence numbers at the start of a set and of its seen record.
    @inline(__always) private static func sequencesEqual(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> Bool {
        a.load(as: SIMD8<UInt32>.self) == b.load(as: SIMD8<UInt32>.self)
    }

    private func read(
        _ index: Int, _ sequence: UnsafePointer<UInt32>, into table: inout FlowTable, tick: UInt32, _ pass: inout Pass,
        _ onClose: (FlowTable.Closed) -> Void
    ) {
        var slot = nilo_flow_slot()
        let state = nilo_slot_read(sequence, slots.base + index, &slot)
        if state & 1 == 1 {
            pass.busy += 1
            return
        }
        if told[index].generation != slot.generation {
            // The stay before has ended; if it was dirty its last word is in the log by now, written before this stay began.
            let known = told[index].generation
            pass.spilled += drain(into: &table, tick: tick, onClose: onClose)
            // The stay that was just read may itself have ended by now, and then the log has told it. What came after is met again.
            let drained = told[index].generation
            if drained != known && Int32(bitPattern: slot.generation &- drained) <= 0 { return }
            endStay(index)
        }
        tell(index, &slot, into: &table, tick: tick, onClose)
        pass.changed += 1
        let way = index % Int(NILO_WAYS)
        let mark = UnsafeMutableRawPointer(seen.base + index / Int(NILO_WAYS)).assumingMemoryBound(to: UInt32.self) + way
        nilo_store_seen(mark, state)
    }

    /// Takes all records of all logs. Returns how many.
    private func drain(into table: inout FlowTable, tick: UInt32, onClose: (FlowTable.Closed) -> Void) -> Int {
        var taken = 0
        for cpu in 0..<Int(config.cpus) {
            let head = withUnsafePointer(to: &heads.base[cpu].written) { nilo_load_acquire($0) }
            var tail = tails.base[cpu].taken
            while tail != head {
                let at = cpu * Int(config.log_mask + 1) + Int(UInt32(truncatingIfNeeded: tail) & config.log_mask)
                var slot = log.base[at].slot
                let index = Int(log.base[at].index)
                if told[index].generation != slot.generation { endStay(index) }
                // What was told stays noted until the slot shows its next stay: between the log and that it still shows this one.
                tell(index, &slot, into: &table, tick: tick, onClose)
                tail += 1
                taken += 1
                // Give the room back as we go: the programs are waiting for it.
                if taken & 63 == 0 { nilo_store_release(&tails.base[cpu].taken, tail) }
            }
            nilo_store_release(&tails.base[cpu].taken, tail)
        }
        return taken
    }

    /// What was told of the stay is now the programs' `retired`.
    private func endStay(_ index: Int) {
        if told[index].totals.isZero { return }
        let point = ObservationPoint(
            interface: InterfaceID(rawValue: told[index].point &>> 1), direction: told[index].point & 1 == 0 ? .ingress : .egress)
        ended[point, default: Totals()] += told[index].totals
        told[index].totals = Totals()
        told[index].ce = 0
        told[index].retransmitted = 0
        told[index].outOfOrder = 0
        told[index].zeroWindows = 0
    }

    private func tell(
        _ index: Int, _ slot: inout nilo_flow_slot, into table: inout FlowTable, tick: UInt32, _ onClose: (FlowTable.Closed) -> Void
    ) {
        let before = told + index
        let now = Totals(skbs: slot.skbs, skbBytes: slot.skb_bytes, wirePackets: slot.wire_packets, wireBytes: slot.wire_bytes)
        let transport = TransportCounts(
            congestionMarks: UInt64(slot.ce_packets &- before.pointee.ce),
            retransmitted: UInt64(slot.retransmitted &- before.pointee.retransmitted),
            outOfOrder: UInt64(slot.out_of_order &- before.pointee.outOfOrder),
            zeroWindows: UInt64(slot.zero_windows &- before.pointee.zeroWindows))
        let traits = FlowTraits(
            first: clock.time(ofJiffies: slot.first_jiffies), last: clock.time(ofJiffies: slot.last_jiffies), smallest: slot.min_bytes,
            largest: slot.max_bytes, handshakeMicroseconds: slot.handshake_us, tcpFlags: TCPFlags(rawValue: slot.tcp_flags),
            dscp: slot.tos &>> 2,
            ecn: slot.ecn, ttlMinimum: slot.ttl_min, ttlMaximum: slot.ttl_max, notes: FlowNotes(rawValue: UInt16(slot.notes)))
        var observation = FlowObservation(
            key: withUnsafePointer(to: &slot.key) { FlowKey(copying: $0) }, totals: now - before.pointee.totals, transport: transport,
            traits: traits, isNewStay: before.pointee.totals.isZero, cpu: UInt16(truncatingIfNeeded: index / slotsPerCPU))
        if isFirstPass, let exported = handover.told[.init(index: UInt32(index), generation: slot.generation)] {
            observation.exported = exported
        }
        let hint = before.pointee.generation == slot.generation ? before.pointee.flow : .max
        let flow = observation.totals.isZero && hint != .max ? hint : table.merge(observation, hint: hint, tick: tick, onClose: onClose)
        before.pointee = Told(
            generation: slot.generation, flow: flow, totals: now, ce: slot.ce_packets, retransmitted: slot.retransmitted,
            outOfOrder: slot.out_of_order, zeroWindows: slot.zero_windows,
            point: slot.key.if_id &<< 1 | UInt32(slot.key.direction & 1))
    }

    /// What all slots hold now: one side of the books. Exact when no packet passes meanwhile.
    public func resident() -> [ObservationPoint: Totals] {
        var sums: [UInt32: Totals] = [:]
        var slot = nilo_flow_slot()
        for index in 0..<config.slotCount {
            let sequence =
                UnsafeRawPointer(sets.base + index / Int(NILO_WAYS)).assumingMemoryBound(to: UInt32.self) + index % Int(NILO_WAYS)
            if sequence.pointee == 0 { continue }
            while nilo_slot_read(sequence, slots.base + index, &slot) & 1 == 1 {}
            sums[slot.key.if_id &<< 1 | UInt32(slot.key.direction & 1), default: Totals()] += Totals(
                skbs: slot.skbs, skbBytes: slot.skb_bytes, wirePackets: slot.wire_packets, wireBytes: slot.wire_bytes)
        }
        return Dictionary(
            uniqueKeysWithValues: sums.map { key, totals in
                (ObservationPoint(interface: InterfaceID(rawValue: key &>> 1), direction: key & 1 == 0 ? .ingress : .egress), totals)
            })
    }
}
