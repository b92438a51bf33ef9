import NetworkTypes
import Reports
import Terminal

/// Changes in words: a difference of two moments, or what just happened.
public struct ChangesView: Sendable {
    public var output: TerminalOutput
    public var numbers: NumberForm
    public var kernelMade: Bool

    public init(output: TerminalOutput, numbers: NumberForm = .short, kernelMade: Bool = false) {
        self.output = output
        self.numbers = numbers
        self.kernelMade = kernelMade
    }

    public func text(_ report: TopologyDifferenceReport) -> String {
        let changes = shown(report.changes)
        let shared = Self.shared(changes.map { ($0.name, Self.network(of: $0)) })
        var text = changes.map { line($0, naming: shared) + "\n" }.joined()
        if !report.traffic.isEmpty {
            var table = Table([
                .init("TRAFFIC", shrinksTo: 20), .init("PORT"), .init("APPLICATION", dropRank: 1), .init("BEFORE", right: true),
                .init("AFTER", right: true), .init("", right: true),
            ])
            let shared = Self.shared(report.traffic.map { ($0.name, $0.networks) })
            for shift in report.traffic {
                let network = shared.contains(shift.name) ? shift.networks.map { " (\($0.joined(separator: ", ")))" } : nil
                table.append([
                    .init(shift.name + (network ?? "")), .init(shift.protocol ?? "-"), .init(shift.application ?? "-"),
                    .init(numbers.rate(shift.before)), .init(numbers.rate(shift.after)),
                    .init(Self.factor(shift), shift.after > shift.before ? .yellow : nil),
                ])
            }
            text += (text.isEmpty ? "" : "\n") + table.text(for: output)
        }
        let count = { (what: String) in changes.filter { $0.change == what }.count }
        let head = "\(count("appeared")) appeared, \(count("vanished")) vanished, \(count("changed")) changed"
        let span = "between \(report.from) and \(report.to)"
        let end = text.isEmpty ? "nothing changed \(span)\n" : output.styled("\(head) \(span)\n", .dim)
        return text + end + remarks(report)
    }

    private func remarks(_ report: TopologyDifferenceReport) -> String {
        var lines = (report.gaps ?? []).map { "nobody looked \($0.span): compared is what was seen last before that, without traffic" }
        if let begins = report.historyBegins { lines.append("the history begins at \(begins): the changes are those since then") }
        return lines.map { output.styled($0 + "\n", .yellow) }.joined()
    }

    /// With the time before each.
    public func text(_ event: ChangesEventReport) -> String {
        let time = MomentText.local(event.at, beside: MomentText.now)
        return shown(event.changes).map { output.styled(time, .dim) + "  " + line($0) + "\n" }.joined()
    }

    private func shown(_ changes: [ChangeReport]) -> [ChangeReport] { changes.filter { kernelMade || $0.kernelMade != true } }

    /// Names of things of several networks.
    private static func shared<Network: Hashable>(_ named: [(name: String, network: Network?)]) -> Set<String> {
        Set(Dictionary(grouping: named, by: \.name).filter { Set($0.value.map(\.network)).count > 1 }.keys)
    }

    /// Of an endpoint or a link between some, as the key begins with it.
    private static func network(of change: ChangeReport) -> String? {
        // Of a link's ends the one that is in a network.
        change.key.split(separator: "~").lazy.compactMap { end in
            ["/ip/", "/mac/", "/service/"].lazy.compactMap { word in end.firstRange(of: word) }.first.map { String(end[..<$0.lowerBound]) }
        }.first
    }

    /// - Parameter shared: names that need their network beside them.
    private func line(_ change: ChangeReport, naming shared: Set<String> = []) -> String {
        let (sign, style): (String, TextStyle) =
            switch change.change {
            case "appeared": ("+", .green)
            case "vanished": ("−", .red)
            default: ("~", .yellow)
            }
        var words = [output.styled(sign, style), Self.kind(change.kind), output.styled(change.name.visible, .bold)]
        if shared.contains(change.name), let network = Self.network(of: change) { words.append("in \(network.visible)") }
        if change.change == "changed" {
            words.append(change.attributes.map { Self.words($0) }.joined(separator: ", "))
        } else {
            words.append(output.styled(Self.about(change), .dim))
        }
        return words.filter { !$0.isEmpty }.joined(separator: " ")
    }

    /// `state up → down`.
    static func words(_ change: ChangeReport.AttributeChange) -> String {
        func text(_ value: AttributeValue?) -> String {
            guard let value else { return "none" }
            if case .number(let rate) = value, change.name == "speed" || change.name == "capacity" {
                return BitRate(bitsPerSecond: rate).description
            }
            return value.description.visible
        }
        if change.name == "rules" { return "rules changed" }
        return "\(change.name.visible) \(text(change.before)) → \(text(change.after))"
    }

    static func kind(_ kind: String) -> String {
        switch kind {
        case "veth": "veth pair"
        case "port": "bridge port"
        case "fdb": "forwarding entry"
        case "attachment": "address"
        case "stack": "stacking"
        case "talk": "communication"
        case "station": "MAC address"
        case "vtep": "tunnel end"
        case "serves": "server"
        case "translation": "address translation"
        case "security": "security rules"
        default: kind
        }
    }

    /// What tells most of a thing that came or went.
    private static func about(_ change: ChangeReport) -> String {
        let attributes = change.entity?.attributes ?? change.link?.attributes ?? [:]
        func text(_ name: String) -> String? { attributes[name].map { $0.description.visible } }
        let words: [String?] =
            switch change.kind {
            case "interface":
                [text("device")] + ["vni", "vlan", "table"].map { name in text(name).map { "\(name) \($0)" } }
                    + [text("state").flatMap { $0 == "up" ? nil : $0 }]
            case "endpoint": [text("address").flatMap { $0 == change.name ? nil : $0 }, text("mac")]
            case "route": [text("via").map { "via \($0)" }, text("table").flatMap { $0 == "main" ? nil : "table \($0)" }, text("type")]
            case "rule": [text("selector"), text("action")]
            case "service": [text("application")]
            case "namespace": [text("owner")]
            case "network": [text("prefixes")]
            case "talk": [change.link?.protocolText, text("application")]
            case "tunnel", "vtep": [text("vni").map { "vni \($0)" }]
            case "neighbour", "fdb", "wire": [text("mac")]
            case "veth", "port": []
            default: []
            }
        return words.compactMap { $0 }.filter { $0 != "unicast" }.joined(separator: ", ")
    }

    /// `× 4.2`, `new`, `gone`.
    private static func factor(_ shift: TopologyDifferenceReport.Shift) -> String {
        if shift.before <= 0 { return "new" }
        if shift.after <= 0 { return "gone" }
        let tenths = Int((shift.after / shift.before * 10).rounded())
        return tenths >= 10_000 ? "× 1000 and more" : tenths >= 100 ? "× \(tenths / 10)" : "× \(tenths / 10).\(tenths % 10)"
    }
}
