import Testing

@testable import Agent

/// How often namespaces are read anew, on a clock of the test's own.
struct ReadingBudgetTests {
    private let start = ContinuousClock.now

    /// Namespaces that are stale again as soon as they have been read, for a minute. Returns how often each was read, and the time it took.
    private func read(_ costs: [Duration], for length: Duration = .seconds(60)) -> (readings: [Int], spent: Duration, longest: Duration) {
        var budget = ReadingBudget(at: start)
        var now = start
        var spent = Duration.zero
        var longest = Duration.zero
        var readings = [Int](repeating: 0, count: costs.count)
        var last = [ContinuousClock.Instant](repeating: start, count: costs.count)
        while now < start + length {
            // As the topology's thread does it: all that are stale, whoever waited longest first, until the budget is used up.
            for index in costs.indices.sorted(by: { last[$0] < last[$1] }) {
                let cost = costs[index]
                let wait = budget.wait(at: now)
                if wait > .zero {
                    longest = max(longest, wait)
                    now += wait
                    break
                }
                now += cost
                spent += cost
                readings[index] += 1
                last[index] = now
                budget.spend(cost, at: now)
            }
            now += .milliseconds(20)
        }
        return (readings, spent, longest)
    }

    @Test(arguments: [1, 5, 30, 300, 2000])
    func changesThatNeverEndTakeAFifthOfTheTime(milliseconds: Int) {
        let cost = Duration.milliseconds(milliseconds)
        let result = read([cost])
        // The last reading may have begun within the budget and ended beyond it.
        #expect(result.spent <= Duration.seconds(60) * ReadingBudget.share + ReadingBudget.most + cost, "\(result)")
        // And no less than that, as long as one reading after the other is asked for.
        let asked = cost * (Duration.seconds(60) / (cost + .milliseconds(20)))
        #expect(result.spent >= min(asked, Duration.seconds(60) * ReadingBudget.share) * 0.8, "\(result)")
        #expect(result.longest <= cost / ReadingBudget.share + .milliseconds(1), "\(result)")
    }

    @Test func manyNamespacesShareIt() {
        let result = read([.milliseconds(2), .milliseconds(30), .milliseconds(300)])
        #expect(result.spent <= Duration.seconds(60) * ReadingBudget.share + ReadingBudget.most + .milliseconds(300), "\(result)")
        // Nobody starves.
        #expect(result.readings.allSatisfy { $0 >= 10 }, "\(result)")
    }

    @Test func whatIsRareIsReadAtOnce() {
        var budget = ReadingBudget(at: start)
        for second in 0..<10 {
            let now = start + .seconds(second)
            // Thirty namespaces, one after the other.
            for number in 0..<30 {
                let at = now + .milliseconds(3 * number)
                #expect(budget.wait(at: at) == .zero, "second \(second), namespace \(number)")
                budget.spend(.milliseconds(3), at: at + .milliseconds(3))
            }
        }
    }
}
