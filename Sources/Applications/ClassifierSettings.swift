/// How a classifier's process works.
public struct ClassifierSettings: Sendable, Hashable {
    public var limits = ClassifierLimits()
    /// Thousandths of one CPU, averaged over seconds; what is beyond is passed over and counted. 0: as much as it takes.
    public var cpuPermille: UInt32 = 50

    public init() {}

    /// Arguments of the process's command line, as `init(arguments:)` reads them.
    public var arguments: [String] {
        [
            "\(cpuPermille)", "\(limits.packets)", "\(limits.pending)", "\(limits.decided)", "\(limits.idle)", "\(limits.forget)",
            "\(limits.filledUpTo ?? 0)",
        ]
    }

    /// nil for what `arguments` does not give.
    public init?(arguments: [String]) {
        let numbers = arguments.compactMap { UInt64($0) }
        guard numbers.count == 7, arguments.count == 7, let permille = UInt32(exactly: numbers[0]), permille <= 1_000_000,
            let packets = UInt8(exactly: numbers[1]), packets > 0, (1...1_000_000).contains(numbers[2]),
            (1...10_000_000).contains(numbers[3]), numbers[6] <= 65535
        else { return nil }
        cpuPermille = permille
        limits.packets = packets
        limits.pending = Int(numbers[2])
        limits.decided = Int(numbers[3])
        limits.idle = numbers[4]
        limits.forget = numbers[5]
        limits.filledUpTo = numbers[6] == 0 ? nil : Int(numbers[6])
    }
}
