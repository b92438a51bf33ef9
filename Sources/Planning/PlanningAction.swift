import NetworkTypes
import Policy

/// A change of one class's allocation, why it is made, and what became of it.
public struct PlanningAction: Hashable, Sendable {
    /// Why an allocation is changed.
    public enum Cause: Hashable, Sendable {
        /// The forecast's quantile reaches `demand` bits a second, highest `step` intervals ahead.
        case forecast(quantile: Double, demand: Double, step: Int)
        /// Without a forecast: the highest demand of the last time as long as the lead, and why there is no forecast.
        case recent(demand: Double, reason: String)
        /// More was asked for than there was.
        case overload(demand: Double)
        /// Others that are more critical, or as critical, need what they share.
        case givesWay(pool: String)
        /// An earlier change did harm.
        case rollBack(of: Int, reason: String)
    }

    /// What became of it.
    public enum Outcome: Hashable, Sendable {
        /// Still looked at.
        case open
        /// Looked at for as long as was meant, and not worse than without it.
        case held
        /// The next change came before that.
        case overtaken
        /// Worse than without it, and taken back.
        case rolledBack(reason: String)
        /// It could not be carried out.
        case failed(reason: String)
    }

    /// Shares of time with more demand than allocation, in the class itself and those of its pool that are more critical.
    public struct Effect: Hashable, Sendable {
        /// Seconds that the shares are of.
        public var seconds: Double
        /// With the change.
        public var overloaded: Double
        /// Had the allocation stayed.
        public var overloadedWithout: Double

        public init(seconds: Double, overloaded: Double, overloadedWithout: Double) {
            self.seconds = seconds
            self.overloaded = overloaded
            self.overloadedWithout = overloadedWithout
        }
    }

    /// Counted from 1.
    public var number: Int
    /// Seconds on the clock of those who asked.
    public var at: Double
    public var name: String
    public var from: BitRate
    public var to: BitRate
    public var cause: Cause
    /// nil: there was no forecast to tell.
    public var expected: Effect?
    /// So far, or at its end; nil: nothing was measured yet.
    public var measured: Effect?
    public var outcome = Outcome.open

    public var isRaise: Bool { to > from }
}

/// What was wanted and could not be.
public struct PlanningRefusal: Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        /// The capacity of the pool is not enough for all: the class is short of so much.
        case capacity(pool: String, short: BitRate)
        /// A freeze window.
        case frozen(DailyWindow)
        /// The change limit keeps the allocation short of what is wanted.
        case changeLimit(wanted: BitRate)
        /// Lowering to that level did harm before; it is tried again after so many seconds.
        case remembered(below: BitRate, seconds: Double)
        /// The ceiling.
        case ceiling(wanted: BitRate)
    }

    public var name: String
    public var reason: Reason
}

/// What is to be done, and what was wanted and is not done.
public struct PlanningDecision: Hashable, Sendable {
    /// To be carried out together.
    public var actions: [PlanningAction] = []
    /// One at most for each class and reason, in the order of classes.
    public var refusals: [PlanningRefusal] = []
}
