import NetworkTypes
import Reports

/// The topology as a graph for Graphviz (dot(1)): namespaces are boxes around their interfaces and addresses, networks boxes around the
/// addresses that no known interface has.
struct TopologyDrawing: Sendable {
    var kernelMade: Bool

    private static let kinds: Set = ["interface", "endpoint", "prefix", "station", "service", "application", "zone"]

    func dot(_ report: TopologyReport) -> String {
        let places = TopologyPlaces(report, kernelMade: kernelMade)
        let nodes = report.entities.filter { places.entities[$0.key] != nil && Self.kinds.contains($0.kind) }
        let keys = Set(nodes.map(\.key))
        var text = "graph topology {\n  graph [compound=true, rankdir=LR, fontname=\"sans-serif\"]\n"
        text += "  node [shape=box, style=rounded, fontname=\"sans-serif\", fontsize=10]\n  edge [fontname=\"sans-serif\", fontsize=9]\n"
        var inside: [String: [EntityReport]] = [:]
        for node in nodes { inside[home(node, places) ?? "", default: []].append(node) }
        for (number, key) in inside.keys.sorted().enumerated() {
            let lines = inside[key]!.map { node in
                let shape = node.kind == "interface" ? "" : node.kind == "service" ? ", shape=note" : ", shape=ellipse"
                return "    \(quoted(node.key)) [label=\(quoted(node.name))\(shape)]\n"
            }.joined()
            if key.isEmpty {
                text += lines
            } else {
                text += "  subgraph cluster_\(number) {\n    label=\(quoted(places.place(of: key)))\n\(lines)  }\n"
            }
        }
        for link in places.links where keys.contains(link.from) && keys.contains(link.to) {
            var attributes = "label=\(quoted(link.kind == "talk" ? link.protocolText : link.kind))"
            if let load = link.load, load.bitsPerSecond != nil {
                attributes += ", color=\"#2b7a9b\", penwidth=\(1 + Self.decades(load.bothBitsPerSecond))"
            }
            if link.layer == "layer3" || link.kind == "vtep" { attributes += ", style=dotted" }
            if link.kind == "tunnel" { attributes += ", style=dashed" }
            text += "  \(quoted(link.from)) -- \(quoted(link.to)) [\(attributes)]\n"
        }
        return text + "}\n"
    }

    /// The namespace that it is in, at whatever depth; or its only network.
    private func home(_ node: EntityReport, _ places: TopologyPlaces) -> String? {
        var parent = node.parent
        while let key = parent, let entity = places.entities[key] {
            if entity.kind == "namespace" { return key }
            parent = entity.parent
        }
        return node.networks.flatMap { $0.count == 1 ? $0[0] : nil }
    }

    /// 0…5 for rates from under 1 kb/s to over 100 Mb/s.
    static func decades(_ bitsPerSecond: Double) -> Int { [1e3, 1e5, 1e6, 1e7, 1e8].filter { bitsPerSecond >= $0 }.count }

    /// A string of the language: quotation marks and backslashes are escaped.
    private func quoted(_ text: String) -> String {
        "\"" + text.visible.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
