/// Turns one value after the other into the statistics that the views watch.
struct SeriesStatistics: Sendable {
    /// Mean and deviation forget at this rate, in values.
    private static let memory = 3000.0
    /// So many deviations from the mean count as this many, once the series is so old: one mad value does not hide the next thousand.
    private static let furthest = 100.0
    private static let young = 100
    private static let windows = [12, 24, 48, 144]
    private static let short = [6, 36]
    private static let long = [4, 16, 64]

    private var recent = RecentValues<Double>(capacity: 144)
    /// In the robust scale; the longest context ends half its length ago when it is learnt.
    private var squashed = RecentValues<Float>(capacity: 96)
    /// Against the hour.
    private var residuals = RecentValues<Double>(capacity: 12)
    private var doubleMoments = [RecentValues<Double>.Moments](repeating: .init(), count: 4)
    private var floatMoments = [RecentValues<Float>.Moments](repeating: .init(), count: 3)
    private(set) var mean = 0.0
    private var variance = 0.0
    private(set) var count = 0
    private var robust = RobustScale()
    private var profile = HourlyProfile()
    private var shortContexts = ContextMemory<SIMD4<Float>>(dimensions: 4)
    private var longContexts = ContextMemory<SIMD8<Float>>(dimensions: 6)

    /// Never quite 0.
    var deviation: Double { variance.squareRoot() + 1e-9 * abs(mean) + 1e-12 }

    var bytes: Int {
        recent.bytes + squashed.bytes + residuals.bytes + profile.bytes + shortContexts.bytes + longContexts.bytes
            + doubleMoments.capacity * MemoryLayout<RecentValues<Double>.Moments>.stride
            + floatMoments.capacity * MemoryLayout<RecentValues<Float>.Moments>.stride
    }

    /// Takes in one finite value.
    /// - Parameter views: becomes what each view shows, by `View.rawValue`; NaN where too little is known.
    mutating func update(_ value: Double, at seconds: Int64, into views: inout [Float]) {
        for index in views.indices { views[index] = .nan }
        let mean = mean
        let deviation = deviation
        let reach = Self.furthest * deviation
        let value = count < Self.young || variance == 0 ? value : min(max(value, mean - reach), mean + reach)
        if count > 0 { set(&views, .above, .below, (value - mean) / deviation) }
        let expected = profile.expected(at: seconds)
        if let expected { set(&views, .aboveHour, .belowHour, (value - expected) / deviation) }
        residuals.append(expected.map { value - $0 } ?? 0)
        profile.learn(value, at: seconds)
        if expected != nil, residuals.moments(of: [12], around: 0, into: &doubleMoments) == 1 {
            set(&views, .meanAboveHour, .meanBelowHour, doubleMoments[0].mean / deviation)
        }
        recent.append(value)
        watchWindows(around: mean, deviation: deviation, into: &views)
        learn(value)
        robust.learn(value, deviation: variance.squareRoot(), first: recent.first)
        squashed.append(robust.squashed(value, deviation: variance.squareRoot()))
        watchContexts(into: &views)
    }

    private mutating func learn(_ value: Double) {
        count += 1
        let rate = max(1 / Double(count), 1 / Self.memory)
        let distance = value - mean
        mean += rate * distance
        variance = (1 - rate) * (variance + rate * distance * distance)
    }

    private mutating func watchWindows(around mean: Double, deviation: Double, into views: inout [Float]) {
        let known = recent.moments(of: Self.windows, around: mean, into: &doubleMoments)
        if known > 0 { views[View.spread12.rawValue] = spread(doubleMoments[0], deviation) }
        if known > 2 {
            views[View.spread48.rawValue] = spread(doubleMoments[2], deviation)
            let (new, both) = (doubleMoments[1], doubleMoments[2])
            // The older half of the 48 follows from all of them and the newer half.
            let step = 2 * (new.mean - both.mean)
            let pooled = max(0, 2 * both.deviation * both.deviation - step * step / 2).squareRoot()
            set(&views, .shiftUp, .shiftDown, step / (pooled + 0.05 * deviation))
        }
        if known > 3 { views[View.spread144.rawValue] = spread(doubleMoments[3], deviation) }
    }

    private func spread(_ moments: RecentValues<Double>.Moments, _ deviation: Double) -> Float {
        Float(0.5 * logarithm(moments.deviation * moments.deviation + 1e-6 * deviation * deviation))
    }

    private mutating func watchContexts(into views: inout [Float]) {
        if let context = shortContext(lag: 0) {
            views[View.novelShort.rawValue] = novelty(shortContexts.distance(context))
            if let old = shortContext(lag: 18) { shortContexts.learn(old) }
        }
        if let context = longContext(lag: 0) {
            views[View.novelLong.rawValue] = novelty(longContexts.distance(context))
            if let old = longContext(lag: 32) { longContexts.learn(old) }
        }
    }

    private func novelty(_ distance: Float?) -> Float {
        distance.map { Float(logarithm(Double($0) + 0.02)) } ?? .nan
    }

    private mutating func shortContext(lag: Int) -> SIMD4<Float>? {
        guard squashed.moments(of: Self.short, lag: lag, around: 0, into: &floatMoments) == 2 else { return nil }
        let (a, b) = (floatMoments[0], floatMoments[1])
        return SIMD4(Float(a.mean), Float(a.deviation), Float(b.mean), Float(b.deviation))
    }

    private mutating func longContext(lag: Int) -> SIMD8<Float>? {
        guard squashed.moments(of: Self.long, lag: lag, around: 0, into: &floatMoments) == 3 else { return nil }
        let (a, b, c) = (floatMoments[0], floatMoments[1], floatMoments[2])
        return SIMD8(Float(a.mean), Float(a.deviation), Float(b.mean), Float(b.deviation), Float(c.mean), Float(c.deviation), 0, 0)
    }

    /// The one of two views that `z` speaks for grows by its logarithm; the other is at 0.
    private func set(_ views: inout [Float], _ high: View, _ low: View, _ z: Double) {
        let size = Float(logarithmOfOnePlus(abs(z)))
        views[high.rawValue] = z > 0 ? size : 0
        views[low.rawValue] = z < 0 ? size : 0
    }
}
