import Foundation
import Testing

@testable import Commands

struct ChartAxisTests {
    @Test(arguments: [
        (931_000.0, [0, 200_000, 400_000, 600_000, 800_000, 1_000_000]), (100, [0, 20, 40, 60, 80, 100]), (3, [0, 1, 2, 3]),
        (0.7, [0, 0.2, 0.4, 0.6, 0.8]), (0, [0]), (.infinity, [0]),
    ])
    func valuesAreRound(most: Double, values: [Double]) {
        let found = ChartAxis.values(upTo: most)
        #expect(found.count == values.count && zip(found, values).allSatisfy { abs($0 - $1) < 1e-9 * max(1, $1) }, "\(found)")
    }

    @Test func anyValueHasFewMarksThatReachIt() {
        for exponent in -30...90 {
            let most = 1.37 * pow(10, Double(exponent) / 5)
            let found = ChartAxis.values(upTo: most)
            #expect((2...6).contains(found.count) && (found.last ?? 0) >= most * (1 - 1e-6), "\(most): \(found)")
        }
    }

    /// The tests' time zone has whole quarters of hours.
    @Test func timesAreRound() {
        let from: Int64 = 1_772_409_450
        for (span, stride) in [(600, 60), (1152, 120), (86_400, 10_800), (172_800, 21_600), (14 * 86_400, 172_800)] {
            let marks = ChartAxis.times(from: from, to: from + Int64(span), most: 10)
            #expect((1...11).contains(marks.count) && marks.allSatisfy { $0.at >= from && $0.at <= from + Int64(span) })
            #expect(
                zip(marks.dropFirst(), marks).allSatisfy { $0.at - $1.at == stride } && marks.allSatisfy { $0.at % 60 == 0 }, "\(marks)")
            #expect(marks.allSatisfy { $0.text.count == 5 }, "\(marks)")
        }
        #expect(ChartAxis.times(from: 100, to: 100, most: 10).isEmpty)
        #expect(ChartAxis.times(from: from, to: from + 20, most: 10).allSatisfy { $0.text.count == 8 })
    }
}
