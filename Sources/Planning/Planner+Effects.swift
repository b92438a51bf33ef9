import NetworkTypes
import Policy

/// Changes, what became of them, and what was learnt from that.
extension Planner {
    /// Keeps the score, and what the last changes have brought.
    mutating func measure(_ second: Second) {
        for index in classes.indices {
            guard let demand = second.demand[classes[index].intent.name] else {
                classes[index].missed += 1
                continue
            }
            let offered = demand.offered.bitsPerSecond
            classes[index].recent.add(offered)
            classes[index].missed = 0
            scores[classes[index].intent.name, default: PlanningScore()].add(
                offered: offered, planned: classes[index].allocation, declared: classes[index].intent.declared.bitsPerSecond,
                isHeldBack: isCarriedOut && demand.isWaiting)
            let drops = isDropping(index, demand) ? 1.0 : 0
            classes[index].dropShare += (drops - classes[index].dropShare) / 60
        }
        for index in classes.indices { look(at: index, second) }
    }

    /// Drops though no more was asked for than allocated: it is the link, or others, who have no room for it.
    private func isDropping(_ index: Int, _ demand: Demand) -> Bool {
        isCarriedOut && demand.dropped.bitsPerSecond > 0 && demand.offered.bitsPerSecond <= classes[index].allocation
    }

    private mutating func look(at index: Int, _ second: Second) {
        guard var open = classes[index].open else { return }
        let isOver = second.now - open.since >= classes[index].intent.plan.lead.seconds
        guard let own = second.demand[classes[index].intent.name] else {
            // Others wait to be confirmed after it.
            guard isOver else { return }
            note(open.number) { $0.outcome = open.trial.seconds > 0 ? .held : .failed(reason: "the class was not measured") }
            return close(index)
        }
        var with = own.offered.bitsPerSecond > classes[index].allocation ? 1.0 : 0
        var without = own.offered.bitsPerSecond > open.from ? 1.0 : 0
        for (other, before) in open.dropsBefore {
            guard let demand = second.demand[classes[other].intent.name] else { continue }
            with = max(with, isDropping(other, demand) ? 1 : 0)
            without = max(without, before)
        }
        open.trial.add(with: with, without: without)
        classes[index].open = open
        note(open.number) {
            $0.measured = open.trial.effect
            if isOver { $0.outcome = .held }
        }
        if isOver { close(index) }
    }

    private mutating func close(_ index: Int) {
        guard let open = classes[index].open else { return }
        classes[index].harm.take(open.trial)
        classes[index].open = nil
    }

    mutating func note(_ number: Int, _ body: (inout PlanningAction) -> Void) {
        guard let place = journal.lastIndex(where: { $0.number == number }) else { return }
        body(&journal[place])
    }

    /// Takes the last change back when it, with those before it, has brought more overload than was promised.
    mutating func rollBackIfHarmful(_ index: Int, _ second: Second, _ wish: inout Wish) {
        let state = classes[index]
        let plan = state.intent.plan
        guard let open = state.open, wish.frozen == nil,
            let reason = state.harm.verdict(on: open.trial, quantile: plan.quantile)
        else { return }
        let isBelow = open.from > state.allocation
        classes[index].barred = .init(
            rate: open.from, isBelow: isBelow, until: second.now + ChangeHarm.pause(lead: plan.lead, hold: plan.hold))
        (classes[index].harm, classes[index].open) = (ChangeHarm(), nil)
        note(open.number) { $0.outcome = .rolledBack(reason: reason) }
        let back = max(state.intent.least.bitsPerSecond, min(state.intent.most.bitsPerSecond, open.from))
        wish.rate = isBelow ? max(wish.rate, back) : min(wish.rate, back)
        wish.need = wish.rate
        wish.cause = .rollBack(of: open.number, reason: reason)
        wish.kept = []
    }

    /// Takes a new allocation for what stands, and writes it down.
    mutating func change(_ index: Int, to rate: Double, _ wish: Wish, _ now: Double, _ outlook: DemandOutlook?) -> PlanningAction? {
        let from = classes[index].allocation
        let rate = rate.rounded(.down)
        guard abs(rate - from) >= 1 else { return nil }
        if let open = classes[index].open {
            note(open.number) { $0.outcome = .overtaken }
            close(index)
        }
        count += 1
        var action = PlanningAction(
            number: count, at: now, name: classes[index].intent.name, from: BitRate(bitsPerSecond: from), to: BitRate(bitsPerSecond: rate),
            cause: wish.cause)
        if case .expected(let quantiles) = outlook {
            let steps = leadIntervals(index)
            action.expected = .init(
                seconds: classes[index].intent.plan.lead.seconds, overloaded: quantiles.exceedance(of: rate, within: steps),
                overloadedWithout: quantiles.exceedance(of: from, within: steps))
        }
        classes[index].allocation = rate
        var open = ClassState.OpenChange(number: count, since: now, from: from)
        let criticality = classes[index].intent.plan.criticality
        for other in classes.indices where other != index {
            guard classes[other].intent.pools.contains(where: classes[index].intent.pools.contains),
                classes[other].intent.plan.criticality > criticality
            else { continue }
            open.dropsBefore[other] = classes[other].dropShare
        }
        classes[index].open = open
        journal.append(action)
        if journal.count > Self.journalLimit { journal.removeFirst(journal.count - Self.journalLimit) }
        return action
    }
}
