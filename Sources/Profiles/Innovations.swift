/// What each step of a series brings that could not be known before: changes on a logarithmic scale, less those that are usual at the time
/// of day and those that follow from the changes before (an autoregression), in robust units.
struct Innovations {
    private static let order = 12
    private static let limit: Float = 4

    /// Per step, with `margin` zeros at both ends and what is needed to fill a vector; 0 where nothing is known. The mean square of those
    /// known is 1.
    private let values: [Float]
    private let margin: Int
    private let count: Int
    private let stepsPerDay: Int
    let known: Int

    init(_ series: [Float], stepsPerDay: Int, margin: Int) {
        self.margin = margin
        self.stepsPerDay = stepsPerDay
        count = series.count
        let changes = Self.changes(series, stepsPerDay: stepsPerDay)
        var rest = Self.withoutMemory(changes)
        var (sum, square, known) = (0.0, 0.0, 0)
        for value in rest where !value.isNaN {
            sum += Double(value)
            square += Double(value * value)
            known += 1
        }
        let mean = Float(sum / Double(max(1, known)))
        let variance = square / Double(max(1, known)) - Double(mean * mean)
        let scale = variance > 1e-12 ? Float(1 / variance.squareRoot()) : 0
        for index in rest.indices { rest[index] = rest[index].isNaN ? 0 : (rest[index] - mean) * scale }
        self.known = scale > 0 ? known : 0
        let filled = (count + 7) / 8 * 8
        let zeros = [Float](repeating: 0, count: margin)
        values = zeros + rest + [Float](repeating: 0, count: filled - count) + zeros + [0, 0, 0, 0]
    }

    /// nan where a change is not known. With three days or more, less the mean at that time of the day; in units of the spread of the hours
    /// around.
    private static func changes(_ series: [Float], stepsPerDay: Int) -> [Float] {
        let middle = series.filter { $0 > 0 }.median
        let offset = middle > 0 ? 0.2 * middle : 1
        var changes = [Float](repeating: .nan, count: series.count)
        var earlier = Double.nan
        for index in series.indices {
            let value = series[index] >= 0 ? logarithmOfOnePlus(Double(series[index]) / offset) : .nan
            changes[index] = Float(value - earlier)
            earlier = value
        }
        let isDaily = stepsPerDay > 1 && series.count >= 3 * stepsPerDay
        let typical = max(Float(changes.deviation(from: 0)), 1e-9)
        for index in changes.indices { changes[index] = clipped(changes[index] / typical, 2 * limit) }
        if isDaily {
            for phase in 0..<stepsPerDay {
                // Not the median: medians of changes do not add up to a change, and what is left of them would return every day.
                let places = stride(from: phase, to: changes.count, by: stepsPerDay)
                let mean = Float(places.map { changes[$0] }.mean)
                for place in places { changes[place] -= mean }
            }
        }
        let hour = max(6, stepsPerDay / 24)
        changes = withoutSlope(changes, reach: hour)
        // Some hours, and some days, are more nervous than others.
        let spreads = movingMean(changes.map { abs($0) }, reach: 3 * hour)
        return changes.indices.map { clipped(changes[$0] / max(Float(1.2533 * spreads[$0]), 0.1), limit) }
    }

    /// What is not a number stays so.
    private static func clipped(_ value: Float, _ limit: Float) -> Float { value.isNaN ? value : min(limit, max(-limit, value)) }

    /// Less the mean change of the time around: what a weekend or a holiday does to the pattern is slow, and common to many series.
    private static func withoutSlope(_ changes: [Float], reach: Int) -> [Float] {
        let slopes = movingMean(changes, reach: reach)
        return changes.indices.map { changes[$0] - Float(slopes[$0]) }
    }

    /// Of those known of the values up to `reach` away on both sides; 0 without any.
    private static func movingMean(_ values: [Float], reach: Int) -> [Double] {
        var (sums, counts) = ([0.0], [0.0])
        for value in values {
            sums.append(sums.last! + (value.isNaN ? 0 : Double(value)))
            counts.append(counts.last! + (value.isNaN ? 0 : 1))
        }
        return values.indices.map { index in
            let (from, to) = (max(0, index - reach), min(values.count, index + reach + 1))
            return (sums[to] - sums[from]) / max(1, counts[to] - counts[from])
        }
    }

    /// The errors of the best linear forecast of a step from the ones before (Levinson and Durbin).
    private static func withoutMemory(_ changes: [Float]) -> [Float] {
        let filled = changes.map { $0.isNaN ? 0 : $0 }
        var products = [Double](repeating: 0, count: order + 1)
        for lag in 0...order where lag < filled.count {
            for index in lag..<filled.count { products[lag] += Double(filled[index] * filled[index - lag]) }
        }
        guard products[0] > 0 else { return changes }
        var coefficients = [Double](repeating: 0, count: order + 1)
        var error = products[0] * (1 + 1e-9)
        for step in 1...order {
            var sum = products[step]
            for index in 1..<step { sum -= coefficients[index] * products[step - index] }
            let reflection = sum / error
            let before = coefficients
            coefficients[step] = reflection
            for index in 1..<step { coefficients[index] = before[index] - reflection * before[step - index] }
            error *= 1 - reflection * reflection
        }
        let weights = coefficients.map(Float.init)
        return changes.indices.map { index in
            guard index >= order, !changes[index].isNaN else { return .nan }
            var expected = Float(0)
            for lag in 1...order { expected += weights[lag] * filled[index - lag] }
            return changes[index] - expected
        }
    }

    /// The standard deviation of the sum of the products at one lag if the series are independent: of products as they are, which are larger
    /// where both are nervous at the same time, and with what is left of their memories (Bartlett, 1946).
    func deviation(with other: Innovations, lag: Int) -> Double {
        var squares = 0.0
        for index in max(0, -lag)..<min(count, count - lag) {
            let product = Double(values[margin + index] * other.values[margin + index + lag])
            squares += product * product
        }
        let memory = zip(memory, other.memory).reduce(1) { $0 + 2 * $1.0 * $1.1 }
        return max(squares * max(1, memory), 1e-9).squareRoot()
    }

    /// Autocorrelations from lag 1 up to `margin`, and over whole days: less their median, the days resemble each other less than chance.
    private var memory: [Double] {
        let days = stepsPerDay > 1 ? Array(stride(from: stepsPerDay, to: count, by: stepsPerDay)) : []
        return (Array(1...margin) + days).map { lag in
            var sum = 0.0
            for index in lag..<max(lag, count) { sum += Double(values[margin + index] * values[margin + index - lag]) }
            return sum / Double(max(1, known))
        }
    }

    /// Sums of the products of the values of this series with those of another `lag` steps later.
    ///
    /// - Parameter products: 2 × `lags` + 1 sums, the first for -`lags`.
    func products(with other: Innovations, lags: Int, into products: inout [Float]) {
        precondition(lags <= margin && other.margin == margin && other.count == count, "\(lags) lags of \(margin)")
        values.withUnsafeBytes { mine in
            other.values.withUnsafeBytes { theirs in
                let a = mine.baseAddress! + margin * 4
                var lag = 0
                // Four lags at a time: what is read of this series serves all.
                while lag < products.count {
                    let b = theirs.baseAddress! + (margin + lag - lags) * 4
                    var (s0, s1, s2, s3) = (SIMD8<Float>.zero, SIMD8<Float>.zero, SIMD8<Float>.zero, SIMD8<Float>.zero)
                    for offset in stride(from: 0, to: (count + 7) / 8 * 32, by: 32) {
                        let x = a.loadUnaligned(fromByteOffset: offset, as: SIMD8<Float>.self)
                        s0 += x * b.loadUnaligned(fromByteOffset: offset, as: SIMD8<Float>.self)
                        s1 += x * b.loadUnaligned(fromByteOffset: offset + 4, as: SIMD8<Float>.self)
                        s2 += x * b.loadUnaligned(fromByteOffset: offset + 8, as: SIMD8<Float>.self)
                        s3 += x * b.loadUnaligned(fromByteOffset: offset + 12, as: SIMD8<Float>.self)
                    }
                    products[lag] = s0.sum()
                    if lag + 1 < products.count { products[lag + 1] = s1.sum() }
                    if lag + 2 < products.count { products[lag + 2] = s2.sum() }
                    if lag + 3 < products.count { products[lag + 3] = s3.sum() }
                    lag += 4
                }
            }
        }
    }
}
