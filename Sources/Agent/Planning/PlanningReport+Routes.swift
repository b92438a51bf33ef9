import NetworkTypes
import Planning
import Policy
import Reports

extension RouteSteering {
    /// Adds what is planned for routes, what was done, and how it fared.
    func tell(_ report: inout PlanningReport, changes most: Int) {
        guard let planner else { return }
        report.routes = planner.routes.map { row($0, planner) }
        report.shifts = planner.journal.suffix(most).reversed().map { $0.report(interval: planner.interval) }
    }

    private func row(_ route: RouteIntent, _ planner: RoutePlanner) -> PlanningReport.Route {
        let declaration = route.declaration
        let weights = planner.weights[route.name] ?? PathWeights(of: route.limits.count)
        let paths = declaration.paths.enumerated().map { place, path in
            var row = PlanningReport.Path(
                interface: path.interface, gateway: path.gateway?.description, weight: weights.parts[place],
                limitBitsPerSecond: route.limits[place], isUsable: usable.contains(path.interface))
            row.carriedBitsPerSecond = carried[route.name]?[place]
            row.linkBitsPerSecond = links[path.interface]
            return row
        }
        var row = PlanningReport.Route(
            name: route.name, destination: declaration.destination.description, criticality: declaration.criticality, paths: paths,
            quantile: declaration.quantile, leadSeconds: declaration.lead.seconds,
            refusals: refusals.filter { $0.name == route.name }.map(\.reason.words))
        row.demandBitsPerSecond = carried[route.name]?.reduce(0, +)
        row.trouble = actuator.troubles[route.name]
        switch outlooks[route.series] {
        case .expected(let quantiles):
            let steps = max(1, Int((declaration.lead.seconds / planner.interval).rounded(.up)))
            row.expectedBitsPerSecond = quantiles.peak(declaration.quantile, within: steps).demand
        case .abstained(let reason): row.abstention = reason
        case nil: row.abstention = "the first interval is not over"
        }
        row.score = planner.scores[route.name].map {
            .init(seconds: $0.seconds, overloadSeconds: $0.overloadPlanned, overloadSecondsFirst: $0.overloadFirst)
        }
        return row
    }
}

extension RouteRefusal.Reason {
    /// In words.
    fileprivate var words: String {
        switch self {
        case .capacity(let short): "all paths are full: \(BitRate(bitsPerSecond: short)) short"
        case .frozen(let window): "nothing is changed from \(window)"
        case .changeLimit(let wanted): "\(wanted) wanted; the change limit spreads it over intervals"
        case .remembered(let seconds): "that way it did harm before; tried again in \(Duration.seconds(seconds).short)"
        case .noPath: "no path can be used: others' routes stand"
        }
    }
}

extension RouteShift {
    fileprivate func report(interval: Double) -> PlanningReport.Shift {
        var report = PlanningReport.Shift(
            number: number, at: PlanningMoment.text(at), name: name, from: from.parts, to: to.parts, cause: "", because: "",
            series: RouteIntent.series(name), outcome: "")
        switch cause {
        case .forecast(let quantile, let demand, let step):
            (report.cause, report.quantile, report.demandBitsPerSecond) = ("forecast", quantile, demand)
            report.horizonSeconds = Double(step) * interval
            let (percent, rate) = (Int((quantile * 100).rounded()), BitRate(bitsPerSecond: demand))
            report.because = "the \(percent) % quantile reaches \(rate) within \(Duration.seconds(Double(step) * interval).short)"
        case .recent(let demand, let reason):
            (report.cause, report.demandBitsPerSecond) = ("recent", demand)
            report.because = "\(BitRate(bitsPerSecond: demand)) was the most of late; no forecast: \(reason)"
        case .overload(let interface): (report.cause, report.because) = ("overload", "\(interface) carried more than its limit")
        case .pathLost(let interface): (report.cause, report.because) = ("path-lost", "\(interface) cannot be used")
        case .rollBack(let number, let why): (report.cause, report.because) = ("roll-back", "change \(number): \(why)")
        }
        (report.expected, report.measured) = (expected?.report, measured?.report)
        (report.outcome, report.reason) = outcome.words
        return report
    }
}
