import NetworkTypes
import Storage
import Topology

/// What links carried in all of a span.
extension RateReader {
    /// Of one link; both times nil where nothing was counted.
    struct Sum: Sendable {
        var load = Load()
        /// The beginning of the first point in which it carried something.
        var first: Timestamp?
        /// The end of the last.
        var last: Timestamp?

        static func += (sum: inout Sum, one: Sum) {
            sum.load += one.load
            sum.first = [sum.first, one.first].compactMap { $0 }.min()
            sum.last = [sum.last, one.last].compactMap { $0 }.max()
        }
    }

    /// How many seconds of the span were measured.
    func measuredSeconds(_ span: Span) throws -> UInt64 { try counts(SeriesKey.total, span).values.reduce(0, +) }

    /// What the store has of a link.
    func sum(of link: LinkKey, _ span: Span) throws -> Sum {
        var sum = Sum()
        let width = Duration.seconds(span.resolution.seconds)
        func add(_ measure: SeriesKey.Measure, _ isBackward: Bool, to count: WritableKeyPath<Load, UInt64>) throws {
            for point in try points(SeriesKey(link.description, measure, isBackward: isBackward), span) {
                guard case .counter(let value) = point.sum, value > 0, span.step(of: point) != nil else { continue }
                sum.load[keyPath: count] &+= value
                sum += Sum(first: point.start, last: point.start + width)
            }
        }
        try add(.bits, false, to: \.forwardBytes)
        try add(.bits, true, to: \.backwardBytes)
        try add(.packets, false, to: \.forwardPackets)
        try add(.packets, true, to: \.backwardPackets)
        return sum
    }
}
