import Forecasting
import NetworkTypes
import Planning
import Policy
import Reports

/// What planning would have made of demand that was recorded: the same planner and forecasts as in the agent, without a kernel.
public struct PlanningReplay {
    let policy: Policy
    /// Bits a second, by class, one mean an interval; NaN: not measured.
    let demand: [String: [Float]]
    let intervalSeconds: Int
    /// Seconds since 1970, UTC; nil: it is not known when that was.
    let start: Int64?

    /// - Parameters:
    ///   - demand: of all classes that are planned, equally long.
    ///   - start: when the first interval began, seconds since 1970; times of day are then UTC. nil: they are counted from 00:00.
    public init(_ policy: Policy, demand: [String: [Float]], intervalSeconds: Int, start: Int64? = nil) {
        precondition(intervalSeconds >= 1 && Set(demand.values.map(\.count)).count == 1, "interval \(intervalSeconds) s")
        self.policy = policy
        self.demand = demand
        self.intervalSeconds = intervalSeconds
        self.start = start
    }

    /// Plans from an interval on; what was before is history. Changes are told up to so many, the newest first.
    public func report(from first: Int, changes most: Int) -> PlanningReport {
        let intent = PlanningIntent(policy)
        let interval = Double(intervalSeconds)
        let start = Double(start ?? 0)
        let forecasts = DemandForecasts(interval: interval, horizon: 288) { fit, bring in bring(fit()) }
        let count = demand.values.first?.count ?? 0
        for (name, values) in demand {
            forecasts.recall(
                name, .init(last: Int64(first) - 1, interval: interval, values: values[..<first].map { $0.isFinite ? $0 : nil }))
        }
        var planner = Planner(intent, interval: interval)
        var view = PlanningMoment(planner: planner, interval: interval)
        func look(_ number: Int) {
            for one in intent.classes {
                let steps = max(1, Int((one.plan.lead.seconds / interval).rounded(.up)))
                view.outlooks[one.name] = forecasts.outlook(one.name, from: Int64(number), steps: steps)
            }
        }
        look(first)
        // Before the first second of the day.
        _ = planner.decide(second(start + Double(first) * interval, begins: true, [:]), outlooks: view.outlooks)
        for number in first..<count {
            view.demand = [:]
            for (name, values) in demand where values[number].isFinite {
                view.demand[name] = .init(offered: BitRate(bitsPerSecond: Double(values[number])))
            }
            for at in 1...intervalSeconds {
                let ends = at == intervalSeconds
                if ends {
                    for (name, values) in demand { forecasts.append(name, values[number], interval: Int64(number)) }
                    look(number + 1)
                }
                let now = start + Double(number) * interval + Double(at)
                view.refusals = planner.decide(second(now, begins: ends, view.demand), outlooks: view.outlooks).refusals
            }
        }
        view.planner = planner
        var report = view.report(
            at: start + Double(count) * interval, since: start + Double(first) * interval, mode: "replay", changes: most)
        if self.start == nil { report.isCounted = true }
        return report
    }

    private func second(_ now: Double, begins: Bool, _ demand: [String: Planner.Demand]) -> Planner.Second {
        .init(now: now, minute: Int(now.truncatingRemainder(dividingBy: 86_400) / 60), beginsInterval: begins, demand: demand)
    }
}
