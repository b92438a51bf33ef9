/// Finds what a mistyped word was probably meant to be.
public enum Suggestion {
    /// The word of `candidates` that is fewest edits away, if that is near enough to be a slip: a third of its length, at least one edit.
    public static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        guard !word.isEmpty, word.utf8.count <= 64 else { return nil }
        var best: (String, Int)?
        for candidate in candidates {
            let edits = distance(word.lowercased(), candidate.lowercased())
            let allowed = max(1, min(candidate.count, word.count) / 3)
            if edits <= allowed, edits < best?.1 ?? .max { best = (candidate, edits) }
        }
        return best?.0
    }

    /// Insertions, deletions, substitutions and swaps of neighbours that turn one text into the other (optimal string alignment).
    public static func distance(_ a: String, _ b: String) -> Int {
        let (x, y) = (Array(a), Array(b))
        if x.isEmpty || y.isEmpty { return max(x.count, y.count) }
        var beforeLast: [Int] = []
        var last = Array(0...y.count)
        for i in 1...x.count {
            var row = [i] + Array(repeating: 0, count: y.count)
            for j in 1...y.count {
                row[j] = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x[i - 1] == y[j - 1] ? 0 : 1))
                if i > 1, j > 1, x[i - 1] == y[j - 2], x[i - 2] == y[j - 1] { row[j] = min(row[j], beforeLast[j - 2] + 1) }
            }
            (beforeLast, last) = (last, row)
        }
        return last[y.count]
    }
}
