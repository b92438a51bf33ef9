import NetworkTypes
import Storage
import TestSupport
import Testing

@testable import Agent

struct LateReadingsTests {
    private static func points(_ sums: [(second: Int64, sum: UInt64)]) -> [SeriesPoint] {
        sums.map { second, sum in
            SeriesPoint(
                start: Timestamp(nanoseconds: second * 1_000_000_000), count: 1, sum: .counter(sum), minimum: .counter(sum),
                maximum: .counter(sum))
        }
    }

    /// An agent that stood still for 3.44 s: the reading after it is early.
    @Test func aLateReadingAndTheOneAfterItAreMadeEven() {
        let seconds: [Int64] = [100, 103, 104, 105]
        let late = LateReadings(seconds)
        #expect(late.measured(seconds) == [100, 101, 102, 103, 104, 105])
        let even = late.even(Self.points([(100, 100), (103, 344), (104, 56), (105, 100)]))
        #expect(even == [100: 100, 101: 100, 102: 100, 103: 100, 104: 100, 105: 100])
        // What had nothing in one of them has nothing of it.
        #expect(late.even(Self.points([(104, 80)])) == [101: 20, 102: 20, 103: 20, 104: 20])
    }

    @Test func whoWasAwayWasNotLate() {
        let seconds: [Int64] = [100, 111, 112]
        let late = LateReadings(seconds)
        #expect(late.measured(seconds) == seconds && late.even(Self.points([(111, 9)])) == [111: 9])
        #expect(LateReadings([]).even(Self.points([(5, 7)])) == [5: 7] && LateReadings([7]).measured([7]) == [7])
    }

    /// A steady rate that is read at seconds like these stays one, and nothing is lost: whatever is late.
    @Test(arguments: 1...50 as ClosedRange<UInt64>) func nothingIsLost(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var (seconds, sums): ([Int64], [(second: Int64, sum: UInt64)]) = ([], [])
        var (second, read) = (Int64(1000), 999.0)
        var wasLate = true
        while second < 1300 {
            // A timer that keeps its phase: after a late reading the next one is early.
            let isLate = !wasLate && Int.random(in: 0..<4, using: &random) == 0
            let now = Double(second) + (isLate ? Double.random(in: 1..<6, using: &random) : 0)
            sums.append((Int64(now), UInt64(((now - read) * 1000).rounded())))
            seconds.append(Int64(now))
            (second, read, wasLate) = (Int64(now) + 1, now, isLate)
        }
        let late = LateReadings(seconds)
        let even = late.even(Self.points(sums))
        let (before, after) = (sums.reduce(0) { $0 + Double($1.sum) }, even.values.reduce(0, +))
        #expect(abs(before - after) < 1e-6 * before)
        #expect(late.measured(seconds) == Array(1000...seconds.last!))
        // Of the last one nobody knows yet what comes after it.
        let far = even.filter { abs($0.value - 1000) > 1 && $0.key < 1290 }
        #expect(far.isEmpty, "\(far)")
    }
}
