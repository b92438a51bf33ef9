import NetworkTypes
import Policy
import TestSupport
import Testing

@testable import Planning

/// What holds whatever is declared, measured and forecast.
struct PlannerPropertyTests {
    private struct World {
        var planner: Planner
        var now = 0.0
        var random: SplitMix64

        init(seed: UInt64) {
            var random = SplitMix64(seed: seed)
            let pools = (0..<random.number(0, 2)).map { index in
                PlanningIntent.Pool(name: "link\(index)", capacity: BitRate(bitsPerSecond: Double(random.number(5, 60)) * 1e6))
            }
            let classes = (0..<random.number(1, 5)).map { index in
                let pool: Int? = pools.isEmpty || random.number(0, 4) == 0 ? nil : random.number(0, pools.count - 1)
                // Now and then it is on both links.
                let all = pool == nil ? [] : random.number(0, 3) == 0 ? Array(pools.indices) : [pool!]
                let plan = PlanDeclaration(
                    rule: "c\(index)", quantile: Double(random.number(50, 95)) / 100, lead: .seconds(random.number(1, 12)),
                    headroom: Double(random.number(0, 40)) / 100, floor: BitRate(bitsPerSecond: Double(random.number(1, 2000)) * 1000),
                    criticality: random.number(0, 3) * 30, weight: random.number(1, 3), change: Double(random.number(5, 150)) / 100,
                    hold: .seconds(random.number(0, 8)),
                    freeze: random.number(0, 3) == 0 ? [DailyWindow(from: 20, until: 30)] : [])
                let most = min(
                    pool.map { pools[$0].capacity } ?? BitRate(bitsPerSecond: 1e9),
                    BitRate(bitsPerSecond: Double(random.number(3, 80)) * 1e6))
                let share = pool.map { pools[$0].capacity.bitsPerSecond / 6 } ?? 5e6
                return PlanningIntent.Class(
                    plan: plan, declared: BitRate(bitsPerSecond: min(share, most.bitsPerSecond)), most: most, pools: all)
            }
            planner = Planner(PlanningIntent(classes: classes, pools: pools), interval: 2, isCarriedOut: random.number(0, 1) == 0)
            self.random = random
        }

        mutating func demand() -> Double { Double(random.number(0, 30_000)) * 1000 }

        mutating func second() -> (second: Planner.Second, decision: PlanningDecision) {
            var demand: [String: Planner.Demand] = [:]
            var outlooks: [String: DemandOutlook] = [:]
            for one in planner.intent.classes {
                if random.number(0, 9) > 0 {
                    let dropped = random.number(0, 9) == 0 ? self.demand() / 10 : 0
                    demand[one.name] = .init(offered: BitRate(bitsPerSecond: self.demand()), dropped: BitRate(bitsPerSecond: dropped))
                }
                switch random.number(0, 5) {
                case 0: outlooks[one.name] = .abstained("too few values")
                case 1: break
                default:
                    let steps = (0..<8).map { _ in (0..<3).map { _ in self.demand() }.sorted() }
                    outlooks[one.name] = .expected(.init(levels: [0.05, 0.5, 0.95], values: steps))
                }
            }
            now += 1
            let second = Planner.Second(
                now: now, minute: Int(now) / 3 % 60, beginsInterval: Int(now) % 2 == 0, demand: demand)
            return (second, planner.decide(second, outlooks: outlooks))
        }
    }

    @Test(arguments: 0..<60 as Range<UInt64>) func `Capacity, floor, ceiling, freeze windows and change limits hold`(seed: UInt64) {
        var world = World(seed: seed)
        var atBegin = world.planner.allocations
        for _ in 0..<300 {
            let before = world.planner.allocations
            let (second, decision) = world.second()
            if second.beginsInterval { atBegin = before }
            let after = world.planner.allocations
            for (index, pool) in world.planner.intent.pools.enumerated() {
                let names = world.planner.intent.classes.filter { $0.pools.contains(index) }
                let (sumBefore, sumAfter) = (
                    names.reduce(0) { $0 + before[$1.name]!.bitsPerSecond }, names.reduce(0) { $0 + after[$1.name]!.bitsPerSecond }
                )
                // Floors stand even where they are more than there is.
                let floors = names.reduce(0) { $0 + $1.least.bitsPerSecond }
                #expect(sumAfter <= max(pool.capacity.bitsPerSecond, sumBefore) + floors + 1, "\(pool.name) at \(second.now)")
            }
            for one in world.planner.intent.classes {
                let (old, new) = (before[one.name]!.bitsPerSecond, after[one.name]!.bitsPerSecond)
                #expect(new <= max(old, one.most.bitsPerSecond))
                #expect(new >= min(old, one.least.bitsPerSecond) - 1)
                if one.plan.freeze.contains(where: { $0.contains(minute: second.minute) }) { #expect(new == old) }
                let begin = atBegin[one.name]!.bitsPerSecond
                let limit = max(begin, one.declared.bitsPerSecond) * one.plan.change + 1
                #expect(
                    new <= max(old, begin + limit, one.least.bitsPerSecond, one.declared.bitsPerSecond) && new >= min(old, begin - limit),
                    "\(one.name) at \(second.now)")
            }
            for action in decision.actions { #expect(action.from == before[action.name] && action.to == after[action.name]) }
            #expect(Set(decision.actions.map(\.name)).count == decision.actions.count)
        }
        #expect(world.planner.journal.count <= Planner.journalLimit)
        #expect(world.planner.journal.contains { $0.measured != nil })
    }

    @Test(arguments: 0..<40 as Range<UInt64>) func `The same seconds give the same decisions`(seed: UInt64) {
        var (one, other) = (World(seed: seed), World(seed: seed))
        for _ in 0..<50 { #expect(one.second().decision == other.second().decision) }
    }

    @Test(arguments: 0..<200 as Range<UInt64>) func `The less critical give way first, and floors last`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let claims = (0..<random.number(1, 8)).map { _ in
            CapacityShare.Claim(
                want: Double(random.number(0, 1000)), floor: Double(random.number(0, 200)), criticality: random.number(0, 3),
                weight: random.number(1, 4))
        }
        let capacity = Double(random.number(0, 3000))
        let grants = CapacityShare.grants(claims, capacity: capacity)
        let promised = claims.reduce(0) { $0 + min($1.floor, $1.want) }
        #expect(grants.reduce(0, +) <= max(capacity, promised) + 1e-6)
        for (claim, grant) in zip(claims, grants) { #expect(grant >= 0 && grant <= claim.want + 1e-6) }
        let isShort = grants.indices.map { grants[$0] < claims[$0].want - 1e-6 }
        let floors = claims.map { min($0.floor, $0.want) }
        if isShort.contains(true) { #expect(grants.reduce(0, +) >= capacity - 1e-6) }
        for one in claims.indices { #expect(grants[one] >= floors[one]) }
        for one in claims.indices where isShort[one] {
            for other in claims.indices where claims[other].criticality < claims[one].criticality {
                // Beyond its floor it gets nothing while a more critical one is short.
                #expect(grants[other] <= floors[other] + 1e-6)
            }
            for other in claims.indices where claims[other].criticality == claims[one].criticality {
                let beyond = (grants[one] - floors[one], grants[other] - floors[other])
                guard grants[one] >= floors[one] - 1e-6 else { continue }
                #expect(beyond.1 / Double(claims[other].weight) <= beyond.0 / Double(claims[one].weight) + 1e-6)
            }
        }
    }
}

extension SplitMix64 {
    /// Both ends included.
    fileprivate mutating func number(_ low: Int, _ high: Int) -> Int { Int.random(in: low...high, using: &self) }
}
