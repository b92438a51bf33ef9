/// How much a series rises at each step, in robust units: clipped, and about 0 on average also where the time of day lets it rise slowly.
///
/// A contrast is the mean of the next `reach` values less that of the last ones. From it is taken the median contrast of the hours around
/// this time of the day, and it is divided by their spread: so neither a morning's slope nor a nervous hour counts for much.
struct EdgeContrasts {
    /// A contrast of more spreads than this counts no further.
    private static let limit: Float = 3

    let reach: Int
    /// Per step; nan where it is not known.
    private(set) var values: [Float]
    /// Root of the mean square of `values`.
    private(set) var spread = 0.0

    /// - Parameter first: number of the first step, counted from midnight.
    init(_ series: [Float], reach: Int, first: Int64, stepsPerDay: Int) {
        self.reach = reach
        values = [Float](repeating: .nan, count: series.count)
        guard series.count > 2 * reach else { return }
        let part = 1 / Float(reach)
        for step in reach...(series.count - reach) {
            var (before, after) = (Float(0), Float(0))
            for distance in 0..<reach {
                before += series[step - 1 - distance]
                after += series[step + distance]
            }
            values[step] = (after - before) * part
        }
        standardize(first: first, stepsPerDay: stepsPerDay)
        var (sum, count) = (0.0, 0.0)
        for value in values where !value.isNaN {
            sum += Double(value * value)
            count += 1
        }
        spread = count > 0 ? (sum / count).squareRoot() : 0
    }

    private mutating func standardize(first: Int64, stepsPerDay: Int) {
        let typical = values.reduce((sum: Float(0), count: Float(0))) { $1.isNaN ? $0 : ($0.sum + abs($1), $0.count + 1) }
        guard typical.sum > 0 else { return }
        let least = 0.1 * typical.sum / typical.count
        // With less than two days the hours are not told apart.
        let classes = values.count >= 2 * stepsPerDay ? min(24, stepsPerDay) : 1
        var members = [[Float]](repeating: [], count: classes)
        var classOf = [Int](repeating: 0, count: values.count)
        var phase = StepCalendar.modulo(first, stepsPerDay)
        for step in values.indices {
            classOf[step] = phase * classes / stepsPerDay
            if !values[step].isNaN { members[classOf[step]].append(values[step]) }
            phase = phase + 1 == stepsPerDay ? 0 : phase + 1
        }
        let scales = (0..<classes).map { index -> (center: Float, scale: Float) in
            var around = members[index]
            if classes > 2 { around += members[(index + 1) % classes] + members[(index + classes - 1) % classes] }
            guard !around.isEmpty else { return (0, least) }
            around.sort()
            let center = around[around.count / 2]
            for place in around.indices { around[place] = abs(around[place] - center) }
            around.sort()
            return (center, max(least, 1.4826 * around[around.count / 2]))
        }
        for step in values.indices where !values[step].isNaN {
            let (center, scale) = scales[classOf[step]]
            values[step] = min(Self.limit, max(-Self.limit, (values[step] - center) / scale))
        }
    }

    /// Forgets the ones that see any of these steps.
    mutating func remove(_ steps: Range<Int>) {
        for step in max(0, steps.lowerBound - reach)..<min(values.count, steps.upperBound + reach + 1) { values[step] = .nan }
    }

    /// The evidence for a rise at each phase of a period: the sum of its contrasts in standard deviations of such a sum of any.
    func folded(_ period: Int, first: Int64) -> [Double] {
        var sums = [Float](repeating: 0, count: period)
        var counts = sums
        var phase = StepCalendar.modulo(first, period)
        for value in values {
            if !value.isNaN {
                sums[phase] += value
                counts[phase] += 1
            }
            phase = phase + 1 == period ? 0 : phase + 1
        }
        return (0..<period).map { counts[$0] > 0 && spread > 0 ? Double(sums[$0] / counts[$0].squareRoot()) / spread : 0 }
    }
}
