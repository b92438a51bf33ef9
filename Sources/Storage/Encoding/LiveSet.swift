/// Which entity has which state at one moment, by number.
struct LiveSet {
    var states: [UInt32: UInt32] = [:]

    mutating func apply(_ changes: [ChangeRecord]) {
        for change in changes { states[change.entity] = change.state == 0 ? nil : change.state }
    }

    /// As a checkpoint keeps it: numbers of entities ascending, as differences, then those of states.
    var encoded: [UInt8] {
        let entities = states.keys.sorted()
        return ChangeSection(epoch: 0, time: 0, entities.map { ChangeRecord(entity: $0, state: states[$0]!) }).payload
    }

    init() {}

    /// nil when it is damaged.
    init?(_ plain: [UInt8]) {
        var records: [ChangeRecord] = []
        guard plain.withUnsafeBytes({ ChangeBlockReader.decode($0, into: &records) }) else { return nil }
        states.reserveCapacity(records.count * 5 / 4)
        for record in records { states[record.entity] = record.state }
    }
}
