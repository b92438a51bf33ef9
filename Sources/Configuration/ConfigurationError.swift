import NetworkTypes

/// One thing wrong with a configuration, with all that a person needs to mend it.
public struct ConfigurationProblem: Sendable, Equatable {
    /// Counted from 1; 0 when the problem is not in a line (the file cannot be read).
    public var line: Int
    /// `datapath.vxlan-ports[1]`; empty at the top level.
    public var keyPath: String
    /// The value as written; nil when there is none.
    public var value: String?
    public var reason: String
    public var hint: String?
}

extension ConfigurationProblem: CustomStringConvertible {
    /// Key path, value and reason in one line, whatever they hold; without the hint.
    public var description: String {
        (keyPath.isEmpty ? "" : "\(keyPath.visible(most: 200)): ") + (value.map { "\"\($0.visible(most: 200))\": " } ?? "")
            + reason.visible(most: 1000)
    }
}

/// A configuration that is not used, because of every problem listed (never empty), in the order of their lines.
public struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    public var file: String
    public var problems: [ConfigurationProblem]

    /// One line for each problem, its hint in a line below: the form of the command line's errors.
    public var description: String {
        problems.map { problem in
            "\(file.visible):\(problem.line > 0 ? "\(problem.line):" : "") \(problem)"
                + (problem.hint.map { "\nhint: \($0.visible(most: 1000))" } ?? "")
        }.joined(separator: "\n")
    }
}

/// The candidate closest to `word` by edit distance (insert, delete, replace, swap of neighbours), if close enough to be what was meant.
func closest(to word: String, among candidates: [String]) -> String? {
    guard word.utf8.count <= 64 else { return nil }
    let found = candidates.map { (name: $0, distance: editDistance(Array(word.utf8), Array($0.utf8))) }.min { $0.distance < $1.distance }
    guard let found, found.distance <= max(2, found.name.utf8.count / 3) else { return nil }
    return found.name
}

func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in 1...a.count {
        var row = [Int](repeating: i, count: b.count + 1)
        for j in 1...b.count {
            row[j] = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
            if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { row[j] = min(row[j], beforeLast[j - 2] + 1) }
        }
        (beforeLast, last) = (last, row)
    }
    return last[b.count]
}
