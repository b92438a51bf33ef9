/// What is expected of the next value: the recent level, or the same hour of the days before, whichever has been nearer of late.
///
/// It learns ordinary values only, so that an anomaly does not become what is expected while it goes on.
struct Expectation: Sendable {
    private static let levelRate = 0.05
    private static let errorRate = 0.01
    /// Values before anything is expected.
    private static let fewest = 12
    /// So many mean absolute errors about the expected value are ordinary: 4 standard deviations of normal noise.
    private static let width = 5.0

    private var level = 0.0
    private var profile = HourlyProfile()
    private var levelError = 0.0
    private var hourError = 0.0
    private var count = 0
    private var hourCount = 0

    var bytes: Int { profile.bytes }

    /// - Returns: nil while too little is known.
    func range(at seconds: Int64) -> ExpectedRange? {
        guard count >= Self.fewest else { return nil }
        var (value, error) = (level, levelError)
        if isSeasonal, let hour = profile.expected(at: seconds) { (value, error) = (hour, hourError) }
        let half = Self.width * error + 1e-9 * abs(value)
        return ExpectedRange(value: value, low: value - half, high: value + half)
    }

    /// Whether the hour of the day says clearly more than the level.
    var isSeasonal: Bool { hourCount > 288 && hourError < 0.75 * levelError }

    mutating func learn(_ value: Double, at seconds: Int64) {
        count += 1
        if count > 1 { levelError += max(1 / Double(count - 1), Self.errorRate) * (abs(value - level) - levelError) }
        level += max(1 / Double(count), Self.levelRate) * (value - level)
        if let hour = profile.expected(at: seconds) {
            hourCount += 1
            hourError += max(1 / Double(hourCount), Self.errorRate) * (abs(value - hour) - hourError)
        }
        profile.learn(value, at: seconds)
    }

    /// What was unexpected has become the rule: forgets the level, and the hours, which were of another one.
    mutating func settle(on value: Double) {
        profile = HourlyProfile()
        hourCount = 0
        level = value
    }
}
