/// Removes the states and keys that no change and no checkpoint names any more.
struct TopologySweep {
    let connection: SQLiteConnection
    let compressor: Compressor

    func run() throws(StorageError) {
        var entities = NumberSet()
        var states = NumberSet()
        let reading = EntityReading(connection: connection, compressor: compressor)
        let checkpoints = try connection.statement("SELECT epoch, body FROM checkpoint ORDER BY epoch LIMIT 1")
        var first: Int64 = -1
        if try checkpoints.step() {
            first = checkpoints.integer(0)
            guard let plain = compressor.unpack(checkpoints.blob(1)), let live = LiveSet(plain) else {
                throw connection.corrupt("a checkpoint")
            }
            for (entity, state) in live.states {
                entities.insert(entity)
                states.insert(state)
            }
        }
        checkpoints.reset()
        var changes: [ChangeRecord] = []
        try reading.forEachSection(after: first) { (_, _, payload) throws(StorageError) in
            guard ChangeBlockReader.decode(payload, into: &changes) else { throw connection.corrupt("a block of changes") }
            for change in changes {
                entities.insert(change.entity)
                states.insert(change.state)
            }
            return true
        }
        try sweep(states)
        try sweepKeys(entities)
    }

    /// A block of which most is gone is written again with the rest.
    private func sweep(_ used: NumberSet) throws(StorageError) {
        let rows = try connection.statement("SELECT first, count, body FROM state WHERE first > ? ORDER BY first LIMIT 1")
        let update = try connection.statement("UPDATE state SET count = ?1, body = ?3 WHERE first = ?2")
        var last: Int64 = -1
        while true {
            rows.bind(1, last)
            guard try rows.step() else { break }
            let (first, count) = (rows.integer(0), rows.integer(1))
            last = first
            guard let plain = compressor.unpack(rows.blob(2)), let block = StateBlock(plain, first: UInt32(truncatingIfNeeded: first))
            else {
                throw connection.corrupt("a block of states")
            }
            rows.reset()
            var kept = StateBlock()
            for index in 0..<block.count where used.contains(block.numbers[index]) { kept.append(block.numbers[index], block.state(index)) }
            if kept.count == 0 {
                try connection.run("DELETE FROM state WHERE first = ?", first)
            } else if kept.count * 2 <= Int(count) {
                update.bind(1, Int64(kept.count))
                update.bind(2, first)
                try update.run(3, compressor.pack(kept.encoded(first: UInt32(truncatingIfNeeded: first))))
            }
        }
        rows.reset()
    }

    private func sweepKeys(_ used: NumberSet) throws(StorageError) {
        let rows = try connection.statement("SELECT id FROM entity")
        var gone: [Int64] = []
        while try rows.step() { if !used.contains(UInt32(truncatingIfNeeded: rows.integer(0))) { gone.append(rows.integer(0)) } }
        rows.reset()
        for id in gone { try connection.run("DELETE FROM entity WHERE id = ?", id) }
    }
}

/// Numbers that are mostly dense.
private struct NumberSet {
    private var words: [UInt64] = []

    mutating func insert(_ number: UInt32) {
        let word = Int(number / 64)
        if word >= words.count { words.append(contentsOf: repeatElement(0, count: max(word + 1 - words.count, words.count))) }
        words[word] |= 1 << UInt64(number % 64)
    }

    func contains(_ number: UInt32) -> Bool {
        let word = Int(number / 64)
        return word < words.count && words[word] & 1 << UInt64(number % 64) != 0
    }
}
