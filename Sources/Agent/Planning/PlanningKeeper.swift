import Configuration
import Foresight
import Glibc
import Logging
import NetworkTypes
import Planning
import Policy
import Reports

/// Lets the rates of classes follow what is expected of their traffic, as the policy files have it planned. On the agent's thread.
///
/// Once a second it measures what classes were asked to carry, and has the `Planner` decide. In mode `auto` the decisions are carried out
/// by the `PolicyKeeper`; a change has to be confirmed there in time, which is done once its effect was measured and found no worse. In mode
/// `observe` nothing is changed.
final class PlanningKeeper {
    let mode: AgentConfiguration.Planning.Mode
    let forecasts: DemandForecasts
    private(set) var planner: Planner?
    /// What was wanted in the last second and could not be.
    private(set) var refusals: [PlanningRefusal] = []
    /// Expected demand, from the begin of the interval.
    private(set) var outlooks: [String: DemandOutlook] = [:]
    /// Of the last second, by class.
    private(set) var demand: [String: Planner.Demand] = [:]
    /// Why decisions are not carried out now; nil: they are, or it only observes.
    private(set) var pause: String?
    let startedAt = Timestamp.now
    private let began = ContinuousClock.now

    /// Routes, which share the forecasts and the clock of intervals.
    let routes: RouteSteering

    private let keeper: PolicyKeeper
    private let folder: PlanningFolder?
    private let log: Log
    private var meter = DemandMeter()
    private var intent: PlanningIntent?
    private var plans: [PlanDeclaration] = []
    /// What declarations were read from; nil: none yet.
    private var followed: Policy?
    private var number: Int64 = 0
    /// Sum and count of the seconds of the interval, by class.
    private var sums: [String: (sum: Double, seconds: Double)] = [:]
    /// Allocations after each change that is not judged yet, oldest first, with the highest number of its actions.
    private var unjudged: [(number: Int, rates: [String: BitRate])] = []
    private var intervalsSinceKept = 0
    private var told: Set<String> = []

    /// Demand is written down after so many intervals: an hour of a day.
    private static let keepAfter = 12

    init(
        _ configuration: AgentConfiguration, _ keeper: PolicyKeeper, _ log: Log, elsewhere: @escaping DemandForecasts.Elsewhere
    ) {
        mode = configuration.planning.mode
        self.keeper = keeper
        self.log = log
        folder = configuration.planning.state.map { PlanningFolder(path: $0) }
        let clock = StepClock(day: Int(configuration.forecast.day.components.seconds))
        forecasts = DemandForecasts(interval: Double(clock.step), horizon: Self.horizon, elsewhere: elsewhere)
        routes = RouteSteering(mode, forecasts, log)
    }

    /// Intervals ahead that models are fitted for: a day. More is not asked for (`PlanDeclaration.lead`).
    private static let horizon = 288

    /// What an earlier agent has applied goes on; before the policy is put in force.
    func takeOver() {
        guard let folder else { return }
        do {
            guard mode == .auto else { return try folder.removeStanding() }
            // What no rule can have is nobody's allocation.
            let bounds = ShapeRule.rateBounds.lowerBound.bitsPerSecond...ShapeRule.rateBounds.upperBound.bitsPerSecond
            let kept = try folder.readStanding()
            for (name, rate) in kept.sorted(by: { $0.key < $1.key }) where !bounds.contains(rate) {
                log.warning(
                    "planning",
                    ["reason": LogValue("\(folder.path)/standing.json: \(name.visible) has \(rate) bit/s, which no rule can have")])
            }
            let rates = kept.filter { bounds.contains($0.value) }.mapValues { BitRate(bitsPerSecond: $0) }
            keeper.allocations = PlannedAllocations(applied: rates, confirmed: rates, until: nil)
        } catch { complain(error) }
    }

    /// Once a second, as early in it as can be: what is decided is for the next one.
    /// - Parameter report: of the second before.
    func turn(_ report: PolicyReport?, at now: Timestamp) {
        guard mode != .off else { return }
        follow(keeper.policy)
        guard planner != nil || routes.isActive else { return }
        // The clock's time is for intervals and people, and may be set; planning goes by one that nobody sets.
        let steady = Double(startedAt.nanoseconds) / 1e9 + began.duration(to: .now).seconds
        demand = meter.demand(of: Set(plans.map(\.rule)), keeper.shapes, report)
        let begins = gather(Double(now.nanoseconds) / 1e9)
        // Others' changes that wait to be confirmed are theirs to judge.
        pause = mode == .auto && keeper.pending != nil ? "a change of the policy waits to be confirmed" : nil
        routes.turn(now: steady, minute: Self.minute(of: now), beginsInterval: begins, isPaused: pause != nil)
        guard planner != nil, pause == nil else { return }
        followTakenBack()
        let order = Planner.Second(now: steady, minute: Self.minute(of: now), beginsInterval: begins, demand: demand)
        let decision = planner!.decide(order, outlooks: outlooks)
        refusals = decision.refusals
        if mode == .auto { carryOut(decision) }
    }

    /// Plans by other declarations from now on, where they have changed.
    private func follow(_ policy: Policy) {
        guard keeper.isInForce, followed != policy else { return }
        followed = policy
        plans = policy.plans
        let names = Set(plans.map(\.rule))
        do { try routes.follow(policy) } catch { complain(error) }
        if intent == nil { recall() }
        forecasts.forget(except: names.union(routes.series))
        let before = keeper.allocations.applied
        keeper.allocations.keep(only: names)
        if mode == .auto, keeper.allocations.applied != before { keepStanding() }
        let new = PlanningIntent(policy)
        guard new != intent else { return }
        intent = new
        let standing = mode == .auto ? keeper.allocations.applied : [:]
        if names.isEmpty {
            (planner, unjudged, refusals) = (nil, [], [])
        } else if planner != nil {
            planner?.follow(new, standing: standing)
        } else {
            planner = Planner(new, interval: forecasts.interval, isCarriedOut: mode == .auto, standing: standing)
        }
    }

    /// What demand was before this agent. Not at its start: models are fitted by threads, which are to have no privileges.
    private func recall() {
        guard let folder else { return }
        do { for (name, demand) in try folder.readDemand() { forecasts.recall(name, demand) } } catch { complain(error) }
    }

    /// Takes the second that ends now to those of its interval; at the begin of the next one forecasts are made.
    /// - Returns: whether one has begun.
    private func gather(_ second: Double) -> Bool {
        let current = Int64(((second - 1) / forecasts.interval).rounded(.down))
        let next = Int64((second / forecasts.interval).rounded(.down))
        for (name, rate) in demand.mapValues(\.offered.bitsPerSecond).merging(routes.samples, uniquingKeysWith: { $1 }) {
            sums[name, default: (0, 0)].sum += rate
            sums[name, default: (0, 0)].seconds += 1
        }
        let begins = next != current || next != number
        if begins {
            // One that was not seen for the most part is a gap.
            for (name, one) in sums where one.seconds > 0.5 * forecasts.interval && number == current {
                forecasts.append(name, Float(one.sum / one.seconds), interval: number)
            }
            sums = [:]
            number = next
        }
        guard begins else { return false }
        routes.lookAhead(from: next)
        for one in planner?.intent.classes ?? [] {
            let steps = max(1, Int((one.plan.lead.seconds / forecasts.interval).rounded(.up)))
            outlooks[one.name] = forecasts.outlook(one.name, from: next, steps: steps)
        }
        intervalsSinceKept += 1
        if intervalsSinceKept >= Self.keepAfter { keep() }
        return begins
    }

    /// Writes down what demand was.
    func keep() {
        intervalsSinceKept = 0
        guard mode != .off, let folder, planner != nil || routes.isActive else { return }
        do { try folder.write(forecasts.demand) } catch { complain(error) }
    }

    /// Until the last changes are taken back; nil: none waits to be confirmed.
    var confirmWithinSeconds: Double? { keeper.allocations.until.map { max(0, ContinuousClock.now.duration(to: $0).seconds) } }

    /// Nothing that planning has changed stays.
    func withdraw() {
        do { try folder?.removeStanding() } catch { complain(error) }
        routes.withdraw()
    }

    // MARK: Carrying out

    private func carryOut(_ decision: PlanningDecision) {
        guard let planner, let last = decision.actions.last else { return confirm() }
        do {
            try keeper.allocate(planner.allocations, confirmWithin: patience)
            unjudged.append((last.number, planner.allocations))
            confirm()
            keepStanding()
        } catch {
            self.planner?.fail(decision.actions.map(\.number), reason: "\(error)")
            complain(error)
        }
    }

    /// Seconds within which changes have to be confirmed: three times as long as it takes to measure their effect.
    private var patience: Double { max(10, 3 * (planner?.intent.classes.map(\.plan.lead.seconds).max() ?? 0)) }

    /// What really stands: the keeper has taken allocations back by itself.
    private func followTakenBack() {
        guard mode == .auto, let planner else { return }
        let declared = Dictionary(planner.intent.classes.map { ($0.name, $0.declared) }, uniquingKeysWith: { first, _ in first })
        let standing = declared.merging(keeper.allocations.applied) { $1 }
        guard standing != planner.allocations else { return }
        self.planner?.stand(standing)
        unjudged = []
    }

    /// Changes whose effect was measured, and was no worse than without them, are confirmed.
    private func confirm() {
        guard let planner, !unjudged.isEmpty else { return }
        let open = planner.journal.first { $0.outcome == .open }?.number ?? .max
        var judged: [String: BitRate]?
        while let first = unjudged.first, first.number < open { judged = unjudged.removeFirst().rates }
        guard let judged else { return }
        keeper.allocations.confirm(judged, confirmUntil: .now + .seconds(patience))
        keepStanding()
    }

    private func keepStanding() {
        do { try folder?.write(keeper.allocations.applied.mapValues(\.bitsPerSecond)) } catch { complain(error) }
    }

    /// Says what went wrong, once.
    private func complain(_ error: any Error) {
        guard told.insert("\(error)").inserted else { return }
        log.warning("planning", ["reason": LogValue("\(error)")])
    }

    private static func minute(of now: Timestamp) -> Int {
        var seconds = time_t(now.nanoseconds / 1_000_000_000)
        var local = tm()
        localtime_r(&seconds, &local)
        return Int(local.tm_hour) * 60 + Int(local.tm_min)
    }
}
