// Which column a box stands in, and in which order the boxes of a column and the rows of a box stand: so that what is joined is near.

extension TopologyLayout {
    /// - Parameter boxes: in the order that they have where nothing else tells.
    static func placed(_ boxes: [Box], _ edges: [Edge]) -> [[Box]] {
        let graph = BoxGraph(boxes, edges)
        let levels = graph.levels()
        var columns: [[Int]] = Array(repeating: [], count: (levels.max() ?? -1) + 1)
        for (box, level) in levels.enumerated() { columns[level].append(box) }
        // Forward, back and forward again (the barycentre method of layered drawings).
        for round in 0..<3 {
            let order = round == 1 ? Array(columns.indices.reversed()) : Array(columns.indices)
            for column in order { graph.arrange(&columns, column, isBack: round == 1) }
        }
        return columns.map { $0.map { boxes[$0] } }.enumerated().map { _, column in column.map { graph.arranged($0, columns) } }
    }
}

/// The boxes as the nodes of a graph.
private struct BoxGraph {
    let boxes: [TopologyLayout.Box]
    /// Of each box the boxes that it is joined to, by wires and gateways.
    private var neighbours: [[Int]]
    /// The rows at the other ends of a row's wires.
    private var far: [String: [String]] = [:]
    private var home: [String: Int] = [:]

    init(_ boxes: [TopologyLayout.Box], _ edges: [TopologyLayout.Edge]) {
        self.boxes = boxes
        neighbours = Array(repeating: [], count: boxes.count)
        for (number, box) in boxes.enumerated() { for row in box.rows { home[row.key] = number } }
        for edge in edges where edge.kind == .wire || edge.kind == .gateway {
            guard let a = home[edge.from], let b = home[edge.to] else { continue }
            far[edge.from, default: []].append(edge.to)
            far[edge.to, default: []].append(edge.from)
            guard a != b else { continue }
            neighbours[a].append(b)
            neighbours[b].append(a)
        }
    }

    /// The column of each box: how far it is from the middle of what it hangs together with. What is elsewhere stands last.
    func levels() -> [Int] {
        var levels = Array(repeating: -1, count: boxes.count)
        for start in boxes.indices where levels[start] < 0 && !boxes[start].isElsewhere {
            let part = distances(from: start).keys.filter { !boxes[$0].isElsewhere }.sorted()
            let root = root(of: part) ?? start
            for (box, distance) in distances(from: root) where !boxes[box].isElsewhere { levels[box] = distance }
        }
        let last = (levels.max() ?? -1) + 1
        return levels.map { $0 < 0 ? last : $0 }
    }

    private func distances(from start: Int) -> [Int: Int] {
        var found = [start: 0]
        var rest = [start][...]
        while let box = rest.popFirst() {
            for next in neighbours[box] where found[next] == nil && !boxes[next].isElsewhere {
                found[next] = found[box]! + 1
                rest.append(next)
            }
        }
        return found
    }

    /// The host's own namespace or one with a real device; else the one that is nearest to all others.
    private func root(of part: [Int]) -> Int? {
        if let real = part.first(where: { boxes[$0].rows.contains { $0.device == "physical" } }) { return real }
        // For every box a walk over all: not for thousands.
        guard part.count <= 200 else { return part.max { neighbours[$0].count < neighbours[$1].count } }
        var best: (box: Int, reach: Int, degree: Int)?
        for box in part {
            let one = (box: box, reach: distances(from: box).values.max() ?? 0, degree: neighbours[box].count)
            guard let known = best else {
                best = one
                continue
            }
            if one.reach < known.reach || one.reach == known.reach && one.degree > known.degree { best = one }
        }
        return best?.box
    }

    private func positions(_ column: [Int]) -> [Int: Double] {
        var next = 0.0
        var found: [Int: Double] = [:]
        for box in column {
            found[box] = next + Double(boxes[box].rows.count) / 2
            next += Double(boxes[box].rows.count) + 1
        }
        return found
    }

    /// Orders a column's boxes by the middle of what they are joined to in the column before (or after).
    func arrange(_ columns: inout [[Int]], _ column: Int, isBack: Bool) {
        let other = isBack ? column + 1 : column - 1
        guard columns.indices.contains(other) else { return }
        let places = positions(columns[other])
        let weights = columns[column].enumerated().map { index, box in
            let found = neighbours[box].compactMap { places[$0] }
            return (box, found.isEmpty ? Double.infinity : found.reduce(0, +) / Double(found.count), index)
        }
        columns[column] = weights.sorted { $0.1 != $1.1 ? $0.1 < $1.1 : $0.2 < $1.2 }.map(\.0)
    }

    /// The box with its bridges, and the ports of each, in the order of what they lead to.
    func arranged(_ box: TopologyLayout.Box, _ columns: [[Int]]) -> TopologyLayout.Box {
        var places: [Int: Double] = [:]
        for column in columns { places.merge(positions(column)) { $1 } }
        guard let own = boxes.firstIndex(where: { $0.key == box.key }) else { return box }
        func place(_ row: TopologyLayout.Row) -> Double {
            let found = (far[row.key] ?? []).compactMap { home[$0] }.filter { $0 != own }.compactMap { places[$0] }
            return found.min() ?? .infinity
        }
        var groups: [[TopologyLayout.Row]] = []
        for row in box.rows {
            if row.isPort, !groups.isEmpty { groups[groups.count - 1].append(row) } else { groups.append([row]) }
        }
        func sorted(_ rows: [TopologyLayout.Row]) -> [TopologyLayout.Row] {
            rows.enumerated().map { ($1, place($1), $0) }.sorted { $0.1 != $1.1 ? $0.1 < $1.1 : $0.2 < $1.2 }.map(\.0)
        }
        let ordered = groups.map { [$0[0]] + sorted(Array($0.dropFirst())) }
        let weighed = ordered.enumerated().map { (index: $0, rows: $1, place: $1.map(place).min() ?? .infinity) }
        var box = box
        box.rows = weighed.sorted { $0.place != $1.place ? $0.place < $1.place : $0.index < $1.index }.flatMap(\.rows)
        return box
    }
}
