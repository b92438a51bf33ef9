/// A series that another one follows.
public struct LeadingCorrelation: Hashable, Sendable {
    /// Indices of the series that were handed in.
    public var leader: Int
    public var follower: Int
    /// Steps from a change of the leader to that of the follower, at least 1.
    public var lag: Int
    /// The correlation of what neither foretells of itself, -1 ... 1: negative where one falls after the other has risen.
    public var correlation: Double
    /// The same in standard deviations of independent series.
    public var score: Double
}

/// Finds series that lead others: this one's traffic rises five minutes before that one's.
///
/// Compared is what is new in each step: the change, less what the time of day and the changes before let expect (`Innovations`). Were
/// only the pattern taken out, any two series with a memory would seem related (Haugh, “Checking the independence of two
/// covariance-stationary time series”, 1976). The threshold is for all pairs and lags together (Bonferroni): of independent series one set in
/// a hundred has any pair.
///
/// Cost: pairs × (2 × `lagLimit` + 1) × values multiplications; see docs/profiles.md.
public enum LeadingCorrelations {
    /// The most series that are compared.
    public static let seriesLimit = 256
    /// The longest lag in steps.
    public static let lagLimit = 24
    /// The chance of finding anything among independent series.
    static let chance = 0.01
    /// How much more the best lag explains than no lag, in standard deviations.
    private static let ahead = 3.0
    private static let fewest = 200

    /// - Parameters:
    ///   - series: at most `seriesLimit`, all with one value for each of the same steps; nan where there is none.
    ///   - stepsPerDay: 0 if there is no daily pattern to take out.
    /// - Returns: one for each pair, the strongest first.
    public static func find(_ series: [[Float]], stepsPerDay: Int) -> [LeadingCorrelation] {
        precondition(series.count <= seriesLimit && series.allSatisfy { $0.count == series[0].count }, "\(series.count) series")
        let lags = lagLimit
        guard let count = series.first?.count, count >= fewest else { return [] }
        let innovations = series.map { Innovations($0, stepsPerDay: stepsPerDay, margin: lags) }
        let usable = innovations.indices.filter { innovations[$0].known >= fewest }
        let tests = Double(usable.count * (usable.count - 1) / 2 * (2 * lags + 1))
        let threshold = normalQuantile(upper: chance / 2 / max(1, tests))
        var found: [LeadingCorrelation] = []
        var products = [Float](repeating: 0, count: 2 * lags + 1)
        for (place, a) in usable.enumerated() {
            for b in usable[(place + 1)...] {
                innovations[a].products(with: innovations[b], lags: lags, into: &products)
                // Lag k of the products: b is k - lags steps later.
                guard let best = products.indices.max(by: { abs(products[$0]) < abs(products[$1]) }), best != lags else { continue }
                let size = (Double(innovations[a].known) * Double(innovations[b].known)).squareRoot()
                guard Double(abs(products[best])) > 0.8 * threshold * size.squareRoot() else { continue }
                // What all lags are like tells of what the two have in common beside a lead.
                let usual = products.map { abs($0) }.median / 0.6745
                let deviation = max(usual, innovations[a].deviation(with: innovations[b], lag: best - lags))
                let (score, atOnce) = (Double(products[best]) / deviation, Double(products[lags]) / deviation)
                guard abs(score) > threshold, abs(score) > abs(atOnce) + ahead else { continue }
                found.append(
                    LeadingCorrelation(
                        leader: best > lags ? a : b, follower: best > lags ? b : a, lag: abs(best - lags),
                        correlation: max(-1, min(1, Double(products[best]) / size)), score: score))
            }
        }
        return found.sorted { abs($0.score) > abs($1.score) }
    }

    /// The point that a normal variable exceeds with that chance, below 0.4: the tail's asymptote, solved by iteration; too high by less than
    /// 0.1, which is on the safe side.
    static func normalQuantile(upper chance: Double) -> Double {
        var z = 3.0
        for _ in 0..<20 { z = max(1, -2 * logarithm(chance * z * 2.5066)).squareRoot() }
        return z
    }
}
