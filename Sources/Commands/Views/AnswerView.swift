import NetworkTypes
import Reports
import Terminal

/// Answers to the named questions, for people.
public struct AnswerView: Sendable {
    public var output: TerminalOutput
    public var numbers: NumberForm

    public init(output: TerminalOutput, numbers: NumberForm = .short) {
        self.output = output
        self.numbers = numbers
    }

    public func text(_ report: TopologyAnswerReport) -> String {
        let entities = Dictionary(report.entities.map { ($0.key, $0) }) { $1 }
        switch report.question {
        case "path": return path(report, entities)
        case "behind": return behind(report)
        default: return talks(report)
        }
    }

    // MARK: A way

    private func path(_ report: TopologyAnswerReport, _ entities: [String: EntityReport]) -> String {
        let links = Dictionary(report.links.map { ($0.key, $0) }) { $1 }
        var text = ""
        for (number, step) in (report.steps ?? []).enumerated() {
            let by = step.link.flatMap { links[$0] }.map { Self.how($0) }
            let arrow = number == 0 ? "" : output.styled("│ \(by ?? "within the namespace")\n", .dim)
            text += arrow + output.styled(number == 0 ? "○ " : "● ", .blue) + output.styled(name(step.entity, entities), .bold)
            if let route = step.route { text += "  " + output.styled("by \(Self.route(entities[route]) ?? route.visible)", .dim) }
            text += "\n"
        }
        return text + end(report, entities) + unjudged(report)
    }

    /// Routes are followed, and nothing else.
    private func unjudged(_ report: TopologyAnswerReport) -> String {
        guard let rules = report.unjudged else { return "" }
        let places = rules.map { $0.split(separator: "/").dropLast().last.map(String.init) ?? $0 }
        return output.styled("not asked: the security rules of \(places.joined(separator: ", ").visible)\n", .yellow)
    }

    private func name(_ key: String, _ entities: [String: EntityReport]) -> String {
        guard let entity = entities[key] else { return key.visible }
        if entity.kind == "interface" { return Self.qualified(entity).visible }
        let address = entity.attributes["address"]?.description
        return (address.map { $0 == entity.name ? $0 : "\($0) (\(entity.name))" } ?? entity.name).visible
    }

    /// An interface with its namespace, which its key's parent ends with.
    private static func qualified(_ entity: EntityReport) -> String {
        guard let parent = entity.parent else { return entity.name }
        let words = parent.split(separator: "/")
        // host/NAME/ns/init is the host's own.
        let place = words.last == "init" && words.count == 4 ? words[1] : words.last
        return place.map { "\($0):\(entity.name)" } ?? entity.name
    }

    private static func route(_ entity: EntityReport?) -> String? {
        guard let entity else { return nil }
        let via = entity.attributes["via"].map { " via \($0)" } ?? ""
        let table = entity.attributes["table"].flatMap { $0 == .text("main") ? nil : " table \($0)" } ?? ""
        return (entity.name + via + table).visible
    }

    private static func how(_ link: LinkReport) -> String {
        switch link.kind {
        case "tunnel": "tunnel" + (link.attributes["vni"].map { ", vni \($0)" } ?? "")
        case "vtep": "VXLAN" + (link.attributes["vni"].map { ", vni \($0)" } ?? "")
        case "attachment": "its interface"
        default: ChangesView.kind(link.kind)
        }
    }

    private func end(_ report: TopologyAnswerReport, _ entities: [String: EntityReport]) -> String {
        func place(_ key: String?) -> String { key.map { name($0, entities) } ?? "?" }
        switch report.end?.reason {
        case "arrived": return output.styled("arrived\n", .green)
        case "source-unknown": return output.styled("no interface that is known has the first address\n", .red)
        case "no-route": return output.styled("no route from \(place(report.end?.at))\n", .red)
        case "refused": return output.styled("refused by \(place(report.end?.at))\n", .red)
        case "leaves": return output.styled("leaves what is known by \(place(report.end?.at))\n", .yellow)
        case "not-joined":
            return output.styled("nothing joins \(place(report.end?.at)) and \(place(report.end?.and))\n", .red)
        case "loop": return output.styled("goes round in a circle at \(place(report.end?.at))\n", .red)
        default: return output.styled("ends: \((report.end?.reason ?? "?").visible)\n", .red)
        }
    }

    // MARK: Lists

    private func behind(_ report: TopologyAnswerReport) -> String {
        if report.entities.isEmpty { return "nothing is behind \(report.of.visible)\n" }
        var table = Table([
            .init("KIND"), .init("NAME", shrinksTo: 12), .init("ADDRESS", shrinksTo: 8), .init("KEY", shrinksTo: 16, dropRank: 1),
        ])
        for entity in report.entities {
            let address = entity.attributes["address"] ?? entity.attributes["mac"]
            let name = entity.kind == "interface" ? Self.qualified(entity) : entity.name
            table.append([.init(entity.kind), .init(name), .init(address?.description ?? ""), .init(entity.key)])
        }
        return table.text(for: output) + rest(report, report.entities.count)
    }

    private func talks(_ report: TopologyAnswerReport) -> String {
        if report.links.isEmpty { return "nobody \(report.since == nil ? "talks" : "talked") to \(report.of.visible)\n" }
        let places = TopologyPlaces(entities: report.entities, links: report.links, kernelMade: true)
        let view = TopologyView(output: output, numbers: numbers, kernelMade: true)
        return view.talks(places.talks, places, omitted: 0) + rest(report, report.links.count)
    }

    private func rest(_ report: TopologyAnswerReport, _ shown: Int) -> String {
        let left = (report.matched ?? shown) - shown
        return left > 0 ? output.styled("\(left) more: --top\n", .dim) : ""
    }
}
