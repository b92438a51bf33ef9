import Topology

/// The samples of one epoch in one shard, as they came: one row of the table `tail`. Not compressed, for it is short-lived.
enum SeriesTail {
    struct Sample {
        /// The series' number; its low byte is its place in the shard.
        var series: UInt32
        var kind: SeriesKind
        var bits: UInt64
    }

    static func encode(_ samples: ArraySlice<Sample>) -> [UInt8] {
        var writer = ByteWriter(reserving: samples.count * 6 + 8)
        var before: UInt32 = samples.first.map { $0.series & ~0xff } ?? 0
        for sample in samples {
            writer.number(UInt64(sample.series - before) << 1 | UInt64(sample.kind.rawValue))
            before = sample.series
            switch sample.kind {
            case .counter: writer.number(sample.bits)
            case .gauge: writer.word(sample.bits)
            }
        }
        return writer.bytes
    }

    /// False when it is damaged.
    static func decode(_ body: UnsafeRawBufferPointer, _ each: (_ slot: UInt8, SeriesKind, _ bits: UInt64) -> Void) -> Bool {
        var reader = BlockReader(body)
        var slot: UInt64 = 0
        while !reader.isAtEnd {
            let name = reader.number()
            slot += name >> 1
            guard slot < 256 else { return false }
            let kind: SeriesKind = name & 1 == 0 ? .counter : .gauge
            let bits = kind == .counter ? reader.number() : reader.word()
            if !reader.isBroken { each(UInt8(slot), kind, bits) }
        }
        return !reader.isBroken
    }
}
