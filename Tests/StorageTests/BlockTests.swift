import TestSupport
import Testing
import Topology

@testable import Storage

/// The encodings, there and back, and against bytes that nobody wrote.
@Suite struct BlockTests {
    @Test func numbers() {
        for value in [0, 1, 127, 128, 16_383, 16_384, UInt64(UInt32.max), 1 << 62, .max] {
            var writer = ByteWriter()
            writer.number(value)
            writer.zigzag(Int64(bitPattern: value))
            writer.word(value)
            #expect(writer.bytes.count == ByteWriter.length(value) + ByteWriter.length(ByteWriter.zigzag(Int64(bitPattern: value))) + 8)
            writer.bytes.withUnsafeBytes { bytes in
                var reader = BlockReader(bytes)
                #expect(reader.number() == value && reader.zigzag() == Int64(bitPattern: value) && reader.word() == value)
                #expect(reader.isAtEnd && !reader.isBroken)
            }
        }
    }

    @Test(arguments: [UInt64(1), 2, 3]) func seriesBlocks(_ seed: UInt64) {
        var random = SplitMix64(seed: seed)
        for _ in 0..<200 {
            let count = Int.random(in: 1...40, using: &random)
            var start: Int64 = 1_700_000_000
            let starts = (0..<count).map { _ -> Int64 in
                start += Int64.random(in: 1...500, using: &random)
                return start
            }
            let isSingle = random.once(in: 2)
            let rows = Set((0..<5).map { _ in UInt8.random(in: 0...255, using: &random) }).sorted().map { slot in
                let kind: SeriesKind = random.once(in: 2) ? .gauge : .counter
                let style = UInt64.random(in: 0..<4, using: &random)
                let cells = (0..<count).map { _ -> SeriesCell in
                    guard !random.once(in: 5) else { return SeriesCell() }
                    func bits() -> UInt64 {
                        guard kind == .gauge else { return random.next() >> (1 + style * 18) }
                        let value = Double.random(in: -1e6...1e6, using: &random)
                        return (style == 0 ? value.rounded() : style == 1 ? -0.0 : value).bitPattern
                    }
                    var cell = SeriesCell(one: bits())
                    guard !isSingle else { return cell }
                    for _ in 0..<random.next() % 4 { cell.add(SeriesCell(one: bits()), kind) }
                    return cell
                }
                return SeriesBlock.Row(slot: slot, kind: kind, cells: cells)
            }
            let block = SeriesBlock(starts: starts, rows: rows)
            let read = SeriesBlock(block.encoded)
            #expect(read?.starts == starts && read?.rows.map(\.slot) == rows.map(\.slot) && read?.rows.map(\.cells) == rows.map(\.cells))
            for row in rows { #expect(SeriesBlock(block.encoded, only: row.slot)?.rows.map(\.cells) == [row.cells]) }
        }
    }

    @Test func changesAndStates() {
        var random = SplitMix64(seed: 9)
        var sections: [ChangeSection] = []
        var wanted: [[ChangeRecord]] = []
        for epoch in 1...50 {
            let entities = Set((0..<30).map { _ in UInt32.random(in: 0...5000, using: &random) }).sorted()
            let changes = entities.map {
                ChangeRecord(entity: $0, state: random.once(in: 5) ? 0 : UInt32.random(in: 1 ... .max, using: &random))
            }
            wanted.append(changes)
            sections.append(ChangeSection(epoch: Int64(epoch * 3), time: Int64(epoch) << 30, changes))
        }
        let bytes = ChangeBlock.encode(sections, epoch: 3, time: 1 << 30)
        bytes.withUnsafeBytes { bytes in
            var reader = ChangeBlockReader(bytes, epoch: 3, time: 1 << 30)
            for (index, changes) in wanted.enumerated() {
                guard let section = reader.next() else { return #expect(Bool(false), "section \(index) is missing") }
                var found: [ChangeRecord] = []
                #expect(ChangeBlockReader.decode(section.payload, into: &found) && found == changes)
                #expect(section.epoch == Int64(index + 1) * 3 && section.time == Int64(index + 1) << 30)
                for change in changes { #expect(ChangeBlockReader.state(of: change.entity, section.payload) == change.state) }
                #expect(ChangeBlockReader.state(of: 6000, section.payload) == nil)
            }
            #expect(reader.next() == nil && !reader.isBroken)
        }
        var block = StateBlock()
        for number in 0..<100 { block.append(UInt32(7 + number * number), random.bytes(number)) }
        let read = StateBlock(block.encoded(first: 7), first: 7)
        #expect(read?.numbers == block.numbers && read?.ends == block.ends && read?.bytes == block.bytes)
    }

    /// Neither cut off nor flipped bytes make a decoder crash, and none takes more memory than the block could hold.
    @Test(arguments: [UInt64(1), 2]) func whatNobodyWrote(_ seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let cells = (0..<20).map { SeriesCell(one: UInt64($0)) }
        let series = SeriesBlock(starts: (0..<20).map { Int64($0 * 2) }, rows: [.init(slot: 3, kind: .counter, cells: cells)]).encoded
        let section = ChangeSection(epoch: 1, time: 1, (1..<40).map { ChangeRecord(entity: $0 * 3, state: $0) })
        var states = StateBlock()
        for number in 1..<30 { states.append(UInt32(number), random.bytes(9)) }
        let compressor = Compressor()
        for plain in [series, ChangeBlock.encode([section], epoch: 1, time: 1), states.encoded(first: 1)] {
            for _ in 0..<3000 {
                var bytes = Array(plain.prefix(Int.random(in: 0...plain.count, using: &random)))
                for _ in 0..<3 where !bytes.isEmpty {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                _ = SeriesBlock(bytes)
                _ = StateBlock(bytes, first: 1)
                _ = LiveSet(bytes)
                var packed = compressor.pack(bytes)
                #expect(packed.withUnsafeBytes { compressor.unpack($0) } == bytes)
                packed[Int.random(in: 0..<packed.count, using: &random)] ^= 0x10
                _ = packed.withUnsafeBytes { compressor.unpack($0) }
                bytes.withUnsafeBytes { bytes in
                    var reader = ChangeBlockReader(bytes, epoch: 1, time: 1)
                    var changes: [ChangeRecord] = []
                    while let section = reader.next() { _ = ChangeBlockReader.decode(section.payload, into: &changes) }
                    _ = SeriesTail.decode(bytes) { _, _, _ in }
                }
            }
        }
    }
}
