extension PlanningReport {
    /// A prefix whose traffic is spread over paths. Rates in bits a second.
    public struct Route: Codable, Hashable, Sendable {
        public var name: String
        public var destination: String
        public var criticality: Int
        /// By preference.
        public var paths: [Path]
        /// Of the last second; nil: not measured.
        public var demandBitsPerSecond: Double?
        /// The quantile that is covered, 0 … 1, and how far ahead.
        public var quantile: Double
        public var leadSeconds: Double
        /// That quantile of demand, the highest until then; nil: there is no forecast.
        public var expectedBitsPerSecond: Double?
        /// Why there is none.
        public var abstention: String?
        /// What was wanted in the last second and not done.
        public var refusals: [String]
        /// Why the kernel does not have it as it should be.
        public var trouble: String?
        public var score: RouteScore?

        public init(
            name: String, destination: String, criticality: Int, paths: [Path], quantile: Double, leadSeconds: Double,
            refusals: [String] = []
        ) {
            self.name = name
            self.destination = destination
            self.criticality = criticality
            self.paths = paths
            self.quantile = quantile
            self.leadSeconds = leadSeconds
            self.refusals = refusals
        }
    }

    public struct Path: Codable, Hashable, Sendable {
        public var interface: String
        public var gateway: String?
        /// Hundredths of the route's traffic; in mode `observe` what they would be.
        public var weight: Int
        /// To be filled to, bits a second.
        public var limitBitsPerSecond: Double
        /// What it carries of the route, and in all; nil: not measured.
        public var carriedBitsPerSecond: Double?
        public var linkBitsPerSecond: Double?
        /// It is counted, up, and has a carrier.
        public var isUsable: Bool

        public init(interface: String, gateway: String?, weight: Int, limitBitsPerSecond: Double, isUsable: Bool) {
            self.interface = interface
            self.gateway = gateway
            self.weight = weight
            self.limitBitsPerSecond = limitBitsPerSecond
            self.isUsable = isUsable
        }
    }

    /// Seconds with a path beyond its limit: as planned, and over the first path alone.
    public struct RouteScore: Codable, Hashable, Sendable {
        public var seconds: Int
        public var overloadSeconds: Int
        public var overloadSecondsFirst: Int

        public init(seconds: Int, overloadSeconds: Int, overloadSecondsFirst: Int) {
            self.seconds = seconds
            self.overloadSeconds = overloadSeconds
            self.overloadSecondsFirst = overloadSecondsFirst
        }
    }

    /// A change of how a route is spread.
    public struct Shift: Codable, Hashable, Sendable {
        public var number: Int
        /// RFC 3339.
        public var at: String
        public var name: String
        /// Hundredths, by path.
        public var from: [Int]
        public var to: [Int]
        /// `forecast`, `recent`, `overload`, `path-lost`, `roll-back`.
        public var cause: String
        /// The series that it follows from: `route/NAME`.
        public var series: String
        /// The cause in words.
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
            number: Int, at: String, name: String, from: [Int], to: [Int], cause: String, because: String, series: String, outcome: String
        ) {
            self.number = number
            self.at = at
            self.name = name
            self.from = from
            self.to = to
            self.cause = cause
            self.because = because
            self.series = series
            self.outcome = outcome
        }
    }
}
