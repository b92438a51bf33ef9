/// What the seconds of four weeks were like.
struct SecondsPeriod: Hashable, Sendable {
    static let days = 28

    /// Peak to mean of one window.
    struct Ratio: Hashable, Sendable {
        var steps = 0
        var peaks = 0.0
        var means = 0.0
        var highest = 0.0
        var highestAt: Int64 = 0

        /// The highest ratio is sought among steps of at least this part of the mean of all: an idle one says nothing.
        private static let quiet = 0.1

        mutating func add(peak: Double?, _ step: BurstMeter.Step) {
            guard let peak else { return }
            steps += 1
            peaks += peak
            means += step.mean
            guard step.mean > 0, step.mean * Double(steps) >= Self.quiet * means, peak > highest * step.mean else { return }
            highest = peak / step.mean
            highestAt = step.start
        }

        mutating func merge(_ other: Ratio) {
            steps += other.steps
            peaks += other.peaks
            means += other.means
            guard other.highest > highest else { return }
            highest = other.highest
            highestAt = other.highestAt
        }
    }

    /// Counted from the epoch, in periods.
    let number: Int64
    var sketch = QuantileSketch()
    /// By window.
    private(set) var ratios = BurstMeter.spans.map { _ in Ratio() }

    init(number: Int64) { self.number = number }

    var bytes: Int { sketch.bytes + ratios.capacity * MemoryLayout<Ratio>.stride }

    mutating func add(_ step: BurstMeter.Step) {
        for index in ratios.indices { ratios[index].add(peak: step.peaks[index], step) }
    }

    mutating func merge(_ other: SecondsPeriod) {
        sketch.merge(other.sketch)
        for index in ratios.indices { ratios[index].merge(other.ratios[index]) }
    }
}
