// Quantities with their unit, and the one way in which they are written for people: SI prefixes (powers of 1000), three digits at most
// before the point, one after it below 100.

/// A number and its unit, apart so that a column can align them.
public struct QuantityText: Hashable, Sendable, CustomStringConvertible {
    /// `1.2`, `12.3`, `123`; without a prefix no decimals.
    public let number: String
    /// SI prefix or empty.
    public let prefix: String
    /// `B`, `b/s`, `pps`.
    public let unit: String

    /// `1.2 Gb/s`.
    public var description: String { "\(number) \(prefix)\(unit)" }
    /// The same in the width of the longest, so that units stand below each other: `  123 B`, ` 1.2 kB`.
    public var aligned: String {
        // A bare number ends where the others' prefixes do.
        let text = prefix.isEmpty && unit.isEmpty ? number : description
        return String(repeating: " ", count: max(0, 6 + unit.count - text.count)) + text
    }

    static let prefixes = ["", "k", "M", "G", "T", "P", "E"]

    /// Not a number and negative values are written as 0: they mean that nothing was measured.
    public init(_ value: Double, unit: String) {
        self.unit = unit
        var scaled = value > 0 ? value : 0
        guard scaled.isFinite else {
            number = "∞"
            prefix = ""
            return
        }
        var step = 0
        // What would be rounded up to 1000 moves on to the next prefix.
        while step < Self.prefixes.count - 1, scaled >= 999.5 {
            scaled /= 1000
            step += 1
        }
        prefix = Self.prefixes[step]
        if step == 0 {
            number = Self.integer(scaled)
        } else if scaled < 99.95 {
            let tenths = Int((scaled * 10).rounded())
            number = "\(tenths / 10).\(tenths % 10)"
        } else {
            number = Self.integer(scaled)
        }
    }

    private static func integer(_ value: Double) -> String {
        let rounded = value.rounded()
        return rounded < 1e18 ? String(Int(rounded)) : "∞"
    }
}

/// A quantity that people read with a unit.
public protocol Quantity: Hashable, Sendable, Comparable, CustomStringConvertible {
    var text: QuantityText { get }
}

extension Quantity {
    public var description: String { text.description }
}

/// Bytes. Which bytes (frames, IP packets, payload) the holder says.
public struct ByteCount: Quantity, RawRepresentable {
    public let rawValue: UInt64
    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
    @inlinable public init(_ bytes: UInt64) { rawValue = bytes }
    @inlinable public static func < (a: ByteCount, b: ByteCount) -> Bool { a.rawValue < b.rawValue }
    public var text: QuantityText { QuantityText(Double(rawValue), unit: "B") }
}

/// Bits a second.
public struct BitRate: Quantity {
    public let bitsPerSecond: Double
    @inlinable public init(bitsPerSecond: Double) { self.bitsPerSecond = bitsPerSecond }
    /// `bytes` within `time`; zero when no time passed.
    public init(bytes: UInt64, over time: Duration) {
        let seconds = time.seconds
        bitsPerSecond = seconds > 0 ? Double(bytes) * 8 / seconds : 0
    }
    @inlinable public static func < (a: BitRate, b: BitRate) -> Bool { a.bitsPerSecond < b.bitsPerSecond }
    public var text: QuantityText { QuantityText(bitsPerSecond, unit: "b/s") }
}

/// Packets a second.
public struct PacketRate: Quantity {
    public let packetsPerSecond: Double
    @inlinable public init(packetsPerSecond: Double) { self.packetsPerSecond = packetsPerSecond }
    public init(packets: UInt64, over time: Duration) {
        let seconds = time.seconds
        packetsPerSecond = seconds > 0 ? Double(packets) / seconds : 0
    }
    @inlinable public static func < (a: PacketRate, b: PacketRate) -> Bool { a.packetsPerSecond < b.packetsPerSecond }
    public var text: QuantityText { QuantityText(packetsPerSecond, unit: "pps") }
}

/// A number of packets or flows, for people: `1.2 M`.
public struct Count: Quantity, RawRepresentable {
    public let rawValue: UInt64
    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
    @inlinable public init(_ value: UInt64) { rawValue = value }
    @inlinable public static func < (a: Count, b: Count) -> Bool { a.rawValue < b.rawValue }
    public var text: QuantityText { QuantityText(Double(rawValue), unit: "") }
    public var description: String { text.prefix.isEmpty ? text.number : text.description }
}

extension Duration {
    public var seconds: Double {
        let (s, atto) = components
        return Double(s) + Double(atto) * 1e-18
    }

    /// `350 µs`, `1.2 ms`, `12.5 s`, `3m 20s`, `2h 05m`, `4d 03h`: two places that matter, no more.
    public var short: String {
        let value = seconds
        if value < 0 { return "-" + (.zero - self).short }
        func decimal(_ v: Double, _ unit: String) -> String {
            let tenths = Int((v * 10).rounded())
            return v < 99.95 && tenths % 10 != 0 ? "\(tenths / 10).\(tenths % 10) \(unit)" : "\(Int(v.rounded())) \(unit)"
        }
        func two(_ v: Int64) -> String { v < 10 ? "0\(v)" : "\(v)" }
        if value == 0 { return "0 s" }
        if value < 0.000_999_5 { return decimal(value * 1e6, "µs") }
        if value < 0.999_5 { return decimal(value * 1e3, "ms") }
        if value < 59.95 { return decimal(value, "s") }
        let whole = components.seconds
        if whole < 3600 { return "\(whole / 60)m \(two(whole % 60))s" }
        if whole < 86_400 { return "\(whole / 3600)h \(two(whole / 60 % 60))m" }
        return "\(whole / 86_400)d \(two(whole / 3600 % 24))h"
    }
}
