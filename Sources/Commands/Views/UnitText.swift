import NetworkTypes
import Reports

/// A value of a series in the unit that the agent tells.
struct UnitText: Sendable {
    var unit: String
    var numbers: NumberForm

    /// Aligned in a column.
    func aligned(_ value: Double) -> String { numbers == .exact ? exact(value) : AmountText(unit: unit).aligned(value) }

    /// Amid text.
    func text(_ value: Double) -> String { numbers == .exact ? "\(exact(value)) \(unit)" : AmountText(unit: unit).text(value) }

    /// Percents with their parts, all else whole.
    private func exact(_ value: Double) -> String { unit == "%" ? "\(max(0, value))" : "\(UInt64(min(max(0, value), 1e18).rounded()))" }
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
