import Policy

/// Decides how the traffic of routes is spread over their paths: measured loads and forecasts in, changes with their causes out.
///
/// A route's traffic goes over its first path as long as that path is expected to stay below its limit; what does not fit goes over the next.
/// Where nothing fits, all paths are filled alike. The less critical routes make room first.
///
/// Like ``Planner`` it is told of every second and has no clock, throws nothing and touches nothing; what it decides it takes for done.
///
/// Invariants: weights add up to the whole; a path that cannot be used has none, while another can be; within an interval not more of a
/// route's traffic is moved than the change limit, nor any within a freeze window, unless a path cannot be used.
public struct RoutePlanner: Sendable {
    /// One second, as it was measured.
    public struct Second: Sendable {
        /// Seconds on any clock that does not go backwards.
        public var now: Double
        /// Of the day, 0 … 1439, on the host's clock.
        public var minute: Int
        /// A planning interval has begun with this second: outlooks are new.
        public var beginsInterval: Bool
        /// Bits a second sent over each interface; one that was not measured is missing.
        public var links: [String: Double]
        /// Of those, what is a route's, by path.
        public var carried: [String: [Double]]
        /// Interfaces that packets can be sent over.
        public var usable: Set<String>

        public init(
            now: Double, minute: Int, beginsInterval: Bool, links: [String: Double], carried: [String: [Double]], usable: Set<String>
        ) {
            self.now = now
            self.minute = minute
            self.beginsInterval = beginsInterval
            self.links = links
            self.carried = carried
            self.usable = usable
        }

        func total(_ name: String) -> Double { carried[name]?.reduce(0, +) ?? 0 }
    }

    public let routes: [RouteIntent]
    /// The length of an interval, seconds.
    public let interval: Double
    /// What is decided is carried out: what links carry tells how it turned out.
    public let isCarriedOut: Bool
    public internal(set) var scores: [String: RouteScore] = [:]
    /// The last changes, oldest first.
    public internal(set) var journal: [RouteShift] = []
    var states: [RouteState]
    /// Of what is no route's, by interface.
    var backgrounds: [String: RecentPeak] = [:]
    var count = 0

    /// - Parameters:
    ///   - interval: how far apart the outlook's steps are, seconds.
    ///   - isCarriedOut: false: it only tells what it would do.
    ///   - standing: how routes are spread now, where that is not over the first path alone.
    public init(_ routes: [RouteIntent], interval: Double, isCarriedOut: Bool = false, standing: [String: PathWeights] = [:]) {
        precondition(interval > 0, "interval \(interval) s")
        self.routes = routes
        self.interval = interval
        self.isCarriedOut = isCarriedOut
        states = routes.map { route in
            let weights = standing[route.name].flatMap { $0.parts.count == route.limits.count ? $0 : nil }
            return RouteState(weights: weights ?? PathWeights(of: route.limits.count))
        }
    }

    /// How routes are spread, as far as the planner knows.
    public var weights: [String: PathWeights] {
        Dictionary(zip(routes.map(\.name), states.map(\.weights)), uniquingKeysWith: { first, _ in first })
    }

    /// Changes that were decided last could not be carried out: what was before them stands.
    public mutating func fail(_ numbers: [Int], reason: String) {
        for place in journal.indices where numbers.contains(journal[place].number) {
            journal[place].outcome = .failed(reason: reason)
            guard let index = routes.firstIndex(where: { $0.name == journal[place].name }) else { continue }
            states[index].weights = journal[place].from
            states[index].open = nil
        }
    }

    /// Changes were taken back by others: this is what stands.
    public mutating func stand(_ weights: [String: PathWeights]) {
        for index in states.indices {
            guard let new = weights[routes[index].name], new != states[index].weights else { continue }
            states[index].weights = new
            if let open = states[index].open { note(open.number) { $0.outcome = .rolledBack(reason: "it was not confirmed in time") } }
            states[index].open = nil
        }
    }

    /// One second later.
    ///
    /// - Parameter outlooks: of the interval's begin, by ``RouteIntent/series`` and ``RouteIntent/background(_:)``. What has none is planned
    ///   by what was measured.
    public mutating func decide(_ second: Second, outlooks: [String: DemandOutlook]) -> RouteDecision {
        measure(second)
        if second.beginsInterval { begin() }
        var decision = RouteDecision()
        let demands = states.indices.map { demand(of: $0, second, outlooks) }
        // Who is less critical makes room first; what the others have by then is known.
        let order = states.indices.sorted { (routes[$0].declaration.criticality, $0) < (routes[$1].declaration.criticality, $1) }
        for index in order {
            guard second.carried[routes[index].name] != nil else { continue }
            var wish = wish(of: index, demands, second, outlooks, &decision)
            rollBackIfHarmful(index, second, &wish)
            if let shift = shift(index, wish, demands, second, outlooks) { decision.shifts.append(shift) }
        }
        return decision
    }

    private mutating func begin() {
        for index in states.indices {
            states[index].weightsAtBegin = states[index].weights
            states[index].recent.begin(intervals: leadIntervals(index))
        }
        let longest = states.indices.map(leadIntervals).max() ?? 1
        for interface in backgrounds.keys { backgrounds[interface]?.begin(intervals: longest) }
    }

    /// Intervals that a route looks ahead.
    func leadIntervals(_ index: Int) -> Int { max(1, Int((routes[index].declaration.lead.seconds / interval).rounded(.up))) }
}

/// A route between two seconds.
struct RouteState: Sendable {
    var weights: PathWeights
    /// When the interval began, or after a lost path or a roll-back in it: what the change limit is about.
    var weightsAtBegin: PathWeights
    /// Of the route's traffic.
    var recent = RecentPeak()
    /// How much more than its weight says a path gets: flows are spread, not packets, and they are of different size.
    var skews: [Double]
    /// Since when less remote paths would do, and the most remote spread that was wanted since.
    var nearSince: Double?
    var farthest: PathWeights?
    /// The last change, while its effect is measured.
    var open: OpenShift?
    /// Overload that changes have brought.
    var harm = ChangeHarm()
    var barred: Bar?

    struct Bar: Hashable, Sendable {
        /// Away from the first path, or back to it.
        var isAway: Bool
        var until: Double
    }

    /// A change whose effect is being measured.
    struct OpenShift: Sendable {
        var number: Int
        var since: Double
        var from: PathWeights
        var trial = ChangeTrial()
    }

    init(weights: PathWeights) {
        (self.weights, weightsAtBegin) = (weights, weights)
        skews = weights.parts.map { _ in 1 }
    }
}
