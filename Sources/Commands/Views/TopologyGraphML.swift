import NetworkTypes
import Reports

/// The topology as GraphML (http://graphml.graphdrawing.org), for networkx, Gephi, yEd, igraph: attributes by name, each of one type.
struct TopologyGraphML: Sendable {
    var kernelMade: Bool

    private enum Kind: String {
        case string, double, boolean
    }

    func text(_ report: TopologyReport) -> String {
        let entities = report.entities.filter { kernelMade || $0.kernelMade != true }
        let known = Set(entities.map(\.key))
        let links = report.links.filter { (kernelMade || $0.kernelMade != true) && known.contains($0.from) && known.contains($0.to) }
        let nodes = entities.map { ($0.key, members(of: $0)) }
        let edges = links.map { ($0, members(of: $0)) }
        let nodeKinds = Self.kinds(nodes.map(\.1))
        let edgeKinds = Self.kinds(edges.map(\.1))
        var text = """
            <?xml version="1.0" encoding="UTF-8"?>
            <graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
            xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">

            """
        for (domain, kinds) in [("node", nodeKinds), ("edge", edgeKinds)] {
            for name in kinds.keys.sorted() {
                text +=
                    "  <key id=\"\(domain).\(xml(name))\" for=\"\(domain)\" attr.name=\"\(xml(name))\" attr.type=\"\(kinds[name]!.rawValue)\"/>\n"
            }
        }
        text += "  <graph id=\"topology\" edgedefault=\"directed\">\n"
        for (key, members) in nodes { text += "    <node id=\"\(xml(key))\">\n\(data("node", members))    </node>\n" }
        for (link, members) in edges {
            let ends = "source=\"\(xml(link.from))\" target=\"\(xml(link.to))\""
            text += "    <edge id=\"\(xml(link.key))\" \(ends)>\n\(data("edge", members))    </edge>\n"
        }
        return text + "  </graph>\n</graphml>\n"
    }

    private func members(of entity: EntityReport) -> [String: AttributeValue] {
        var members = entity.attributes
        members["kind"] = .text(entity.kind)
        members["label"] = .text(entity.name)
        members["parent"] = entity.parent.map { .text($0) }
        members["networks"] = entity.networks.map { .list($0) }
        return members
    }

    private func members(of link: LinkReport) -> [String: AttributeValue] {
        var members = link.attributes
        members["kind"] = .text(link.kind)
        members["layer"] = .text(link.layer)
        members["networks"] = link.networks.map { .list($0) }
        members["bits-per-second"] = link.load?.bitsPerSecond.map { .number($0) }
        members["reverse-bits-per-second"] = link.load?.reverseBitsPerSecond.map { .number($0) }
        return members
    }

    /// Where a name has values of several types, text holds them all.
    private static func kinds(_ things: [[String: AttributeValue]]) -> [String: Kind] {
        var found: [String: Kind] = [:]
        for (name, value) in things.joined() {
            let kind: Kind =
                switch value {
                case .text, .list: .string
                case .number: .double
                case .flag: .boolean
                }
            found[name] = found[name].map { $0 == kind ? kind : .string } ?? kind
        }
        return found
    }

    private func data(_ domain: String, _ members: [String: AttributeValue]) -> String {
        members.sorted { $0.key < $1.key }.map { name, value in
            let text =
                switch value {
                case .flag(let flag): flag ? "true" : "false"
                default: value.description
                }
            return "      <data key=\"\(domain).\(xml(name))\">\(xml(text))</data>\n"
        }.joined()
    }
}

/// Text as XML has it, within elements and attributes; what is not seen, or no XML document may hold (XML 1.0, 2.2), is made visible.
func xml(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case "\n", "\t": result.unicodeScalars.append(scalar)
        case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF: result += "\u{FFFD}"
        case _ where scalar.isASCII: result.unicodeScalars.append(scalar)
        default: result += String(scalar).visible
        }
    }
    return result
}
