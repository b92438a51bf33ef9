import Glibc

/// The columns of a wide file: a header `ts,NAME,…`, then one row per step; or, with no header, one series per row: `NAME,value,value,…`.
enum SeriesTable {
    /// An empty cell is a gap.
    static func load(_ path: String) -> [String: [Float]] {
        let rows = lines(path)
        guard let header = rows.first else { return [:] }
        var table: [String: [Float]] = [:]
        if header.hasPrefix("ts,") {
            let names = cells(header).dropFirst().map(String.init)
            var columns = [[Float]](repeating: [], count: names.count)
            for row in rows.dropFirst() {
                for (index, cell) in cells(row).dropFirst().enumerated() where index < columns.count { columns[index].append(number(cell)) }
            }
            for (name, column) in zip(names, columns) { table[name] = column }
        } else {
            for row in rows {
                let cells = cells(row)
                table[String(cells[0])] = cells.dropFirst().map(number)
            }
        }
        return table
    }

    private static func cells(_ row: Substring) -> [Substring] { row.split(separator: ",", omittingEmptySubsequences: false) }

    private static func number(_ cell: Substring) -> Float { Float(cell) ?? .nan }
}
