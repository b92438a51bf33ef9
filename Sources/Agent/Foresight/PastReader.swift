import Foresight
import NetworkTypes
import Storage

/// What the history has of a series, in the form in which it is watched.
final class PastReader {
    private let reader: HistoryReader
    private let clock: StepClock
    /// Of all communication, which every series is held against: read once for many.
    private var wholes: [SeriesResolution: (from: Int64, to: Int64, points: [SeriesPoint])] = [:]
    /// Keys that stand for a series besides its own.
    private var names: [SeriesKey: [SeriesKey]] = [:]
    private var namesAt: Int64 = .min
    /// Seconds that they may be old.
    private static let patience: Int64 = 30

    init(_ reader: HistoryReader, _ clock: StepClock) {
        self.reader = reader
        self.clock = clock
    }

    struct Past: Sendable {
        var looks: [WatchedSeries.Past] = []
        /// Means of long steps that end with `hoursEnd`, long steps since 1970.
        var hours: [Float] = []
        var hoursEnd: Int64 = 0
    }

    private static let days = 14
    private static let weeks = 8

    /// Points as wide as a look, of two weeks; and hours of eight.
    func past(of key: SeriesKey, until now: Int64) throws -> Past {
        let fine = SeriesResolution.allCases.last { $0.seconds <= Int64(clock.look) } ?? .second
        var past = Past()
        let from = now - Int64(Self.days * clock.day)
        past.looks = try points(key, from, now, fine).map {
            WatchedSeries.Past(value: $0.value, duration: $0.duration, end: $0.end - 1)
        }
        guard clock.day == StepClock.ordinaryDay else { return past }
        let hour = SeriesResolution.hour.seconds
        past.hoursEnd = now / hour
        let first = past.hoursEnd - Int64(Self.weeks * 7 * 24)
        let points = try points(key, first * hour, past.hoursEnd * hour, .hour)
        guard let begin = points.first(where: { $0.value != nil }).map({ $0.end / hour - 1 }) else { return past }
        past.hours = [Float](repeating: .nan, count: Int(past.hoursEnd - begin))
        for point in points where point.end / hour - 1 >= begin {
            past.hours[Int(point.end / hour - 1 - begin)] = point.value.map { Float($0) } ?? .nan
        }
        return past
    }

    private struct Point {
        var value: Double?
        var duration: Double
        var end: Int64
    }

    /// What the store has of a series under all the keys that it was told of by.
    private func told(_ key: SeriesKey, _ from: Int64, _ to: Int64, _ resolution: SeriesResolution) throws -> [SeriesPoint] {
        if namesAt < to - Self.patience {
            namesAt = to
            let kept = try reader.ask { (reading) throws(StorageError) in try reading.series() }.compactMap { SeriesKey($0.key) }
            names = Dictionary(grouping: kept.filter { $0.watched != $0 }, by: \.watched)
        }
        return try ([key] + (names[key] ?? [])).flatMap { try read($0, from, to, resolution) }.sorted { $0.start < $1.start }
    }

    private func read(_ key: SeriesKey, _ from: Int64, _ to: Int64, _ resolution: SeriesResolution) throws -> [SeriesPoint] {
        try reader.ask { (reading) throws(StorageError) in
            try reading.points(
                of: key.text, from: Timestamp(second: max(0, from)), to: Timestamp(second: to), resolution: resolution)
        }
    }

    private func whole(_ from: Int64, _ to: Int64, _ resolution: SeriesResolution) throws -> [SeriesPoint] {
        if let known = wholes[resolution], known.from <= from, known.to >= to - Self.patience { return known.points }
        let points = try read(SeriesKey(SeriesKey.total, .bits, isBackward: false), from, to, resolution)
        wholes[resolution] = (from, to, points)
        return points
    }

    private func points(_ key: SeriesKey, _ from: Int64, _ to: Int64, _ resolution: SeriesResolution) throws -> [Point] {
        let width = resolution.seconds
        let own = try told(key, from, to, resolution)
        func end(_ point: SeriesPoint) -> Int64 { point.start.nanoseconds / 1_000_000_000 + width }
        if key.measure == .level {
            return own.map { Point(value: $0.mean, duration: Double(min(Int64($0.count), width)), end: end($0)) }
        }
        guard let first = own.first else { return [] }
        let all = try whole(from, to, resolution)
        if resolution == .second {
            let seconds = all.map(\.second)
            let late = LateReadings(seconds)
            let sums = late.even(own)
            return late.measured(seconds).compactMap { second in
                guard second >= first.second else { return nil }
                return Point(value: (sums[second] ?? 0) * key.factor, duration: 1, end: second + 1)
            }
        }
        var sums: [Timestamp: Double] = [:]
        for point in own { sums[point.start, default: 0] += point.total }
        // All communication is told of every second: where it is and this is not, nothing came.
        return all.compactMap { point in
            guard point.start >= first.start else { return nil }
            let seconds = Double(min(Int64(point.count), width))
            return Point(value: (sums[point.start] ?? 0) * key.factor / seconds, duration: seconds, end: end(point))
        }
    }
}
