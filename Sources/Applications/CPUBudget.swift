/// How much CPU time may be used: a share of the time that passes, some of it saved up. Nanoseconds of two clocks that only go forward.
struct CPUBudget: Sendable {
    /// Thousandths of one CPU.
    let permille: UInt32
    private var saved: Int64
    private var lastTime: UInt64
    private var lastUsed: UInt64
    private(set) var restUntil: UInt64 = 0

    /// What is saved up at most: two seconds' share.
    private var most: Int64 { Int64(permille) * 2_000_000 }

    init(permille: UInt32, now: UInt64, used: UInt64) {
        self.permille = permille
        saved = Int64(permille) * 2_000_000
        lastTime = now
        lastUsed = used
    }

    /// Whether there is any left. When it is used up, a quarter of what can be saved has to come together first.
    mutating func allows(now: UInt64, used: UInt64) -> Bool {
        let passed = Int64(clamping: min(now &- lastTime, 3_600_000_000_000))
        let spent = Int64(clamping: min(used &- lastUsed, 3_600_000_000_000))
        (lastTime, lastUsed) = (now, used)
        saved = min(saved + passed * Int64(permille) / 1000, most) - spent
        if now < restUntil { return false }
        if saved > 0 {
            restUntil = 0
            return true
        }
        restUntil = now &+ UInt64(most / 4 - saved) * 1000 / UInt64(max(permille, 1))
        return false
    }
}
