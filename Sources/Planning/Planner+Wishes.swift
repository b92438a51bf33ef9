import NetworkTypes
import Policy

/// What a class should be allocated, before others are asked.
struct Wish: Sendable {
    /// Bits a second.
    var rate: Double
    /// What it would take by demand alone: a class that holds on to more gives way to this when others need it.
    var need: Double
    var cause: PlanningAction.Cause
    var frozen: DailyWindow?
    /// Ceiling, change limit or memory kept it from this.
    var kept: [PlanningRefusal.Reason] = []
}

extension Planner {
    /// A raise smaller than this share is not worth a change, and a lower allocation is not wanted for less than the other one.
    static let raiseBand = 0.005
    static let lowerBand = 0.02
    /// Seconds without a measurement after which a class is left as it is.
    private static let patience = 3

    /// Expected or recent demand with headroom, between floor and ceiling, at its time, within the change limit.
    func wish(of index: Int, _ second: Second, _ outlook: DemandOutlook?) -> Wish {
        let state = classes[index]
        let plan = state.intent.plan
        if let window = plan.freeze.first(where: { $0.contains(minute: second.minute) }) {
            return Wish(rate: state.allocation, need: state.allocation, cause: .givesWay(pool: ""), frozen: window)
        }
        var (demand, cause) = basis(index, outlook)
        let measured = second.demand[state.intent.name]
        if let measured, isShort(state, measured) {
            // What does not get through is not told by what is offered once senders adapt to it.
            var wanted = measured.offered.bitsPerSecond
            if measured.dropped.bitsPerSecond > 0 || measured.isWaiting { wanted = max(wanted, state.allocation) }
            // How much senders would send is not known then. What the files grant is theirs.
            if measured.isWaiting {
                wanted = max(wanted, min(state.intent.declared.bitsPerSecond / (1 + plan.headroom), state.intent.most.bitsPerSecond))
            }
            if wanted >= demand { (demand, cause) = (wanted, .overload(demand: wanted)) }
        } else if measured == nil, demand == 0 || state.missed > Self.patience {
            return Wish(rate: state.allocation, need: state.allocation, cause: cause)
        }
        let wanted = demand * (1 + plan.headroom)
        let need = max(state.intent.least.bitsPerSecond, min(state.intent.most.bitsPerSecond, wanted))
        var wish = Wish(rate: need, need: need, cause: cause)
        if wanted > need * 1.000001 { wish.kept.append(.ceiling(wanted: BitRate(bitsPerSecond: wanted))) }
        if let bar = state.barred, second.now < bar.until, bar.isBelow ? wish.rate < bar.rate : wish.rate > bar.rate {
            wish.rate = bar.isBelow ? max(wish.rate, min(bar.rate, state.allocation)) : min(wish.rate, max(bar.rate, state.allocation))
            wish.kept.append(.remembered(below: BitRate(bitsPerSecond: bar.rate), seconds: bar.until - second.now))
        }
        return wish
    }

    private func isShort(_ state: ClassState, _ measured: Demand) -> Bool {
        measured.offered.bitsPerSecond > state.allocation || measured.dropped.bitsPerSecond > 0 || isCarriedOut && measured.isWaiting
    }

    /// The demand that is to be covered: the forecast's quantile, or without a forecast the highest of late.
    private func basis(_ index: Int, _ outlook: DemandOutlook?) -> (Double, PlanningAction.Cause) {
        let state = classes[index]
        switch outlook {
        case .expected(let quantiles):
            let peak = quantiles.peak(state.intent.plan.quantile, within: leadIntervals(index))
            return (max(0, peak.demand), .forecast(quantile: state.intent.plan.quantile, demand: max(0, peak.demand), step: peak.step))
        case .abstained(let reason): return recent(state, reason)
        case nil: return recent(state, "there is none")
        }
    }

    private func recent(_ state: ClassState, _ reason: String) -> (Double, PlanningAction.Cause) {
        let demand = state.recent.highest
        return (demand, .recent(demand: demand, reason: reason))
    }

    /// Hysteresis and the change limit: what the class goes to if there is room.
    mutating func timed(_ index: Int, _ wish: inout Wish, _ now: Double) -> Double {
        guard wish.frozen == nil else { return classes[index].allocation }
        let current = classes[index].allocation
        let plan = classes[index].intent.plan
        let most = classes[index].intent.most.bitsPerSecond
        // The files have lowered its ceiling.
        guard current <= most else { return min(wish.rate, most) }
        var next = current
        if wish.rate > current * (1 + Self.raiseBand) || wish.rate > current && current < classes[index].intent.least.bitsPerSecond {
            next = wish.rate
            (classes[index].lowSince, classes[index].highestWish) = (nil, 0)
        } else if wish.rate < current * (1 - Self.lowerBand) {
            let since = classes[index].lowSince ?? now
            classes[index].lowSince = since
            classes[index].highestWish = max(classes[index].highestWish, wish.rate)
            // Without a hold time the wish of now; else the highest while it lasted.
            if now - since >= plan.hold.seconds {
                next = plan.hold == .zero ? wish.rate : classes[index].highestWish
                (classes[index].lowSince, classes[index].highestWish) = (nil, 0)
            }
        } else {
            (classes[index].lowSince, classes[index].highestWish) = (nil, 0)
        }
        let bounds = changeBounds(index)
        if !bounds.contains(next) { wish.kept.append(.changeLimit(wanted: BitRate(bitsPerSecond: next))) }
        return max(bounds.lowerBound, min(bounds.upperBound, next))
    }

    /// Where the allocation may be within this interval. Steps are shares of what it has, or of what the files say where that is more: else
    /// the way back from next to nothing takes hours. It comes back to what the files say, or from below the floor, at once.
    func changeBounds(_ index: Int) -> ClosedRange<Double> {
        let state = classes[index]
        let declared = min(state.intent.declared.bitsPerSecond, state.intent.most.bitsPerSecond)
        let step = max(state.allocationAtBegin, declared) * state.intent.plan.change
        let low = min(state.allocation, max(0, state.allocationAtBegin - step))
        let high = max(state.allocation, state.allocationAtBegin + step, declared, state.intent.least.bitsPerSecond)
        return low...high
    }
}
