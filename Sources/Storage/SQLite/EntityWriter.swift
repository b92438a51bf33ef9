import Topology

/// Appends to the topology's history of an SQLite file. What it has in memory is as the file was after the last append: when one fails, the
/// whole writer is thrown away and made again from the file.
///
/// Small epochs are rows of their own until enough have come together for a block. A checkpoint is due when as many changes came as there
/// are entities: so checkpoints cost about as much as the changes themselves, and never more is replayed than a network's worth.
final class EntityWriter {
    let connection: SQLiteConnection
    let compressor: Compressor
    /// What there is, by key.
    private var live: [Fingerprint: Live] = [:]
    /// Numbers of states that came up lately, in two generations. A state that was forgotten and comes back gets a second number.
    private var recent: [Fingerprint: UInt32] = [:]
    private var older: [Fingerprint: UInt32] = [:]
    private var nextEntity: UInt32
    private var nextState: UInt32
    /// What lies in rows that are yet too small for a block.
    private var openStates = StateBlock()
    /// The key of the first of those rows, which can be before its first state.
    private var firstOpenRow: Int64?
    private var openSections: [ChangeSection] = []
    private var openChanges = 0
    private var changesSinceCheckpoint: Int

    struct Live {
        var entity: UInt32
        /// 0: it has just vanished.
        var state: UInt32
        /// Of the state.
        var print: Fingerprint
    }

    enum Size {
        /// A reader decompresses a whole block for one state: 64 of them take some 15 µs and are two thirds smaller than alone.
        static let states = 64
        static let stateBytes = 16 << 10
        static let changes = 4096
        static let epochs = 128
        static let rememberedStates = 1 << 16
    }

    init(_ connection: SQLiteConnection, _ compressor: Compressor) throws(StorageError) {
        self.connection = connection
        self.compressor = compressor
        nextEntity = UInt32(try connection.integer("SELECT MAX(id) FROM entity") ?? 0) + 1
        let last = try connection.integer("SELECT MAX(epoch) FROM checkpoint") ?? -1
        changesSinceCheckpoint = Int(try connection.integer("SELECT SUM(count) FROM change WHERE first > ?", last) ?? 0)
        nextState = 1
        try loadOpenStates()
        try loadOpenSections()
        try loadLive()
    }

    // MARK: Appending

    /// - Returns: how many versions it left.
    @discardableResult
    func append(_ epoch: StoredEpoch, time: Int64) throws(StorageError) -> Int {
        var touched: [Fingerprint: Live] = [:]
        touched.reserveCapacity(epoch.changes.count)
        var fresh = StateBlock()
        for change in epoch.changes { try take(change, &touched, &fresh) }
        if epoch.resumes {
            for (key, entity) in live where touched[key] == nil {
                touched[key] = entity
                live[key]!.state = 0
            }
        }
        var records: [ChangeRecord] = []
        records.reserveCapacity(touched.count)
        for (key, before) in touched {
            guard let after = live[key] else { continue }
            if after.state == 0 { live[key] = nil }
            let isNew = before.state == 0 ? after.state != 0 : after.state == 0 || after.print != before.print
            guard isNew else {
                // Back to what it was, perhaps under another number.
                live[key]?.state = before.state
                continue
            }
            records.append(ChangeRecord(entity: after.entity, state: after.state))
        }
        try write(fresh)
        guard !records.isEmpty else { return 0 }
        records.sort { $0.entity < $1.entity }
        try write(ChangeSection(epoch: Int64(epoch.number), time: time, records), count: records.count)
        changesSinceCheckpoint += records.count
        if changesSinceCheckpoint >= max(Size.changes, live.count) { try checkpoint(epoch: Int64(epoch.number), time: time) }
        return records.count
    }

    private func take(
        _ change: EntityChange, _ touched: inout [Fingerprint: Live], _ fresh: inout StateBlock
    ) throws(StorageError) {
        let key = Fingerprint(change.key)
        var current = live[key]
        guard let state = change.state else {
            guard let present = current, present.state != 0 else { return }
            if touched[key] == nil { touched[key] = present }
            live[key]!.state = 0
            return
        }
        let print = Fingerprint(state)
        if let present = current, present.state != 0, present.print == print {
            if touched[key] == nil { touched[key] = present }
            return
        }
        if current == nil {
            let entity = try number(of: change.key)
            current = Live(entity: entity, state: 0, print: print)
        }
        if touched[key] == nil { touched[key] = current }
        current!.state = number(of: state, print, &fresh)
        current!.print = print
        live[key] = current
    }

    /// The number of a key that is not live now: it may have been once.
    private func number(of key: String) throws(StorageError) -> UInt32 {
        let lookup = try connection.statement("SELECT id FROM entity WHERE key = ?")
        defer { lookup.reset() }
        lookup.bind(1, key)
        if try lookup.step() { return UInt32(truncatingIfNeeded: lookup.integer(0)) }
        let insert = try connection.statement("INSERT INTO entity VALUES (?, ?)")
        defer { insert.reset() }
        insert.bind(1, Int64(nextEntity))
        insert.bind(2, key)
        _ = try insert.step()
        defer { nextEntity += 1 }
        return nextEntity
    }

    private func number(of state: [UInt8], _ print: Fingerprint, _ fresh: inout StateBlock) -> UInt32 {
        if let number = recent[print] { return number }
        let number: UInt32
        if let known = older[print] {
            number = known
        } else {
            number = nextState
            nextState += 1
            fresh.append(number, state)
        }
        remember(print, number)
        return number
    }

    private func remember(_ print: Fingerprint, _ number: UInt32) {
        if recent.count >= Size.rememberedStates {
            older = recent
            recent = [:]
        }
        recent[print] = number
    }

    // MARK: Writing

    private func write(_ fresh: StateBlock) throws(StorageError) {
        guard fresh.count > 0 else { return }
        guard openStates.count + fresh.count >= Size.states || openStates.bytes.count + fresh.bytes.count >= Size.stateBytes else {
            openStates.append(fresh)
            if firstOpenRow == nil { firstOpenRow = Int64(fresh.numbers[0]) }
            return try insert(fresh)
        }
        if let firstOpenRow { try connection.run("DELETE FROM state WHERE first >= ?", firstOpenRow) }
        openStates.append(fresh)
        var block = StateBlock()
        for index in 0..<openStates.count {
            block.append(openStates.numbers[index], openStates.state(index))
            if block.count >= Size.states || block.bytes.count >= Size.stateBytes {
                try insert(block)
                block = StateBlock()
            }
        }
        if block.count > 0 { try insert(block) }
        openStates = block
        firstOpenRow = block.numbers.first.map { Int64($0) }
    }

    private func insert(_ block: StateBlock) throws(StorageError) {
        let first = block.numbers[0]
        let statement = try connection.statement("INSERT INTO state VALUES (?, ?, ?)")
        statement.bind(1, Int64(first))
        statement.bind(2, Int64(block.count))
        try statement.run(3, compressor.pack(block.encoded(first: first)))
    }

    private func write(_ section: ChangeSection, count: Int) throws(StorageError) {
        let first = openSections.first?.epoch
        openSections.append(section)
        openChanges += count
        guard openChanges >= Size.changes || openSections.count >= Size.epochs else { return try insert([section], count: count) }
        if let first { try connection.run("DELETE FROM change WHERE first >= ?", first) }
        try insert(openSections, count: openChanges)
        openSections = []
        openChanges = 0
    }

    private func insert(_ sections: [ChangeSection], count: Int) throws(StorageError) {
        let (epoch, time) = (sections[0].epoch, sections[0].time)
        let statement = try connection.statement("INSERT INTO change VALUES (?, ?, ?, ?, ?)")
        statement.bind(1, epoch)
        statement.bind(2, time)
        statement.bind(3, Int64(sections.count))
        statement.bind(4, Int64(count))
        try statement.run(5, compressor.pack(ChangeBlock.encode(sections, epoch: epoch, time: time)))
    }

    /// Keeps all that is live as of an epoch.
    func checkpoint(epoch: Int64, time: Int64) throws(StorageError) {
        var set = LiveSet()
        set.states.reserveCapacity(live.count)
        for entity in live.values { set.states[entity.entity] = entity.state }
        let statement = try connection.statement("INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?, ?)")
        statement.bind(1, epoch)
        statement.bind(2, time)
        statement.bind(3, Int64(live.count))
        try statement.run(4, compressor.pack(set.encoded))
        changesSinceCheckpoint = 0
    }

    var hasChangesSinceCheckpoint: Bool { changesSinceCheckpoint > 0 }

    // MARK: Loading

    /// After something was removed from the tables: what is live is untouched by it, all other numbers may be gone.
    func reloadRows() throws(StorageError) {
        (recent, older) = ([:], [:])
        for entity in live.values where entity.state != 0 && recent.count < Size.rememberedStates { recent[entity.print] = entity.state }
        (openStates, firstOpenRow) = (StateBlock(), nil)
        openSections = []
        openChanges = 0
        try loadOpenStates()
        try loadOpenSections()
    }

    private func loadOpenStates() throws(StorageError) {
        let rows = try connection.statement("SELECT first, count, body FROM state ORDER BY first DESC")
        defer { rows.reset() }
        var blocks: [StateBlock] = []
        var count = 0
        while try rows.step() {
            guard let plain = compressor.unpack(rows.blob(2)),
                let block = StateBlock(plain, first: UInt32(truncatingIfNeeded: rows.integer(0))), let last = block.numbers.last
            else { throw connection.corrupt("a block of states") }
            nextState = max(nextState, last + 1)
            count += block.count
            guard count < Size.states, block.bytes.count < Size.stateBytes else { break }
            blocks.append(block)
            firstOpenRow = rows.integer(0)
        }
        for block in blocks.reversed() { openStates.append(block) }
    }

    private func loadOpenSections() throws(StorageError) {
        let rows = try connection.statement("SELECT first, start, epochs, count, body FROM change ORDER BY first DESC")
        defer { rows.reset() }
        var blocks: [[ChangeSection]] = []
        var epochs = 0
        while try rows.step() {
            epochs += Int(rows.integer(2))
            guard epochs < Size.epochs, openChanges + Int(rows.integer(3)) < Size.changes else { break }
            guard let plain = compressor.unpack(rows.blob(4)) else { throw connection.corrupt("a block of changes") }
            let (first, time) = (rows.integer(0), rows.integer(1))
            blocks.append(
                plain.withUnsafeBytes { bytes in
                    var reader = ChangeBlockReader(bytes, epoch: first, time: time)
                    var sections: [ChangeSection] = []
                    while let section = reader.nextSection() { sections.append(section) }
                    return sections
                })
            openChanges += Int(rows.integer(3))
        }
        openSections = blocks.reversed().flatMap { $0 }
    }

    private func loadLive() throws(StorageError) {
        let reading = EntityReading(connection: connection, compressor: compressor)
        let set = try reading.liveSet(at: .max).states.sorted { $0.value < $1.value }
        let prints = try reading.states(set.map(\.value)).map { Fingerprint($0) }
        let order = set.indices.sorted { set[$0].key < set[$1].key }
        let keys = try reading.keys(order.map { set[$0].key })
        live.reserveCapacity(set.count)
        for (index, key) in zip(order, keys) {
            live[Fingerprint(key)] = Live(entity: set[index].key, state: set[index].value, print: prints[index])
            remember(prints[index], set[index].value)
        }
    }
}
