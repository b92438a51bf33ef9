import TestSupport
import Testing

@testable import Foresight

struct StepTests {
    @Test func aStepIsTheMeanOfWhatWasMeasured() throws {
        var meter = StepMeter(length: 10)
        var steps: [StepMeter.Step] = []
        // The first second of a step is 100, the others 10; one was not measured, one took twice as long.
        for second in Int64(1000)..<1010 where second != 1004 {
            let value: Double? = second == 1003 ? nil : second == 1000 ? 100 : 10
            if let step = meter.add(value, for: second == 1005 ? 2 : 1, at: second) { steps.append(step) }
        }
        #expect(steps.isEmpty)
        let stepStep = meter.add(5, for: 1, at: 1010)
        let step = try #require(stepStep)
        #expect(step.index == 100 && abs(step.value - (100 + 10 * 8) / 9) < 1e-12)
    }

    @Test(arguments: [(4, true), (5, false), (6, false)])
    func withLessThanHalfThereIsNone(seconds: Int, isGap: Bool) throws {
        var meter = StepMeter(length: 10)
        for second in 0..<Int64(10) { _ = meter.add(second < seconds ? 1 : nil, for: 1, at: second) }
        let step = meter.add(1, for: 1, at: 10)
        #expect(try #require(step).value.isNaN == isGap)
    }

    @Test func aClockThatIsSetEndsTheStep() throws {
        var meter = StepMeter(length: 10)
        for second in Int64(100)..<108 { _ = meter.add(1, for: 1, at: second) }
        let backStep = meter.add(3, for: 1, at: 55)
        let back = try #require(backStep)
        #expect(back.index == 10 && back.value == 1 && meter.current == 5)
        let forthStep = meter.add(3, for: 1, at: 1_000_000)
        let forth = try #require(forthStep)
        #expect(forth.index == 5 && forth.value.isNaN && meter.current == 100_000)
    }

    /// Beside a dictionary, whatever the order.
    @Test(arguments: 0..<20) func valuesAreThoseOfTheirSteps(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        var values = StepValues(capacity: 50)
        var known: [Int64: Float] = [:]
        var next: Int64 = 1000
        for turn in 0..<500 {
            switch Int.random(in: 0..<20, using: &random) {
            case 0: next += Int64.random(in: 1..<70, using: &random)
            case 1: next -= Int64.random(in: 1..<70, using: &random)
            default: break
            }
            known = known.filter { $0.key < next }
            known[next] = Float(turn)
            values.set(next, Float(turn))
            next += 1
            #expect(values.end == next && values.count <= 50 && values.all.count == values.count)
            for index in next - 60..<next + 5 {
                let expected = index >= values.start ? known[index] ?? .nan : .nan
                #expect(values[index] == expected || values[index].isNaN && expected.isNaN, "\(index)")
            }
        }
    }

    @Test func whatWasBeforeAndAfterIsPutTogether() {
        var one = StepValues(capacity: 6)
        one.set(10, 1)
        one.set(11, 2)
        var other = StepValues(capacity: 6)
        for index in Int64(11)..<14 { other.set(index, Float(index) * 10) }
        one.put(after: other)
        #expect(one.all == [1, 2, 120, 130] && one.end == 14)
        one.put(before: [7, 8, 9])
        #expect(one.all == [8, 9, 1, 2, 120, 130] && one.end == 14 && one[9] == 9)
    }

    @Test func aShortDayHasAsManySteps() {
        let ordinary = StepClock()
        #expect((ordinary.short, ordinary.look, ordinary.step, ordinary.long) == (10, 60, 300, 3600))
        let short = StepClock(day: 576)
        #expect((short.short, short.look, short.step, short.long) == (1, 1, 2, 24))
        #expect(short.modelSeconds(short.step) == 300 && short.modelTime(576) == 86_400)
    }
}
