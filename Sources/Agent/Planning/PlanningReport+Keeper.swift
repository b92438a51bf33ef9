import NetworkTypes
import Planning
import Policy
import Reports

/// What a planner knows at a moment, to be told.
struct PlanningMoment {
    var planner: Planner
    var interval: Double
    var demand: [String: Planner.Demand] = [:]
    var outlooks: [String: DemandOutlook] = [:]
    var refusals: [PlanningRefusal] = []

    /// - Parameters:
    ///   - now: seconds since 1970, as `since`.
    ///   - most: changes that are told, the newest first.
    func report(at now: Double, since: Double, mode: String, changes most: Int) -> PlanningReport {
        var report = PlanningReport(at: Self.text(now), mode: mode, intervalSeconds: interval, since: Self.text(since))
        report.classes = planner.intent.classes.map(row)
        report.actions = planner.journal.suffix(most).reversed().map { $0.report(interval: interval) }
        return report
    }

    static func text(_ seconds: Double) -> String { Timestamp(nanoseconds: Int64(seconds * 1e9)).description }

    private func row(_ one: PlanningIntent.Class) -> PlanningReport.Class {
        var row = PlanningReport.Class(
            name: one.name, criticality: one.plan.criticality,
            allocationBitsPerSecond: (planner.allocations[one.name] ?? one.declared).bitsPerSecond,
            declaredBitsPerSecond: one.declared.bitsPerSecond, leastBitsPerSecond: one.least.bitsPerSecond,
            mostBitsPerSecond: one.most.bitsPerSecond, quantile: one.plan.quantile, leadSeconds: one.plan.lead.seconds,
            refusals: refusals.filter { $0.name == one.name }.map(\.reason.words))
        if let pool = one.pools.map({ planner.intent.pools[$0] }).min(by: { $0.capacity < $1.capacity }) {
            (row.pool, row.poolBitsPerSecond) = (pool.name, pool.capacity.bitsPerSecond)
        }
        row.demandBitsPerSecond = demand[one.name]?.offered.bitsPerSecond
        row.droppedBitsPerSecond = demand[one.name]?.dropped.bitsPerSecond
        switch outlooks[one.name] {
        case .expected(let quantiles):
            let steps = max(1, Int((one.plan.lead.seconds / interval).rounded(.up)))
            row.expectedBitsPerSecond = quantiles.peak(one.plan.quantile, within: steps).demand
        case .abstained(let reason): row.abstention = reason
        case nil: row.abstention = "the first interval is not over"
        }
        if let score = planner.scores[one.name], let planned = score.meanPlanned, let declared = score.meanDeclared,
            let mean = score.meanDemand
        {
            row.score = .init(
                seconds: score.seconds, overloadSeconds: score.overloadPlanned, overloadSecondsDeclared: score.overloadDeclared,
                meanAllocation: planned, meanDeclared: declared, meanDemand: mean)
        }
        return row
    }
}

extension PlanningKeeper {
    /// What is planned, what was done, and how it fared.
    /// - Parameter most: changes that are told, the newest first.
    func report(at now: Timestamp, changes most: Int) -> PlanningReport {
        var report = classReport(at: now, changes: most)
        report.paused = pause
        report.confirmWithinSeconds = [confirmWithinSeconds, routes.confirmWithinSeconds].compactMap { $0 }.min()
        routes.tell(&report, changes: most)
        return report
    }

    private func classReport(at now: Timestamp, changes most: Int) -> PlanningReport {
        guard let planner else {
            return PlanningReport(
                at: now.description, mode: mode.rawValue, intervalSeconds: forecasts.interval, since: startedAt.description)
        }
        let moment = PlanningMoment(
            planner: planner, interval: forecasts.interval, demand: demand, outlooks: outlooks, refusals: refusals)
        return moment.report(
            at: Double(now.nanoseconds) / 1e9, since: Double(startedAt.nanoseconds) / 1e9, mode: mode.rawValue, changes: most)
    }
}

extension PlanningRefusal.Reason {
    /// In words.
    var words: String {
        switch self {
        case .capacity(let pool, let short): "\(short) short: \(pool) has no more, and others are as critical or more"
        case .frozen(let window): "nothing is changed from \(window)"
        case .changeLimit(let wanted): "\(wanted) wanted; the change limit spreads it over intervals"
        case .remembered(let rate, let seconds): "beyond \(rate) it did harm before; tried again in \(Duration.seconds(seconds).short)"
        case .ceiling(let wanted): "\(wanted) wanted, more than the ceiling"
        }
    }
}

extension PlanningAction {
    fileprivate func report(interval: Double) -> PlanningReport.Action {
        var report = PlanningReport.Action(
            number: number, at: PlanningMoment.text(at), name: name, fromBitsPerSecond: from.bitsPerSecond,
            toBitsPerSecond: to.bitsPerSecond, cause: "", because: "", outcome: "")
        switch cause {
        case .forecast(let quantile, let demand, let step):
            (report.cause, report.quantile, report.demandBitsPerSecond) = ("forecast", quantile, demand)
            report.horizonSeconds = Double(step) * interval
            let percent = Int((quantile * 100).rounded())
            let rate = BitRate(bitsPerSecond: demand)
            report.because = "the \(percent) % quantile reaches \(rate) within \(Duration.seconds(Double(step) * interval).short)"
        case .recent(let demand, let reason):
            (report.cause, report.demandBitsPerSecond) = ("recent", demand)
            report.because = "\(BitRate(bitsPerSecond: demand)) was the most of late; no forecast: \(reason)"
        case .overload(let demand):
            (report.cause, report.demandBitsPerSecond) = ("overload", demand)
            report.because = "\(BitRate(bitsPerSecond: demand)) was asked for"
        case .givesWay(let pool): (report.cause, report.because) = ("gives-way", "\(pool) is needed by others as critical or more")
        case .rollBack(let number, let why): (report.cause, report.because) = ("roll-back", "change \(number): \(why)")
        }
        (report.expected, report.measured) = (expected?.report, measured?.report)
        (report.outcome, report.reason) = outcome.words
        return report
    }
}

extension PlanningAction.Outcome {
    /// In one word, and why.
    var words: (outcome: String, reason: String?) {
        switch self {
        case .open: ("open", nil)
        case .held: ("held", nil)
        case .overtaken: ("overtaken", nil)
        case .rolledBack(let reason): ("rolled-back", reason)
        case .failed(let reason): ("failed", reason)
        }
    }
}

extension PlanningAction.Effect {
    var report: PlanningReport.Effect {
        .init(seconds: seconds, overloaded: overloaded, overloadedWithout: overloadedWithout)
    }
}
