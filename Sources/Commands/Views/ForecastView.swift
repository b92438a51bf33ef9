import NetworkTypes
import Terminal

/// A forecast for people: for each direction a line a step, with a fan of what is to be expected.
public struct ForecastView: Sendable {
    public var output: TerminalOutput
    public var numbers: NumberForm

    public init(output: TerminalOutput, numbers: NumberForm = .short) {
        self.output = output
        self.numbers = numbers
    }

    /// The most lines of a direction; of more steps every so manieth is shown.
    private static let rows = 24
    /// The quantiles that there is room for.
    private var shown: [Int] { output.width == 0 || output.width >= 100 ? [0, 2, 5, 8, 10] : [0, 5, 10] }

    public func text(_ report: ForecastReport) -> String {
        report.directions.map { direction($0, report) }.joined(separator: "\n")
    }

    private func direction(_ direction: ForecastReport.Direction, _ report: ForecastReport) -> String {
        let step = Duration.seconds(report.stepSeconds)
        var heading = output.styled("\(report.name) \(direction.direction.replacing("-", with: " "))".visible, .bold)
        if let latest = direction.latest { heading += "  now \(rate(latest, report).trimmed)" }
        let basis = "by \(direction.measured) of \(direction.steps) steps of \(step.short)"
        guard let quantiles = direction.quantiles, let most = quantiles.map({ $0[10] }).max() else {
            return heading + "\n" + output.styled("no forecast: \((direction.abstention ?? "?").visible)\n", .yellow)
        }
        var table = Table(
            [.init("IN", right: true)] + shown.map { .init("\(Int((report.levels[$0] * 100).rounded())) %", right: true) } + [
                .init("")
            ])
        let stride = (quantiles.count + Self.rows - 1) / Self.rows
        for index in Swift.stride(from: stride - 1, to: quantiles.count, by: stride) {
            table.append(
                [.init((step * (index + 1)).short)] + shown.map { .init(rate(quantiles[index][$0], report)) }
                    + [.init(fan(quantiles[index], most), .blue)])
        }
        let error = direction.errorAgainstNaive.map { ", error \(hundredths($0)) of what repeating \(naive(direction)) has" } ?? ""
        return heading + "\n" + table.text(for: output) + output.styled(basis + error + "\n", .dim)
    }

    private func naive(_ direction: ForecastReport.Direction) -> String { (direction.samplesPerDay ?? 0) > 0 ? "yesterday" : "the last" }

    private func hundredths(_ value: Double) -> String {
        let whole = Int((min(max(value, 0), 1e6) * 100).rounded())
        return "\(whole / 100).\(whole % 100 < 10 ? "0" : "")\(whole % 100)"
    }

    private func rate(_ value: Double, _ report: ForecastReport) -> String {
        report.unit == "bit/s" ? numbers.rate(value) : numbers.packetRate(value)
    }

    /// From the 5 % to the 95 %, the middle three fifths thicker, the median thickest.
    private func fan(_ quantiles: [Double], _ most: Double) -> String {
        let width = 32
        func place(_ value: Double) -> Int { most > 0 ? min(width - 1, max(0, Int(value / most * Double(width)))) : 0 }
        var cells = [Character](repeating: " ", count: width)
        for cell in place(quantiles[0])...place(quantiles[10]) { cells[cell] = "░" }
        for cell in place(quantiles[2])...place(quantiles[8]) { cells[cell] = "▒" }
        cells[place(quantiles[5])] = "█"
        while cells.last == " " { cells.removeLast() }
        return String(cells)
    }
}

extension String {
    /// Without the blanks that align it.
    fileprivate var trimmed: String { String(drop { $0 == " " }) }
}
