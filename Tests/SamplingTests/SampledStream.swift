import Foundation
import Sampling
import TestSupport

/// A stream of packets that are sampled as the datapath does it: a distance to the next hit, drawn anew after each and with each new rate.
struct SampledStream {
    struct Packet {
        var key: Int
        var bytes: Double
    }
    private var random: SplitMix64
    private var left = 0.0
    private(set) var oneIn: UInt32

    init(oneIn: UInt32, seed: UInt64) {
        random = SplitMix64(seed: seed)
        self.oneIn = oneIn
        draw()
    }

    mutating func set(oneIn: UInt32) {
        self.oneIn = oneIn
        draw()
    }

    private mutating func draw() {
        let u = Double.random(in: Double.leastNonzeroMagnitude..<1, using: &random)
        left = oneIn == 1 ? 1 : 1 + (log(u) / log1p(-1 / Double(oneIn))).rounded(.down)
    }

    /// Wire packets that are hit among the next `count`.
    mutating func hits(_ count: Int) -> UInt32 {
        var rest = Double(count)
        var hits: UInt32 = 0
        while rest >= left {
            rest -= left
            hits += 1
            draw()
        }
        left -= rest
        return hits
    }

    /// Walks from hit to hit.
    mutating func sample(_ packets: [Packet], _ take: (Packet) -> Void) {
        var at = 0
        while at + Int(left) <= packets.count {
            at += Int(left)
            take(packets[at - 1])
            draw()
        }
        left -= Double(packets.count - at)
    }
}
