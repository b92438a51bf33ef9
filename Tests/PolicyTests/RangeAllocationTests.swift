import Policy
import Testing

@Suite struct RangeAllocationTests {
    @Test func theLowestFreeRangeIsTaken() {
        var ranges = RangeAllocation(2..<12)
        #expect(ranges.take(3) == 2..<5 && ranges.take(4) == 5..<9 && ranges.take(4) == nil && ranges.take(3) == 9..<12)
        ranges.give(5..<9)
        #expect(ranges.take(5) == nil && ranges.take(1) == 5..<6 && ranges.take(3) == 6..<9 && ranges.take(1) == nil)
        ranges.give(2..<5)
        #expect(!ranges.take(4..<6) && !ranges.take(1..<3) && ranges.take(3..<5) && ranges.take(1) == 2..<3)
    }
}
