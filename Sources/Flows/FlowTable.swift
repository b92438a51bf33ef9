import NetworkTypes

/// Why a flow left the table (RFC 5102, flowEndReason).
public enum FlowEnd: UInt8, Sendable {
    case idleTimeout = 1
    case activeTimeout = 2
    /// TCP said so: FIN or RST was seen, and then nothing for a while.
    case endOfFlow = 3
    case forcedEnd = 4
    /// The table is at its bound.
    case lackOfResources = 5
}

/// All flows known to the agent, in bounded memory.
///
/// Invariant: everything that was ever merged is either in a live entry or in `closed`, by interface and direction; nothing is in both.
/// Open addressing over 8-byte cells, entries beside them, so that a merge costs two cache misses. One writer; not Sendable.
public struct FlowTable: ~Copyable {
    public struct Entry {
        public var record: FlowRecord
        /// What has been exported of the totals already.
        public var exported = Totals()
        public var lastExport: Timestamp
        /// The rate of the second in progress and of the one before, see `rates(at:)`.
        var tick: UInt32
        var inTick = FlowRate()
        var beforeTick = FlowRate()
        var cell: UInt32
        /// Number + 1 of the entry's gain that is still to be told; 0: none.
        var gain: UInt32 = 0
        /// Where the latest packet that is known of was seen.
        var cpu: UInt16
        var isLive = true
    }

    /// A flow that has left the table; its counts since the last export are `totals - exported`.
    public struct Closed {
        public var entry: Entry
        public var end: FlowEnd
    }

    struct Cell {
        var hash: UInt32
        /// Entry number + 1; 0: empty.
        var entry: UInt32
    }

    public let limit: Int
    public private(set) var count = 0
    /// What has left the table, by interface and direction.
    public private(set) var closed: [ObservationPoint: Totals] = [:]
    /// Flows that had to go because the table was full.
    public private(set) var displaced: UInt64 = 0

    private var entries: UnsafeMutablePointer<Entry>
    private var capacity: Int
    private var used = 0
    private var free: [UInt32] = []
    /// Whether what flows gain is kept for ``takeGains(_:)``.
    public var keepsGains = false
    var gains: [Gain] = []
    private var cells: UnsafeMutablePointer<Cell>
    private var mask: Int
    private var hand = 0

    /// - Parameter limit: flows at most; beyond it the longest idle of a few makes room.
    public init(limit: Int) {
        precondition(limit > 0 && limit < Int(UInt32.max) / 2, "flow table limit \(limit)")
        self.limit = limit
        capacity = min(limit, 1024)
        entries = .allocate(capacity: capacity)
        mask = Self.cellCount(for: capacity) - 1
        cells = .allocate(capacity: mask + 1)
        cells.initialize(repeating: Cell(hash: 0, entry: 0), count: mask + 1)
    }

    deinit {
        entries.deallocate()
        cells.deallocate()
    }

    private static func cellCount(for capacity: Int) -> Int {
        var n = 2048
        while n < capacity * 2 { n <<= 1 }
        return n
    }

    /// Adds an observation. `onClose` is called when another flow had to make room.
    /// - Parameter hint: where the flow was found last time; checked, never trusted.
    /// - Returns: the entry's number, valid until the flow leaves.
    @discardableResult public mutating func merge(
        _ observation: borrowing FlowObservation, hint: UInt32 = .max, tick: UInt32, onClose: (Closed) -> Void
    ) -> UInt32 {
        let index: Int
        if Int(hint) < used, entries[Int(hint)].isLive, entries[Int(hint)].record.key == observation.key {
            index = Int(hint)
        } else {
            let hash = UInt32(truncatingIfNeeded: observation.key.mixed &>> 16)
            if let found = find(observation.key, hash) {
                index = found
            } else {
                return insert(observation, hash, tick, onClose)
            }
        }
        let entry = entries + index
        entry.pointee.record.totals += observation.totals
        entry.pointee.record.transport += observation.transport
        var traits = observation.traits
        // A flow that is known and shows up in another place joins there mid-flow, but its beginning has been seen.
        if observation.isNewStay { traits.notes.remove(.sequenceLost) }
        // One CPU's observations come in the order of its packets, whatever became of the clock between them; only those of
        // different CPUs have to be put in order by their times.
        let isLatest = entry.pointee.cpu == observation.cpu || traits.last >= entry.pointee.record.traits.last
        if entry.pointee.cpu != observation.cpu { traits.notes.insert(.severalCPUs) }
        entry.pointee.record.traits.merge(traits, isLatest: isLatest)
        if isLatest { entry.pointee.cpu = observation.cpu }
        entry.pointee.exported += observation.exported
        entry.pointee.count(observation.totals, tick: tick)
        if keepsGains { gain(UInt32(index), &entry.pointee, observation) }
        return UInt32(index)
    }

    private func find(_ key: FlowKey, _ hash: UInt32) -> Int? {
        var i = Int(hash) & mask
        while cells[i].entry != 0 {
            if cells[i].hash == hash {
                let index = Int(cells[i].entry) - 1
                if entries[index].record.key == key { return index }
            }
            i = (i + 1) & mask
        }
        return nil
    }

    private mutating func insert(_ observation: borrowing FlowObservation, _ hash: UInt32, _ tick: UInt32, _ onClose: (Closed) -> Void)
        -> UInt32
    {
        if count == limit {
            let victim = longestIdleNearHand()
            displaced += 1
            onClose(remove(victim, .lackOfResources))
        }
        let index: Int
        if let reused = free.popLast() {
            index = Int(reused)
        } else {
            if used == capacity { grow() }
            index = used
            used += 1
        }
        var traits = observation.traits
        // The beginning of the stay was reported with an earlier entry.
        if !observation.isNewStay { traits.first = traits.last }
        let record = FlowRecord(key: observation.key, totals: observation.totals, transport: observation.transport, traits: traits)
        var entry = Entry(record: record, lastExport: traits.first, tick: tick, cell: 0, cpu: observation.cpu)
        entry.exported = observation.exported
        entry.count(observation.totals, tick: tick)
        entry.cell = UInt32(place(Cell(hash: hash, entry: UInt32(index) + 1)))
        if keepsGains { gain(UInt32(index), &entry, observation) }
        (entries + index).initialize(to: entry)
        count += 1
        return UInt32(index)
    }

    private func place(_ cell: Cell) -> Int {
        var i = Int(cell.hash) & mask
        while cells[i].entry != 0 { i = (i + 1) & mask }
        cells[i] = cell
        return i
    }

    private mutating func grow() {
        let larger = min(limit, capacity * 2)
        let moved = UnsafeMutablePointer<Entry>.allocate(capacity: larger)
        moved.moveInitialize(from: entries, count: used)
        entries.deallocate()
        entries = moved
        capacity = larger
        let wanted = Self.cellCount(for: larger)
        guard wanted > mask + 1 else { return }
        let old = cells
        let oldCount = mask + 1
        mask = wanted - 1
        cells = .allocate(capacity: wanted)
        cells.initialize(repeating: Cell(hash: 0, entry: 0), count: wanted)
        for i in 0..<oldCount where old[i].entry != 0 {
            entries[Int(old[i].entry) - 1].cell = UInt32(place(old[i]))
        }
        old.deallocate()
    }

    private mutating func longestIdleNearHand() -> Int {
        var best = -1
        var examined = 0
        while examined < 32 {
            hand = hand + 1 < used ? hand + 1 : 0
            guard entries[hand].isLive else { continue }
            examined += 1
            if best < 0 || entries[hand].record.traits.last < entries[best].record.traits.last { best = hand }
        }
        return best
    }

    private mutating func remove(_ index: Int, _ end: FlowEnd) -> Closed {
        let entry = entries[index]
        if entry.gain != 0 { gains[Int(entry.gain) - 1].closed = entry.record }
        closed[ObservationPoint(entry.record.key), default: Totals()] += entry.record.totals
        unplace(Int(entry.cell))
        entries[index].isLive = false
        free.append(UInt32(index))
        count -= 1
        return Closed(entry: entry, end: end)
    }

    /// Empties a cell and closes the gap, so that probing never needs tombstones.
    private func unplace(_ position: Int) {
        var gap = position
        var i = (gap + 1) & mask
        while cells[i].entry != 0 {
            let home = Int(cells[i].hash) & mask
            // Move back unless the cell's home lies after the gap (cyclically).
            if (i &- home) & mask >= (i &- gap) & mask {
                cells[gap] = cells[i]
                entries[Int(cells[gap].entry) - 1].cell = UInt32(gap)
                gap = i
            }
            i = (i + 1) & mask
        }
        cells[gap] = Cell(hash: 0, entry: 0)
    }

    /// Lets go of flows that have been idle for `idle` (ended TCP flows: `ended`), and reports long ones every `active`.
    ///
    /// Looks at `share` of the entries a call, in turn, so that a large idle table costs little a second.
    /// - Parameter onActive: a flow that goes on and is due for a report; mark it with what was exported.
    public mutating func expire(
        now: Timestamp, idle: Duration, ended: Duration, active: Duration, share: Double = 1, onActive: (inout Entry) -> Void,
        onClose: (Closed) -> Void
    ) {
        var left = max(1, Int(Double(used) * share))
        while left > 0, used > 0 {
            left -= 1
            hand = hand + 1 < used ? hand + 1 : 0
            guard entries[hand].isLive else { continue }
            let traits = entries[hand].record.traits
            let quiet = now - traits.last
            let hasEnded = !traits.tcpFlags.isDisjoint(with: [.fin, .rst])
            if quiet >= idle || hasEnded && quiet >= ended {
                onClose(remove(hand, hasEnded ? .endOfFlow : .idleTimeout))
            } else if now - entries[hand].lastExport >= active {
                onActive(&entries[hand])
                entries[hand].lastExport = now
            }
        }
    }

    /// Lets go of every flow of an interface that is gone.
    public mutating func close(interface: InterfaceID, onClose: (Closed) -> Void) {
        for index in 0..<used where entries[index].isLive && entries[index].record.key.interface == interface {
            onClose(remove(index, .forcedEnd))
        }
    }

    /// Lets go of every flow.
    public mutating func closeAll(onClose: (Closed) -> Void) {
        for index in 0..<used where entries[index].isLive { onClose(remove(index, .forcedEnd)) }
    }

    public func forEach(_ body: (borrowing Entry) -> Void) {
        for index in 0..<used where entries[index].isLive { body(entries[index]) }
    }

    /// The same with the entries' numbers, good until the table changes.
    public func forEachNumbered(_ body: (UInt32, borrowing Entry) -> Void) {
        for index in 0..<used where entries[index].isLive { body(UInt32(index), entries[index]) }
    }

    /// The entry of a number that `forEachNumbered` told.
    public func withEntry<R>(_ number: UInt32, _ body: (borrowing Entry) -> R) -> R {
        precondition(Int(number) < used && entries[Int(number)].isLive, "entry \(number) of \(used)")
        return body(entries[Int(number)])
    }

    func settleGain(of number: UInt32) { entries[Int(number)].gain = 0 }

    public subscript(index: UInt32) -> FlowRecord? {
        Int(index) < used && entries[Int(index)].isLive ? entries[Int(index)].record : nil
    }

    /// What all live entries hold, by interface and direction.
    public func live() -> [ObservationPoint: Totals] {
        var sums: [ObservationPoint: Totals] = [:]
        forEach { sums[ObservationPoint($0.record.key), default: Totals()] += $0.record.totals }
        return sums
    }
}

/// Where packets were seen: an interface and a direction. Counts of different points are never added: it may be the same packet.
public struct ObservationPoint: Hashable, Sendable {
    public var interface: InterfaceID
    public var direction: Direction
    public init(interface: InterfaceID, direction: Direction) {
        self.interface = interface
        self.direction = direction
    }
    public init(_ key: FlowKey) { self.init(interface: key.interface, direction: key.direction) }
}

/// Wire packets and bytes of one second.
public struct FlowRate: Sendable, Hashable {
    public var packets: UInt64 = 0
    public var bytes: UInt64 = 0
    public init(packets: UInt64 = 0, bytes: UInt64 = 0) {
        self.packets = packets
        self.bytes = bytes
    }
}

extension FlowTable.Entry {
    mutating func count(_ totals: Totals, tick now: UInt32) {
        if tick != now {
            beforeTick = tick &+ 1 == now ? inTick : FlowRate()
            inTick = FlowRate()
            tick = now
        }
        inTick.packets &+= totals.wirePackets
        inTick.bytes &+= totals.wireBytes
    }

    /// The last whole second's rate, `now` being the tick in progress.
    public func rate(at now: UInt32) -> FlowRate {
        if tick == now { return beforeTick }
        return tick &+ 1 == now ? inTick : FlowRate()
    }
}
