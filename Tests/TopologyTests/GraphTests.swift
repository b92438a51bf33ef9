import TestSupport
import Testing

@testable import Topology

struct GraphTests {
    @Test func aCopyStaysAsItWas() {
        var random = SplitMix64(seed: 5)
        var array = Chunked<Int>(shift: 3)
        var model: [Int] = []
        var copies: [(Chunked<Int>, [Int])] = []
        for step in 0..<3000 {
            if model.isEmpty || random.once(in: 3) {
                array.append(step)
                model.append(step)
            } else {
                let index = Int.random(in: 0..<model.count, using: &random)
                array[index] = -step
                model[index] = -step
            }
            if step % 300 == 0 { copies.append((array, model)) }
        }
        for (copy, kept) in copies + [(array, model)] {
            #expect((0..<copy.count).map { copy[$0] } == kept)
            // Whatever is not in a changed range is the same.
            let ranges = array.changedRanges(since: copy)
            for index in 0..<copy.count where !ranges.contains(where: { $0.contains(index) }) { #expect(array[index] == kept[index]) }
            for index in copy.count..<array.count { #expect(ranges.contains { $0.contains(index) }) }
        }
        #expect(array.changedRanges(since: array).isEmpty)
    }

    @Test func theIndexFindsWhatIsInIt() {
        var random = SplitMix64(seed: 6)
        var index = HashIndex()
        // Few hashes, so that they collide.
        var model: [UInt32: UInt32] = [:]
        for step in 0..<20_000 {
            let number = UInt32.random(in: 0..<2000, using: &random)
            if let hash = model[number] {
                #expect(index.find(hash) { $0 == number } == number)
                index.remove(hash, number)
                model[number] = nil
            } else {
                let hash = UInt32.random(in: 0..<300, using: &random) &* 0x0101_0101
                index.insert(hash, number)
                model[number] = hash
            }
            if step % 4000 == 0 {
                #expect(index.count == model.count)
                for (number, hash) in model { #expect(index.find(hash) { $0 == number } == number) }
                for number: UInt32 in 0..<2000 where model[number] == nil {
                    #expect((0..<300).allSatisfy { index.find(UInt32($0) &* 0x0101_0101) { $0 == number } == nil })
                }
            }
        }
    }

    @Test func statesAreKeptOnce() {
        var pool = StatePool()
        let (a, b) = (pool.hold([1, 2]), pool.hold([3]))
        #expect(pool.hold([1, 2]) == a)
        pool.release(a)
        #expect(pool[a] == [1, 2])
        pool.release(a)
        let c = pool.hold([4])
        #expect(c == a)
        #expect((pool[b], pool[c]) == ([3], [4]))
        #expect(pool.hold([1, 2]) != c)
    }

    @Test func roundTripQuantilesAreWithinAFactorOfTwo() {
        var trips = RoundTrips()
        #expect(trips.quantile(0.5) == nil)
        for step in 1...10_000 { trips.add(microseconds: UInt32(step)) }
        let median = trips.quantile(0.5)!
        #expect(median >= 5000 && median <= 10_000 * 2)
        #expect(trips.leastMicroseconds == 1)
    }
}
