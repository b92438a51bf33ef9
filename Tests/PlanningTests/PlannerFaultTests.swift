import Flows
import NetworkTypes
import Policy
import Testing

@testable import Planning

/// What went wrong with allocations once, or could.
struct PlannerFaultTests {
    private func rate(_ megabits: Double) -> BitRate { BitRate(bitsPerSecond: megabits * 1e6) }

    private func one(
        _ name: String, declared: Double = 10, most: Double = 100, pools: [Int] = [], lead: Int = 4, headroom: Double = 0.1,
        floor: Double? = nil, criticality: Int = 50, change: Double = 0.25, hold: Int = 0
    ) -> PlanningIntent.Class {
        let plan = PlanDeclaration(
            rule: name, lead: .seconds(lead), headroom: headroom, floor: floor.map(rate), criticality: criticality, change: change,
            hold: .seconds(hold))
        return .init(plan: plan, declared: rate(declared), most: rate(most), pools: pools)
    }

    private func second(_ now: Int, _ demand: [String: Double], waiting: Set<String> = []) -> Planner.Second {
        let measured = demand.map { ($0, Planner.Demand(offered: rate($1), isWaiting: waiting.contains($0))) }
        return .init(
            now: Double(now), minute: 0, beginsInterval: now % 2 == 0, demand: Dictionary(measured, uniquingKeysWith: { $1 }))
    }

    /// Floors that are together more than there is are kept; no class falls to nothing, however little is left.
    @Test func nobodyFallsBelowTheFloor() {
        let classes = [
            one("a", declared: 6, most: 10, pools: [0], floor: 6, criticality: 90),
            one("b", declared: 4, most: 10, pools: [0], floor: 4), one("c", declared: 1, most: 10, pools: [0], floor: 1, criticality: 10),
            one("d", declared: 1, most: 10, pools: [0], criticality: 0),
        ]
        var planner = Planner(
            PlanningIntent(classes: classes, pools: [.init(name: "eth0", capacity: rate(10))]), interval: 2, isCarriedOut: true)
        var refusals: [PlanningRefusal] = []
        for now in 1...200 { refusals = planner.decide(second(now, ["a": 9, "b": 9, "c": 9, "d": 9]), outlooks: [:]).refusals }
        #expect(planner.allocations == ["a": rate(6), "b": rate(4), "c": rate(1), "d": rate(0.001)])
        #expect(refusals.contains { if case .capacity("eth0", _) = $0.reason { $0.name == "c" } else { false } })
    }

    /// Others that are not planned are granted all there is: what is planned keeps its floor, and comes back when they have gone.
    @Test func whatOthersAreGrantedComesBack() {
        let web = one("web", declared: 5, most: 10, pools: [0], floor: 0.5)
        var planner = Planner(
            PlanningIntent(classes: [web], pools: [.init(name: "eth0", capacity: rate(0))]), interval: 2, isCarriedOut: true)
        for now in 1...40 { _ = planner.decide(second(now, ["web": 4]), outlooks: [:]) }
        #expect(planner.allocations["web"] == rate(0.5))
        planner.follow(PlanningIntent(classes: [web], pools: [.init(name: "eth0", capacity: rate(10))]))
        #expect(planner.scores["web"]?.seconds == 40)
        for now in 41...44 { _ = planner.decide(second(now, ["web": 4]), outlooks: [:]) }
        #expect(planner.allocations["web"]! >= rate(4))
    }

    /// After a night with nothing the morning has at once what the files say, and what is more by and by.
    @Test func afterANightTheFilesRateIsThereAtOnce() {
        var planner = Planner(PlanningIntent(classes: [one("web", declared: 12)], pools: []), interval: 2, isCarriedOut: true)
        for now in 1...300 { _ = planner.decide(second(now, ["web": 0]), outlooks: [:]) }
        #expect(planner.allocations["web"] == rate(0.001))
        _ = planner.decide(second(301, ["web": 20]), outlooks: [:])
        #expect(planner.allocations["web"] == rate(12))
        for now in 302...304 { _ = planner.decide(second(now, ["web": 20]), outlooks: [:]) }
        #expect(planner.allocations["web"]! > rate(14) && planner.allocations["web"]! <= rate(20))
    }

    /// Senders that slow down ask for no more than they are given: that their packets wait is what tells of it.
    @Test func whoWaitsIsOverloaded() throws {
        var planner = Planner(
            PlanningIntent(classes: [one("web", declared: 8)], pools: []), interval: 2, isCarriedOut: true, standing: ["web": rate(0.02)])
        _ = planner.decide(second(1, ["web": 0.019], waiting: ["web"]), outlooks: [:])
        #expect(abs(planner.allocations["web"]!.bitsPerSecond - 8e6) < 10)
        #expect(planner.scores["web"]?.overloadPlanned == 1)
        var observer = Planner(PlanningIntent(classes: [one("web", declared: 8)], pools: []), interval: 2)
        for now in 1...20 { _ = observer.decide(second(now, ["web": 7.9], waiting: ["web"]), outlooks: [:]) }
        #expect(observer.scores["web"]?.overloadPlanned == 0 && observer.allocations["web"]! < rate(9))
    }

    /// A class whose interface has gone holds nobody up, and is left as it is.
    @Test func whatIsNotMeasuredHoldsNobodyUp() {
        var planner = Planner(PlanningIntent(classes: [one("web"), one("gone")], pools: []), interval: 2, isCarriedOut: true)
        _ = planner.decide(second(1, ["web": 9, "gone": 20]), outlooks: [:])
        let open = planner.journal.filter { $0.name == "gone" && $0.outcome == .open }
        let standing = planner.allocations["gone"]
        for now in 2...40 { _ = planner.decide(second(now, ["web": 9]), outlooks: [:]) }
        #expect(open.count == 1 && !planner.journal.contains { $0.name == "gone" && $0.outcome == .open })
        let later = planner.allocations["gone"]
        for now in 41...80 {
            _ = planner.decide(second(now, ["web": 9]), outlooks: ["gone": .expected(.init(levels: [0.1, 0.9], values: [[1, 2]]))])
        }
        #expect(planner.allocations["gone"] == later && standing != nil)
    }

    /// The files lower a ceiling: that holds at once, whatever the hold time and the change limit say.
    @Test func aLoweredCeilingHoldsAtOnce() {
        var planner = Planner(
            PlanningIntent(classes: [one("web", most: 20, change: 0.01, hold: 600)], pools: []), interval: 2, isCarriedOut: true,
            standing: ["web": rate(9.5)])
        _ = planner.decide(second(1, ["web": 9]), outlooks: [:])
        planner.follow(PlanningIntent(classes: [one("web", most: 2, change: 0.01, hold: 600)], pools: []))
        let decision = planner.decide(second(3, ["web": 9]), outlooks: [:])
        #expect(planner.allocations["web"] == rate(2) && decision.actions.map(\.to) == [rate(2)])
    }

    /// A change that is being measured is measured on when the files change elsewhere.
    @Test func whatIsMeasuredGoesOn() {
        var planner = Planner(PlanningIntent(classes: [one("web", lead: 10)], pools: []), interval: 2, isCarriedOut: true)
        _ = planner.decide(second(1, ["web": 11]), outlooks: [:])
        #expect(planner.journal.map(\.outcome) == [.open])
        planner.follow(PlanningIntent(classes: [one("new"), one("web", lead: 10)], pools: []))
        for now in 2...12 { _ = planner.decide(second(now, ["web": 11, "new": 9]), outlooks: [:]) }
        #expect(planner.journal.first { $0.name == "web" }?.outcome != .open)
        planner.follow(PlanningIntent(classes: [one("new")], pools: []))
        #expect(planner.scores["web"] == nil && planner.allocations.keys.sorted() == ["new"])
    }

    /// A link is promised once, however its classes are put on it.
    @Test(arguments: [["eth0", "eth1"], [], ["eth*"]]) func aLinkIsPromisedOnce(interfaces: [String]) throws {
        var policy = Policy()
        policy.links = [.init(interface: "eth0", capacity: rate(100)), .init(interface: "eth1", capacity: rate(1000))]
        policy.shapers = [
            ShapeRule(name: "a", scope: .init(interfaces: ["eth0"], direction: .egress)),
            ShapeRule(name: "b", scope: .init(interfaces: interfaces, direction: interfaces.count == 2 ? .egress : nil)),
        ]
        for index in policy.shapers.indices { policy.shapers[index].rate = rate(10) }
        policy.plans = [PlanDeclaration(rule: "a", change: 10, hold: .zero), PlanDeclaration(rule: "b", change: 10, hold: .zero)]
        var planner = Planner(PlanningIntent(policy), interval: 2)
        for now in 1...20 { _ = planner.decide(second(now, ["a": 90, "b": 90]), outlooks: [:]) }
        let sum = planner.allocations.values.reduce(0) { $0 + $1.bitsPerSecond }
        #expect(sum <= 100e6 + 1 && sum > 99e6, "\(planner.allocations)")
    }
}
