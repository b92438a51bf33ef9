import Glibc
import NetworkTypes

/// Where the axes of a picture have their marks: on round numbers, and on round times of day.
enum ChartAxis {
    /// From 0 to at least `most`: at most six values, apart by 1, 2 or 5 times a power of ten.
    static func values(upTo most: Double) -> [Double] {
        guard most.isFinite, most > 0 else { return [0] }
        let power = pow(10, floor(log10(most / 5)))
        let step = [1, 2, 5, 10].map { $0 * power }.first { $0 * 5 >= most * (1 - 1e-9) } ?? 10 * power
        let count = Int((most / step - 1e-9).rounded(.up))
        return (0...max(1, count)).map { Double($0) * step }
    }

    /// Seconds apart that a person counts in.
    private static let strides =
        [1, 2, 5, 10, 15, 30] + [1, 2, 5, 10, 15, 30].map { $0 * 60 } + [1, 2, 3, 6, 12, 24, 48, 168, 336].map { $0 * 3600 }

    struct Mark: Equatable {
        /// Seconds since 1970.
        var at: Int64
        var text: String
    }

    /// Round local times between two moments (seconds since 1970), at most so many.
    static func times(from: Int64, to: Int64, most: Int) -> [Mark] {
        guard to > from, most > 0 else { return [] }
        let stride = Int64(strides.first { Int64($0) * Int64(most) >= to - from } ?? Int((to - from) / Int64(most)) + 1)
        let east = Int64(broken(from).tm_gmtoff)
        let first = ((from + east) + stride - 1) / stride * stride - east
        return Swift.stride(from: first, through: to, by: Int64.Stride(stride)).map { Mark(at: $0, text: text($0, stride)) }
    }

    /// `12:30`, `12:30:05`, of midnight the day: `03-01`.
    private static func text(_ at: Int64, _ stride: Int64) -> String {
        let time = broken(at)
        if time.tm_hour == 0, time.tm_min == 0, time.tm_sec == 0 { return "\(two(time.tm_mon + 1))-\(two(time.tm_mday))" }
        return "\(two(time.tm_hour)):\(two(time.tm_min))" + (stride < 60 ? ":\(two(time.tm_sec))" : "")
    }

    private static func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }

    private static func broken(_ at: Int64) -> tm {
        var seconds = Int(at)
        var parts = tm()
        localtime_r(&seconds, &parts)
        return parts
    }
}
