import NetworkTypes

/// A value of a series for people, in the unit that reports tell: `bit/s`, `packet/s`, `B/s`, `B`, `%` or `flows`.
public struct AmountText: Sendable {
    public var unit: String

    public init(unit: String) { self.unit = unit }

    /// With prefix and unit, aligned in a column.
    public func aligned(_ value: Double) -> String {
        let amount = min(max(0, value), 1e18)
        switch unit {
        case "bit/s": return BitRate(bitsPerSecond: amount).text.aligned
        case "packet/s": return PacketRate(packetsPerSecond: amount).text.aligned
        case "B": return ByteCount(UInt64(amount)).text.aligned
        case "B/s": return ByteCount(UInt64(amount)).text.aligned + "/s"
        case "%":
            let tenths = Int((min(amount, 1e6) * 10).rounded())
            return "\(tenths / 10).\(tenths % 10) %"
        default: return Count(UInt64(amount)).text.aligned
        }
    }

    /// Amid text.
    public func text(_ value: Double) -> String {
        let all = aligned(value)
        guard let start = all.firstIndex(where: { $0 != " " }), let end = all.lastIndex(where: { $0 != " " }) else { return all }
        return String(all[start...end])
    }
}
