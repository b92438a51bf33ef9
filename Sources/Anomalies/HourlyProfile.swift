/// What a series is like at each hour of a day: a mean that follows the last ten values or so of that hour, whatever day they are of.
///
/// In the first minutes of an hour it therefore speaks of the same hour a day before, and later of this one.
struct HourlyProfile: Sendable {
    private static let day: Int64 = 86_400
    private static let hours = 24
    private static let rate = 0.1
    private static let fewest: UInt8 = 3

    private var means = [Double](repeating: 0, count: Self.hours)
    private var counts = [UInt8](repeating: 0, count: Self.hours)

    var bytes: Int { means.capacity * MemoryLayout<Double>.stride + counts.capacity }

    private static func hour(_ seconds: Int64) -> Int {
        let inDay = seconds % day
        return Int(inDay < 0 ? inDay + day : inDay) / 3600
    }

    /// The value to be expected at this time; nil where too little is known.
    func expected(at seconds: Int64) -> Double? {
        let hour = Self.hour(seconds)
        return counts[hour] >= Self.fewest ? means[hour] : nil
    }

    mutating func learn(_ value: Double, at seconds: Int64) {
        let hour = Self.hour(seconds)
        if counts[hour] < .max { counts[hour] += 1 }
        means[hour] += max(1 / Double(counts[hour]), Self.rate) * (value - means[hour])
    }
}
