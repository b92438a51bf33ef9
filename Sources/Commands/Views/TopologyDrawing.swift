import NetworkTypes
import Reports

/// The topology as a graph for Graphviz (dot(1)): namespaces are boxes around their interfaces, networks boxes around their endpoints.
struct TopologyDrawing {
    var kernelMade: Bool

    private static let kinds: Set = ["interface", "endpoint", "prefix", "station", "service"]

    func dot(_ report: TopologyReport) -> String {
        let shown = report.entities.filter { kernelMade || $0.kernelMade == nil }
        let nodes = shown.filter { Self.kinds.contains($0.kind) }
        let keys = Set(nodes.map(\.key))
        var text = "graph topology {\n  graph [compound=true, rankdir=LR, fontname=\"sans-serif\"]\n"
        text += "  node [shape=box, style=rounded, fontname=\"sans-serif\", fontsize=10]\n  edge [fontname=\"sans-serif\", fontsize=9]\n"
        for (number, group) in shown.filter({ $0.kind == "namespace" || $0.kind == "network" }).enumerated() {
            let inside = nodes.filter { $0.parent == group.key }
            guard !inside.isEmpty else { continue }
            text += "  subgraph cluster_\(number) {\n    label=\(quoted(group.name))\n"
            for node in inside { text += "    \(quoted(node.key)) [label=\(quoted(node.name))]\n" }
            text += "  }\n"
        }
        for link in report.links where keys.contains(link.from) && keys.contains(link.to) && (kernelMade || link.kernelMade == nil) {
            var attributes = "label=\(quoted(label(link)))"
            if let talk = link.talk {
                // One to six points, by the decade of the rate.
                let rate = talk.sentBitsPerSecond + talk.receivedBitsPerSecond
                let decades = (0..<5).filter { step in rate >= [1e3, 1e5, 1e6, 1e7, 1e8][step] }.count
                attributes += ", color=\"#2b7a9b\", penwidth=\(1 + decades)"
            }
            text += "  \(quoted(link.from)) -- \(quoted(link.to)) [\(attributes)]\n"
        }
        return text + "}\n"
    }

    private func label(_ link: TopologyReport.Link) -> String {
        guard let talk = link.talk else { return link.kind }
        return talk.ipProtocol + (talk.port.map { "/\($0)" } ?? "")
    }

    /// A string of the language: quotation marks and backslashes are escaped.
    private func quoted(_ text: String) -> String {
        "\"" + text.visible.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
