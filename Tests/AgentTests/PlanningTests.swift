import Configuration
import Foundation
import NetworkTypes
import Planning
import Policy
import Reports
import TestSupport
import Testing

@testable import Agent

/// Demand that has a day of 288 intervals, a little of chance, and weekends like other days.
private func days(_ count: Int, seed: UInt64 = 3) -> [Float] {
    var random = SplitMix64(seed: seed)
    return (0..<count * 288).map { index in
        let phase = Double(index % 288) / 288
        let day = 0.5 - 0.5 * cos(2 * Double.pi * phase)
        return Float((2 + 8 * day) * 1e6 * Double.random(in: 0.99...1.01, using: &random))
    }
}

struct PlanningTests {
    private func forecasts(_ interval: Double = 300) -> DemandForecasts {
        DemandForecasts(interval: interval, horizon: 12) { fit, bring in bring(fit()) }
    }

    @Test func demandThatIsKnownIsForecastAndGapsAreStepsLikeOthers() throws {
        let forecasts = forecasts()
        guard case .abstained("nothing was measured yet") = forecasts.outlook("web", from: 0, steps: 2) else {
            Issue.record("\(forecasts.outlook("web", from: 0, steps: 2))")
            return
        }
        let demand = days(8)
        forecasts.recall("web", .init(last: 999, interval: 300, values: demand.dropLast(12).map { $0 }))
        func median(from number: Int64) throws -> Double {
            guard case .expected(let quantiles) = forecasts.outlook("web", from: number, steps: 1) else {
                throw SystemError("forecast")
            }
            return quantiles.values[0][5]
        }
        let truth = demand.suffix(12)
        #expect(abs(try median(from: 1000) / Double(truth[truth.startIndex]) - 1) < 0.1)
        // Four intervals that were not measured are passed over.
        #expect(abs(try median(from: 1004) / Double(truth[truth.startIndex + 4]) - 1) < 0.1)
        forecasts.append("web", truth[truth.startIndex + 4], interval: 1004)
        #expect(forecasts.demand["web"]?.last == 1004 && forecasts.demand["web"]?.values.suffix(5).filter { $0 == nil }.count == 4)
        #expect(abs(try median(from: 1005) / Double(truth[truth.startIndex + 5]) - 1) < 0.15)
        guard case .abstained = forecasts.outlook("web", from: 1200, steps: 1) else { Issue.record("told too much"); return }
    }

    @Test func demandOfAnotherIntervalIsNotTakenUp() {
        let forecasts = forecasts(2)
        forecasts.recall("web", .init(last: 10, interval: 300, values: [1, 2]))
        #expect(forecasts.demand.isEmpty)
    }

    @Test func whatIsKeptIsReadBack() throws {
        let path = "\(NSTemporaryDirectory())nilo-planning-\(UInt64.random(in: 0 ... .max))"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let folder = PlanningFolder(path: "\(path)/planning")
        #expect(try folder.readDemand().isEmpty && folder.readStanding().isEmpty)
        let demand = ["web": PlanningFolder.Demand(last: 7, interval: 2, values: [1.5, nil, 3])]
        try folder.write(demand)
        try folder.write(["web": 5e6])
        #expect(try folder.readDemand() == demand && folder.readStanding() == ["web": 5e6])
        try folder.removeStanding()
        #expect(try folder.readStanding().isEmpty)
        try Data("x".utf8).write(to: URL(fileURLWithPath: "\(path)/planning/demand.json"))
        #expect(throws: AgentFailure.self) { try folder.readDemand() }
    }

    @Test func allocationsAreInForceBesideThePolicyAndWaitToBeConfirmed() {
        var policy = Policy()
        policy.shapers = ["web", "other"].map {
            ShapeRule(name: $0, scope: RuleScope(), rate: BitRate(bitsPerSecond: 1e6), ceiling: BitRate(bitsPerSecond: 1e6))
        }
        policy.plans = [PlanDeclaration(rule: "web")]
        let soon = ContinuousClock.now + .seconds(10)
        var allocations = PlannedAllocations()
        allocations.apply(["web": BitRate(bitsPerSecond: 5e6), "other": BitRate(bitsPerSecond: 9e6)], confirmUntil: soon)
        #expect(allocations.applied(to: policy).shapers.map(\.rate?.bitsPerSecond) == [5e6, 1e6])
        #expect(allocations.applied(to: policy).shapers[0].ceiling?.bitsPerSecond == 5e6)
        // A later change does not put off the end of an earlier one.
        allocations.apply(["web": BitRate(bitsPerSecond: 6e6)], confirmUntil: soon + .seconds(10))
        #expect(allocations.until == soon)
        allocations.confirm(["web": BitRate(bitsPerSecond: 5e6)], confirmUntil: soon + .seconds(20))
        #expect(allocations.until == soon + .seconds(20))
        allocations.confirm(["web": BitRate(bitsPerSecond: 6e6)], confirmUntil: soon)
        #expect(allocations.until == nil)
    }

    @Test func aGuaranteeMovesAloneBelowItsCeiling() {
        let rule = ShapeRule(name: "a", scope: RuleScope(), rate: BitRate(bitsPerSecond: 1e6), ceiling: BitRate(bitsPerSecond: 4e6))
        let moved = rule.allocated(BitRate(bitsPerSecond: 9e6))
        #expect(moved.rate == rule.ceiling && moved.ceiling == rule.ceiling)
    }

    @Test func aDayReplayedFaresBetterThanWhatTheFilesSay() throws {
        let text = """
            shape: [{name: web, rate: 6 Mbit/s}]
            plan: [{class: web, lead: 10m, headroom: 5 %, hold: 10m, floor: 1 Mbit/s}]
            """
        let policy = try PolicyFile.parse(Array(text.utf8), file: "p.yaml").policy
        let report = PlanningReplay(policy, demand: ["web": days(4)], intervalSeconds: 300).report(from: 3 * 288, changes: 5)
        let score = try #require(report.classes.first?.score)
        #expect(score.seconds == 86_400 && score.overloadSecondsDeclared > 30_000 && score.overloadSeconds < 3_000, "\(score)")
        #expect(score.meanAllocation < 1.2 * score.meanDemand && report.actions.count == 5 && report.actions[0].cause == "forecast")
    }
}
