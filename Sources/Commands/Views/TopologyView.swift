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
        let places = Places(report, kernelMade: kernelMade)
        var text = ""
        for host in places.children[nil] ?? [] where host.kind == "host" {
            text += output.styled(host.name.visible, .bold) + note(host) + "\n"
            text += branches(places.children[host.key] ?? [], places, "")
        }
        let networks = (places.children[nil] ?? []).filter { $0.kind == "network" && places.isWorthTelling($0) }
        if !networks.isEmpty {
            text += "\n" + output.styled("networks", .bold) + "\n"
            text += branches(networks, places, "")
        }
        let talks = report.links.filter { $0.talk != nil && (kernelMade || $0.kernelMade == nil) }
        if !talks.isEmpty { text += "\n" + self.talks(talks, places, omitted: report.omittedLinks) }
        return text.isEmpty ? "the topology is empty\n" : text
    }

    private func branches(_ entities: [TopologyReport.Entity], _ places: Places, _ indent: String) -> String {
        let shown = entities.filter { Self.kindsInTree.contains($0.kind) }
        var text = ""
        for (number, entity) in shown.enumerated() {
            let isLast = number == shown.count - 1
            text += indent + (isLast ? "└─ " : "├─ ") + line(entity, places) + "\n"
            text += branches(places.children[entity.key] ?? [], places, indent + (isLast ? "   " : "│  "))
        }
        return text
    }

    private static let kindsInTree: Set = ["namespace", "interface", "network", "endpoint", "prefix", "service", "station"]

    private func line(_ entity: TopologyReport.Entity, _ places: Places) -> String {
        var words: [String] = []
        switch entity.kind {
        case "interface":
            words = [entity.attributes["kind"], entity.attributes["state"].flatMap { $0 == "up" ? nil : $0 }].compactMap { $0 }
            words += entity.attributes["vni"].map { ["vni \($0)"] } ?? []
            words += places.addresses[entity.key] ?? []
            words += places.joins[entity.key] ?? []
        case "network":
            words = entity.attributes["prefixes"].map { [$0] } ?? []
            if let members = places.members[entity.key], !members.isEmpty { words.append("of " + members.joined(separator: ", ")) }
        default: words = [entity.attributes["name"], entity.attributes["owner"], entity.attributes["mac"]].compactMap { $0 }
        }
        words.removeAll { $0.isEmpty || $0 == entity.name }
        let name =
            entity.kind == "interface" || entity.kind == "namespace" ? output.styled(entity.name.visible, .bold) : entity.name.visible
        return ([name] + words.map(\.visible)).joined(separator: "  ")
    }

    private func note(_ host: TopologyReport.Entity) -> String { host.attributes["kernel"].map { "  Linux \($0.visible)" } ?? "" }

    private func talks(_ links: [TopologyReport.Link], _ places: Places, omitted: Int) -> String {
        var table = Table([
            .init("CLIENT", shrinksTo: 12), .init("SERVER", shrinksTo: 12), .init("PORT"), .init("APPLICATION", dropRank: 1),
            .init(numbers.title("SENT", unit: "b/s"), right: true), .init(numbers.title("RECEIVED", unit: "b/s"), right: true),
            .init("TOTAL", right: true, dropRank: 2), .init("RTT", right: true, dropRank: 3),
        ])
        let busiest = links.compactMap { link in link.talk.map { (link, $0) } }.sorted { a, b in
            let (x, y) = (a.1.sentBitsPerSecond + a.1.receivedBitsPerSecond, b.1.sentBitsPerSecond + b.1.receivedBitsPerSecond)
            return x != y ? x > y : a.1.sentBytes + a.1.receivedBytes > b.1.sentBytes + b.1.receivedBytes
        }
        for (link, talk) in busiest {
            table.append([
                .init(places.name(of: link.from)), .init(places.name(of: link.to)),
                .init(talk.port.map { "\(talk.ipProtocol)/\($0)" } ?? talk.ipProtocol), .init(talk.application ?? "-"),
                .init(numbers.rate(talk.sentBitsPerSecond)), .init(numbers.rate(talk.receivedBitsPerSecond)),
                .init(numbers.bytes(talk.sentBytes + talk.receivedBytes)),
                .init(talk.medianRoundTripMicroseconds.map { "≤ " + Duration.microseconds(Int64($0)).short } ?? "-"),
            ])
        }
        let rest = omitted > 0 ? output.styled("\(omitted) more conversations: --top\n", .dim) : ""
        return table.text(for: output) + rest
    }

    // MARK: The table

    /// A line for each link.
    public func table(_ report: TopologyReport) -> String {
        let places = Places(report, kernelMade: kernelMade)
        var table = Table([.init("KIND"), .init("FROM", shrinksTo: 16), .init("TO", shrinksTo: 16), .init("WHAT", dropRank: 1)])
        for link in report.links where kernelMade || link.kernelMade == nil {
            let words = link.attributes.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            let talk = link.talk.map { ["\($0.ipProtocol)" + ($0.port.map { "/\($0)" } ?? "")] } ?? []
            table.append([
                .init(link.kind), .init(places.path(of: link.from)), .init(places.path(of: link.to)),
                .init((talk + words).joined(separator: ", ")),
            ])
        }
        return table.text(for: output)
    }
}

/// A report's entities by what they are in, and what links say of them.
struct Places {
    private(set) var children: [String?: [TopologyReport.Entity]] = [:]
    /// Of interfaces, with their prefixes' lengths.
    private(set) var addresses: [String: [String]] = [:]
    /// What an interface is plugged into.
    private(set) var joins: [String: [String]] = [:]
    /// The interfaces of a network.
    private(set) var members: [String: [String]] = [:]
    private var entities: [String: TopologyReport.Entity] = [:]

    init(_ report: TopologyReport, kernelMade: Bool) {
        for entity in report.entities {
            entities[entity.key] = entity
            if kernelMade || entity.kernelMade == nil { children[entity.parent, default: []].append(entity) }
        }
        for link in report.links where kernelMade || link.kernelMade == nil {
            switch link.kind {
            case "attached":
                let length = link.attributes["prefix length"].map { "/\($0)" } ?? ""
                addresses[link.to, default: []].append(name(of: link.from) + length)
            case "port": joins[link.from, default: []].append("in \(name(of: link.to))")
            case "over": joins[link.from, default: []].append("over \(name(of: link.to))")
            case "veth":
                joins[link.from, default: []].append("↔ \(path(of: link.to))")
                joins[link.to, default: []].append("↔ \(path(of: link.from))")
            case "member": members[link.to, default: []].append(path(of: link.from))
            default: break
            }
        }
    }

    func name(of key: String) -> String { entities[key]?.name ?? key }

    /// With the namespace of what is in one.
    func path(of key: String) -> String {
        guard let entity = entities[key], entity.kind == "interface", let parent = entity.parent else { return name(of: key) }
        return "\(name(of: parent)):\(entity.name)"
    }

    /// The wire of a lone interface is no news beside the interface.
    func isWorthTelling(_ network: TopologyReport.Entity) -> Bool {
        !network.key.hasPrefix("link/") && !network.key.hasPrefix("network/link/") || !(children[network.key] ?? []).isEmpty
    }
}
