import NetworkTypes

// Quantities as policy files write them, `100 Mbit/s`: a plain decimal number, blanks if any, a unit. Exact: what is not a whole number of
// the smallest unit is refused, and what is written reads back equal.

private let decimalPrefixes: [(name: String, factor: UInt64)] = [
    ("T", 1_000_000_000_000), ("G", 1_000_000_000), ("M", 1_000_000), ("k", 1000), ("", 1),
]

/// The number in units of the smallest: `text` ends in one of `units`, each with how many of the smallest it is.
func parseQuantity(_ text: String, units: [String: UInt64]) -> UInt64? {
    let number = text.prefix { $0 == "." || $0.isASCII && $0.isNumber }
    let unit = text.dropFirst(number.count).drop { $0 == " " }
    guard let factor = units[String(unit)] else { return nil }
    let parts = number.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = parts.first.flatMap({ UInt64($0) }) else { return nil }
    var (value, overflows) = whole.multipliedReportingOverflow(by: factor)
    if parts.count == 2 {
        guard !parts[1].isEmpty, parts[1].utf8.count <= 15, let digits = UInt64(parts[1]) else { return nil }
        let scale = (0..<parts[1].utf8.count).reduce(UInt64(1)) { scale, _ in scale * 10 }
        let (product, overflow) = digits.multipliedReportingOverflow(by: factor)
        guard !overflow, product % scale == 0 else { return nil }
        let (sum, overflowsToo) = value.addingReportingOverflow(product / scale)
        (value, overflows) = (sum, overflows || overflowsToo)
    }
    // Far more than any bound, and what Double holds exactly.
    return overflows || value > 1 << 53 ? nil : value
}

private func units(_ names: [String], _ prefixes: [(name: String, factor: UInt64)] = decimalPrefixes, times: UInt64 = 1) -> [String: UInt64]
{
    var units: [String: UInt64] = [:]
    for name in names { for prefix in prefixes { units[prefix.name + name] = prefix.factor * times } }
    return units
}

private let bitUnits = units(["bit/s", "b/s", "bit"])
/// As tc(8) writes them. Its `mbps` is bytes a second, which is taken for nothing.
private let tcUnits = ["bit": 1, "kbit": 1000, "mbit": 1_000_000, "gbit": 1_000_000_000, "tbit": 1_000_000_000_000] as [String: UInt64]
private let byteUnits = units(["B"]).merging(["KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30], uniquingKeysWith: { a, _ in a })
private let packetUnits = units(["pps", "packets/s"])

extension BitRate {
    static let written = "a rate with its unit, such as 100 Mbit/s"

    /// Reads `100 Mbit/s`, `1.5Gbit/s`, `800 kb/s`, and tc's `100mbit`.
    init?(policy text: String) {
        guard let bits = parseQuantity(text, units: bitUnits) ?? parseQuantity(text, units: tcUnits) else { return nil }
        self.init(bitsPerSecond: Double(bits))
    }

    /// In whole bits a second.
    var policyText: String { exact(bitsPerSecond, "bit/s") }
}

extension ByteCount {
    static let written = "bytes with their unit, such as 64 kB or 64 KiB"

    init?(policy text: String) {
        guard let bytes = parseQuantity(text, units: byteUnits) else { return nil }
        self.init(bytes)
    }

    var policyText: String { exact(Double(rawValue), "B") }
}

extension PacketRate {
    init?(policy text: String) {
        guard let packets = parseQuantity(text, units: packetUnits) else { return nil }
        self.init(packetsPerSecond: Double(packets))
    }

    var policyText: String { exact(packetsPerSecond, "pps") }
}

/// With the greatest prefix that leaves a whole number.
private func exact(_ value: Double, _ unit: String) -> String {
    let whole = UInt64(max(0, min(value, 0x1p53)).rounded())
    let prefix = decimalPrefixes.first { whole >= $0.factor && whole % $0.factor == 0 } ?? ("", 1)
    return "\(whole / prefix.factor) \(prefix.name)\(unit)"
}

/// A share, in thousandths of a percent.
enum Percentage {
    static let written = "a percentage such as 90 %"

    static func share(_ text: String) -> Double? { parseQuantity(text, units: ["%": 1000]).map { Double($0) / 100_000 } }

    static func text(_ share: Double) -> String { thousandths(share * 100_000) + " %" }
}

/// Thousandths of samples a second, or of a percent.
enum SampleBudget {
    static let written = "a budget such as 500 samples/s, or 1 % of a CPU"

    static func samplesPerSecond(_ text: String) -> Double? {
        parseQuantity(text, units: ["samples/s": 1000, "ksamples/s": 1_000_000]).map { Double($0) / 1000 }
    }

    static func cpu(_ text: String) -> Double? { Percentage.share(text) }

    static func text(samplesPerSecond: Double) -> String { thousandths(samplesPerSecond * 1000) + " samples/s" }
    static func text(cpu: Double) -> String { Percentage.text(cpu) }
}

private func thousandths(_ value: Double) -> String {
    let whole = UInt64(max(0, min(value, 0x1p53)).rounded())
    guard whole % 1000 != 0 else { return "\(whole / 1000)" }
    let digits = String(whole % 1000)
    return "\(whole / 1000)." + String(repeating: "0", count: 3 - digits.count) + digits
}
