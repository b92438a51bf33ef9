/// The highest second of this interval and of those before.
struct RecentPeak: Sendable {
    private var peak = 0.0
    private var peaks: [Double] = []

    mutating func add(_ value: Double) { peak = max(peak, value) }

    mutating func begin(intervals: Int) {
        peaks = Array((peaks + [peak]).suffix(intervals))
        peak = 0
    }

    var highest: Double { max(peak, peaks.max() ?? 0) }
}
