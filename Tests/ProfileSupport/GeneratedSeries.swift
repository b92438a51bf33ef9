import TestSupport

/// Series with a known law, from a seed.
public struct GeneratedSeries {
    public var random: SplitMix64

    public init(seed: UInt64) { random = SplitMix64(seed: seed) }

    /// Approximately normal, mean 0, variance 1: the sum of twelve uniform numbers (Irwin–Hall), less 6.
    public mutating func noise() -> Float {
        var sum: Float = -6
        for _ in 0..<12 { sum += Float.random(in: 0..<1, using: &random) }
        return sum
    }

    /// Noise around 100.
    public mutating func flat(_ count: Int, noise size: Float = 10) -> [Float] { (0..<count).map { _ in max(0, 100 + size * noise()) } }

    /// A smooth wave a day between 50 and 150: two parabolas, which is a sine but for 6 %.
    public mutating func daily(_ count: Int, day: Int = 288, noise size: Float = 5) -> [Float] {
        (0..<count).map { step in
            let phase = Float(step % day) / Float(day)
            let half = phase < 0.5 ? phase : phase - 0.5
            return max(0, 100 + (phase < 0.5 ? 1 : -1) * 800 * half * (0.5 - half) + size * noise())
        }
    }

    /// The same on five days, and 40 % of it on the next two.
    public mutating func weekly(_ count: Int, noise size: Float = 4) -> [Float] {
        let noises = (0..<count).map { _ in size * noise() }
        return zip(daily(count, noise: 0), noises).enumerated().map { step, parts in
            max(0, (step / 288 % 7 >= 5 ? 0.4 : 1) * parts.0 + parts.1)
        }
    }

    /// Noise that remembers 90 % of itself.
    public mutating func wandering(_ count: Int) -> [Float] {
        var value: Float = 0
        return (0..<count).map { _ in
            value = 0.9 * value + noise()
            return max(0, 100 + 10 * value)
        }
    }

    /// Bursts of a minute's tail: one in `once` steps begins one of up to eight steps, with sizes over three orders of magnitude; if
    /// `onlyByDay`, in the first half of a day.
    public mutating func bursts(_ count: Int, once: UInt64 = 50, onlyByDay: Bool = false) -> [Float] {
        var (left, size) = (0, Float(0))
        return (0..<count).map { step in
            if left == 0, !onlyByDay || step % 288 < 144, random.once(in: once) {
                left = Int.random(in: 1...8, using: &random)
                let uniform = Float.random(in: 0.001..<1, using: &random)
                size = 50 / uniform.squareRoot()
            }
            left = max(0, left - 1)
            return max(0, 20 + 3 * noise() + (left > 0 ? size : 0))
        }
    }
}

extension [Float] {
    /// With `size` more for `width` steps, every `period` steps from `first` on, on days that are taken.
    public func withEvent(period: Int, first: Int, width: Int, size: Float, on days: (Int) -> Bool = { _ in true }) -> [Float] {
        var values = self
        for start in stride(from: first, to: count - width, by: period) where days(start / 288) {
            for step in start..<(start + width) { values[step] += size }
        }
        return values
    }
}
