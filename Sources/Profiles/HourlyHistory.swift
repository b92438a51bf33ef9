/// The means of the last eight weeks' hours, in 2.6 KiB.
///
/// A mean is kept as a float without sign and with eight mantissa bits: right to 0.2 %.
struct HourlyHistory: Hashable, Sendable {
    static let capacity = 8 * 168

    private let stepsPerHour: Int
    /// The hour that goes on, counted from the epoch; nil before the first value.
    private var hour: Int64?
    private var sum = 0.0
    private var count = 0
    private var means: [UInt16] = []
    /// The place of the oldest one, once there are as many as are kept.
    private var oldest = 0

    init(stepsPerHour: Int) { self.stepsPerHour = stepsPerHour }

    var bytes: Int { means.capacity * MemoryLayout<UInt16>.stride }

    /// - Parameters:
    ///   - value: nan if there was none.
    ///   - hour: that the step is in, counted from the epoch. One that is before the last one takes back what was kept of times that have
    ///     not come yet.
    mutating func append(_ value: Float, hour next: Int64) {
        if next != hour { turn(to: next) }
        guard value.isFinite, value >= 0 else { return }
        sum += Double(value)
        count += 1
    }

    private mutating func turn(to next: Int64) {
        if let hour {
            if next > hour {
                finish()
                for _ in 0..<min(next - hour - 1, Int64(Self.capacity)) { keep(.nan) }
            } else {
                let ordered = self.ordered
                means = Array(ordered.dropLast(Int(min(hour - next, Int64(ordered.count)))))
                oldest = 0
            }
        }
        hour = next
        sum = 0
        count = 0
    }

    /// Half of its steps are enough to speak of an hour.
    private mutating func finish() { keep(2 * count >= stepsPerHour ? Float(sum / Double(count)) : .nan) }

    private mutating func keep(_ mean: Float) {
        let packed = Self.pack(mean)
        if means.count < Self.capacity {
            if means.count == means.capacity { means.reserveCapacity(min(Self.capacity, means.count + 168)) }
            means.append(packed)
        } else {
            means[oldest] = packed
            oldest = oldest + 1 == means.count ? 0 : oldest + 1
        }
    }

    private var ordered: [UInt16] { Array(means[oldest...] + means[..<oldest]) }

    /// The hours that are over, oldest first; nan where there is none.
    var hours: Hours {
        var whole = self
        if let hour, count == stepsPerHour { whole.turn(to: hour + 1) }
        return Hours(first: (whole.hour ?? 0) - Int64(whole.means.count), means: whole.ordered.map(Self.unpack))
    }

    private static let dropped = UInt32(15)

    private static func pack(_ value: Float) -> UInt16 {
        guard value.isFinite else { return .max }
        // To the nearest; what would round up to infinity stays below it.
        return UInt16(min((value.bitPattern + 1 << (dropped - 1)) >> dropped, Float.infinity.bitPattern >> dropped - 1))
    }

    private static func unpack(_ packed: UInt16) -> Float { packed == .max ? .nan : Float(bitPattern: UInt32(packed) << dropped) }
}

/// The means of successive hours.
struct Hours: Hashable, Sendable {
    /// Number of the first, counted from the epoch.
    var first: Int64
    /// nan where there is none.
    var means: [Float]

    /// Without the ones at the beginning that are not known.
    var known: Hours {
        guard let start = means.firstIndex(where: { !$0.isNaN }) else { return Hours(first: first, means: []) }
        return Hours(first: first + Int64(start), means: Array(means[start...]))
    }

    var days: Double { Double(means.count) / 24 }

    /// Indices of the first hour of each day that has all its hours here (known or not), with the day's number.
    var wholeDays: [(day: Int64, start: Int)] {
        let skipped = StepCalendar.modulo(-first, 24)
        return stride(from: skipped, through: means.count - 24, by: 24).map {
            (day: StepCalendar.floor(first + Int64($0), 24), start: $0)
        }
    }
}
