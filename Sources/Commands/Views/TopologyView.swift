import NetworkTypes
import Reports
import Terminal

/// The topology for people: a tree of what there is, and the busiest conversations; or the links as a table.
public struct TopologyView: Sendable {
    public var output: TerminalOutput
    public var numbers: NumberForm
    /// Also what the kernel makes by itself.
    public var kernelMade: Bool

    public init(output: TerminalOutput, numbers: NumberForm = .short, kernelMade: Bool = false) {
        self.output = output
        self.numbers = numbers
        self.kernelMade = kernelMade
    }

    // MARK: The tree

    public func tree(_ report: TopologyReport) -> String {
        let places = TopologyPlaces(report, kernelMade: kernelMade)
        var text = report.live ? "" : output.styled("at \(report.at)\n", .dim)
        text += remarks(report)
        for host in places.children[nil] ?? [] where host.kind == "host" {
            let kernel = host.attributes["kernel"].map { "  Linux \($0.description.visible)" } ?? ""
            text += output.styled(host.name.visible, .bold) + kernel + "\n"
            text += branches(places.children[host.key] ?? [], places, "")
        }
        let networks = report.entities.filter {
            $0.kind == "network" && places.entities[$0.key] != nil && !(places.members[$0.key] ?? []).isEmpty
        }
        if !networks.isEmpty { text += "\n" + output.styled("networks", .bold) + "\n" + branches(networks, places, "") }
        if !places.elsewhere.isEmpty {
            text += "\n" + output.styled("elsewhere", .bold) + "\n" + branches(places.elsewhere, places, "")
        }
        let talks = places.talks
        if !talks.isEmpty { text += "\n" + self.talks(talks, places, omitted: report.omitted?.links ?? 0) }
        return text.isEmpty ? "the topology is empty\n" : text
    }

    /// How well the moment is known, where that is not as it should be; lines.
    func remarks(_ report: TopologyReport) -> String {
        var text = ""
        if let gap = report.gap {
            text += output.styled("nobody looked \(gap.span): the map is that of \(gap.from), without loads\n", .yellow)
        }
        if let begins = report.historyBegins {
            text += output.styled("the history begins at \(begins): of the time before nothing is known\n", .yellow)
        }
        return text
    }

    /// Of one kind below one entity; more are counted.
    private static let shownBelow = 100

    private func branches(_ entities: [EntityReport], _ places: TopologyPlaces, _ indent: String) -> String {
        let shown = entities.sorted { TopologyLayout.precedes($0.name, $1.name) }.prefix(Self.shownBelow)
        let left = entities.count - shown.count
        var text = ""
        for (number, entity) in shown.enumerated() {
            let isLast = number == shown.count - 1 && left == 0
            text += indent + output.styled(isLast ? "└─ " : "├─ ", .dim) + line(entity, places) + "\n"
            text += branches(below(entity, places), places, indent + output.styled(isLast ? "   " : "│  ", .dim))
        }
        if left > 0 { text += indent + output.styled("└─ … \(left) more: --network, --format table\n", .dim) }
        return text
    }

    private func below(_ entity: EntityReport, _ places: TopologyPlaces) -> [EntityReport] {
        switch entity.kind {
        case "namespace": (places.children[entity.key] ?? []).filter { $0.kind == "interface" }
        case "network":
            // A service stands at its endpoint, where it has one only.
            (places.members[entity.key] ?? []).filter {
                ["endpoint", "prefix", "station"].contains($0.kind) || $0.kind == "service" && $0.parent == nil
            }
        default: []
        }
    }

    private func line(_ entity: EntityReport, _ places: TopologyPlaces) -> String {
        var words: [String] = []
        var warning: String?
        func attribute(_ name: String) -> String? { entity.attributes[name]?.description }
        switch entity.kind {
        case "interface":
            words = [attribute("device") ?? ""]
            if let state = attribute("state"), state != "up" { warning = state }
            for name in ["vni", "vlan", "table", "key"] { words += attribute(name).map { ["\(name) \($0)"] } ?? [] }
            words += attribute("remote").map { ["to \($0)"] } ?? []
            words += places.addresses[entity.key] ?? []
            words += places.joins[entity.key] ?? []
        case "network":
            words = [attribute("prefixes") ?? ""]
            let interfaces = (places.members[entity.key] ?? []).filter { $0.kind == "interface" }.count
            if interfaces > 0 { words.append(interfaces == 1 ? "1 interface" : "\(interfaces) interfaces") }
        case "endpoint":
            words = [attribute("address") ?? "", attribute("mac") ?? ""]
            words += (places.services[entity.key] ?? []).map { "serves " + Self.service($0) }
            words += places.holders[entity.key].map { ["at " + $0.map(places.path).joined(separator: ", ")] } ?? []
        case "service": words = [attribute("application") ?? ""]
        case "namespace": words = [places.owner(of: entity) ?? "", places.exits[entity.key] ?? ""]
        default: words = [attribute("mac") ?? ""]
        }
        words.removeAll { $0.isEmpty || $0 == entity.name }
        let isStrong = ["interface", "namespace", "network"].contains(entity.kind)
        // What --network takes.
        let name = entity.kind == "network" ? entity.key : entity.name
        var parts = [isStrong ? output.styled(name.visible, .bold) : name.visible]
        if let warning { parts.append(output.styled(warning.visible, .red)) }
        return (parts + words.map(\.visible)).joined(separator: "  ")
    }

    /// `tcp/5432 postgresql`.
    static func service(_ service: EntityReport) -> String {
        [service.name, service.attributes["application"]?.description].compactMap { $0 }.joined(separator: " ")
    }

    // MARK: Communication

    func talks(_ talks: [(link: LinkReport, load: LoadReport)], _ places: TopologyPlaces, omitted: Int) -> String {
        var table = Table([
            .init("CLIENT", shrinksTo: 12), .init("SERVER", shrinksTo: 12), .init("PORT"), .init("APPLICATION", dropRank: 1),
            .init(numbers.title("SENT", unit: "b/s"), right: true), .init(numbers.title("RECEIVED", unit: "b/s"), right: true),
            .init("TOTAL", right: true, dropRank: 2), .init("RTT", right: true, dropRank: 3),
        ])
        for (link, load) in talks {
            table.append([
                .init(places.endpoint(link.from)), .init(places.endpoint(link.to)), .init(link.protocolText),
                .init(link.attributes["application"]?.description ?? "-"), .init(numbers.rate(load.bitsPerSecond)),
                .init(numbers.rate(load.reverseBitsPerSecond)),
                .init(load.totals.map { numbers.bytes($0.bytes &+ $0.reverseBytes) } ?? "-"),
                .init(load.roundTripMicroseconds.map { "≤ " + Duration.microseconds(Int64($0.p50)).short } ?? "-"),
            ])
        }
        let rest = omitted > 0 ? output.styled("\(omitted) more conversations: --top\n", .dim) : ""
        return table.text(for: output) + rest
    }

    // MARK: The table

    /// A line for each link.
    public func table(_ report: TopologyReport) -> String {
        let places = TopologyPlaces(report, kernelMade: kernelMade)
        var table = Table([
            .init("KIND"), .init("FROM", shrinksTo: 16), .init("TO", shrinksTo: 16), .init(numbers.title("LOAD", unit: "b/s"), right: true),
            .init("RTT", right: true, dropRank: 2), .init("WHAT", shrinksTo: 8, dropRank: 1),
        ])
        for link in places.links.sorted(by: { ($0.layer, $0.kind, $0.key) < ($1.layer, $1.kind, $1.key) }) {
            let words = link.attributes.sorted { $0.key < $1.key }.map { name, value in
                value == .flag(true) ? name : name == "capacity" ? "capacity \(Self.rate(value))" : "\(name) \(value)"
            }
            let load = link.load.flatMap { $0.bitsPerSecond == nil ? nil : $0.bothBitsPerSecond }
            table.append([
                .init(link.kind), .init(places.path(of: link.from)), .init(places.path(of: link.to)),
                .init(load.map { numbers.rate($0) } ?? ""),
                .init(link.load?.roundTripMicroseconds.map { Duration.microseconds(Int64($0.least)).short } ?? ""),
                .init(words.joined(separator: ", ")),
            ])
        }
        if places.links.isEmpty { return remarks(report) + "no links\n" }
        return remarks(report) + table.text(for: output)
    }

    private static func rate(_ value: AttributeValue) -> String {
        guard case .number(let rate) = value else { return value.description }
        return BitRate(bitsPerSecond: rate).description
    }
}
