import NetworkTypes

/// An HTB class (tc-htb(8)) in the kernel's own units, so that what was asked and what is there can be compared.
public struct HTBClass: Hashable, Sendable {
    /// The class is `4e49:MINOR`.
    public var minor: UInt16
    /// The class above; 0: the qdisc.
    public var parent: UInt16
    /// Granted, bytes a second.
    public var rate: UInt64
    /// With what is borrowed, bytes a second.
    public var ceiling: UInt64
    /// What may be sent at once at `rate`, in the kernel's ticks of 64 ns.
    public var buffer: UInt32
    public var ceilingBuffer: UInt32
    /// 0 is served first, 7 last. The kernel has it of leaves alone; elsewhere 0.
    public var priority: UInt32
    /// Bytes that a class sends in its turn. Likewise; elsewhere 0.
    public var quantum: UInt32
    /// Bytes that are charged for each skb beyond its frames.
    public var overhead: UInt16

    public static let nanosecondsPerTick: UInt64 = 64

    public init(
        minor: UInt16, parent: UInt16 = 0, rate: UInt64, ceiling: UInt64, buffer: UInt32, ceilingBuffer: UInt32, priority: UInt32 = 0,
        quantum: UInt32 = 0, overhead: UInt16 = 0
    ) {
        self.minor = minor
        self.parent = parent
        self.rate = rate
        self.ceiling = ceiling
        self.buffer = buffer
        self.ceilingBuffer = ceilingBuffer
        self.priority = priority
        self.quantum = quantum
        self.overhead = overhead
    }

    /// - Parameter burst: what may be sent at once, in bytes, at either rate.
    public init(
        minor: UInt16, parent: UInt16 = 0, rate: BitRate, ceiling: BitRate, burst: ByteCount, ceilingBurst: ByteCount, priority: UInt32 = 0,
        quantum: UInt32 = 0, overhead: UInt16 = 0
    ) {
        let rate = Self.bytesPerSecond(rate)
        let ceiling = max(rate, Self.bytesPerSecond(ceiling))
        self.init(
            minor: minor, parent: parent, rate: rate, ceiling: ceiling, buffer: Self.ticks(burst, at: rate),
            ceilingBuffer: Self.ticks(ceilingBurst, at: ceiling), priority: priority, quantum: quantum, overhead: overhead)
    }

    static func bytesPerSecond(_ rate: BitRate) -> UInt64 { max(1, UInt64((rate.bitsPerSecond / 8).rounded())) }

    /// The time that `bytes` take, in ticks, rounded up.
    static func ticks(_ bytes: ByteCount, at rate: UInt64) -> UInt32 {
        let ticks = Double(bytes.rawValue) * 1e9 / Double(rate) / Double(nanosecondsPerTick)
        return UInt32(min(ticks.rounded(.up), Double(UInt32.max)))
    }

    /// Bytes in `ticks`.
    static func bytes(_ ticks: UInt32, at rate: UInt64) -> UInt64 {
        UInt64((Double(ticks) * Double(nanosecondsPerTick) * Double(rate) / 1e9).rounded())
    }

    /// `tc class` arguments.
    var arguments: String {
        let major = String(HTBTree.major, radix: 16)
        let above = parent == 0 ? "\(major):" : "\(major):\(String(parent, radix: 16))"
        var words = "parent \(above) classid \(major):\(String(minor, radix: 16)) htb rate \(rate * 8)bit ceil \(ceiling * 8)bit"
        words += " burst \(Self.bytes(buffer, at: rate)) cburst \(Self.bytes(ceilingBuffer, at: ceiling))"
        if quantum != 0 { words += " prio \(priority) quantum \(quantum)" }
        if overhead != 0 { words += " overhead \(overhead) linklayer ethernet" }
        return words
    }
}

/// The root qdisc that is ours, with its classes.
public struct HTBTree: Hashable, Sendable {
    /// The handle that marks a qdisc as ours: `4e49:`.
    public static let major: UInt16 = 0x4e49
    /// Packets that no rule puts into a class go to this one; where it does not exist they are sent at once, before all classes. The kernel
    /// cannot change it later, so it is always the same.
    public static let defaultMinor: UInt16 = 0xfff0

    public var classes: [UInt16: HTBClass]

    public init(_ classes: [HTBClass] = []) {
        self.classes = Dictionary(classes.map { ($0.minor, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Every class after the one above it, those of one level by number.
    public var topDown: [HTBClass] {
        var depths: [UInt16: UInt32] = [0: 0]
        // Of classes with others below them: few beside the others, so that thousands of leaves cost little.
        func depth(below parent: UInt16, _ steps: Int = 0) -> UInt32 {
            if let known = depths[parent] { return known }
            // A ring cannot be in the kernel; a broken observation must not end in a loop.
            guard steps < 8, let above = classes[parent]?.parent else { return 0 }
            let found = depth(below: above, steps + 1) + 1
            depths[parent] = found
            return found
        }
        let places = classes.values.map { depth(below: $0.parent) << 16 | UInt32($0.minor) }.sorted()
        return places.compactMap { classes[UInt16(truncatingIfNeeded: $0)] }
    }
}
