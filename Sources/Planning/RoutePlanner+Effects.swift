import Policy

/// Changes, what became of them, and what was learnt from that; as of classes (``Planner``).
extension RoutePlanner {
    /// How fast it is learnt how flows spread.
    private static let learning = 0.2
    /// Below these hundredths, a path's share of the traffic tells nothing of how flows spread.
    private static let tellingPart = 5

    /// Keeps the score, and what the last changes have brought.
    mutating func measure(_ second: Second) {
        var known = second.links
        for (index, route) in routes.enumerated() {
            guard let carried = second.carried[route.name] else { continue }
            let total = carried.reduce(0, +)
            states[index].recent.add(total)
            for (path, interface) in route.interfaces.enumerated() { known[interface]? -= carried[path] }
            guard isCarriedOut, total > 0 else { continue }
            for path in carried.indices where states[index].weights.parts[path] >= Self.tellingPart {
                let skew = max(0.25, min(4, carried[path] / total / states[index].weights.share(path)))
                states[index].skews[path] += Self.learning * (skew - states[index].skews[path])
            }
        }
        for (interface, rate) in known { backgrounds[interface, default: RecentPeak()].add(max(0, rate)) }
        for index in routes.indices where second.carried[routes[index].name] != nil {
            score(index, second)
            look(at: index, second)
        }
    }

    /// The first path that is beyond its limit, with a spread of the route: as measured where it is the one that stands.
    func overfull(_ index: Int, _ weights: PathWeights, _ second: Second) -> Int? {
        let route = routes[index]
        guard let carried = second.carried[route.name] else { return nil }
        let total = carried.reduce(0, +)
        let isMeasured = isCarriedOut && weights == states[index].weights
        return route.limits.indices.first { path in
            guard weights.parts[path] > 0 || isMeasured && carried[path] > 0, let load = second.links[route.interfaces[path]] else {
                return false
            }
            let planned = isMeasured ? load : load - carried[path] + weights.share(path) * total
            return planned > route.limits[path]
        }
    }

    private mutating func score(_ index: Int, _ second: Second) {
        let name = routes[index].name
        var score = scores[name] ?? RouteScore()
        score.seconds += 1
        if overfull(index, states[index].weights, second) != nil { score.overloadPlanned += 1 }
        if overfull(index, PathWeights(of: routes[index].limits.count), second) != nil { score.overloadFirst += 1 }
        scores[name] = score
    }

    private mutating func look(at index: Int, _ second: Second) {
        guard var open = states[index].open else { return }
        open.trial.add(
            with: overfull(index, states[index].weights, second) != nil ? 1 : 0, without: overfull(index, open.from, second) != nil ? 1 : 0)
        states[index].open = open
        let isOver = second.now - open.since >= routes[index].declaration.lead.seconds
        note(open.number) {
            $0.measured = open.trial.effect
            if isOver { $0.outcome = .held }
        }
        if isOver { close(index) }
    }

    private mutating func close(_ index: Int) {
        guard let open = states[index].open else { return }
        states[index].harm.take(open.trial)
        states[index].open = nil
    }

    mutating func note(_ number: Int, _ body: (inout RouteShift) -> Void) {
        guard let place = journal.lastIndex(where: { $0.number == number }) else { return }
        body(&journal[place])
    }

    /// Takes the last change back when it, with those before it, has brought more overload than was promised.
    mutating func rollBackIfHarmful(_ index: Int, _ second: Second, _ wish: inout RouteWish) {
        let (state, declaration) = (states[index], routes[index].declaration)
        guard let open = state.open, !wish.isUrgent, !declaration.freeze.contains(where: { $0.contains(minute: second.minute) }),
            declaration.paths.indices.allSatisfy({ open.from.parts[$0] == 0 || second.usable.contains(declaration.paths[$0].interface) }),
            let reason = state.harm.verdict(on: open.trial, quantile: declaration.quantile)
        else { return }
        states[index].barred = .init(
            isAway: state.weights.remoteness > open.from.remoteness,
            until: second.now + ChangeHarm.pause(lead: declaration.lead, hold: declaration.hold))
        (states[index].harm, states[index].open) = (ChangeHarm(), nil)
        note(open.number) { $0.outcome = .rolledBack(reason: reason) }
        wish = RouteWish(weights: open.from, cause: .rollBack(of: open.number, reason: reason), isUrgent: true)
    }

    /// Takes a new spread for what stands, and writes it down.
    mutating func shift(
        _ index: Int, _ wish: RouteWish, _ demands: [RouteDemand], _ second: Second, _ outlooks: [String: DemandOutlook]
    ) -> RouteShift? {
        let from = states[index].weights
        guard wish.weights != from else { return nil }
        if let open = states[index].open {
            note(open.number) { $0.outcome = .overtaken }
            close(index)
        }
        count += 1
        var shift = RouteShift(number: count, at: second.now, name: routes[index].name, from: from, to: wish.weights, cause: wish.cause)
        if case .expected(let quantiles) = outlooks[routes[index].series] {
            func exceedance(_ weights: PathWeights) -> Double {
                routes[index].limits.indices.map { path in
                    let share = weights.share(path)
                    guard share > 0 else { return 0 }
                    let room = max(0, routes[index].limits[path] - others(index, path: path, demands, outlooks))
                    return quantiles.exceedance(of: room / share, within: leadIntervals(index))
                }.max() ?? 0
            }
            shift.expected = .init(
                seconds: routes[index].declaration.lead.seconds, overloaded: exceedance(wish.weights), overloadedWithout: exceedance(from))
        }
        states[index].weights = wish.weights
        // The change limit is about moves of choice.
        if wish.isUrgent { states[index].weightsAtBegin = wish.weights }
        (states[index].nearSince, states[index].farthest) = (nil, nil)
        states[index].open = .init(number: count, since: second.now, from: from)
        journal.append(shift)
        if journal.count > Planner.journalLimit { journal.removeFirst(journal.count - Planner.journalLimit) }
        return shift
    }
}
