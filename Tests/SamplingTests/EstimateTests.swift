import Sampling
import TestSupport
import Testing

/// Estimates against the truth, over a thousand seeded runs each.
@Suite struct EstimateTests {
    static let runs = 1000

    struct Mix: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var sizes: [Double]
        var weights: [Int]
        /// How often in a thousand the interval of the bytes must hold where 30 samples are expected. Of a key of which one packet in ten is
        /// large, three of those are expected: too few to say how many there are.
        var leastHeld = 930
        static let all = [
            Mix(testDescription: "one size", sizes: [100], weights: [1]),
            Mix(testDescription: "Internet mix", sizes: [64, 594, 1518], weights: [7, 4, 1]),
            Mix(testDescription: "acknowledgements and full frames", sizes: [66, 1514], weights: [1, 1]),
            Mix(testDescription: "mostly small", sizes: [66, 1514], weights: [9, 1], leastHeld: 900),
            Mix(testDescription: "anything", sizes: (0..<30).map { 64 + 50 * Double($0) }, weights: Array(repeating: 1, count: 30)),
        ]
    }

    /// Packets of three keys mixed: of the first so many, of the others more.
    private func stream(_ mix: Mix, first: Int, seed: UInt64) -> [SampledStream.Packet] {
        var random = SplitMix64(seed: seed)
        let bag = zip(mix.sizes, mix.weights).flatMap { Array(repeating: $0, count: $1) }
        var packets: [SampledStream.Packet] = []
        for (key, count) in [first, first * 4, first * 5].enumerated() {
            for n in 0..<count { packets.append(.init(key: key, bytes: bag[n % bag.count])) }
        }
        packets.shuffle(using: &random)
        return packets
    }

    /// Key 0 has as many expected samples as are asked for, the others more.
    @Test(arguments: Mix.all, [(10, 30), (100, 30), (10, 100)] as [(UInt32, Int)])
    func intervalsHoldTheTruth(mix: Mix, _ load: (oneIn: UInt32, expected: Int)) {
        let packets = stream(mix, first: load.expected * Int(load.oneIn), seed: 3)
        var truth = [0: (0.0, 0.0), 1: (0.0, 0.0), 2: (0.0, 0.0)]
        for packet in packets {
            truth[packet.key]!.0 += 1
            truth[packet.key]!.1 += packet.bytes
        }
        var held = [Int: (packets: Int, bytes: Int)]()
        var sums = [Int: (packets: Double, bytes: Double)]()
        for run in 0..<Self.runs {
            var estimates = SampleEstimates<Int>(limit: 10)
            var sampled = SampledStream(oneIn: load.oneIn, seed: 0xC0FFEE + UInt64(run))
            sampled.sample(packets) { estimates.add($0.key, hits: 1, oneIn: load.oneIn, meanBytes: $0.bytes) }
            for (key, sum) in estimates.sums {
                let (count, bytes) = (sum.packetEstimate, sum.byteEstimate)
                held[key, default: (0, 0)].packets += count.low <= truth[key]!.0 && truth[key]!.0 <= count.high ? 1 : 0
                held[key, default: (0, 0)].bytes += bytes.low <= truth[key]!.1 && truth[key]!.1 <= bytes.high ? 1 : 0
                sums[key, default: (0, 0)].packets += count.value
                sums[key, default: (0, 0)].bytes += bytes.value
            }
        }
        for key in truth.keys.sorted() {
            #expect((930...970).contains(held[key]!.packets), "key \(key): packets \(held[key]!)")
            #expect(
                ((key == 0 && load.expected == 30 ? mix.leastHeld : 930)...970).contains(held[key]!.bytes),
                "key \(key): bytes \(held[key]!)")
            // The mean of a thousand runs: its standard deviation is 1/√(1000 · 30) of the truth for packets, at most thrice that for bytes.
            #expect(abs(sums[key]!.packets / Double(Self.runs) / truth[key]!.0 - 1) < 0.03)
            #expect(abs(sums[key]!.bytes / Double(Self.runs) / truth[key]!.1 - 1) < 0.08)
        }
    }

    /// Super-packets give hits by the segment, and the rate changes amid the stream.
    @Test func changingRatesStayUnbiased() {
        var random = SplitMix64(seed: 21)
        let packets = (0..<6000).map { _ in (segments: random.pick([1, 1, 1, 44]), bytes: random.pick([66.0, 1514.0])) }
        let truth = packets.reduce(into: (packets: 0.0, bytes: 0.0)) {
            $0.packets += Double($1.segments)
            $0.bytes += Double($1.segments) * $1.bytes
        }
        var held = (packets: 0, bytes: 0)
        var mean = (packets: 0.0, bytes: 0.0)
        for run in 0..<Self.runs {
            var sum = SampleSum()
            var stream = SampledStream(oneIn: 100, seed: 0xBEE + UInt64(run))
            for (number, packet) in packets.enumerated() {
                // The rate follows what was seen before, as a controller's does: from 1 in 20 to 1 in 2000.
                if number % 500 == 0, number > 0 { stream.set(oneIn: UInt32(min(2000, 20 + 5 * Int(sum.hits % 400)))) }
                sum.add(hits: stream.hits(packet.segments), oneIn: stream.oneIn, meanBytes: packet.bytes)
            }
            let (count, bytes) = (sum.packetEstimate, sum.byteEstimate)
            held.packets += count.low <= truth.packets && truth.packets <= count.high ? 1 : 0
            held.bytes += bytes.low <= truth.bytes && truth.bytes <= bytes.high ? 1 : 0
            mean.packets += count.value / Double(Self.runs)
            mean.bytes += bytes.value / Double(Self.runs)
        }
        #expect(abs(mean.packets / truth.packets - 1) < 0.01 && abs(mean.bytes / truth.bytes - 1) < 0.01, "\(mean) \(truth)")
        #expect((930...970).contains(held.packets) && (930...970).contains(held.bytes), "\(held)")
    }

    @Test func everyPacketIsCertain() {
        var sum = SampleSum()
        for bytes in [60.0, 1514, 900] { sum.add(hits: 1, oneIn: 1, meanBytes: bytes) }
        #expect(sum.packetEstimate == Estimate(value: 3, low: 3, high: 3, hits: 3))
        #expect(sum.byteEstimate == Estimate(value: 2474, low: 2474, high: 2474, hits: 3) && sum.byteEstimate.isPromised)
    }

    @Test func whatWasSeenIsThere() {
        var sum = SampleSum()
        sum.add(hits: 1, oneIn: 1000, meanBytes: 500)
        #expect(sum.packetEstimate.low >= 1 && sum.byteEstimate.low >= 500 && sum.packetEstimate.value == 1000)
        #expect(sum.packetEstimate.high > 2000 && !sum.packetEstimate.isPromised)
        // Samples for other reasons say nothing about the rest.
        let before = sum
        sum.add(hits: 0, oneIn: 1000, meanBytes: 500)
        #expect(sum == before && !SampleSum().packetEstimate.isPromised)
    }

    @Test func keysBeyondTheLimitAreSummedUp() {
        var estimates = SampleEstimates<String>(limit: 2)
        for (key, bytes) in [("a", 100.0), ("b", 300), ("c", 50), ("a", 100), ("d", 70)] {
            estimates.add(key, hits: 1, oneIn: 10, meanBytes: bytes)
        }
        #expect(estimates.largest(5).map(\.key) == ["b", "a"] && estimates.largest(1).map(\.key) == ["b"])
        #expect(estimates.sums["a"]?.byteEstimate.value == 2000 && estimates.others.byteEstimate.value == 1200)
        #expect(estimates.total.byteEstimate.value == 6200 && estimates.total.hits == 5)
    }
}
