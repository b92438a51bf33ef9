import Glibc
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

    /// Percents to the hundredth, all else whole.
    private func exact(_ value: Double) -> String { unit == "%" ? hundredths(value) : "\(UInt64(min(max(0, value), 1e18).rounded()))" }
}

/// Two places after the point.
func hundredths(_ value: Double) -> String { fixed(min(max(value, 0), 1e6), places: 2) }

/// - Parameters:
///   - value: 0 or more.
///   - places: after the point, at most 9.
func fixed(_ value: Double, places: Int) -> String {
    let scale = (0..<places).reduce(1) { scale, _ in scale * 10 }
    let whole = Int((min(max(0, value), 1e9) * Double(scale)).rounded())
    guard places > 0 else { return "\(whole)" }
    let part = String(whole % scale)
    return "\(whole / scale)." + String(repeating: "0", count: places - part.count) + part
}

/// With so many digits at most, and no more places than it takes.
func significant(_ value: Double, digits: Int = 5) -> String {
    guard value.isFinite, value != 0 else { return "\(value == 0 ? "0" : "\(value)")" }
    let exponent = Double(digits) - 1 - floor(log10(abs(value)))
    // A power below one is not exact: dividing by its inverse is.
    let rounded =
        exponent >= 0
        ? (value * pow(10, exponent)).rounded() / pow(10, exponent) : (value / pow(10, -exponent)).rounded() * pow(10, -exponent)
    let text = "\(rounded)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
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
