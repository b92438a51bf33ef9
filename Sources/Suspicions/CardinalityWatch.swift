import NetworkTypes
import Sketches

/// How many distinct sources, destinations and ports there are in what begins each second, and whether that is far more than lately: eight times
/// the most of the last minutes (``Envelope``), and 500, for two seconds. A minute is learnt first.
///
/// Flows and packets without a flow are added to the same registers, so the count is of both together.
struct CardinalityWatch {
    static let learning = 60.0
    private static let factor = 8.0
    private static let least = 500.0
    private static let ordinaryAfter = 600

    private struct Series {
        var values = HyperLogLog(registers: TrafficSketch.registers)
        var usual = Envelope()
        /// Seconds of a jump so far.
        var unusual = 0
    }

    private let hash: KeyedHash
    private var series = [Series](repeating: Series(), count: Suspicion.Counted.allCases.count)

    init(_ hash: KeyedHash) { self.hash = hash }

    mutating func observe(_ attempt: Attempt) {
        series[0].values.add(hash(attempt.source.fieldWords.0, attempt.source.fieldWords.1))
        series[1].values.add(hash(attempt.destination.fieldWords.0, attempt.destination.fieldWords.1))
        // As a word of memory in network order, like the programs.
        series[2].values.add(hash(UInt64(attempt.port.byteSwapped)))
    }

    /// - Parameter isExplained: a scan or flood goes on, which is many ports or addresses by itself.
    mutating func turn(seconds: Double, overflow: TrafficSketch?, isExplained: Bool) -> [Finding] {
        if let overflow {
            series[0].values.merge(overflow.sources)
            series[1].values.merge(overflow.destinations)
            series[2].values.merge(overflow.ports)
        }
        return zip(Suspicion.Counted.allCases, series.indices).compactMap { counted, index in
            defer { series[index].values = HyperLogLog(registers: TrafficSketch.registers) }
            return isExplained ? nil : turn(&series[index], counted, seconds)
        }
    }

    private func turn(_ series: inout Series, _ counted: Suspicion.Counted, _ seconds: Double) -> Finding? {
        let count = series.values.estimate / max(1, seconds)
        let usual = series.usual.value
        let isFar = series.usual.learnt >= Self.learning && count >= Self.least && count >= Self.factor * usual
        guard isFar, series.unusual < Self.ordinaryAfter else {
            series.unusual = 0
            series.usual.learn(count, over: seconds)
            return nil
        }
        series.unusual += 1
        guard series.unusual >= 2 else { return nil }
        return Finding(
            kind: .cardinalityJump, subject: .init(counted: counted),
            evidence: [
                .init("distinct \(counted.rawValue) a second", count, relativeError: series.values.relativeError),
                .init("most lately", usual, relativeError: series.values.relativeError),
            ])
    }
}
