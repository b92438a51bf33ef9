import NetworkTypes
import TestSupport
import Testing

@testable import Sketches

@Suite struct HyperLogLogTests {
    /// An address as it is hashed, `n` after 10.0.0.0: neighbours, as in a scan.
    private static func address(_ n: Int, _ hash: KeyedHash) -> UInt64 {
        let words = IPAddress.v4(0x0a00_0000 + UInt32(n)).fieldWords
        return hash(words.0, words.1)
    }

    /// 200 keys: at most one in twenty of the estimates may be further off than twice the standard deviation; four in a hundred more by chance.
    @Test(arguments: [10, 100, 1000, 20_000], [256, 2048]) func estimatesAreWithinTheirError(count: Int, registers: Int) {
        var random = SplitMix64(seed: UInt64(count * registers))
        var beyond = 0
        var sum = 0.0
        let rounds = count > 5000 ? 100 : 200
        for _ in 0..<rounds {
            let hash = KeyedHash(seed: random.next())
            var sketch = HyperLogLog(registers: registers)
            for n in 0..<count { sketch.add(Self.address(n, hash)) }
            let error = sketch.estimate / Double(count) - 1
            sum += error
            if abs(error) > 2 * sketch.relativeError { beyond += 1 }
        }
        #expect(beyond <= rounds * 9 / 100, "\(beyond) of \(rounds)")
        #expect(abs(sum / Double(rounds)) < HyperLogLog(registers: registers).relativeError / 3, "bias \(sum / Double(rounds))")
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func mergingIsTheUnion(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var parts = [HyperLogLog](repeating: HyperLogLog(registers: 1024), count: 4)
        var whole = parts[0]
        for _ in 0..<10_000 {
            let hash = random.next() &* 0x9e37_79b9_7f4a_7c15
            for _ in 0..<Int.random(in: 1...3, using: &random) { parts[Int.random(in: 0..<4, using: &random)].add(hash) }
            whole.add(hash)
        }
        var merged = parts[0]
        for part in parts.dropFirst() { merged.merge(part) }
        #expect(merged == whole)
        merged.merge(merged)
        #expect(merged == whole)
    }

    @Test func nothingIsNone() {
        let sketch = HyperLogLog(registers: 2048)
        #expect(sketch.isEmpty && sketch.estimate == 0)
    }
}
