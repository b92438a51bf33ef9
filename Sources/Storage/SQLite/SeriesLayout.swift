/// Where points lie in an SQLite file.
///
/// Series are numbered in the order in which they first came, and 256 of them are a shard. What is written for one moment or stretch is
/// written for a shard at once, so that keys, times and rows cost next to nothing for each point.
///
///     epoch ─► tail ──(2 min)──► second ──► ten seconds ──(1 h)──► minute ──(1 d)──► hour
///              rows of one epoch   blocks    pieces, then blocks    the same          pieces
///
/// When a window of a resolution is over, what lies in it is made one block, and rolled up into a piece of the next resolution; the pieces
/// of a window become a block in turn. `until` says how far that has come. Nothing is in two places of the same resolution, so a sum over
/// any of them is the sum of the samples.
enum SeriesLayout {
    static let shardSize: UInt32 = 256
    static let largestShard: Int64 = (1 << 20) - 1
    /// Seconds that a block of each resolution but the last holds.
    static let windows: [Int64] = [120, 3600, 86_400]

    /// Key of a block's row: resolution, shard, start in seconds. Rows of a shard lie side by side in the order of time.
    static func block(_ level: Int, _ shard: Int64, _ start: Int64) -> Int64 { Int64(level) << 60 | shard << 40 | start }

    /// Key of a tail's row.
    static func tail(_ shard: Int64, _ epoch: Int64) -> Int64 { shard << 40 | epoch }

    static func start(of place: Int64) -> Int64 { place & ((1 << 40) - 1) }

    /// The last end of a window that is not after `time`. Shards take turns, so that not all of them are due in the same second; their
    /// windows begin at multiples of the next resolution.
    static func boundary(_ level: Int, _ shard: Int64, notAfter time: Int64) -> Int64 {
        let window = windows[level]
        let step = SeriesResolution.allCases[level + 1].seconds
        let offset = shard * 7 % (window / step) * step
        return time < offset ? 0 : (time - offset) / window * window + offset
    }
}
