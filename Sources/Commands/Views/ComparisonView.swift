import NetworkTypes
import Reports
import Terminal

/// Two networks side by side: what differs first, then what only one of them has; what is alike is counted.
public struct ComparisonView: Sendable {
    public var output: TerminalOutput

    public init(output: TerminalOutput) { self.output = output }

    public func text(_ report: NetworkComparisonReport) -> String {
        var text = ""
        for pair in report.differing where !pair.attributes.isEmpty {
            let names = pair.a.name == pair.b.name ? pair.a.name : "\(pair.a.name) – \(pair.b.name)"
            text += line("~", .yellow, pair.a.kind, names, pair.attributes.map { ChangesView.words($0) }.joined(separator: ", "))
        }
        for thing in report.onlyInA { text += line("−", .red, thing.kind, thing.name, "only in \(report.a)") }
        for thing in report.onlyInB { text += line("+", .green, thing.kind, thing.name, "only in \(report.b)") }
        let alike = Self.counted(report.alike)
        if report.isAlike { return "\(report.a.visible) and \(report.b.visible) are alike: \(alike)\n" }
        let elsewhere = report.differing.filter(\.attributes.isEmpty)
        if !elsewhere.isEmpty {
            text += output.styled("in the same place, but joined to something else: \(Self.counted(elsewhere))\n", .dim)
        }
        return text + output.styled("alike: \(alike.isEmpty ? "nothing" : alike)\n", .dim)
    }

    /// `2 interfaces, 1 namespace`.
    private static func counted(_ pairs: [NetworkComparisonReport.Pair]) -> String {
        Dictionary(grouping: pairs, by: \.a.kind).sorted { $0.key < $1.key }
            .map { "\($0.value.count) \($0.key)\($0.value.count == 1 ? "" : "s")" }.joined(separator: ", ")
    }

    private func line(_ sign: String, _ style: TextStyle, _ kind: String, _ name: String, _ words: String) -> String {
        "\(output.styled(sign, style)) \(ChangesView.kind(kind)) \(output.styled(name.visible, .bold)) \(output.styled(words.visible, .dim))\n"
    }
}
