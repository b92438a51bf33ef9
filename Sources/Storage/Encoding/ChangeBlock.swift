import Topology

/// An entity got a state, by their numbers; 0 when it vanished.
struct ChangeRecord: Equatable {
    var entity: UInt32
    var state: UInt32
}

/// The changes of one epoch in a block: numbers of entities ascending, as differences; then the states' numbers, each as the difference to
/// the one before, for what is new is numbered in the order in which it comes.
struct ChangeSection {
    var epoch: Int64
    var time: Int64
    var payload: [UInt8]

    init(epoch: Int64, time: Int64, _ changes: [ChangeRecord]) {
        self.epoch = epoch
        self.time = time
        var writer = ByteWriter(reserving: changes.count * 4 + 8)
        writer.count(changes.count)
        var before: UInt32 = 0
        for change in changes {
            writer.number(UInt64(change.entity - before))
            before = change.entity
        }
        var state: Int64 = 0
        for change in changes {
            if change.state == 0 {
                writer.number(UInt64(0))
            } else {
                writer.number(ByteWriter.zigzag(Int64(change.state) - state) + 1)
                state = Int64(change.state)
            }
        }
        payload = writer.bytes
    }

    fileprivate init(epoch: Int64, time: Int64, payload: [UInt8]) {
        self.epoch = epoch
        self.time = time
        self.payload = payload
    }
}

/// A run of epochs' changes: one row of the table `change`.
enum ChangeBlock {
    static func encode(_ sections: [ChangeSection], epoch: Int64, time: Int64) -> [UInt8] {
        var writer = ByteWriter(reserving: sections.reduce(0) { $0 + $1.payload.count + 12 })
        var epoch = epoch
        var time = time
        for section in sections {
            writer.number(UInt64(section.epoch - epoch))
            writer.number(UInt64(section.time - time))
            writer.count(section.payload.count)
            writer.append(section.payload)
            (epoch, time) = (section.epoch, section.time)
        }
        return writer.bytes
    }
}

/// Walks through the sections of a block.
struct ChangeBlockReader {
    private var reader: BlockReader
    private var epoch: Int64
    private var time: Int64

    /// - Parameters:
    ///   - epoch: of the block's first section, from its row.
    init(_ bytes: UnsafeRawBufferPointer, epoch: Int64, time: Int64) {
        reader = BlockReader(bytes)
        self.epoch = epoch
        self.time = time
    }

    var isBroken: Bool { reader.isBroken }

    /// The next epoch and its changes, not yet decoded; nil at the end.
    mutating func next() -> (epoch: Int64, time: Int64, payload: UnsafeRawBufferPointer)? {
        guard !reader.isAtEnd else { return nil }
        epoch &+= Int64(truncatingIfNeeded: reader.number())
        time &+= Int64(truncatingIfNeeded: reader.number())
        let payload = reader.slice(reader.count())
        return reader.isBroken ? nil : (epoch, time, payload)
    }

    mutating func nextSection() -> ChangeSection? {
        next().map { ChangeSection(epoch: $0.epoch, time: $0.time, payload: Array($0.payload)) }
    }

    /// Decodes a payload into `changes`, whose storage is used again. False when it is damaged.
    static func decode(_ payload: UnsafeRawBufferPointer, into changes: inout [ChangeRecord]) -> Bool {
        var reader = BlockReader(payload)
        let count = reader.count()
        changes.removeAll(keepingCapacity: true)
        changes.reserveCapacity(count)
        var entity: UInt32 = 0
        for _ in 0..<count {
            entity &+= UInt32(truncatingIfNeeded: reader.number())
            changes.append(ChangeRecord(entity: entity, state: 0))
        }
        var state: Int64 = 0
        changes.withUnsafeMutableBufferPointer { changes in
            for index in changes.indices {
                let code = reader.number()
                guard code > 0 else { continue }
                state &+= Int64(bitPattern: (code - 1) >> 1) ^ -Int64(bitPattern: (code - 1) & 1)
                changes[index].state = UInt32(truncatingIfNeeded: state)
            }
        }
        return !reader.isBroken
    }

    /// The state that a payload gives an entity; nil when it does not speak of it. Nothing after it has to be read.
    static func state(of entity: UInt32, _ payload: UnsafeRawBufferPointer) -> UInt32? {
        var reader = BlockReader(payload)
        let count = reader.count()
        var current: UInt32 = 0
        var found: Int?
        for index in 0..<count {
            current &+= UInt32(truncatingIfNeeded: reader.number())
            if current == entity { found = index }
            // States follow after all of the numbers.
            if current > entity, found == nil { return nil }
        }
        guard let found else { return nil }
        var state: Int64 = 0
        for index in 0...found {
            let code = reader.number()
            if index == found, code == 0 { return 0 }
            if code > 0 { state &+= Int64(bitPattern: (code - 1) >> 1) ^ -Int64(bitPattern: (code - 1) & 1) }
        }
        return reader.isBroken ? nil : UInt32(truncatingIfNeeded: state)
    }
}
