import NetworkTypes

/// Which epoch it was so many seconds ago.
///
/// What traffic does is reckoned in seconds, but epochs also pass with what the kernel announces: up to fifty a second while its tables
/// are in a storm. A flow must not be forgotten, or taken for unanswered, for that.
struct EpochClock {
    /// Turns of a second come about so far apart.
    private static let second: Int64 = 950_000_000

    /// The first epoch of each second, as a ring.
    private var firsts: [UInt64]
    private var count = 0
    private var last: Int64?

    /// - Parameter seconds: the furthest that is asked for.
    init(seconds: UInt64) { firsts = [UInt64](repeating: 0, count: Int(seconds) + 1) }

    /// An epoch of that time. True when a second has passed; a clock that was set back begins a new one.
    mutating func advance(to time: Timestamp, epoch: UInt64) -> Bool {
        if let last, time.nanoseconds >= last, time.nanoseconds - last < Self.second { return false }
        last = time.nanoseconds
        firsts[count % firsts.count] = epoch
        count += 1
        return true
    }

    /// 0: there was none yet.
    func epoch(secondsAgo seconds: UInt64) -> UInt64 {
        guard seconds < UInt64(min(count, firsts.count)) else { return 0 }
        return firsts[(count - 1 - Int(seconds)) % firsts.count]
    }
}
