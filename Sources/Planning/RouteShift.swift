import Policy

/// A change of how a route's traffic is spread, why it is made, and what became of it.
public struct RouteShift: Hashable, Sendable {
    public enum Cause: Hashable, Sendable {
        /// By the forecast's quantile of the route and of what else its paths carry, a path would be filled beyond its limit, or there is
        /// room again on one that is preferred: `demand` bits a second of the route, highest `step` intervals ahead.
        case forecast(quantile: Double, demand: Double, step: Int)
        /// Without a forecast: the highest demand of late, and why there is no forecast.
        case recent(demand: Double, reason: String)
        /// A path carried more than its limit.
        case overload(interface: String)
        /// A path can be used no more.
        case pathLost(interface: String)
        /// An earlier change did harm.
        case rollBack(of: Int, reason: String)
    }

    /// Counted from 1, beside those of classes.
    public var number: Int
    /// Seconds on the clock of those who asked.
    public var at: Double
    public var name: String
    public var from: PathWeights
    public var to: PathWeights
    public var cause: Cause
    /// Shares of time with a path beyond its limit; nil: there was no forecast to tell.
    public var expected: PlanningAction.Effect?
    /// So far, or at its end; nil: nothing was measured yet.
    public var measured: PlanningAction.Effect?
    public var outcome = PlanningAction.Outcome.open
}

/// What was wanted for a route and could not be.
public struct RouteRefusal: Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        /// All paths together are not enough: bits a second that do not fit below their limits.
        case capacity(short: Double)
        case frozen(DailyWindow)
        case changeLimit(wanted: PathWeights)
        /// Moving that way did harm before; it is tried again after so many seconds.
        case remembered(seconds: Double)
        /// No path can be used.
        case noPath
    }

    public var name: String
    public var reason: Reason
}

/// How routes fared, and how they would have over their first path alone.
public struct RouteScore: Hashable, Sendable {
    /// Seconds that were measured.
    public internal(set) var seconds = 0
    /// Seconds in which a path carried, or would have carried, more than its limit.
    public internal(set) var overloadPlanned = 0
    public internal(set) var overloadFirst = 0
}

public struct RouteDecision: Hashable, Sendable {
    /// To be carried out together.
    public var shifts: [RouteShift] = []
    public var refusals: [RouteRefusal] = []
}
