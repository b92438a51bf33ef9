/// The past origins that one horizon is fitted and tested on: what could have been known then, and what came.
struct BacktestRows {
    /// At most so many origins, evenly spread.
    static let limit = 400

    /// Distance of the level at an origin from today's, in spreads, at which the origin counts half: what happened at another level says
    /// less, and little after a shift.
    private static let levelReach = 5.0

    let horizon: Int
    let count: Int
    /// Origins that there would be without spreading.
    let available: Int
    /// count × features.
    let x: [Double]
    /// Target less base.
    let y: [Double]
    /// Recency times likeness of the level; 0 for targets that are missing.
    let weights: [Double]
    let totalWeight: Double
    /// The place of each target in the series.
    let targets: [Int]
    /// Each row's block of time.
    let blockOf: [Int]
    /// Blocks of time that a regression is tested on without having seen them.
    static let blocks = 6
    /// Errors that are as good as independent: targets closer than the horizon share what surprised them, and old ones count less.
    let independentCount: Double

    /// - Parameter isMissing: per value of the series; empty if none is.
    /// - Returns: nil if there are fewer than 8 origins.
    init?(_ view: SeriesView, horizon: Int, isMissing: [Bool]) {
        var first = view.day > 0 ? view.day + max(3, view.day / 24) : 6
        if view.count - horizon - first < 30 { first = max(view.day, 1) }
        let available = view.count - horizon - first
        guard available >= 8 else { return nil }
        let stride = (available + Self.limit - 1) / Self.limit
        let count = available / stride
        // Half as much after a week; without a season a month, as there is little to spare.
        let decay = powerOfTwo(-Double(stride) / (view.day > 0 ? Double(7 * view.day) : 720))
        let size = SeriesView.featureCount
        var x = [Double](repeating: 0, count: count * size)
        var y = [Double](repeating: 0, count: count)
        var weights = y
        var targets = [Int](repeating: 0, count: count)
        var recency = 1.0
        let level = view.level(view.count - 1)
        x.withUnsafeMutableBufferPointer { x in
            for row in Swift.stride(from: count - 1, through: 0, by: -1) {
                let origin = view.count - 1 - horizon - (count - 1 - row) * stride
                let target = origin + horizon
                y[row] = view.z[target] - view.features(origin, horizon, into: x.baseAddress! + row * size)
                let distance = (view.level(origin) - level) / (Self.levelReach * view.spread)
                weights[row] = isMissing.isEmpty || !isMissing[target] ? recency / (1 + distance * distance) : 0
                targets[row] = target
                recency *= decay
            }
        }
        self.horizon = horizon
        self.count = count
        self.available = available
        self.x = x
        self.y = y
        self.weights = weights
        let totalWeight = max(weights.reduce(0, +), 1e-12)
        self.totalWeight = totalWeight
        let squares = weights.reduce(1e-30) { $0 + $1 * $1 }
        independentCount = totalWeight * totalWeight / squares * min(1, Double(available) / Double(count) / Double(horizon))
        self.targets = targets
        self.blockOf = (0..<count).map { $0 * Self.blocks / count }
    }

    /// What is left of the targets after a linear combination of the features.
    func errors(of coefficients: [Double], rows: Range<Int>? = nil, into errors: inout [Double]) {
        let size = SeriesView.featureCount
        x.withUnsafeBufferPointer { x in
            coefficients.withUnsafeBufferPointer { coefficients in
                for row in rows ?? 0..<count {
                    let values = x.baseAddress! + row * size
                    // Four sums that do not wait for each other.
                    var sums = SIMD4<Double>.zero
                    var k = 0
                    while k + 4 <= size {
                        let known = SIMD4(values[k], values[k + 1], values[k + 2], values[k + 3])
                        sums += known * SIMD4(coefficients[k], coefficients[k + 1], coefficients[k + 2], coefficients[k + 3])
                        k += 4
                    }
                    var sum = sums.sum()
                    while k < size {
                        sum += coefficients[k] * values[k]
                        k += 1
                    }
                    errors[row] = y[row] - sum
                }
            }
        }
    }

    /// The weighted mean absolute error.
    func loss(_ errors: [Double]) -> Double {
        var sum = 0.0
        for row in 0..<count { sum += weights[row] * abs(errors[row]) }
        return sum / totalWeight
    }
}
