import Terminal

extension TopologyPicture {
    /// What lies between two columns: a line for each pair, down or up in a lane of its own.
    struct Gutter: Sendable {
        private struct Line {
            var from: Int
            var to: Int
            var lane = 0
            var style: TextStyle?

            var span: ClosedRange<Int> { min(from, to)...max(from, to) }
        }

        private var lines: [Line] = []
        private var lanes = 1

        /// More lanes than that are too wide: lines then share one.
        private static let mostLanes = 12

        /// With a column at either side of the lanes.
        var width: Int { lanes + 2 }

        /// - Parameters:
        ///   - column: the one at the left.
        ///   - left: the first line of each of its boxes.
        init(_ layout: TopologyLayout, after column: Int, tops left: [Int], _ right: [Int]) {
            for edge in layout.edges where edge.kind == .wire || edge.kind == .gateway {
                guard var a = layout.places[edge.from], var b = layout.places[edge.to] else { continue }
                if a.column > b.column { (a, b) = (b, a) }
                guard a.column == column, b.column == column + 1 else { continue }
                let style: TextStyle? =
                    if edge.isDown {
                        .red
                    } else if let share = edge.utilisation, share >= 0.5 {
                        share >= 0.8 ? .red : .yellow
                    } else {
                        edge.bits > 0 ? .blue : .dim
                    }
                lines.append(Line(from: left[a.box] + 1 + a.row, to: right[b.box] + 1 + b.row, style: style))
            }
            // Those that go down from the lowest, those that go up from the highest: each then finds a lane that keeps it apart from what
            // is on its first and last line of text already.
            let down = lines.filter { $0.from <= $0.to }.sorted { ($0.from, $0.to) > ($1.from, $1.to) }
            let up = lines.filter { $0.from > $0.to }.sorted { ($0.from, $0.to) < ($1.from, $1.to) }
            lines = down + up
            for index in lines.indices { lines[index].lane = lane(for: index) }
            lanes = (lines.map(\.lane).max() ?? 0) + 1
        }

        private func lane(for index: Int) -> Int {
            let line = lines[index]
            guard line.from != line.to else { return 0 }
            var best = (lane: 0, conflicts: Int.max)
            // What leads to one place goes there together.
            let shared = lines[..<index].filter { $0.to == line.to && $0.from != $0.to }.map(\.lane)
            for lane in shared + Array(0..<Self.mostLanes) {
                var conflicts = 0
                for other in lines[..<index] where other.from != other.to {
                    let isApart = other.from != line.from && other.to != line.to
                    if other.lane == lane, other.span.overlaps(line.span), isApart { conflicts += 1 }
                    // On one line of text what comes from the left must end before what goes to the right begins.
                    if other.to == line.from, other.lane <= lane { conflicts += 1 }
                    if other.from == line.to, other.lane >= lane { conflicts += 1 }
                }
                if conflicts == 0 { return lane }
                if conflicts < best.conflicts { best = (lane, conflicts) }
            }
            return best.lane
        }

        func draw(at x: Int, _ canvas: inout Canvas) {
            // Each cell's arms: left, right, up, down.
            var cells: [[Int]: (arms: Set<Character>, style: TextStyle?)] = [:]
            func mark(_ column: Int, _ row: Int, _ arms: Set<Character>, _ style: TextStyle?) {
                let known = cells[[column, row]]
                cells[[column, row]] = ((known?.arms ?? []).union(arms), known.map { $0.style == style ? style : nil } ?? style)
            }
            for line in lines {
                let turn = line.lane + 1
                for column in 0..<turn { mark(column, line.from, ["l", "r"], line.style) }
                for column in (turn + 1)..<(width) { mark(column, line.to, ["l", "r"], line.style) }
                if line.from == line.to {
                    mark(turn, line.from, ["l", "r"], line.style)
                } else {
                    mark(turn, line.from, ["l", line.from < line.to ? "d" : "u"], line.style)
                    mark(turn, line.to, ["r", line.from < line.to ? "u" : "d"], line.style)
                    for row in line.span.dropFirst().dropLast() { mark(turn, row, ["u", "d"], line.style) }
                }
            }
            for (place, cell) in cells { canvas.put(Self.glyph(cell.arms), x + place[0], place[1], cell.style) }
        }

        private static func glyph(_ arms: Set<Character>) -> String {
            switch arms {
            case ["l", "r"]: "─"
            case ["u", "d"]: "│"
            case ["l", "d"]: "╮"
            case ["l", "u"]: "╯"
            case ["r", "d"]: "╭"
            case ["r", "u"]: "╰"
            case ["l", "r", "d"]: "┬"
            case ["l", "r", "u"]: "┴"
            case ["l", "u", "d"]: "┤"
            case ["r", "u", "d"]: "├"
            default: "┼"
            }
        }
    }
}
