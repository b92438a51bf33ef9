/// How many distinct values there were, in so many bytes (Flajolet, Fusy, Gandouet, Meunier, “HyperLogLog: the analysis of a near-optimal
/// cardinality estimation algorithm”, 2007).
///
/// The hash has 64 bits, so that large counts need no correction (Heule, Nunkesser, Hall, “HyperLogLog in practice”, 2013); small ones are
/// counted by the registers that are still empty. Adding a value twice changes nothing, and merging gives what adding all of it would have.
public struct HyperLogLog: Sendable, Hashable {
    /// The highest rank of a value that was led here; 0: none was.
    public private(set) var registers: [UInt8]

    /// - Parameter count: of registers, a power of two from 16 to 65,536; a byte each.
    public init(registers count: Int) { self.init(Array(repeating: 0, count: count)) }

    /// As they were read from elsewhere.
    public init(_ registers: [UInt8]) {
        let count = registers.count
        precondition((16...65_536).contains(count) && count & (count - 1) == 0, "\(count) registers")
        self.registers = registers
    }

    /// The standard deviation of ``estimate``, as a part of the truth: two thirds of estimates are within it, 95 % within twice as much.
    public var relativeError: Double { 1.04 / Double(registers.count).squareRoot() }

    /// - Parameter hash: of the value; all of its bits count.
    public mutating func add(_ hash: UInt64) {
        let index = Int(truncatingIfNeeded: hash & UInt64(registers.count - 1))
        let rank = Self.rank(hash >> UInt64(registers.count.trailingZeroBitCount))
        if rank > registers[index] { registers[index] = rank }
    }

    /// As the programs have it (`nilo_sketch_rank`).
    static func rank(_ rest: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: (rest | 1 << 53).trailingZeroBitCount + 1) }

    /// - Precondition: both are of the same size and hash.
    public mutating func merge(_ other: HyperLogLog) {
        precondition(registers.count == other.registers.count, "sketches of \(registers.count) and \(other.registers.count) registers")
        for index in registers.indices where other.registers[index] > registers[index] { registers[index] = other.registers[index] }
    }

    public var isEmpty: Bool { registers.allSatisfy { $0 == 0 } }

    public var estimate: Double { Self.estimate(registers) }

    static func estimate(_ registers: some Collection<UInt8>) -> Double {
        let count = Double(registers.count)
        var (sum, empty) = (0.0, 0)
        for register in registers {
            sum += Double(sign: .plus, exponent: -Int(register), significand: 1)
            if register == 0 { empty += 1 }
        }
        // The bias by size, from the paper.
        let alpha =
            switch registers.count {
            case 16: 0.673
            case 32: 0.697
            case 64: 0.709
            default: 0.7213 / (1 + 1.079 / count)
            }
        let raw = alpha * count * count / sum
        return raw <= 2.5 * count && empty > 0 ? count * logarithm(count / Double(empty)) : raw
    }
}
