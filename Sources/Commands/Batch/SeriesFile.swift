import FoundationEssentials
import NetworkTypes

/// Text files of numbers, a row a line with commas between its cells. Failures name the file, the line and what is wrong there.
struct SeriesFile {
    let path: String
    let rows: [Substring]

    /// - Parameter purpose: what the file is read for: what failed, where it cannot be.
    init(_ path: String, for purpose: String) throws(CommandFailure) {
        self.path = path
        do {
            rows = try String(contentsOfFile: path, encoding: .utf8).split(whereSeparator: \.isNewline)
        } catch {
            throw CommandFailure(purpose, "\(path): \(Self.reason(error))")
        }
    }

    static func reason(_ error: any Error) -> String {
        guard let code = (error as? CocoaError)?.code else { return "\(error)" }
        switch code {
        case .fileReadNoSuchFile, .fileNoSuchFile: return "there is no such file"
        case .fileReadNoPermission, .fileWriteNoPermission: return "may not be read"
        case .fileReadInapplicableStringEncoding, .fileReadCorruptFile: return "is no text"
        default: return "cannot be read (\(code.rawValue))"
        }
    }

    static func cells(_ row: Substring) -> [Substring] { row.split(separator: ",", omittingEmptySubsequences: false) }

    /// - Parameter row: counted from 0.
    func failure(_ purpose: String, _ row: Int, _ why: String) -> CommandFailure {
        CommandFailure(purpose, "\(path), line \(row + 1): \(why)")
    }

    /// The columns of a wide file: a header `ts,NAME,…`, then one row per step; or, with no header, one series per row:
    /// `NAME,value,value,…`. An empty cell is a gap.
    func table(for purpose: String) throws(CommandFailure) -> [String: [Float]] {
        guard let header = rows.first, header.hasPrefix("ts,") else { return try seriesByRow(purpose) }
        let names = Self.cells(header).dropFirst().map(String.init)
        var columns = [[Float]](repeating: [], count: names.count)
        for (number, row) in rows.enumerated().dropFirst() {
            let cells = Self.cells(row).dropFirst()
            guard cells.count == names.count else {
                throw failure(purpose, number, "\(cells.count) values, where the header has \(names.count) names")
            }
            for (index, cell) in cells.enumerated() { columns[index].append(try value(cell, purpose, number)) }
        }
        return Dictionary(zip(names, columns)) { first, _ in first }
    }

    /// When each row was, of a file whose first column is `ts`: RFC 3339, without a zone taken as UTC, or seconds since 1970. nil where
    /// there is none, or where none of them says a time. Whole seconds.
    func moments(for purpose: String) throws(CommandFailure) -> [Int64]? {
        guard let header = rows.first, header.hasPrefix("ts,") else { return nil }
        let told = rows.dropFirst().map { Self.moment($0) }
        guard told.contains(where: { $0 != nil }) else { return nil }
        var moments: [Int64] = []
        for (number, seconds) in told.enumerated() {
            let text = String(Self.cells(rows[number + 1])[0]).visible(most: 40)
            guard let seconds else { throw failure(purpose, number + 1, "\"\(text)\" is no time, and other lines have one") }
            guard let whole = Int64(exactly: seconds) else { throw failure(purpose, number + 1, "\"\(text)\" is no whole second") }
            moments.append(whole)
        }
        return moments
    }

    /// Seconds since 1970; nil: no time.
    private static func moment(_ row: Substring) -> Double? {
        let text = cells(row)[0].filter { !$0.isWhitespace || $0 == " " }
        // Smaller numbers count rows.
        if let seconds = Double(text), (1e8...1e11).contains(seconds) { return seconds }
        return (Timestamp(rfc3339: text) ?? Timestamp(rfc3339: text + "Z")).map { Double($0.nanoseconds) / 1e9 }
    }

    private func seriesByRow(_ purpose: String) throws(CommandFailure) -> [String: [Float]] {
        var table: [String: [Float]] = [:]
        for (number, row) in rows.enumerated() {
            let cells = Self.cells(row)
            var values: [Float] = []
            for cell in cells.dropFirst() { values.append(try value(cell, purpose, number)) }
            table[String(cells[0])] = values
        }
        return table
    }

    private func value(_ cell: Substring, _ purpose: String, _ row: Int) throws(CommandFailure) -> Float {
        if cell.isEmpty { return .nan }
        guard let value = Float(cell) else { throw failure(purpose, row, "\"\(String(cell).visible(most: 40))\" is no number") }
        guard !value.isInfinite else { throw failure(purpose, row, "\"\(String(cell).visible(most: 40))\" is more than can be counted") }
        return value
    }
}
