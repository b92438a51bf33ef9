/// What planning does, or would do: `nilo planning --json`.
public struct PlanningReport: Codable, Hashable, Sendable {
    /// RFC 3339.
    public var at: String
    /// `off`, `observe`, `auto`.
    public var mode: String
    public var intervalSeconds: Double
    /// Why nothing is changed though the mode is `auto`.
    public var paused: String?
    /// Seconds until the last changes are taken back unless they are found to do no harm; nil: none waits.
    public var confirmWithinSeconds: Double?
    /// Of a replay of what tells no times: they are counted from 00:00 of 1970-01-01.
    public var isCounted: Bool?
    /// RFC 3339: since when the score is kept.
    public var since: String
    public var classes: [Class]
    /// The last changes, newest first.
    public var actions: [Action]
    public var routes: [Route] = []
    /// The last changes of how routes are spread, newest first.
    public var shifts: [Shift] = []

    public init(at: String, mode: String, intervalSeconds: Double, since: String, classes: [Class] = [], actions: [Action] = []) {
        self.at = at
        self.mode = mode
        self.intervalSeconds = intervalSeconds
        self.since = since
        self.classes = classes
        self.actions = actions
    }

    /// A shaping rule whose allocation is planned. Rates in bits a second.
    public struct Class: Codable, Hashable, Sendable {
        public var name: String
        public var criticality: Int
        /// The link or the rule that it is a share of, and what is there for all planned classes of that.
        public var pool: String?
        public var poolBitsPerSecond: Double?
        /// Of the last second; nil: not measured.
        public var demandBitsPerSecond: Double?
        public var droppedBitsPerSecond: Double?
        /// What it is allocated by planning; in mode `observe` what it would be.
        public var allocationBitsPerSecond: Double
        /// As the policy files have it.
        public var declaredBitsPerSecond: Double
        public var leastBitsPerSecond: Double
        public var mostBitsPerSecond: Double
        /// The quantile that is covered, 0 … 1, and how far ahead.
        public var quantile: Double
        public var leadSeconds: Double
        /// That quantile of demand, the highest until then; nil: there is no forecast.
        public var expectedBitsPerSecond: Double?
        /// Why there is none.
        public var abstention: String?
        /// What was wanted in the last second and not done.
        public var refusals: [String]
        public var score: Score?

        public init(
            name: String, criticality: Int, allocationBitsPerSecond: Double, declaredBitsPerSecond: Double, leastBitsPerSecond: Double,
            mostBitsPerSecond: Double, quantile: Double, leadSeconds: Double, refusals: [String] = []
        ) {
            self.name = name
            self.criticality = criticality
            self.allocationBitsPerSecond = allocationBitsPerSecond
            self.declaredBitsPerSecond = declaredBitsPerSecond
            self.leastBitsPerSecond = leastBitsPerSecond
            self.mostBitsPerSecond = mostBitsPerSecond
            self.quantile = quantile
            self.leadSeconds = leadSeconds
            self.refusals = refusals
        }
    }

    /// Seconds with more demand than allocation, and mean allocations: as planned, and as the policy files have it.
    public struct Score: Codable, Hashable, Sendable {
        public var seconds: Int
        public var overloadSeconds: Int
        public var overloadSecondsDeclared: Int
        public var meanAllocation: Double
        public var meanDeclared: Double
        public var meanDemand: Double

        public init(
            seconds: Int, overloadSeconds: Int, overloadSecondsDeclared: Int, meanAllocation: Double, meanDeclared: Double,
            meanDemand: Double
        ) {
            self.seconds = seconds
            self.overloadSeconds = overloadSeconds
            self.overloadSecondsDeclared = overloadSecondsDeclared
            self.meanAllocation = meanAllocation
            self.meanDeclared = meanDeclared
            self.meanDemand = meanDemand
        }
    }

    /// A change of an allocation.
    public struct Action: Codable, Hashable, Sendable {
        public var number: Int
        /// RFC 3339.
        public var at: String
        public var name: String
        public var fromBitsPerSecond: Double
        public var toBitsPerSecond: Double
        /// `forecast`, `recent`, `overload`, `gives-way`, `roll-back`.
        public var cause: String
        /// The series that it follows from: `class/NAME`.
        public var series: String
        /// The same in words.
        public var because: String
        /// Of a forecast: the quantile, what it is, and how far ahead.
        public var quantile: Double?
        public var demandBitsPerSecond: Double?
        public var horizonSeconds: Double?
        public var expected: Effect?
        public var measured: Effect?
        /// `open`, `held`, `overtaken`, `rolled-back`, `failed`.
        public var outcome: String
        /// Of the last two: why.
        public var reason: String?

        public init(
            number: Int, at: String, name: String, fromBitsPerSecond: Double, toBitsPerSecond: Double, cause: String, because: String,
            outcome: String
        ) {
            self.number = number
            self.at = at
            self.name = name
            self.fromBitsPerSecond = fromBitsPerSecond
            self.toBitsPerSecond = toBitsPerSecond
            self.cause = cause
            series = "class/\(name)"
            self.because = because
            self.outcome = outcome
        }
    }

    /// Shares of time, 0 … 1, with more demand than allocation, or with a path beyond its limit: with the change, and had it not been made.
    public struct Effect: Codable, Hashable, Sendable {
        public var seconds: Double
        public var overloaded: Double
        public var overloadedWithout: Double

        public init(seconds: Double, overloaded: Double, overloadedWithout: Double) {
            self.seconds = seconds
            self.overloaded = overloaded
            self.overloadedWithout = overloadedWithout
        }
    }
}
