/// The scale on which a series is modelled.
///
/// Traffic is multiplicative: a busy hour varies by more bytes than a quiet one. So values that are never negative go through
/// ln(1 + y / offset): a logarithm for large values, and as good as linear for those below the offset, which keeps near-zero values from
/// counting for too much. Others are only divided by their median size.
struct Transform: Hashable, Sendable {
    var isLogarithmic: Bool
    var offset: Double
    /// Where forecasts end, in the series' own unit: a quarter of the range seen beyond its ends. A logarithm would else turn a wide
    /// error into an absurd one.
    var floor: Double
    var ceiling: Double

    /// Offsets in medians of the values above 0: nearly a pure logarithm, a gentle one, and as good as linear.
    static let offsets = [0.05, 0.5, 10]
    /// Where a linear scale ends, in medians: squares of what is farther out would drown everything else in rounding.
    private static let farthest = 1e6

    /// The scales that a series may be modelled on. Without a full day it cannot be told which is right, and the linear one is taken.
    static func candidates(_ values: [Double], season: Season) -> [Transform] {
        let gentle = Transform(values, offset: season.isDaily ? offsets[1] : offsets[2])
        guard season.isDaily, gentle.isLogarithmic else { return [gentle] }
        return offsets.map { Transform(values, offset: $0) }
    }

    /// - Parameters:
    ///   - values: finite.
    ///   - share: the offset in medians of the values above 0, where it is a logarithm.
    private init(_ values: [Double], offset share: Double) {
        var low = Double.infinity
        var high = -Double.infinity
        for value in values {
            low = min(low, value)
            high = max(high, value)
        }
        isLogarithmic = low >= 0
        var sizes = values.map(abs).filter { $0 > 0 }
        offset = sizes.isEmpty ? 1 : sizes.quantile(0.5) * (isLogarithmic ? share : 1)
        let room = 0.25 * (high - low)
        let largest = Double(Float.greatestFiniteMagnitude)
        floor = low >= 0 ? max(0, low - room) : max(-largest, low - room)
        ceiling = min(largest, high + room)
    }

    func forward(_ value: Double) -> Double {
        isLogarithmic ? logarithmOfOnePlus(value / offset) : min(max(value / offset, -Self.farthest), Self.farthest)
    }

    func backward(_ value: Double) -> Double {
        let plain = isLogarithmic ? exponentialMinusOne(min(value, 600)) * offset : value * offset
        return min(max(plain, floor), ceiling)
    }
}

extension [Double] {
    /// The value below which a share of the others lies; reorders the array (Hoare's selection, linear time on average).
    mutating func quantile(_ share: Double) -> Double {
        let target = Swift.min(count - 1, Int(Double(count) * share))
        return withUnsafeMutableBufferPointer { values in
            var low = 0
            var high = values.count - 1
            while low < high {
                let pivot = values[(low + high) / 2]
                var i = low
                var j = high
                while i <= j {
                    while values[i] < pivot { i += 1 }
                    while values[j] > pivot { j -= 1 }
                    if i <= j {
                        values.swapAt(i, j)
                        i += 1
                        j -= 1
                    }
                }
                if target <= j { high = j } else if target >= i { low = i } else { break }
            }
            return values[target]
        }
    }
}
