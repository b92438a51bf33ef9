import Forecasting

/// What was forecast of a series and what came: scores by lead over the last week, and the bands of a day to look at.
public struct ForecastRecord: Hashable, Sendable {
    /// Steps ahead that are held against what comes: of 5 minutes that is one step, an hour, 6 hours and a day.
    public static let leads = [1, 12, 72, 288]
    /// Forecasts further ahead than an hour are kept once an hour.
    static let hour = 12
    /// The leads whose bands are kept, as places in `leads`.
    public static let shown = [1, 3]
    private static let days = 7
    private static let bandSteps = 288

    /// What was forecast for a step, some time before it.
    public struct Band: Hashable, Sendable {
        /// Narrower than it could be: there are many of them.
        private var step: UInt32
        public var low: Float
        public var median: Float
        public var high: Float

        /// The step that it is about, since 1970.
        public var index: Int64 { Int64(step) }

        init(index: Int64, low: Float, median: Float, high: Float) {
            step = UInt32(clamping: index)
            self.low = low
            self.median = median
            self.high = high
        }
    }

    struct Waiting: Hashable, Sendable {
        var target: Int64
        var lead: Int
        var naive: Float
        var quantiles: [Float]
    }

    private(set) var waiting: [Waiting] = []
    /// By lead, then by the day of the step modulo 7; the day beside it says which one it is.
    private var scores: [[LeadScore]]
    private var daysOfScores: [Int64]
    /// By place in `shown`, oldest first.
    public private(set) var bands: [[Band]]

    public init() {
        scores = Array(repeating: Array(repeating: LeadScore(), count: Self.days), count: Self.leads.count)
        daysOfScores = Array(repeating: -1, count: Self.days)
        bands = Array(repeating: [], count: Self.shown.count)
    }

    /// Over the last seven days, by place in `leads`.
    public func scores(until index: Int64) -> [LeadScore] {
        let today = index / 288
        return scores.map { days in
            var sum = LeadScore()
            for (day, score) in zip(daysOfScores, days) where day > today - Int64(Self.days) && day <= today { sum += score }
            return sum
        }
    }

    /// Steps that a forecast made after `index` is to have, so that it can be kept.
    static func steps(after index: Int64) -> Int { index % Int64(hour) == 0 ? leads[3] : leads[1] }

    /// Keeps what a forecast says of the leads.
    ///
    /// - Parameters:
    ///   - index: of the last step that the forecast knew.
    ///   - naive: the value of a step a day before, or the nearest to it that there is.
    mutating func keep(_ forecast: Forecast, after index: Int64, naive: (Int64) -> Float) {
        for (place, lead) in Self.leads.enumerated() where lead <= forecast.steps {
            if lead > Self.hour, index % Int64(Self.hour) != 0 { continue }
            let quantiles = Forecast.levels.indices.map { forecast[lead, $0] }
            let before = naive(index + Int64(lead))
            guard !before.isNaN else { continue }
            waiting.append(Waiting(target: index + Int64(lead), lead: place, naive: before, quantiles: quantiles))
        }
    }

    /// Holds a step's value against what was forecast of it.
    mutating func settle(_ index: Int64, _ actual: Float) {
        guard waiting.contains(where: { $0.target <= index }) else { return }
        let day = index / 288
        let slot = Int(day % Int64(Self.days))
        if daysOfScores[slot] != day {
            daysOfScores[slot] = day
            for place in scores.indices { scores[place][slot] = LeadScore() }
        }
        for one in waiting where one.target == index {
            if !actual.isNaN { scores[one.lead][slot].add(one.quantiles, naive: one.naive, actual: actual) }
            guard let shown = Self.shown.firstIndex(of: one.lead) else { continue }
            bands[shown].append(Band(index: index, low: one.quantiles[0], median: one.quantiles[Forecast.median], high: one.quantiles[10]))
            bands[shown].removeAll { $0.index <= index - Int64(Self.bandSteps) }
        }
        waiting.removeAll { $0.target <= index }
    }

    /// The clock was set back: what was forecast of times beyond a day ahead is of another clock.
    mutating func forget(after index: Int64) {
        waiting.removeAll { $0.target > index + Int64(Self.leads[3]) }
        for shown in bands.indices { bands[shown].removeAll { $0.index > index } }
    }

    var bytes: Int {
        waiting.count * (MemoryLayout<Waiting>.stride + 32 + 4 * Forecast.levels.count)
            + Self.leads.count * (32 + Self.days * MemoryLayout<LeadScore>.stride)
            + bands.reduce(0) { $0 + 32 + $1.capacity * MemoryLayout<Band>.stride }
    }
}

extension ForecastRecord {
    private static let version = 1.0

    /// For a store: numbers, exact but for the forecasts' own single precision.
    public var encoded: [Double] {
        var all = [Self.version] + daysOfScores.map(Double.init)
        for days in scores { for score in days { all += score.encoded } }
        for shown in bands {
            all.append(Double(shown.count))
            for band in shown { all += [Double(band.index), Double(band.low), Double(band.median), Double(band.high)] }
        }
        all.append(Double(waiting.count))
        for one in waiting { all += [Double(one.target), Double(one.lead), Double(one.naive)] + one.quantiles.map(Double.init) }
        return all
    }

    /// - Returns: nil for what is not `encoded`.
    public init?(_ encoded: [Double]) {
        self.init()
        var rest = encoded[...]
        func take(_ count: Int) -> ArraySlice<Double>? {
            guard count >= 0, rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
        func takeCount(_ most: Int) -> Int? { take(1)?.first.flatMap { Int(exactly: $0) }.flatMap { (0...most).contains($0) ? $0 : nil } }
        guard take(1)?.first == Self.version, let days = take(Self.days) else { return nil }
        for (slot, day) in days.enumerated() {
            guard let day = Int64(exactly: day) else { return nil }
            daysOfScores[slot] = day
        }
        for lead in scores.indices {
            for slot in 0..<Self.days {
                guard let fields = take(LeadScore.fields), let score = LeadScore(fields) else { return nil }
                scores[lead][slot] = score
            }
        }
        for shown in bands.indices {
            guard let count = takeCount(Self.bandSteps) else { return nil }
            for _ in 0..<count {
                guard let band = take(4).map(Array.init), let index = Int64(exactly: band[0]) else { return nil }
                bands[shown].append(Band(index: index, low: Float(band[1]), median: Float(band[2]), high: Float(band[3])))
            }
        }
        let levels = Forecast.levels.count
        guard let count = takeCount(1000) else { return nil }
        for _ in 0..<count {
            guard let head = take(3).map(Array.init), let quantiles = take(levels), let target = Int64(exactly: head[0]),
                let lead = Int(exactly: head[1]), Self.leads.indices.contains(lead)
            else { return nil }
            waiting.append(Waiting(target: target, lead: lead, naive: Float(head[2]), quantiles: quantiles.map { Float($0) }))
        }
        guard rest.isEmpty else { return nil }
    }
}
