import NetworkTypes

extension Planner {
    /// What classes go to, so that no pool is overbooked, but for what is promised in any case. Those who are short are told.
    mutating func fit(_ wishes: inout [Wish], now: Double, _ decision: inout PlanningDecision) -> [Double] {
        var next = classes.indices.map { timed($0, &wishes[$0], now) }
        for pool in intent.pools.indices {
            let members = classes.indices.filter { classes[$0].intent.pools.contains(pool) }
            let capacity = intent.pools[pool].capacity.bitsPerSecond
            guard members.reduce(0, { $0 + next[$1] }) > capacity else { continue }
            let before = next
            share(pool, members, capacity, &next, &wishes)
            // What another pool had no room for is not there in this one's stead.
            if pool > 0 {
                for index in members where classes[index].intent.pools.count > 1 { next[index] = min(next[index], before[index]) }
            }
        }
        for index in classes.indices {
            if wishes[index].frozen == nil { next[index] = max(next[index], classes[index].intent.least.bitsPerSecond) }
            if let window = wishes[index].frozen {
                decision.refusals.append(.init(name: classes[index].intent.name, reason: .frozen(window)))
            }
            decision.refusals += wishes[index].kept.map { .init(name: classes[index].intent.name, reason: $0) }
        }
        return next
    }

    /// Criticality decides: first what each class should have is found, then each goes there as far as its change limit and the room that
    /// the others leave allow.
    private func share(_ pool: Int, _ members: [Int], _ capacity: Double, _ next: inout [Double], _ wishes: inout [Wish]) {
        let frozen = members.filter { wishes[$0].frozen != nil }
        let free = members.filter { wishes[$0].frozen == nil }
        let room = max(0, capacity - frozen.reduce(0) { $0 + classes[$1].allocation })
        let claims = free.map { index in
            CapacityShare.Claim(
                want: wishes[index].need, floor: classes[index].intent.least.bitsPerSecond,
                criticality: classes[index].intent.plan.criticality, weight: classes[index].intent.plan.weight)
        }
        let grants = CapacityShare.grants(claims, capacity: room)
        // Down first: nobody goes up into what is not free yet. Who holds on to more than it needs keeps what nobody else wants.
        var spare = max(0, room - grants.reduce(0, +))
        for (place, index) in free.enumerated().sorted(by: { precedes($0.element, $1.element) }) {
            let current = classes[index].allocation
            var target = grants[place]
            if next[index] > target {
                let kept = min(spare, next[index] - target)
                target += kept
                spare -= kept
            }
            let wished = next[index]
            next[index] = target < current ? max(target, changeBounds(index).lowerBound) : current
            if next[index] < min(wished, current) { wishes[index].cause = .givesWay(pool: intent.pools[pool].name) }
            let short = wishes[index].need - grants[place]
            if short > 1 {
                wishes[index].kept.append(.capacity(pool: intent.pools[pool].name, short: BitRate(bitsPerSecond: short)))
            }
        }
        let taken = members.reduce(0) { $0 + next[$1] }
        let raises = free.indices.map { place in
            let index = free[place]
            let target = min(grants[place], changeBounds(index).upperBound)
            // Not for less than the band.
            let wanted = target > next[index] * (1 + Self.raiseBand) ? target - next[index] : 0
            return CapacityShare.Claim(
                want: wanted, floor: 0, criticality: classes[index].intent.plan.criticality, weight: classes[index].intent.plan.weight)
        }
        for (index, raise) in zip(free, CapacityShare.grants(raises, capacity: max(0, capacity - taken))) { next[index] += raise }
    }

    /// The more critical one first.
    private func precedes(_ one: Int, _ other: Int) -> Bool {
        let (a, b) = (classes[one].intent.plan.criticality, classes[other].intent.plan.criticality)
        return a == b ? one < other : a > b
    }
}
