import NetworkTypes
import Reports

/// The topology as a drawing (SVG 1.1): namespaces are boxes with their interfaces as rows, in columns; pairs of interfaces are drawn between
/// the columns, tunnels at the left of theirs, communication at the right. Light ground, no script, nothing from elsewhere.
struct TopologySVG: Sendable {
    let layout: TopologyLayout

    init(_ layout: TopologyLayout) { self.layout = layout }

    // Points.
    private static let margin = 28.0
    private static let rowHeight = 20.0
    private static let titleHeight = 26.0
    private static let boxGap = 16.0
    private static let gutter = 110.0
    /// On the average of a sans-serif font of 11 points.
    private static let glyph = 6.5

    private static let palette = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#6a51a3"]

    var text: String {
        let frame = Frame(layout)
        var body = ""
        for edge in layout.edges where edge.kind != .talk { body += line(edge, frame) }
        for (column, boxes) in layout.columns.enumerated() {
            for (number, box) in boxes.enumerated() { body += drawn(box, frame.box(column, number)) }
        }
        let talks = layout.edges.filter { $0.kind == .talk }.sorted { $0.bits > $1.bits }
        // The loudest on top.
        for talk in talks.reversed() { body += line(talk, frame) }
        let (below, height) = foot(talks, frame)
        let (w, h) = (number(frame.width), number(frame.height + height))
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <svg xmlns="http://www.w3.org/2000/svg" width="\(w)" height="\(h)" viewBox="0 0 \(w) \(h)" \
            font-family="Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif" font-size="11">
            <title>Topology at \(xml(layout.at))</title>
            <rect width="100%" height="100%" fill="#fbfbf9"/>
            \(body)\(below)</svg>

            """
    }

    // MARK: Boxes

    private func colour(_ network: String?) -> String? {
        guard let network, let index = layout.networks.firstIndex(where: { $0.key == network }) else { return nil }
        return Self.palette[index % Self.palette.count]
    }

    private func drawn(_ box: TopologyLayout.Box, _ area: Area) -> String {
        let (stroke, dash) = box.isElsewhere ? ("#c9c6bd", " stroke-dasharray=\"4 3\"") : ("#b9bfc6", "")
        var text = "<g>\n"
        text += rectangle(area, "rx=\"6\" fill=\"#ffffff\" stroke=\"\(stroke)\"\(dash)")
        text += words(area.x + 10, area.y + 17, box.title, "font-weight=\"600\" font-size=\"12\" fill=\"#1d2329\"")
        if !box.note.isEmpty {
            text += words(area.x + area.width - 10, area.y + 17, box.note, "text-anchor=\"end\" fill=\"#8a929b\" font-size=\"10\"")
        }
        for (number, row) in box.rows.enumerated() {
            let top = area.y + Self.titleHeight + Double(number) * Self.rowHeight
            text += drawn(row, Area(x: area.x, y: top, width: area.width, height: Self.rowHeight))
        }
        return text + "</g>\n"
    }

    private func drawn(_ row: TopologyLayout.Row, _ area: Area) -> String {
        let indent = row.isPort ? 14.0 : 0
        var text = ""
        if row.device == "bridge" {
            let bar = Area(x: area.x + 4, y: area.y + 1.5, width: area.width - 8, height: area.height - 3)
            text += rectangle(bar, "rx=\"3\" fill=\"#eef1f4\"")
        }
        if let colour = colour(row.network) {
            text += rectangle(Area(x: area.x + 5, y: area.y + 4, width: 3, height: area.height - 8), "rx=\"1.5\" fill=\"\(colour)\"")
        }
        let base = area.y + 14
        var x = area.x + 14 + indent
        let name = row.trouble == nil ? "#1d2329" : "#c0392b"
        text += words(x, base, row.name, "fill=\"\(name)\"")
        x += Double(row.name.count) * Self.glyph + 10
        if !row.notes.isEmpty { text += words(x, base, row.notes.joined(separator: "  "), "fill=\"#4a5560\"") }
        let right = [row.trouble, row.device].compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: " · ")
        let shade = row.trouble == nil ? "#8a929b" : "#c0392b"
        text += words(area.x + area.width - 10, base, right, "text-anchor=\"end\" fill=\"\(shade)\" font-size=\"10\"")
        return text
    }

    // MARK: Lines

    private func line(_ edge: TopologyLayout.Edge, _ frame: Frame) -> String {
        guard let a = layout.places[edge.from], let b = layout.places[edge.to] else { return "" }
        let course = Self.course(edge, frame.row(a), frame.row(b), isOneColumn: a.column == b.column, isForward: a.column < b.column)
        let title = edge.load?.bitsPerSecond == nil ? edge.label : "\(edge.label), \(BitRate(bitsPerSecond: edge.bits))"
        return "<path d=\"\(course)\" fill=\"none\" \(style(edge))><title>\(xml(title))</title></path>\n"
    }

    private static func course(_ edge: TopologyLayout.Edge, _ a: Area, _ b: Area, isOneColumn: Bool, isForward: Bool) -> String {
        let (y1, y2) = (a.y + a.height / 2, b.y + b.height / 2)
        func path(_ x1: Double, _ c1: Double, _ c2: Double, _ x2: Double) -> String {
            "M\(number(x1)) \(number(y1))C\(number(c1)) \(number(y1)) \(number(c2)) \(number(y2)) \(number(x2)) \(number(y2))"
        }
        guard isOneColumn else {
            let (x1, x2) = isForward ? (a.x + a.width, b.x) : (a.x, b.x + b.width)
            let middle = (x1 + x2) / 2
            return path(x1, middle, middle, x2)
        }
        let reach = min(100, 22 + abs(y2 - y1) * 0.16)
        if edge.kind == .tunnel { return path(a.x, a.x - reach, b.x - reach, b.x) }
        let (x1, x2) = (a.x + a.width, b.x + b.width)
        return path(x1, max(x1, x2) + reach, max(x1, x2) + reach, x2)
    }

    private func style(_ edge: TopologyLayout.Edge) -> String {
        let width = number(1.2 + 0.8 * Double(TopologyDrawing.decades(edge.bits)))
        if edge.isDown { return "stroke=\"#c0392b\" stroke-width=\"1.2\" stroke-dasharray=\"3 3\"" }
        switch edge.kind {
        case .talk: return "stroke=\"#2b7a9b\" stroke-width=\"\(width)\" stroke-opacity=\"0.45\""
        case .gateway: return "stroke=\"#a9b0b7\" stroke-width=\"1.2\" stroke-dasharray=\"1.5 3\""
        case .tunnel: return "stroke=\"#7a5ea8\" stroke-width=\"\(width)\" stroke-dasharray=\"6 3\" stroke-opacity=\"0.75\""
        case .wire:
            let share = edge.utilisation ?? 0
            let colour = share >= 0.8 ? "#c0392b" : share >= 0.5 ? "#b8860b" : edge.bits > 0 ? "#2b7a9b" : "#a9b0b7"
            return "stroke=\"\(colour)\" stroke-width=\"\(width)\""
        }
    }

    // MARK: Below

    /// What the colours mean, and the busiest conversations in words; how high that is.
    private func foot(_ talks: [TopologyLayout.Edge], _ frame: Frame) -> (String, Double) {
        var text = ""
        var y = frame.height + 6
        var x = Self.margin
        for network in layout.networks {
            let label = network.key == network.name ? network.name : "\(network.name) (\(network.key))"
            let width = Double(label.count) * Self.glyph + 34
            if x > Self.margin, x + width > frame.width - Self.margin {
                x = Self.margin
                y += 18
            }
            text += rectangle(Area(x: x, y: y - 8, width: 12, height: 8), "rx=\"2\" fill=\"\(colour(network.key) ?? "#8a929b")\"")
            text += words(x + 18, y, label, "fill=\"#4a5560\"")
            x += width
        }
        if !layout.networks.isEmpty { y += 24 }
        for talk in talks.prefix(12) {
            let line = "\(name(talk.from)) → \(name(talk.to))  \(talk.label)  \(BitRate(bitsPerSecond: talk.bits))"
            text += words(Self.margin, y, line, "fill=\"#2b5d75\"")
            y += 16
        }
        let left = max(0, talks.count - 12) + layout.omitted
        if left > 0 {
            text += words(Self.margin, y, "\(left) more conversations", "fill=\"#8a929b\"")
            y += 16
        }
        text += words(Self.margin, y + 4, layout.at, "fill=\"#8a929b\" font-size=\"10\"")
        return (text, y + 20 - frame.height)
    }

    private func name(_ row: String) -> String {
        guard let place = layout.places[row] else { return row }
        let box = layout.columns[place.column][place.box]
        return box.isElsewhere ? box.rows[place.row].name : "\(box.title):\(box.rows[place.row].name)"
    }

    private func rectangle(_ area: Area, _ attributes: String) -> String {
        let place = "x=\"\(number(area.x))\" y=\"\(number(area.y))\" width=\"\(number(area.width))\" height=\"\(number(area.height))\""
        return "<rect \(place) \(attributes)/>\n"
    }

    struct Area {
        var x: Double
        var y: Double
        var width: Double
        var height: Double
    }

    /// Where boxes and rows are.
    private struct Frame {
        private var boxes: [[Area]] = []
        private(set) var width = 0.0
        private(set) var height = 0.0

        init(_ layout: TopologyLayout) {
            let heights = layout.columns.map { column in
                column.reduce(-TopologySVG.boxGap) { $0 + TopologySVG.height($1) + TopologySVG.boxGap }
            }
            let tallest = heights.max() ?? 0
            var x = TopologySVG.margin + (layout.edges.contains { $0.kind == .tunnel } ? 70 : 0)
            for (column, boxes) in layout.columns.enumerated() {
                let width = boxes.map(TopologySVG.width).max() ?? 0
                var y = TopologySVG.margin + (tallest - heights[column]) / 2
                self.boxes.append(
                    boxes.map { box in
                        defer { y += TopologySVG.height(box) + TopologySVG.boxGap }
                        return Area(x: x, y: y, width: width, height: TopologySVG.height(box))
                    })
                x += width + TopologySVG.gutter
            }
            // Beyond the last column there is room for arcs, where it has some.
            let last = layout.columns.count - 1
            let hasArcs = layout.edges.contains {
                $0.kind != .tunnel && layout.places[$0.from]?.column == last && layout.places[$0.to]?.column == last
            }
            width = max(480, x + TopologySVG.margin - (hasArcs ? 10 : TopologySVG.gutter))
            height = tallest + 2 * TopologySVG.margin
        }

        func box(_ column: Int, _ number: Int) -> Area { boxes[column][number] }

        func row(_ place: TopologyLayout.Place) -> Area {
            let box = boxes[place.column][place.box]
            let y = box.y + TopologySVG.titleHeight + Double(place.row) * TopologySVG.rowHeight
            return Area(x: box.x, y: y, width: box.width, height: TopologySVG.rowHeight)
        }
    }

    private static func height(_ box: TopologyLayout.Box) -> Double { titleHeight + Double(box.rows.count) * rowHeight + 6 }

    private static func width(_ box: TopologyLayout.Box) -> Double {
        let rows = box.rows.map { row in
            let letters =
                row.name.count + row.notes.joined(separator: "  ").count + row.device.count + (row.trouble.map { $0.count + 3 } ?? 0)
            return Double(letters) * glyph + 48 + (row.isPort ? 14 : 0)
        }
        return max(130, rows.max() ?? 0, Double(box.title.count) * 7.4 + Double(box.note.count) * 6 + 40)
    }
}
