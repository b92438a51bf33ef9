import NetworkTypes

/// What a series is expected to do: `GET /v1/forecast`.
public struct ForecastReport: Codable, Hashable, Sendable {
    /// RFC 3339: the beginning of the first step.
    public var from: String
    public var stepSeconds: Int
    /// The subject's key, and its name.
    public var key: String
    public var name: String
    /// `bit/s`, `packet/s`, `B/s`, `B`, `%` or `flows`.
    public var unit: String
    /// Probabilities of the quantiles.
    public var levels: [Double]
    public var directions: [Direction]
    /// RFC 3339: when it was asked for, by the agent's clock. Far after `from` the agent has not got round to what came since.
    public var at: String?

    /// How much of what came lately it does not know: more than two steps, and so not only the one that goes on; nil: it knows all.
    public var secondsLate: Int? {
        guard let at = at.flatMap({ Timestamp(rfc3339: $0) }), let from = Timestamp(rfc3339: from) else { return nil }
        let seconds = Int((at.nanoseconds - from.nanoseconds) / 1_000_000_000)
        return seconds > max(2 * stepSeconds, 10) ? seconds : nil
    }

    public struct Direction: Codable, Hashable, Sendable {
        /// `received` and `sent` of an interface, `to` and `from` of a link, `read` and `written` of disks; empty of a level; else
        /// `to-servers` and `from-servers`.
        public var direction: String
        /// Of the past: steps that were looked at, and those of them that were measured.
        public var steps: Int
        public var measured: Int
        /// The mean of the latest step that was measured.
        public var latest: Double?
        /// The last steps before `from`, oldest first; nil where nothing was measured.
        public var past: [Double?]
        /// By step, then by level; nil where there is none.
        public var quantiles: [[Double]]?
        /// Why there is none.
        public var abstention: String?
        /// Which model this is, and why.
        public var basis: String?
        /// Error of the median in the backtest, beside that of repeating what was a day (or a step) before.
        public var errorAgainstNaive: Double?
        /// Of the daily pattern; 0: none was found, or the history is too short.
        public var samplesPerDay: Int?
        /// How forecasts of it did in the last week; empty before any was held against what came.
        public var accuracy: [ForecastScoreReport]
        /// What was forecast for the past steps, some time before each.
        public var earlier: [Earlier]

        public init(direction: String, steps: Int, measured: Int, latest: Double?, past: [Double?]) {
            self.direction = direction
            self.steps = steps
            self.measured = measured
            self.latest = latest
            self.past = past
            accuracy = []
            earlier = []
        }
    }

    /// Bands that were forecast.
    public struct Earlier: Codable, Hashable, Sendable {
        /// How long before.
        public var leadSeconds: Int
        public var bands: [Band]

        public struct Band: Codable, Hashable, Sendable {
            /// Steps before `from`: 1 is the last whole one.
            public var stepsAgo: Int
            /// 5 %, 50 %, 95 %.
            public var low: Double
            public var median: Double
            public var high: Double

            public init(stepsAgo: Int, low: Double, median: Double, high: Double) {
                self.stepsAgo = stepsAgo
                self.low = low
                self.median = median
                self.high = high
            }
        }

        public init(leadSeconds: Int, bands: [Band]) {
            self.leadSeconds = leadSeconds
            self.bands = bands
        }
    }

    public init(from: String, stepSeconds: Int, key: String, name: String, unit: String, levels: [Double], directions: [Direction]) {
        self.from = from
        self.stepSeconds = stepSeconds
        self.key = key
        self.name = name
        self.unit = unit
        self.levels = levels
        self.directions = directions
    }
}

/// How forecasts of one lead did in the last seven days.
public struct ForecastScoreReport: Codable, Hashable, Sendable {
    /// How long before the step that they were about.
    public var leadSeconds: Int
    /// Forecasts that were held against what came.
    public var count: Int
    /// Mean distance of the median from what came, in the series' unit.
    public var meanError: Double
    /// The same of the whole distribution (CRPS), which counts the width of the intervals too.
    public var meanLoss: Double
    /// Error of the median, and loss, beside the error of the naive forecast; nil where that was never wrong.
    public var errorAgainstNaive: Double?
    public var lossAgainstNaive: Double?
    /// Shares of what came: within 5 to 95 %, within 20 to 80 %, above 95 %.
    public var within90: Double
    public var within60: Double
    public var above95: Double
    public var naive: Naive?

    /// What the naive forecast repeats: the day before, and before there was one the last value.
    public enum Naive: String, Codable, Hashable, Sendable {
        case dayBefore = "day-before"
        case lastValue = "last-value"
        case either
    }

    public init(
        leadSeconds: Int, count: Int, meanError: Double, meanLoss: Double, errorAgainstNaive: Double?, lossAgainstNaive: Double?,
        within90: Double, within60: Double, above95: Double, naive: Naive? = nil
    ) {
        self.leadSeconds = leadSeconds
        self.count = count
        self.meanError = meanError
        self.meanLoss = meanLoss
        self.errorAgainstNaive = errorAgainstNaive
        self.lossAgainstNaive = lossAgainstNaive
        self.within90 = within90
        self.within60 = within60
        self.above95 = above95
        self.naive = naive
    }
}

/// How forecasts did: `GET /v1/forecast/accuracy`.
public struct ForecastAccuracyReport: Codable, Hashable, Sendable {
    public struct Series: Codable, Hashable, Sendable {
        public var key: String
        /// With the direction.
        public var name: String
        public var isBackward: Bool
        public var unit: String
        public var scores: [ForecastScoreReport]

        public init(key: String, name: String, isBackward: Bool, unit: String, scores: [ForecastScoreReport]) {
            self.key = key
            self.name = name
            self.isBackward = isBackward
            self.unit = unit
            self.scores = scores
        }
    }

    /// Series that are watched, the most of them, and those for which there was no room lately.
    public var watched: Int
    public var limit: Int
    public var refused: Int
    /// Those of which something was scored, of all that were asked for.
    public var series: [Series]
    /// How many series have scores, told or not.
    public var scored: Int
    /// Of a step.
    public var stepSeconds: Int?

    public init(watched: Int, limit: Int, refused: Int, series: [Series], scored: Int, stepSeconds: Int? = nil) {
        self.watched = watched
        self.limit = limit
        self.refused = refused
        self.series = series
        self.scored = scored
        self.stepSeconds = stepSeconds
    }
}
