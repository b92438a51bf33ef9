/// The last values of a series, and their mean and spread over windows that end with the newest.
///
/// Nothing is summed up over time: each answer is one pass over what is kept, so no rounding error ever accumulates.
struct RecentValues<Stored: BinaryFloatingPoint & Sendable>: Sendable {
    /// Mean and standard deviation of a window.
    struct Moments: Hashable, Sendable {
        var mean = 0.0
        var deviation = 0.0
    }

    private var values: [Stored]
    /// Where the next value goes.
    private var next = 0
    private(set) var count = 0

    init(capacity: Int) {
        precondition(capacity > 0, "\(capacity)")
        values = Array(repeating: 0, count: capacity)
    }

    var bytes: Int { values.capacity * MemoryLayout<Stored>.stride }

    /// All of them, in order, as long as none has been given up.
    var first: ArraySlice<Stored> { values[..<count] }

    mutating func append(_ value: Double) {
        values[next] = Stored(value)
        next = next + 1 == values.count ? 0 : next + 1
        count = min(count + 1, values.count)
    }

    /// The moments of the windows that end with the value `lag` before the newest.
    ///
    /// - Parameters:
    ///   - windows: their lengths, ascending.
    ///   - origin: a value in the midst of the series, which keeps the squares small.
    ///   - moments: at least as many as `windows`; those of windows that are longer than what is kept are left as they are.
    /// - Returns: how many windows were full.
    func moments(of windows: [Int], lag: Int = 0, around origin: Double, into moments: inout [Moments]) -> Int {
        var sum = 0.0
        var squares = 0.0
        var taken = 0
        var position = next - lag
        if position < 0 { position += values.count }
        for index in windows.indices {
            let length = windows[index]
            guard length + lag <= count else { return index }
            while taken < length {
                position = position == 0 ? values.count - 1 : position - 1
                let distance = Double(values[position]) - origin
                sum += distance
                squares += distance * distance
                taken += 1
            }
            let mean = sum / Double(length)
            let variance = squares / Double(length) - mean * mean
            // What is left of equal values is rounding.
            let rounding = 1e-12 * mean * mean
            moments[index] = Moments(mean: origin + mean, deviation: variance <= rounding ? 0 : variance.squareRoot())
        }
        return windows.count
    }
}
