import NetworkTypes

/// A value of a series in the unit that the agent tells.
struct UnitText: Sendable {
    var unit: String
    var numbers: NumberForm

    /// With its unit, aligned in a column.
    func aligned(_ value: Double) -> String {
        let amount = max(0, value)
        switch unit {
        case "bit/s": return numbers.rate(amount)
        case "packet/s": return numbers.packetRate(amount)
        case "B": return numbers.bytes(UInt64(min(amount, 1e18)))
        case "B/s": return numbers.bytes(UInt64(min(amount, 1e18))) + "/s"
        case "%": return numbers == .exact ? "\(amount)" : "\(Self.tenths(amount)) %"
        default: return numbers.count(UInt64(min(amount, 1e18)))
        }
    }

    func text(_ value: Double) -> String {
        let all = aligned(value)
        let start = all.firstIndex { $0 != " " } ?? all.startIndex
        let end = all.lastIndex { $0 != " " } ?? all.startIndex
        return all.isEmpty ? all : String(all[start...end])
    }

    private static func tenths(_ value: Double) -> String {
        let whole = Int((min(value, 1e6) * 10).rounded())
        return "\(whole / 10).\(whole % 10)"
    }
}

/// Two places after the point.
func hundredths(_ value: Double) -> String {
    let whole = Int((min(max(value, 0), 1e6) * 100).rounded())
    return "\(whole / 100).\(whole % 100 < 10 ? "0" : "")\(whole % 100)"
}

/// Of one, without places.
func percent(_ share: Double) -> String { "\(Int((share * 100).rounded())) %" }

extension Duration {
    /// `5m`, `1h`, `2h 30m`: without the parts that are nothing.
    var plain: String {
        var text = short
        for nothing in [" 00s", " 00m", " 00h"] where text.hasSuffix(nothing) { text.removeLast(nothing.count) }
        return text
    }
}
