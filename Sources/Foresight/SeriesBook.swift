import Anomalies

/// The series that are watched: each second tells their values, and forecasts are made of those whose step is over.
public struct SeriesBook: Sendable {
    /// What is measured of one series in a second.
    public struct Sample: Sendable {
        public var key: String
        /// In the series' unit: a rate, or a level.
        public var value: Double
        public var standing: Standing

        public init(key: String, value: Double, standing: Standing) {
            self.key = key
            self.value = value
            self.standing = standing
        }
    }

    public enum Standing: Sendable {
        /// Watched from its first second; a second without it is one with nothing.
        case always
        /// Watched from its first second; a second without it was not measured.
        case level
        /// Watched once it was there in half of the seconds of a step: one of many that come and go.
        case earned
    }

    public struct Second: Sendable {
        /// Seconds since 1970.
        public var end: Int64
        /// Seconds.
        public var duration: Double
        public var samples: [Sample]

        public init(end: Int64, duration: Double, samples: [Sample]) {
            self.end = end
            self.duration = duration
            self.samples = samples
        }
    }

    /// What began or ended with a second.
    public struct Finding: Sendable, Hashable {
        public var key: String
        public var began: Anomaly?
        public var ended: Anomaly?
    }

    /// The key of the other of two series that go together, and whether that is the one that explains the other.
    public typealias Partner = @Sendable (String) -> (key: String, isFirst: Bool)?

    public let clock: StepClock
    /// Series at most.
    public let limit: Int
    /// Series that were not watched, for there was no room, in the last step.
    public private(set) var refused = 0
    /// Keys that were watched lately, and whose past is to be looked up.
    public private(set) var newcomers: [String] = []
    private let threshold: Double
    private let partner: Partner
    /// By the place of the first of two that go together.
    private var pairs: [Int: (second: Int, detector: PairDetector)] = [:]
    /// Those that were over with this second, and whether there is one.
    private var looks: [StepMeter.Step?] = []
    /// What was in the past of one of two that go together, until that of the other one is known.
    private var recalled: [Int: [StepMeter.Step]] = [:]
    private var isLook = false
    private var places: [String: Int] = [:]
    private var keys: [String] = []
    private var series: [WatchedSeries] = []
    private var touched: [Int64] = []
    private var candidates: [String: Int] = [:]
    private var refusedKeys: Set<String> = []
    private var window: Int64 = 0
    private var due: [String] = []
    /// Of `due`, from the front.
    private var taken = 0
    private var isDue: Set<String> = []
    private var turns: Int64 = 0

    /// - Parameters:
    ///   - threshold: of anomalies; see `SeriesDetector`.
    ///   - partner: what goes together with a series.
    public init(_ clock: StepClock, limit: Int, threshold: Double, partner: @escaping Partner = { _ in nil }) {
        self.clock = clock
        self.partner = partner
        self.limit = limit
        self.threshold = threshold
    }

    public var count: Int { series.count }
    public var allKeys: [String] { keys }
    public subscript(key: String) -> WatchedSeries? { places[key].map { series[$0] } }
    public var bytes: Int { series.reduce(0) { $0 + $1.bytes } }
    /// Series whose forecasts wait to be made.
    public var waiting: Int { due.count - taken }

    // MARK: Seconds

    public mutating func turn(_ second: Second) -> [Finding] {
        turns += 1
        closeWindow(second.end)
        var findings: [Finding] = []
        for sample in second.samples {
            guard let place = places[sample.key] ?? admit(sample, at: second.end) else { continue }
            guard touched[place] != turns else { continue }
            touched[place] = turns
            turn(place, sample.value, second, &findings)
        }
        for place in series.indices where touched[place] != turns {
            turn(place, series[place].isLevel ? nil : 0, second, &findings)
        }
        if isLook { comparePairs(&findings) }
        isLook = false
        return findings
    }

    /// Of those whose look is over: whether the second still follows the first.
    private mutating func comparePairs(_ findings: inout [Finding]) {
        for first in Array(pairs.keys).sorted() {
            guard let pair = pairs[first], let x = looks[first], let y = looks[pair.second], x.index == y.index else { continue }
            let time = x.index * Int64(clock.look)
            let found = pairs[first]!.detector.observe(x.value, y.value, at: time)
            guard found.began != nil || found.ended != nil else { continue }
            let key = keys[found.isOfFirst ? first : pair.second]
            findings.append(Finding(key: key, began: found.began, ended: found.ended))
        }
    }

    /// Finds what goes together with a series that has just come.
    private mutating func pair(_ place: Int) {
        pairs = pairs.filter { $0.key != place && $0.value.second != place }
        recalled[place] = nil
        guard let partner = partner(keys[place]), let other = places[partner.key] else { return }
        pairs[partner.isFirst ? other : place] = (partner.isFirst ? place : other, PairDetector())
    }

    private mutating func turn(_ place: Int, _ value: Double?, _ second: Second, _ findings: inout [Finding]) {
        let turn = series[place].turn(value, for: second.duration, at: second.end)
        looks[place] = turn.look
        if turn.look != nil { isLook = true }
        if turn.began != nil || turn.ended != nil { findings.append(Finding(key: keys[place], began: turn.began, ended: turn.ended)) }
        if turn.closedStep, isDue.insert(keys[place]).inserted { due.append(keys[place]) }
    }

    private mutating func closeWindow(_ end: Int64) {
        let index = end / Int64(clock.step)
        guard index != window else { return }
        window = index
        candidates.removeAll(keepingCapacity: true)
        refused = refusedKeys.count
        refusedKeys.removeAll(keepingCapacity: true)
    }

    private mutating func admit(_ sample: Sample, at end: Int64) -> Int? {
        if sample.standing == .earned {
            guard sample.value != 0, candidates.count < 16 * limit || candidates[sample.key] != nil else { return nil }
            candidates[sample.key, default: 0] += 1
            guard 2 * candidates[sample.key]! >= clock.step else { return nil }
            candidates[sample.key] = nil
        }
        let new = WatchedSeries(clock, isLevel: sample.standing == .level, threshold: threshold)
        newcomers.append(sample.key)
        if series.count < limit {
            places[sample.key] = series.count
            keys.append(sample.key)
            series.append(new)
            touched.append(0)
            looks.append(nil)
            pair(series.count - 1)
            return series.count - 1
        }
        // The one that has been quiet longest makes room, once that is a day. Looked for once a step for each key.
        guard !refusedKeys.contains(sample.key),
            let quietest = series.indices.min(by: { series[$0].activeAt < series[$1].activeAt }),
            series[quietest].activeAt < end - Int64(clock.day)
        else {
            newcomers.removeLast()
            refusedKeys.insert(sample.key)
            return nil
        }
        places[keys[quietest]] = nil
        places[sample.key] = quietest
        keys[quietest] = sample.key
        series[quietest] = new
        touched[quietest] = 0
        looks[quietest] = nil
        pair(quietest)
        return quietest
    }

    // MARK: The past

    public mutating func takeNewcomers() -> [String] {
        defer { newcomers = [] }
        return newcomers
    }

    /// See `WatchedSeries.replay`.
    public mutating func replay(_ key: String, _ past: [WatchedSeries.Past], hours: [Float] = [], hoursEnd: Int64 = 0) {
        guard let place = places[key] else { return }
        let looks = series[place].replay(past, hours: hours, hoursEnd: hoursEnd)
        recallPair(of: place, looks)
        if isDue.insert(key).inserted { due.append(key) }
    }

    /// Two that go together are held against each other in the past, once that of both is known.
    private mutating func recallPair(of place: Int, _ looks: [StepMeter.Step]) {
        guard let (first, pair) = pairs.first(where: { $0.key == place || $0.value.second == place }) else { return }
        let other = first == place ? pair.second : first
        guard let known = recalled.removeValue(forKey: other) else {
            recalled[place] = looks
            return
        }
        let (own, others) = first == place ? (looks, known) : (known, looks)
        let values = Dictionary(others.map { ($0.index, $0.value) }, uniquingKeysWith: { $1 })
        var detector = PairDetector()
        for look in own {
            guard let value = values[look.index] else { continue }
            _ = detector.observe(look.value, value, at: look.index * Int64(clock.look))
        }
        // A break that went on when the past ended is found again.
        if detector.current == nil { pairs[first]?.detector = detector }
    }

    public mutating func restore(_ key: String, _ record: ForecastRecord) {
        guard let place = places[key] else { return }
        series[place].restore(record)
    }

    // MARK: Forecasts

    /// A forecast that is to be made, apart from the book.
    public struct Task: Sendable {
        public let key: String
        fileprivate let series: WatchedSeries

        /// Milliseconds where a model is fitted.
        public func run() -> Result { Result(key: key, forecasted: series.forecasted()) }
    }

    public struct Result: Sendable {
        public let key: String
        fileprivate let forecasted: WatchedSeries.Forecasted
    }

    public mutating func nextTask() -> Task? {
        while taken < due.count {
            let key = due[taken]
            taken += 1
            isDue.remove(key)
            if 2 * taken > due.count {
                due.removeFirst(taken)
                taken = 0
            }
            if let place = places[key] { return Task(key: key, series: series[place]) }
        }
        return nil
    }

    public mutating func finish(_ result: Result) {
        guard let place = places[result.key] else { return }
        series[place].finish(result.forecasted)
    }
}
