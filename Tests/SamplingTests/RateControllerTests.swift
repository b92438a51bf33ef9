import Sampling
import TestSupport
import Testing

/// The controller in simulated time.
@Suite struct RateControllerTests {
    /// Traffic of so many packets a second, each of `segments` on the wire, decided on every 100 ms.
    private struct Simulation {
        var controller: RateController
        var stream: SampledStream
        var budget: Double
        var segments = 1
        /// Samples and rate of each step.
        var steps: [(samples: Int, oneIn: UInt32)] = []

        init(_ controller: RateController = RateController(), budget: Double, seed: UInt64 = 5) {
            self.controller = controller
            self.budget = budget
            stream = SampledStream(oneIn: controller.oneIn, seed: seed)
        }

        mutating func run(seconds: Double, packetsPerSecond: Double, others: Int = 0) {
            for _ in 0..<Int(seconds * 10) {
                let packets = Int(packetsPerSecond / 10)
                var (hits, samples) = (UInt64(0), UInt64(0))
                if segments == 1 {
                    hits = UInt64(stream.hits(packets))
                    samples = hits
                } else {
                    for _ in 0..<packets / segments {
                        let found = stream.hits(segments)
                        hits += UInt64(found)
                        samples += found > 0 ? 1 : 0
                    }
                }
                let before = stream.oneIn
                let next = controller.decide(
                    .init(
                        elapsed: .milliseconds(100), packets: UInt64(packets), hits: hits, randomSamples: samples,
                        otherSamples: UInt64(others)), budget: budget)
                if next != before { stream.set(oneIn: next) }
                steps.append((Int(samples) + others, next))
            }
        }

        /// Samples a second over the last so many seconds.
        func rate(last seconds: Double) -> Double { Double(steps.suffix(Int(seconds * 10)).reduce(0) { $0 + $1.samples }) / seconds }
        func changes(last seconds: Double) -> Int {
            let rates = steps.suffix(Int(seconds * 10)).map(\.oneIn)
            return zip(rates, rates.dropFirst()).count { $0 != $1 }
        }
    }

    @Test(arguments: [1e3, 1e5, 1e7], [10.0, 500, 5000]) func theBudgetIsReached(packetsPerSecond: Double, budget: Double) {
        var simulation = Simulation(budget: budget)
        simulation.run(seconds: 30, packetsPerSecond: packetsPerSecond)
        let expected = min(budget, packetsPerSecond)
        // Hysteresis of 1.2, and six standard deviations of the count.
        let rate = simulation.rate(last: 20)
        let noise = 6 * (expected / 20).squareRoot()
        #expect(rate < expected * 1.2 + noise && rate > expected / 1.25 - noise, "\(rate)")
        #expect(simulation.changes(last: 20) == 0)
    }

    /// A hundred times the traffic: over the budget for one step, which the ring takes, and never again.
    @Test func aBurstIsMetAtOnce() {
        var simulation = Simulation(budget: 1000)
        simulation.run(seconds: 20, packetsPerSecond: 50_000)
        let calm = simulation.controller.oneIn
        simulation.run(seconds: 3, packetsPerSecond: 5_000_000)
        let burst = simulation.steps.suffix(30).map(\.samples)
        #expect(burst[0] > 5_000 && burst[0] < 15_000, "\(burst)")
        // A rise is bounded by a factor of 64: what is left of a hundred goes with the next step.
        #expect(burst[1] < 300 && burst.dropFirst(2).allSatisfy { $0 < 180 }, "\(burst)")
        // Then back, slowly, without falling into the other extreme.
        simulation.run(seconds: 60, packetsPerSecond: 50_000)
        #expect(simulation.steps.suffix(600).allSatisfy { $0.samples < 200 })
        #expect(Double(simulation.controller.oneIn) < Double(calm) * 1.45 && Double(simulation.controller.oneIn) > Double(calm) / 1.45)
    }

    /// Forty-four hits in a super-packet are one sample.
    @Test func theBudgetIsInSamples() {
        var simulation = Simulation(budget: 500)
        simulation.segments = 44
        simulation.run(seconds: 20, packetsPerSecond: 44_000)
        let rate = simulation.rate(last: 15)
        #expect(rate < 650 && rate > 350, "\(rate)")
    }

    /// Samples for other reasons take of the budget, but not all.
    @Test func otherSamplesCount() {
        var simulation = Simulation(budget: 1000)
        simulation.run(seconds: 30, packetsPerSecond: 100_000, others: 60)
        #expect(abs(simulation.rate(last: 20) - 1000) < 150, "\(simulation.rate(last: 20))")
        simulation.run(seconds: 30, packetsPerSecond: 100_000, others: 200)
        #expect(abs(simulation.rate(last: 20) - 2100) < 60, "\(simulation.rate(last: 20))")
    }

    @Test func limitsHold() {
        var simulation = Simulation(RateController(limits: .init(minimum: 50, maximum: 200)), budget: 10)
        #expect(simulation.controller.oneIn == 200)
        simulation.run(seconds: 5, packetsPerSecond: 1e6)
        #expect(simulation.controller.oneIn == 200)
        simulation.run(seconds: 60, packetsPerSecond: 10)
        #expect(simulation.controller.oneIn == 50)
        #expect(RateController(oneIn: 0).oneIn == 1)
    }

    @Test func aShareOfACPU() {
        #expect(RateController.samplesPerSecond(cpu: 0.01, secondsPerSample: 2e-6) == 5000)
        #expect(abs(RateController.samplesPerSecond(cpu: 0.25) - 25_000) < 0.001)
    }
}
