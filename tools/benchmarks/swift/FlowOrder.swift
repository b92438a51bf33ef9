import Glibc

/// The order in which test runs meet flows: flow numbers from 0 on, 2^20 of them, then again from the start.
struct FlowOrder {
    static let count = 1 << 20
    private(set) var flows: [UInt32]

    /// One flow after the other, each as often as the others, in an order that does not follow memory.
    static func uniform(_ flows: Int, from first: Int = 0, seed: UInt64 = 1) -> FlowOrder {
        var order = (0..<count).map { UInt32(first + $0 % flows) }
        guard flows > 1 else { return FlowOrder(flows: order) }
        var random = Generator(state: seed)
        for i in 0..<(count - 1) { order.swapAt(i, i + random.below(count - i)) }
        return FlowOrder(flows: order)
    }

    /// A heavy tail: flow k comes up in proportion to 1 / k^s (Zipf).
    static func zipf(_ flows: Int, s: Double, seed: UInt64 = 1) -> FlowOrder {
        var sums: [Double] = []
        sums.reserveCapacity(flows)
        var sum = 0.0
        for k in 1...flows {
            sum += pow(Double(k), -s)
            sums.append(sum)
        }
        var random = Generator(state: seed)
        return FlowOrder(
            flows: (0..<count).map { _ in
                let wanted = random.unit() * sum
                var low = 0
                var high = flows - 1
                while low < high {
                    let middle = (low + high) / 2
                    if sums[middle] < wanted { low = middle + 1 } else { high = middle }
                }
                return UInt32(low)
            })
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014): the same order in every run.
    private struct Generator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = state
            mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
            return mixed ^ mixed >> 31
        }
        mutating func below(_ bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }
        mutating func unit() -> Double { Double(next() >> 11) / Double(1 << 53) }
    }
}
