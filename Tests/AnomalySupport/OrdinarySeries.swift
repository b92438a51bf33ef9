import Glibc

/// Series with nothing wrong with them, for measuring false alarms.
public struct OrdinarySeries: Sendable {
    public var name: String
    /// By seed and length.
    public var make: @Sendable (UInt64, Int) -> [Double]

    public static let all: [OrdinarySeries] = [
        OrdinarySeries(name: "normal noise") { seed, count in
            var chance = Chance(seed: seed)
            return (0..<count).map { _ in 100 + 10 * chance.normal() }
        },
        OrdinarySeries(name: "uniform noise") { seed, count in
            var chance = Chance(seed: seed)
            return (0..<count).map { _ in chance.uniform() }
        },
        OrdinarySeries(name: "daily pattern with noise") { seed, count in
            var chance = Chance(seed: seed)
            return (0..<count).map { 100 + 40 * sin(Double($0) * 2 * .pi / 288) + 5 * chance.normal() }
        },
        OrdinarySeries(name: "working days") { seed, count in
            var chance = Chance(seed: seed)
            return (0..<count).map { index in
                let busy = index / 288 % 7 < 5 && (96..<216).contains(index % 288)
                return (busy ? 80 : 20) * (1 + 0.05 * chance.normal())
            }
        },
        OrdinarySeries(name: "autoregressive (0.9)") { seed, count in
            var chance = Chance(seed: seed)
            var state = 0.0
            return (0..<count).map { _ in
                state = 0.9 * state + chance.normal()
                return 50 + state
            }
        },
        OrdinarySeries(name: "lognormal") { seed, count in
            var chance = Chance(seed: seed)
            return (0..<count).map { _ in exp(chance.normal()) }
        },
        OrdinarySeries(name: "Pareto (2.5)") { seed, count in
            var chance = Chance(seed: seed)
            return (0..<count).map { _ in pow(1 - chance.uniform(), -1 / 2.5) }
        },
        OrdinarySeries(name: "Poisson counts (3)") { seed, count in
            var chance = Chance(seed: seed)
            return (0..<count).map { _ in
                var product = chance.uniform()
                var events = 0.0
                while product > exp(-3) {
                    product *= chance.uniform()
                    events += 1
                }
                return events
            }
        },
        OrdinarySeries(name: "constant") { _, count in [Double](repeating: 42, count: count) },
    ]
}

/// SplitMix64 (Steele, Lea, Flood 2014), and a normal variate of it (Box, Muller 1958).
public struct Chance: Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func uniform() -> Double {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return Double((mixed ^ mixed >> 31) >> 11) / Double(1 << 53)
    }

    public mutating func normal() -> Double { (-2 * log(1 - uniform())).squareRoot() * cos(2 * .pi * uniform()) }
}
