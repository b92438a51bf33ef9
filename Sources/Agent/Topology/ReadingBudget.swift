/// How much of its time the topology's thread may spend on reading namespaces anew as a whole.
///
/// The kernel takes some routes away without a word, so that after many a change only a whole reading tells what is there. Where changes
/// never end that could be all that the thread does. So time for it is earned: ``share`` of what passes, ``most`` kept at the most. A
/// reading may begin while any is left, and takes what it took, also below zero. Small namespaces are read at once; one with 100,000 routes
/// (0.3 s a reading) whose routes never rest is read every one and a half seconds.
struct ReadingBudget {
    static let share = 0.2
    static let most = Duration.milliseconds(100)

    private var left = Self.most
    /// When `left` was that much.
    private var counted: ContinuousClock.Instant

    init(at now: ContinuousClock.Instant) { counted = now }

    /// How long until a reading may begin; zero: now.
    mutating func wait(at now: ContinuousClock.Instant) -> Duration {
        left = min(Self.most, left + (now - counted) * Self.share)
        counted = now
        return left > .zero ? .zero : (Duration.zero - left) / Self.share + .milliseconds(1)
    }

    /// A reading ended that took so long.
    mutating func spend(_ duration: Duration, at now: ContinuousClock.Instant) {
        // While it went on, time was earned as well.
        _ = wait(at: now)
        left -= duration
    }
}
