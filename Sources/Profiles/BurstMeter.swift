/// How much more than its mean a step has in its highest second, ten seconds and minute.
struct BurstMeter: Hashable, Sendable {
    /// Seconds of the windows. One counts if two of it fit in a step.
    static let spans = [1, 10, 60]

    /// The mean of a step, and the highest mean of each window in it; nil for windows that do not fit.
    struct Step {
        var start: Int64
        var mean: Double
        var peaks: [Double?]
    }

    private struct Window: Hashable, Sendable {
        let seconds: Int64
        var end = Int64.min
        var sum = 0.0
        var count = 0
        var highest = -1.0

        mutating func begin(at second: Int64) {
            end = second + seconds
            sum = 0
            count = 0
            highest = -1
        }

        @inline(__always) mutating func add(_ value: Double, at second: Int64) {
            if second >= end { finish(before: second) }
            sum += value
            count += 1
        }

        /// Half of its seconds are enough to speak of a window.
        mutating func finish(before second: Int64) {
            if 2 * count >= Int(seconds) { highest = max(highest, sum / Double(count)) }
            while end <= second { end += seconds }
            sum = 0
            count = 0
        }
    }

    private let calendar: StepCalendar
    private var start = Int64.max
    private var end = Int64.min
    private var last = Int64.max
    private var sum = 0.0
    private var count = 0
    private var highest = 0.0
    private var ten = Window(seconds: Int64(Self.spans[1]))
    private var minute = Window(seconds: Int64(Self.spans[2]))

    init(_ calendar: StepCalendar) { self.calendar = calendar }

    /// - Returns: the step that is over, where this value is of a later one and half of the seconds of that step were known.
    @inline(__always) mutating func observe(_ value: Double, at second: Int64) -> Step? {
        var finished: Step?
        if second >= end || second <= last { finished = turn(to: second) }
        last = second
        sum += value
        count += 1
        if value > highest { highest = value }
        ten.add(value, at: second)
        minute.add(value, at: second)
        return finished
    }

    /// A clock that goes back ends a step without a result: its seconds would be two things at once.
    @inline(never) private mutating func turn(to second: Int64) -> Step? {
        let finished = second >= end ? finish() : nil
        start = calendar.step(at: second) * Int64(calendar.stepSeconds)
        end = start + Int64(calendar.stepSeconds)
        sum = 0
        count = 0
        highest = 0
        ten.begin(at: start)
        minute.begin(at: start)
        return finished
    }

    private mutating func finish() -> Step? {
        guard count > 0, 2 * count >= calendar.stepSeconds else { return nil }
        func peak(_ window: inout Window) -> Double? {
            window.finish(before: end)
            return calendar.stepSeconds >= 2 * Int(window.seconds) && window.highest >= 0 ? window.highest : nil
        }
        let second = calendar.stepSeconds >= 2 ? highest : nil
        return Step(start: start, mean: sum / Double(count), peaks: [second, peak(&ten), peak(&minute)])
    }
}
