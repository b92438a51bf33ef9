import NetworkTypes

/// Reads the topology's history of an SQLite file.
///
/// It is kept as a film is: a checkpoint names the state of every entity of one moment, and the changes since then lead to any moment after
/// it. Both are numbers, a few bytes each, in compressed blocks in the order of time; keys and states stand once. A moment costs one
/// checkpoint and the changes up to the next, whatever the length of the history, and all that an epoch adds is written side by side.
struct EntityReading {
    let connection: SQLiteConnection
    let compressor: Compressor

    // MARK: What there was

    func entities(at time: Int64) throws(StorageError) -> [StoredEntity] {
        let live = try liveSet(at: time).states.sorted { $0.value < $1.value }
        let states = try states(live.map(\.value))
        let order = live.indices.sorted { live[$0].key < live[$1].key }
        let keys = try keys(order.map { live[$0].key })
        return zip(order, keys).map { StoredEntity(key: $1, state: states[$0]) }
    }

    func changes(from start: Int64, to end: Int64) throws(StorageError) -> [EntityDifference] {
        let old = try liveSet(at: start).states
        let new = try liveSet(at: end).states
        var differing: [(entity: UInt32, before: UInt32, after: UInt32)] = []
        for (entity, state) in old {
            let after = new[entity] ?? 0
            if after != state { differing.append((entity, state, after)) }
        }
        for (entity, state) in new where old[entity] == nil { differing.append((entity, 0, state)) }
        differing.sort { $0.entity < $1.entity }
        let numbers = (differing.map(\.before) + differing.map(\.after)).filter { $0 != 0 }.sorted()
        let found = try states(numbers)
        let at = Dictionary(zip(numbers, numbers.indices)) { first, _ in first }
        let keys = try keys(differing.map(\.entity))
        return zip(differing, keys).compactMap { change, key in
            let before = at[change.before].map { found[$0] }
            let after = at[change.after].map { found[$0] }
            // Equal bytes can have got two numbers.
            return before == after ? nil : EntityDifference(key: key, before: before, after: after)
        }
    }

    func history(of key: String, from start: Int64, to end: Int64) throws(StorageError) -> [EntityVersion] {
        let lookup = try connection.statement("SELECT id FROM entity WHERE key = ?")
        defer { lookup.reset() }
        lookup.bind(1, key)
        guard try lookup.step() else { return [] }
        let spans = try spans(of: UInt32(truncatingIfNeeded: lookup.integer(0)), until: end)
            .filter { $0.from < end && ($0.to ?? .max) > start }
        let numbers = Set(spans.map(\.state)).sorted()
        let states = Dictionary(uniqueKeysWithValues: zip(numbers, try states(numbers)))
        var versions: [EntityVersion] = []
        for span in spans {
            let state = states[span.state] ?? []
            let from = Timestamp(nanoseconds: span.from)
            let to = span.to.map { Timestamp(nanoseconds: $0) }
            if let last = versions.last, last.validTo == from, last.state == state {
                versions[versions.count - 1].validTo = to
            } else {
                versions.append(EntityVersion(validFrom: from, validTo: to, state: state))
            }
        }
        return versions
    }

    /// When an entity had which state, oldest first.
    private func spans(of entity: UInt32, until end: Int64) throws(StorageError) -> [(from: Int64, to: Int64?, state: UInt32)] {
        var spans: [(from: Int64, to: Int64?, state: UInt32)] = []
        var state: UInt32 = 0
        var since: Int64 = 0
        func becomes(_ next: UInt32, _ time: Int64) {
            guard next != state else { return }
            if state != 0, since < time { spans.append((since, time, state)) }
            (state, since) = (next, time)
        }
        let first = try firstCheckpoint()
        if let first { becomes(try checkpoint(first.epoch).states[entity] ?? 0, first.time) }
        try forEachSection(after: first?.epoch ?? -1) { (_, time, payload) throws(StorageError) in
            // What is at the end itself closes the version before it.
            guard time <= end else { return false }
            if let next = ChangeBlockReader.state(of: entity, payload) { becomes(next, time) }
            return true
        }
        if state != 0 { spans.append((since, nil, state)) }
        return spans
    }

    // MARK: Numbers

    /// The live set after the last epoch whose time is at most `time`.
    func liveSet(at time: Int64) throws(StorageError) -> LiveSet { try liveSetAndEpoch(at: time).live }

    /// And the number of that epoch, as far as it changed anything; -1 without one.
    func liveSetAndEpoch(at time: Int64) throws(StorageError) -> (live: LiveSet, epoch: Int64) {
        var live = LiveSet()
        var after: Int64 = -1
        let found = try connection.statement("SELECT epoch FROM checkpoint WHERE time <= ? ORDER BY epoch DESC LIMIT 1")
        defer { found.reset() }
        found.bind(1, time)
        if try found.step() {
            after = found.integer(0)
            live = try checkpoint(after)
        } else if try firstCheckpoint() != nil {
            // Before what is kept.
            return (live, after)
        }
        var changes: [ChangeRecord] = []
        try forEachSection(after: after) { (epoch, when, payload) throws(StorageError) in
            guard when <= time else { return false }
            guard ChangeBlockReader.decode(payload, into: &changes) else { throw connection.corrupt("a block of changes") }
            live.apply(changes)
            after = epoch
            return true
        }
        return (live, after)
    }

    /// The checkpoint with which a history begins whose beginning was removed; nil when all of it is kept.
    private func firstCheckpoint() throws(StorageError) -> (epoch: Int64, time: Int64)? {
        let statement = try connection.statement(
            "SELECT c.epoch, c.time FROM checkpoint c, progress p WHERE p.kept_from > \(Int64.min) ORDER BY c.epoch LIMIT 1")
        defer { statement.reset() }
        return try statement.step() ? (statement.integer(0), statement.integer(1)) : nil
    }

    private func checkpoint(_ epoch: Int64) throws(StorageError) -> LiveSet {
        let statement = try connection.statement("SELECT body FROM checkpoint WHERE epoch = ?")
        defer { statement.reset() }
        statement.bind(1, epoch)
        guard try statement.step(), let plain = compressor.unpack(statement.blob(0)), let live = LiveSet(plain) else {
            throw connection.corrupt("the checkpoint of epoch \(epoch)")
        }
        return live
    }

    /// Hands out the changes of the epochs after one, in order, until `body` says false.
    func forEachSection(
        after epoch: Int64, _ body: (Int64, Int64, UnsafeRawBufferPointer) throws(StorageError) -> Bool
    ) throws(StorageError) {
        // A block can hold epochs from before and after a checkpoint.
        let start = try connection.integer("SELECT MAX(first) FROM change WHERE first <= ?", epoch + 1) ?? 0
        let rows = try connection.statement("SELECT first, start, body FROM change WHERE first >= ? ORDER BY first")
        defer { rows.reset() }
        rows.bind(1, start)
        while try rows.step() {
            guard let plain = compressor.unpack(rows.blob(2)) else { throw connection.corrupt("a block of changes") }
            let (first, time) = (rows.integer(0), rows.integer(1))
            var failure: StorageError?
            let goesOn = plain.withUnsafeBytes { bytes in
                var reader = ChangeBlockReader(bytes, epoch: first, time: time)
                while let section = reader.next() {
                    guard section.epoch > epoch else { continue }
                    do throws(StorageError) {
                        guard try body(section.epoch, section.time, section.payload) else { return false }
                    } catch {
                        failure = error
                        return false
                    }
                }
                if reader.isBroken { failure = connection.corrupt("a block of changes") }
                return true
            }
            if let failure { throw failure }
            guard goesOn else { return }
        }
    }

    // MARK: What the numbers stand for

    /// - Parameter numbers: ascending; a number may come twice.
    func states(_ numbers: [UInt32]) throws(StorageError) -> [[UInt8]] {
        let statement = try connection.statement("SELECT first, body FROM state WHERE first <= ? ORDER BY first DESC LIMIT 1")
        var found: [[UInt8]] = []
        found.reserveCapacity(numbers.count)
        var block = StateBlock()
        var index = 0
        for number in numbers {
            if number > block.numbers.last ?? 0 {
                defer { statement.reset() }
                statement.bind(1, Int64(number))
                guard try statement.step(), let plain = compressor.unpack(statement.blob(1)),
                    let next = StateBlock(plain, first: UInt32(truncatingIfNeeded: statement.integer(0)))
                else { throw connection.corrupt("a block of states") }
                (block, index) = (next, 0)
            }
            while index < block.count, block.numbers[index] < number { index += 1 }
            guard index < block.count, block.numbers[index] == number else { throw connection.corrupt("a block of states") }
            found.append(Array(block.state(index)))
        }
        return found
    }

    /// - Parameter entities: ascending.
    func keys(_ entities: [UInt32]) throws(StorageError) -> [String] {
        guard let first = entities.first, let last = entities.last else { return [] }
        var keys: [String] = []
        keys.reserveCapacity(entities.count)
        // Walking over the neighbours is cheaper than looking each one up, as long as most are asked for.
        let isDense = Int(last - first) < entities.count * 8
        let statement = try connection.statement("SELECT id, key FROM entity WHERE id BETWEEN ? AND ? ORDER BY id")
        defer { statement.reset() }
        if isDense {
            statement.bind(1, Int64(first))
            statement.bind(2, Int64(last))
        }
        for entity in entities {
            if !isDense {
                statement.reset()
                statement.bind(1, Int64(entity))
                statement.bind(2, Int64(entity))
            }
            repeat {
                guard try statement.step() else { throw connection.corrupt("the table of keys") }
            } while statement.integer(0) < Int64(entity)
            guard statement.integer(0) == Int64(entity) else { throw connection.corrupt("the table of keys") }
            keys.append(statement.text(1))
        }
        return keys
    }
}
