import NetworkTypes
import Policy

/// Decides what classes are allocated: intent, measured demand and forecasts in, changes with their causes out.
///
/// It is told of every second and has no clock, throws nothing and touches nothing. What it decides it takes for done; who carries it out
/// tells it what really stands (`stand`). Without carrying anything out it tells what it would do, and `scores` how that would have fared.
///
/// Invariants: no allocation is below its floor, nor below the least rate that there is; beyond that, those of a pool are never together more
/// than its capacity, unless they were before, and then they only fall; none is above its ceiling for longer than it takes to lower it; within
/// an interval an allocation stays within the change limit around where it was at the interval's begin, or goes back to what the files say;
/// within a freeze window it stays.
public struct Planner: Sendable {
    /// One second, as it was measured.
    public struct Second: Sendable {
        /// Seconds on any clock that does not go backwards.
        public var now: Double
        /// Of the day, 0 … 1439, on the host's clock.
        public var minute: Int
        /// A planning interval has begun with this second: outlooks are new.
        public var beginsInterval: Bool
        /// By class; a class that was not measured is missing.
        public var demand: [String: Demand]

        public init(now: Double, minute: Int, beginsInterval: Bool, demand: [String: Demand]) {
            self.now = now
            self.minute = minute
            self.beginsInterval = beginsInterval
            self.demand = demand
        }
    }

    /// What a class was asked to carry in a second.
    public struct Demand: Hashable, Sendable {
        public var offered: BitRate
        /// Of what was offered it could not even queue so much.
        public var dropped: BitRate
        /// Packets waited in its queue for their turn: senders may have slowed down.
        public var isWaiting: Bool

        public init(offered: BitRate, dropped: BitRate = BitRate(bitsPerSecond: 0), isWaiting: Bool = false) {
            self.offered = offered
            self.dropped = dropped
            self.isWaiting = isWaiting
        }
    }

    public private(set) var intent: PlanningIntent
    /// The length of an interval, seconds.
    public let interval: Double
    /// What is decided is carried out: what is dropped tells of it.
    public let isCarriedOut: Bool
    public internal(set) var scores: [String: PlanningScore] = [:]
    /// The last changes, oldest first.
    public internal(set) var journal: [PlanningAction] = []
    var classes: [ClassState]
    var count = 0

    /// Changes that are remembered.
    public static let journalLimit = 500

    /// - Parameters:
    ///   - interval: how far apart the outlook's steps are, seconds.
    ///   - isCarriedOut: false: it only tells what it would do.
    ///   - standing: what classes are allocated now, where that is not what the files say.
    public init(_ intent: PlanningIntent, interval: Double, isCarriedOut: Bool = false, standing: [String: BitRate] = [:]) {
        precondition(interval > 0, "interval \(interval) s")
        self.intent = intent
        self.interval = interval
        self.isCarriedOut = isCarriedOut
        classes = intent.classes.map { ClassState(intent: $0, allocation: (standing[$0.name] ?? $0.declared).bitsPerSecond) }
    }

    /// What classes are allocated, as far as the planner knows.
    public var allocations: [String: BitRate] {
        Dictionary(classes.map { ($0.intent.name, BitRate(bitsPerSecond: $0.allocation)) }, uniquingKeysWith: { first, _ in first })
    }

    /// Plans by other declarations from now on. What is known of classes that stay goes on: allocations, changes that are being measured, scores.
    ///
    /// - Parameter standing: of classes that are new.
    public mutating func follow(_ new: PlanningIntent, standing: [String: BitRate] = [:]) {
        let known = Dictionary(classes.map { ($0.intent.name, $0) }, uniquingKeysWith: { first, _ in first })
        let names = Set(new.classes.map(\.name))
        for state in classes where !names.contains(state.intent.name) {
            if let open = state.open { note(open.number) { $0.outcome = .overtaken } }
            scores[state.intent.name] = nil
        }
        intent = new
        classes = new.classes.map { one in
            guard var state = known[one.name] else {
                return ClassState(intent: one, allocation: (standing[one.name] ?? one.declared).bitsPerSecond)
            }
            state.intent = one
            // Places of others are not what they were.
            state.open?.dropsBefore = [:]
            return state
        }
    }

    /// Changes that were decided last could not be carried out: what was before them stands.
    public mutating func fail(_ numbers: [Int], reason: String) {
        for place in journal.indices where numbers.contains(journal[place].number) {
            journal[place].outcome = .failed(reason: reason)
            guard let index = classes.firstIndex(where: { $0.intent.name == journal[place].name }) else { continue }
            classes[index].allocation = journal[place].from.bitsPerSecond
            classes[index].open = nil
        }
    }

    /// Changes were taken back by others: this is what stands.
    public mutating func stand(_ rates: [String: BitRate]) {
        for index in classes.indices {
            guard let rate = rates[classes[index].intent.name], rate.bitsPerSecond != classes[index].allocation else { continue }
            classes[index].allocation = rate.bitsPerSecond
            if let open = classes[index].open { note(open.number) { $0.outcome = .rolledBack(reason: "it was not confirmed in time") } }
            classes[index].open = nil
        }
    }

    /// One second later.
    ///
    /// - Parameter outlooks: by class; of the interval's begin. A class without one is planned by what was measured.
    public mutating func decide(_ second: Second, outlooks: [String: DemandOutlook]) -> PlanningDecision {
        measure(second)
        if second.beginsInterval { for index in classes.indices { classes[index].begin(intervals: leadIntervals(index)) } }
        var decision = PlanningDecision()
        var wishes = classes.indices.map { wish(of: $0, second, outlooks[classes[$0].intent.name]) }
        for index in classes.indices { rollBackIfHarmful(index, second, &wishes[index]) }
        let granted = fit(&wishes, now: second.now, &decision)
        for index in classes.indices {
            let outlook = outlooks[classes[index].intent.name]
            if let action = change(index, to: granted[index], wishes[index], second.now, outlook) { decision.actions.append(action) }
        }
        return decision
    }

    /// Intervals that a class looks ahead.
    func leadIntervals(_ index: Int) -> Int { max(1, Int((classes[index].intent.plan.lead.seconds / interval).rounded(.up))) }
}

/// A class between two seconds.
struct ClassState: Sendable {
    var intent: PlanningIntent.Class
    /// Bits a second.
    var allocation: Double
    /// The allocation when the interval began: what the change limit is about.
    var allocationAtBegin: Double
    /// Of demand.
    var recent = RecentPeak()
    /// Since when less would do, and the highest allocation that was wanted since.
    var lowSince: Double?
    var highestWish = 0.0
    /// The last change, while its effect is measured.
    var open: OpenChange?
    /// Seconds since it was measured last.
    var missed = 0
    /// The share of seconds with drops though no more was asked for than allocated, of about the last minute.
    var dropShare = 0.0
    /// Overload that changes have brought.
    var harm = ChangeHarm()
    /// What did harm, until when it is not done again.
    var barred: Bar?

    struct Bar: Hashable, Sendable {
        /// Not below this, or not above it.
        var rate: Double
        var isBelow: Bool
        var until: Double
    }

    /// A change whose effect is being measured.
    struct OpenChange: Sendable {
        var number: Int
        var since: Double
        var from: Double
        /// Overload: a class concerned was short of its allocation.
        var trial = ChangeTrial()
        /// Of more critical classes with the same pool, by their places: the share of seconds with drops before.
        var dropsBefore: [Int: Double] = [:]
    }

    init(intent: PlanningIntent.Class, allocation: Double) {
        self.intent = intent
        self.allocation = allocation
        allocationAtBegin = allocation
    }

    mutating func begin(intervals: Int) {
        allocationAtBegin = allocation
        recent.begin(intervals: intervals)
    }
}
