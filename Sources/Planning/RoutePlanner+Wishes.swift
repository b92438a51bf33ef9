import Policy

/// What a route is expected to carry.
struct RouteDemand: Sendable {
    /// Bits a second.
    var rate: Double
    var cause: RouteShift.Cause
}

/// How a route should be spread, before what may be changed at once is asked.
struct RouteWish: Sendable {
    var weights: PathWeights
    var cause: RouteShift.Cause
    /// No hysteresis, freeze window or change limit holds it up.
    var isUrgent = false
}

extension RoutePlanner {
    /// Less over its limit than this share is not worth moving traffic, and a spread that is nearer by less is not wanted for itself.
    static let overBand = 0.005
    static let nearBand = 0.02

    func demand(of index: Int, _ second: Second, _ outlooks: [String: DemandOutlook]) -> RouteDemand {
        let route = routes[index]
        let quantile = route.declaration.quantile
        var demand: RouteDemand
        switch outlooks[route.series] {
        case .expected(let quantiles):
            let peak = quantiles.peak(quantile, within: leadIntervals(index))
            demand = .init(rate: peak.demand, cause: .forecast(quantile: quantile, demand: peak.demand, step: peak.step))
        case .abstained(let reason): demand = recent(index, reason)
        case nil: demand = recent(index, "there is none")
        }
        // A path that is beyond its limit now: what is asked for counts, if it is more.
        let total = second.total(route.name)
        if total > demand.rate, let path = overfull(index, states[index].weights, second) {
            demand = .init(rate: total, cause: .overload(interface: route.interfaces[path]))
        }
        return demand
    }

    private func recent(_ index: Int, _ reason: String) -> RouteDemand {
        let rate = states[index].recent.highest
        return .init(rate: rate, cause: .recent(demand: rate, reason: reason))
    }

    /// What else an interface is expected to carry, in the same share of futures.
    private func background(_ interface: String, _ index: Int, _ outlooks: [String: DemandOutlook]) -> Double {
        if case .expected(let quantiles) = outlooks[RouteIntent.background(interface)] {
            return quantiles.peak(routes[index].declaration.quantile, within: leadIntervals(index)).demand
        }
        return backgrounds[interface]?.highest ?? 0
    }

    /// What a path is expected to carry beside a route: what is no route's, and what the other routes have there.
    func others(_ index: Int, path: Int, _ demands: [RouteDemand], _ outlooks: [String: DemandOutlook]) -> Double {
        let interface = routes[index].interfaces[path]
        var sum = background(interface, index, outlooks)
        for other in routes.indices where other != index {
            guard let place = routes[other].interfaces.firstIndex(of: interface) else { continue }
            sum += states[other].weights.share(place) * states[other].skews[place] * demands[other].rate
        }
        return sum
    }

    mutating func wish(
        of index: Int, _ demands: [RouteDemand], _ second: Second, _ outlooks: [String: DemandOutlook], _ decision: inout RouteDecision
    ) -> RouteWish {
        let (route, state, demand) = (routes[index], states[index], demands[index])
        let paths = route.limits.indices
        let usable = paths.filter { second.usable.contains(route.interfaces[$0]) }
        func refuse(_ reason: RouteRefusal.Reason) { decision.refusals.append(.init(name: route.name, reason: reason)) }
        guard !usable.isEmpty else {
            refuse(.noPath)
            return RouteWish(weights: state.weights, cause: demand.cause)
        }
        let others = paths.map { self.others(index, path: $0, demands, outlooks) }
        let (target, short) = spread(demand.rate, over: usable, others, route.limits, state.skews)
        if short > Self.overBand * demand.rate { refuse(.capacity(short: short)) }
        if let lost = paths.first(where: { state.weights.parts[$0] > 0 && !usable.contains($0) }) {
            return RouteWish(
                weights: target, cause: .pathLost(interface: route.interfaces[lost]), isUrgent: true)
        }
        if let window = route.declaration.freeze.first(where: { $0.contains(minute: second.minute) }) {
            if target != state.weights { refuse(.frozen(window)) }
            return RouteWish(weights: state.weights, cause: demand.cause)
        }
        let isOver = paths.contains { path in
            let share = state.weights.share(path) * state.skews[path]
            return share > 0 && others[path] + share * demand.rate > route.limits[path] * (1 + Self.overBand)
        }
        return RouteWish(weights: timed(index, target, isOver: isOver, usable, second.now, &decision), cause: demand.cause)
    }

    /// Fills paths by preference up to their limits; what fits nowhere is spread so that all are filled alike.
    /// - Returns: the spread, and what does not fit below the limits, bits a second.
    private func spread(
        _ rate: Double, over usable: [Int], _ others: [Double], _ limits: [Double], _ skews: [Double]
    ) -> (PathWeights, short: Double) {
        var shares = [Double](repeating: 0, count: limits.count)
        var rest = rate
        for path in usable where rest > 0 {
            shares[path] = min(rest, max(0, limits[path] - others[path]) / skews[path])
            rest -= shares[path]
        }
        guard rest > 0 else {
            return (rate > 0 ? PathWeights(shares: shares) : PathWeights(allOver: usable[0], of: limits.count), 0)
        }
        // The level, as a multiple of the limits, at which all of it is placed: it grows with the level.
        func placed(_ level: Double) -> [Double] {
            limits.indices.map { usable.contains($0) ? max(0, level * limits[$0] - others[$0]) / skews[$0] : 0 }
        }
        var (low, high) = (0.0, 2.0)
        while placed(high).reduce(0, +) < rate, high < 1e12 { high *= 2 }
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if placed(middle).reduce(0, +) < rate { low = middle } else { high = middle }
        }
        let level = placed(high)
        return (level.reduce(0, +) > 0 ? PathWeights(shares: level) : PathWeights(allOver: usable[0], of: limits.count), rest)
    }

    /// Hysteresis, memory and the change limit: away at once where a path is too full, back only after there was room for a while.
    private mutating func timed(
        _ index: Int, _ target: PathWeights, isOver: Bool, _ usable: [Int], _ now: Double, _ decision: inout RouteDecision
    ) -> PathWeights {
        let (state, declaration) = (states[index], routes[index].declaration)
        let current = state.weights
        var next = current
        if isOver {
            next = target
            (states[index].nearSince, states[index].farthest) = (nil, nil)
        } else if target.remoteness < current.remoteness - Self.nearBand {
            let since = state.nearSince ?? now
            // A path that was lost meanwhile is none to go back to.
            let before = state.farthest.flatMap { far in
                far.parts.indices.allSatisfy { far.parts[$0] == 0 || usable.contains($0) } ? far : nil
            }
            let farthest = [before, target].compactMap { $0 }.max { $0.remoteness < $1.remoteness }!
            (states[index].nearSince, states[index].farthest) = (since, farthest)
            if now - since >= declaration.hold.seconds { next = declaration.hold == .zero ? target : farthest }
        } else {
            (states[index].nearSince, states[index].farthest) = (nil, nil)
        }
        guard next != current else { return current }
        if let bar = state.barred, now < bar.until, bar.isAway == (next.remoteness > current.remoteness) {
            decision.refusals.append(.init(name: declaration.name, reason: .remembered(seconds: bar.until - now)))
            return current
        }
        // Part of the way, measured from where the interval began.
        let distance = next.distance(to: state.weightsAtBegin)
        guard distance > declaration.change + 1e-9 else { return next }
        decision.refusals.append(.init(name: declaration.name, reason: .changeLimit(wanted: next)))
        let part = declaration.change / distance
        let shares = next.parts.indices.map { path in
            let begin = state.weightsAtBegin.share(path)
            return usable.contains(path) ? begin + part * (next.share(path) - begin) : 0
        }
        return shares.reduce(0, +) > 0 ? PathWeights(shares: shares) : next
    }
}
