import NetworkTypes
import Reports
import Terminal

/// Two networks side by side: what differs first, then what only one of them has; what is alike is counted.
public struct ComparisonView: Sendable {
    public var output: TerminalOutput

    public init(output: TerminalOutput) { self.output = output }

    public func text(_ report: NetworkComparisonReport) -> String {
        var text = ""
        for pair in report.differing {
            let names = pair.a.name == pair.b.name ? pair.a.name : "\(pair.a.name) – \(pair.b.name)"
            let words =
                pair.attributes.isEmpty ? "joined to something else" : pair.attributes.map { ChangesView.words($0) }.joined(separator: ", ")
            text += line("~", .yellow, pair.a.kind, names, words)
        }
        for thing in report.onlyInA { text += line("−", .red, thing.kind, thing.name, "only in \(report.a)") }
        for thing in report.onlyInB { text += line("+", .green, thing.kind, thing.name, "only in \(report.b)") }
        var kinds: [String: Int] = [:]
        for pair in report.alike { kinds[pair.a.kind, default: 0] += 1 }
        let alike = kinds.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)\($0.value == 1 ? "" : "s")" }.joined(separator: ", ")
        if report.isAlike { return "\(report.a.visible) and \(report.b.visible) are alike: \(alike)\n" }
        return text + output.styled("alike: \(alike.isEmpty ? "nothing" : alike)\n", .dim)
    }

    private func line(_ sign: String, _ style: TextStyle, _ kind: String, _ name: String, _ words: String) -> String {
        "\(output.styled(sign, style)) \(ChangesView.kind(kind)) \(output.styled(name.visible, .bold)) \(output.styled(words.visible, .dim))\n"
    }
}
