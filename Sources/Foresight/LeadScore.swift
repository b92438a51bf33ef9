import Forecasting

/// How forecasts of one lead did: sums over the times that came.
public struct LeadScore: Hashable, Sendable {
    /// Forecasts that were held against what came.
    public internal(set) var count = 0
    /// Of the median, and of repeating what was a day before, in the series' unit.
    public internal(set) var absoluteError = 0.0
    public internal(set) var naiveError = 0.0
    /// Twice the quantile loss, mean of the 10 to 90 % quantiles: the continuous ranked probability score (Gneiting & Raftery 2007, 4.2), nearly.
    public internal(set) var loss = 0.0
    /// What came within 5 to 95 %, and within 20 to 80 %.
    public internal(set) var within90 = 0
    public internal(set) var within60 = 0
    /// What came above the 95 %.
    public internal(set) var above = 0

    public init() {}

    mutating func add(_ quantiles: [Float], naive: Float, actual: Float) {
        let actual = Double(actual)
        count += 1
        absoluteError += abs(Double(quantiles[Forecast.median]) - actual)
        naiveError += abs(Double(naive) - actual)
        var sum = 0.0
        for level in 1...9 {
            let error = actual - Double(quantiles[level])
            sum += 2 * max(Forecast.levels[level] * error, (Forecast.levels[level] - 1) * error)
        }
        loss += sum / 9
        // A quantile that is met counts as within: many series rest at 0.
        if Double(quantiles[0]) <= actual, actual <= Double(quantiles[10]) { within90 += 1 }
        if Double(quantiles[2]) <= actual, actual <= Double(quantiles[8]) { within60 += 1 }
        if actual > Double(quantiles[10]) { above += 1 }
    }

    static func += (sum: inout LeadScore, one: LeadScore) {
        sum.count += one.count
        sum.absoluteError += one.absoluteError
        sum.naiveError += one.naiveError
        sum.loss += one.loss
        sum.within90 += one.within90
        sum.within60 += one.within60
        sum.above += one.above
    }

    static let fields = 7
    var encoded: [Double] {
        [Double(count), absoluteError, naiveError, loss, Double(within90), Double(within60), Double(above)]
    }

    /// - Parameter fields: of `encoded`; nil where they are none.
    init?(_ fields: ArraySlice<Double>) {
        let all = Array(fields)
        guard all.count == Self.fields, all.allSatisfy({ $0.isFinite && $0 >= 0 && $0 < 1e300 }) else { return nil }
        let counts = [all[0], all[4], all[5], all[6]].map { Int(exactly: $0) }
        guard let count = counts[0], let within90 = counts[1], let within60 = counts[2], let above = counts[3] else { return nil }
        (self.count, self.within90, self.within60, self.above) = (count, within90, within60, above)
        (absoluteError, naiveError, loss) = (all[1], all[2], all[3])
    }
}
