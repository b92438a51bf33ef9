/// Finds out whether the day really repeats itself after the samples that it should have, and stretches the series if not.
///
/// A collector that loses samples without leaving a gap, or whose clock runs wrong, moves the daily pattern a little every day; after
/// a few weeks every seasonal method compares noon with the night. The lag around seven days at which the series is most like itself
/// tells the true length.
enum DayLength {
    /// Samples a day as the values show it: `day` itself unless another length is better by far, at seven days and at each before.
    static func measured(_ z: [Double], day: Int) -> Double {
        let count = z.count
        let center = 7 * day
        guard day >= 12, count >= center * 8 / 5 else { return Double(day) }
        let stride = max(1, count / 1_500)
        func difference(_ lag: Int) -> Double {
            var sum = 0.0
            var pairs = 0.0
            var i = count - 1
            while i >= lag {
                sum += abs(z[i] - z[i - lag])
                pairs += 1
                i -= stride
            }
            return sum / max(pairs, 1)
        }
        let reach = center / 25
        let expected = difference(center)
        var best = center
        var least = expected
        for lag in (center - reach)...(center + reach) {
            let value = difference(lag)
            if value < least {
                least = value
                best = lag
            }
        }
        // A minimum at the end of the search is a trend, not a period.
        guard least < 0.7 * expected, abs(best - center) < reach - day / 24 else { return Double(day) }
        let length = Double(best) / 7
        for days in 2..<7 where difference(Int((Double(days) * length).rounded())) > difference(days * day) { return Double(day) }
        return length
    }

    /// The series with `ratio` as the distance of its samples, ending with the same value (linear interpolation).
    static func stretched(_ z: [Double], ratio: Double) -> [Double] {
        let count = z.count
        let newCount = Int(Double(count - 1) / ratio) + 1
        return (0..<newCount).map { index in
            let place = max(0, Double(count - 1) - Double(newCount - 1 - index) * ratio)
            let left = min(count - 2, Int(place))
            let share = place - Double(left)
            return z[left] * (1 - share) + z[left + 1] * share
        }
    }
}
