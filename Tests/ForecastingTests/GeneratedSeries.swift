import Forecasting
import TestSupport

/// Series with a known law, from a seed.
struct GeneratedSeries {
    var random: SplitMix64

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    /// Approximately normal, mean 0, variance 1: the sum of twelve uniform numbers (Irwin–Hall), less 6.
    mutating func noise() -> Float {
        var sum: Float = -6
        for _ in 0..<12 { sum += Float.random(in: 0..<1, using: &random) }
        return sum
    }

    /// A triangular day of `day` samples between 50 and 150, on two days of seven only `weekend` of it, with noise.
    mutating func daily(_ count: Int, day: Int, noise size: Float = 5, weekend: Float = 1) -> [Float] {
        (0..<count).map { index in
            let phase = Float(index % day) / Float(day)
            let level = 50 + 200 * min(phase, 1 - phase)
            return (index / day % 7 >= 5 ? weekend : 1) * level + size * noise()
        }
    }

    /// Noise that remembers `memory` of itself.
    mutating func autoregressive(_ count: Int, memory: Float, mean: Float) -> [Float] {
        var value: Float = 0
        return (0..<count).map { _ in
            value = memory * value + noise()
            return mean + value
        }
    }
}

/// The share of values between the 5 % and the 95 % quantile.
func coverage(_ forecast: Forecast, _ actual: some Collection<Float>) -> Double {
    var inside = 0
    for (index, value) in actual.enumerated() where forecast[index + 1, 0] <= value && value <= forecast[index + 1, 10] { inside += 1 }
    return Double(inside) / Double(actual.count)
}

/// The mean distance of the median from the values.
func error(_ forecast: Forecast, _ actual: some Collection<Float>) -> Float {
    var sum: Float = 0
    for (index, value) in actual.enumerated() { sum += abs(forecast[index + 1, Forecast.median] - value) }
    return sum / Float(actual.count)
}
