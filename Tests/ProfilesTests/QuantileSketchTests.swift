import TestSupport
import Testing

@testable import Profiles

@Suite struct QuantileSketchTests {
    /// Values over `octaves` factors of two, with zeros.
    private static func values(_ random: inout SplitMix64, octaves: Int) -> [Float] {
        let scale = Float(1 << Int.random(in: 0...30, using: &random))
        return (0..<Int.random(in: 1...3_000, using: &random)).map { _ in
            if random.once(in: 20) { return 0 }
            let octave = Int.random(in: 0..<octaves, using: &random)
            return scale * Float.random(in: 1..<2, using: &random) / Float(1 << octave)
        }
    }

    @Test(arguments: 0..<38) func `Every quantile is right to 1.54 %`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let values = Self.values(&random, octaves: 1 + Int(seed % 19))
        var sketch = QuantileSketch()
        for value in values { sketch.insert(value) }
        #expect(sketch.count == values.count)
        let sorted = values.sorted()
        for share in [0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1] {
            let exact = Double(sorted[Int(share * Double(sorted.count - 1))])
            let told = sketch.quantile(share)!
            #expect(abs(told - exact) <= QuantileSketch.relativeError * exact * 1.000_001, "\(share): \(told), not \(exact)")
        }
    }

    /// Also where the range is so wide that the smallest values are given up.
    @Test(arguments: 0..<20) func `Merged sketches are the sketch of all values, in any order`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let parts = (0..<4).map { _ in Self.values(&random, octaves: 30) }
        func sketch(_ values: [Float]) -> QuantileSketch {
            var sketch = QuantileSketch()
            for value in values { sketch.insert(value) }
            return sketch
        }
        let whole = sketch(parts.flatMap { $0 })
        for order in [[0, 1, 2, 3], [3, 1, 0, 2]] {
            var merged = QuantileSketch()
            for index in order { merged.merge(sketch(parts[index])) }
            #expect(merged == whole)
        }
        #expect(sketch(parts.flatMap { $0 }.shuffled(using: &random)) == whole)
    }

    @Test func `What is no amount is not counted`() {
        var sketch = QuantileSketch()
        sketch.insert(8)
        for value in [Float.nan, .infinity, -.infinity, -1, -.leastNonzeroMagnitude, -Float.greatestFiniteMagnitude] {
            sketch.insert(value)
        }
        #expect(sketch.count == 1)
        for value in [Float(0), -0.0, .leastNonzeroMagnitude] { sketch.insert(value) }
        #expect(sketch.count == 4 && sketch.quantile(0.5) == 0 && QuantileSketch().quantile(0.5) == nil)
        sketch.insert(.greatestFiniteMagnitude)
        #expect(sketch.quantile(1).map { $0 > 3e38 } == true)
    }

    @Test func `Two millionths of the largest are kept, and the space stays bounded`() {
        var sketch = QuantileSketch()
        var value = Float(1e-20)
        while value < 1e20 {
            sketch.insert(value)
            value *= 1.01
        }
        #expect(sketch.bytes <= 2_560 + 64)
        var near = QuantileSketch()
        for _ in 0..<10 { near.insert(2e4) }
        for _ in 0..<10 { near.insert(1e10) }
        #expect(near.quantile(0.2).map { abs($0 - 2e4) < 2e4 / 64 } == true)
        // Smaller ones are told as the lower end of what is kept.
        near.insert(1)
        near.insert(1)
        #expect(near.quantile(0).map { $0 > 1 && $0 <= 2e4 } == true)
    }
}
