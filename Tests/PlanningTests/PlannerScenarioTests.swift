import NetworkTypes
import Policy
import Testing

@testable import Planning

struct PlannerScenarioTests {
    private func rate(_ megabits: Double) -> BitRate { BitRate(bitsPerSecond: megabits * 1e6) }

    private func one(
        _ name: String, declared: Double = 10, most: Double = 100, pool: Int? = nil, quantile: Double = 0.9, lead: Int = 4,
        headroom: Double = 0, floor: Double? = nil, criticality: Int = 50, change: Double = 10, hold: Int = 0, freeze: [DailyWindow] = []
    ) -> PlanningIntent.Class {
        let plan = PlanDeclaration(
            rule: name, quantile: quantile, lead: .seconds(lead), headroom: headroom, floor: floor.map(rate), criticality: criticality,
            change: change, hold: .seconds(hold), freeze: freeze)
        return .init(plan: plan, declared: rate(declared), most: rate(most), pools: pool.map { [$0] } ?? [])
    }

    /// Quantiles of 10, 50 and 90 %, Mbit/s, by step.
    private func expected(_ steps: [[Double]]) -> DemandOutlook {
        .expected(.init(levels: [0.1, 0.5, 0.9], values: steps.map { $0.map { $0 * 1e6 } }))
    }

    private func flat(_ megabits: Double) -> DemandOutlook { expected(Array(repeating: Array(repeating: megabits, count: 3), count: 6)) }

    /// A second in which classes ask for so many Mbit/s.
    private func second(_ now: Double, _ demand: [String: Double], minute: Int = 0, dropped: [String: Double] = [:]) -> Planner.Second {
        var measured: [String: Planner.Demand] = [:]
        for (name, offered) in demand { measured[name] = .init(offered: rate(offered), dropped: rate(dropped[name] ?? 0)) }
        return .init(now: now, minute: minute, beginsInterval: Int(now) % 2 == 0, demand: measured)
    }

    @Test func `An allocation rises before the peak that is forecast and falls after it`() throws {
        var planner = Planner(PlanningIntent(classes: [one("web", headroom: 0.1)], pools: []), interval: 2)
        // The peak of 30 comes in the third step: within a lead of 4 s there are only two.
        let far = planner.decide(second(2, ["web": 9]), outlooks: ["web": expected([[8, 9, 10], [8, 9, 10], [20, 25, 30]])])
        #expect(planner.allocations["web"] == rate(11) && far.actions.count == 1)
        let near = planner.decide(second(4, ["web": 9]), outlooks: ["web": expected([[8, 9, 10], [20, 25, 30], [8, 9, 10]])])
        let action = try #require(near.actions.first)
        #expect(action.to == rate(33) && action.cause == .forecast(quantile: 0.9, demand: 30e6, step: 2))
        let effect = try #require(action.expected)
        #expect(effect.overloaded < effect.overloadedWithout && effect.overloadedWithout > 0.4)
        _ = planner.decide(second(8, ["web": 9]), outlooks: ["web": expected([[8, 9, 10], [8, 9, 10]])])
        #expect(planner.allocations["web"] == rate(11))
    }

    @Test func `Without a forecast it goes by what was measured, and says so`() throws {
        var planner = Planner(PlanningIntent(classes: [one("web", headroom: 0.2)], pools: []), interval: 2)
        _ = planner.decide(second(1, ["web": 20]), outlooks: [:])
        let decision = planner.decide(second(2, ["web": 15]), outlooks: ["web": .abstained("12 values are too few, it takes 24")])
        #expect(planner.allocations["web"] == rate(24))
        #expect(planner.journal[0].cause == .overload(demand: 20e6))
        #expect(decision.actions.isEmpty)
        for now in 3...12 { _ = planner.decide(second(Double(now), ["web": 15]), outlooks: ["web": .abstained("too few")]) }
        #expect(planner.allocations["web"] == rate(18))
        #expect(planner.journal.last?.cause == .recent(demand: 15e6, reason: "too few"))
    }

    @Test func `When the link is too small the less critical class gives way, down to its floor`() {
        let classes = [
            one("voice", declared: 20, most: 100, pool: 0, criticality: 90), one("web", declared: 20, most: 100, pool: 0),
            one("bulk", declared: 20, most: 100, pool: 0, floor: 5, criticality: 10),
        ]
        var planner = Planner(PlanningIntent(classes: classes, pools: [.init(name: "eth0", capacity: rate(60))]), interval: 2)
        let outlooks = ["voice": flat(30), "web": flat(35), "bulk": flat(40)]
        var refusals: [PlanningRefusal] = []
        for now in 1...6 {
            refusals = planner.decide(second(Double(now), ["voice": 10, "web": 10, "bulk": 10]), outlooks: outlooks).refusals
        }
        #expect(planner.allocations == ["voice": rate(30), "web": rate(25), "bulk": rate(5)])
        #expect(refusals.contains { $0.name == "web" && $0.reason == .capacity(pool: "eth0", short: rate(10)) })
        #expect(refusals.contains { $0.name == "bulk" && $0.reason == .capacity(pool: "eth0", short: rate(35)) })
        #expect(!refusals.contains { $0.name == "voice" })
    }

    @Test func `It is lowered after the hold time, and not for a moment`() {
        var planner = Planner(PlanningIntent(classes: [one("web", declared: 20, hold: 5)], pools: []), interval: 2)
        for now in 1...4 { _ = planner.decide(second(Double(now), ["web": 5]), outlooks: ["web": flat(8)]) }
        _ = planner.decide(second(5, ["web": 5]), outlooks: ["web": flat(20)])
        for now in 6...10 { _ = planner.decide(second(Double(now), ["web": 5]), outlooks: ["web": flat(now == 8 ? 9 : 8)]) }
        #expect(planner.allocations["web"] == rate(20))
        _ = planner.decide(second(11, ["web": 5]), outlooks: ["web": flat(8)])
        // To the highest that was wanted meanwhile.
        #expect(planner.allocations["web"] == rate(9))
    }

    @Test func `The change limit spreads a rise over intervals, and a freeze window forbids it`() {
        let window = DailyWindow(from: 22 * 60, until: 60)
        var planner = Planner(PlanningIntent(classes: [one("web", change: 0.5, freeze: [window])], pools: []), interval: 2)
        let frozen = planner.decide(second(2, ["web": 50], minute: 30), outlooks: ["web": flat(50)])
        #expect(frozen.actions.isEmpty && frozen.refusals == [.init(name: "web", reason: .frozen(window))])
        let first = planner.decide(second(4, ["web": 10], minute: 60), outlooks: ["web": flat(50)])
        #expect(first.actions.first?.to == rate(15) && first.refusals.first?.reason == .changeLimit(wanted: rate(50)))
        #expect(planner.decide(second(5, ["web": 10], minute: 60), outlooks: ["web": flat(50)]).actions.isEmpty)
        #expect(planner.decide(second(6, ["web": 10], minute: 60), outlooks: ["web": flat(50)]).actions.first?.to == rate(22.5))
    }

    @Test func `Lowering again and again into overload is taken back and not repeated for a while`() throws {
        // The forecast is wrong: it says 10 and 20 come every time.
        var planner = Planner(PlanningIntent(classes: [one("web", declared: 25)], pools: []), interval: 2)
        var now = 0.0
        while now < 60, planner.journal.allSatisfy({ if case .rollBack = $0.cause { false } else { true } }) {
            now += 1
            _ = planner.decide(second(now, ["web": Int(now) % 2 == 0 ? 9 : 20]), outlooks: ["web": flat(10)])
        }
        let back = try #require(planner.journal.last)
        guard case .rollBack(let number, _) = back.cause else { Issue.record("not rolled back: \(planner.journal)"); return }
        let harmful = try #require(planner.journal.first { $0.number == number })
        guard case .rolledBack = harmful.outcome else { Issue.record("\(harmful.outcome)"); return }
        #expect(back.to == harmful.from)
        let (allocation, until) = (back.to, now + 6 * 4)
        while now < until - 1 {
            now += 1
            let decision = planner.decide(second(now, ["web": 9]), outlooks: ["web": flat(10)])
            #expect(planner.allocations["web"] == allocation)
            #expect(decision.refusals.contains { if case .remembered = $0.reason { true } else { false } })
        }
        for _ in 0..<3 {
            now += 1
            _ = planner.decide(second(now, ["web": 9]), outlooks: ["web": flat(10)])
        }
        #expect(planner.allocations["web"] == rate(10))
    }

    @Test func `A raise that makes more critical traffic lose packets is taken back`() {
        let classes = [one("voice", declared: 20, criticality: 90), one("bulk", declared: 10, criticality: 10)].map {
            PlanningIntent.Class(plan: $0.plan, declared: $0.declared, most: $0.most, pools: [0])
        }
        var planner = Planner(
            PlanningIntent(classes: classes, pools: [.init(name: "eth0", capacity: rate(100))]), interval: 2, isCarriedOut: true)
        let outlooks = ["voice": flat(20), "bulk": expected(Array(repeating: [30, 35, 40], count: 4))]
        for now in 1...20 {
            // The link has less room than was declared.
            let isFull = planner.allocations["bulk"]! > rate(30)
            _ = planner.decide(
                second(Double(now), ["voice": 18, "bulk": 9], dropped: isFull ? ["voice": 1] : [:]), outlooks: outlooks)
        }
        #expect(planner.allocations["bulk"] == rate(10))
        #expect(planner.journal.contains { $0.name == "bulk" && { if case .rolledBack = $0.outcome { true } else { false } }($0) })
    }

    @Test func `The score tells how it would have fared beside what stands`() throws {
        var planner = Planner(PlanningIntent(classes: [one("web", declared: 10)], pools: []), interval: 2)
        for now in 1...100 {
            let demand = now % 20 < 10 ? 5.0 : 15
            let next = (now + 1) % 20 < 10 ? 5.0 : 15
            _ = planner.decide(second(Double(now), ["web": demand]), outlooks: ["web": flat(next)])
        }
        let score = try #require(planner.scores["web"])
        #expect(score.seconds == 100 && score.overloadDeclared == 50 && score.overloadPlanned == 0)
        #expect(try #require(score.meanPlanned) < 11e6)
    }
}
